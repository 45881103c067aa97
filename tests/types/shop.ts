// supabase-js on the types of tests/types/project. It is compiled and never run; each line with @ts-expect-error is one
// that must not compile.

import { createClient } from "@supabase/supabase-js"
import { same } from "./assert.js"
import {
  Constants,
  type CompositeTypes,
  type Database,
  type Enums,
  type Json,
  type Tables,
  type TablesInsert,
  type TablesUpdate,
} from "./generated/shop/database.js"

const supabase = createClient<Database>("http://localhost:54321", "key")

type Status = "open" | "in progress" | "it's \"done\"" | "class" | "1st" | "Open" | "ünïcode" | "back\\slash" | ""

export async function selects() {
  const people = (await supabase.from("people").select("id, name, born, home, data, moods, ip")).data!
  same<(typeof people)[number]["id"], number>(true)
  same<(typeof people)[number]["name"], string>(true)
  same<(typeof people)[number]["born"], string | null>(true)
  same<(typeof people)[number]["home"], CompositeTypes<"address"> | null>(true)
  same<(typeof people)[number]["data"], NonNullable<Json>>(true)
  same<(typeof people)[number]["moods"], ("calm" | "not calm")[] | null>(true)
  same<(typeof people)[number]["ip"], unknown>(true)
  // @ts-expect-error it was not selected
  people[0]!.balance

  const odd = (await supabase.from("class").select("*").single()).data!
  same<typeof odd.lambda, Status[]>(true)
  same<(typeof odd)["with space"], string | null>(true)
  same<(typeof odd)["quote\"d"], string | null>(true)
  same<typeof odd.größe, number | null>(true)

  const computed = (await supabase.from("people").select("full_name, initials").single()).data!
  same<typeof computed.full_name, string | null>(true)
  same<typeof computed.initials, string[] | null>(true)

  const view = (await supabase.from("order_totals").select("name, orders").single()).data!
  same<typeof view, { name: string | null; orders: number | null }>(true)

  const weird = (await supabase.schema("odd schema").from("Weird Table").select("Id, Mood, status").single()).data!
  same<typeof weird, { Id: number; Mood: "happy" | "sad"; status: Status | null }>(true)

  // @ts-expect-error no such table
  supabase.from("peple")
  // @ts-expect-error a partition is reached through its table
  supabase.from("events_2026")
  // @ts-expect-error no such schema
  supabase.schema("internal")
  // @ts-expect-error no such label
  supabase.from("orders").select("id").eq("status", "closed")
  supabase.from("orders").select("id").eq("status", "in progress")
}

export async function embeds() {
  const orders = (await supabase.from("orders").select("id, buyer:people!orders_person_id_fkey(name), invoices(number), tags(label)")).data!
  const order = orders[0]!
  same<typeof order.buyer, { name: string }>(true)
  same<typeof order.invoices, { number: number } | null>(true)
  same<typeof order.tags, { label: string }[]>(true)

  const people = (await supabase.from("people").select("name, orders!orders_person_id_fkey(total, status)").single()).data!
  same<typeof people.orders, { total: number; status: Status }[]>(true)

  const boss = (await supabase.from("people").select("name, manager:manager_id(name)").single()).data!
  same<typeof boss.manager, { name: string } | null>(true)

  const open = (await supabase.from("open_orders").select("total, people!orders_person_id_fkey(name)").single()).data!
  same<typeof open.total, number | null>(true)
  const name: string | undefined = open.people?.name
  void name

  const latest = (await supabase.from("people").select("name, latest_orders(total)").single()).data!
  same<typeof latest.latest_orders, { total: number }[]>(true)
  const first = (await supabase.from("people").select("name, first_order(total)").single()).data!
  same<typeof first.first_order, { total: number } | null>(true)

  const ambiguous = (await supabase.from("orders").select("id, people(name)").single()).data!
  // @ts-expect-error two foreign keys lead there: a hint is needed
  ambiguous.people.name
  const unrelated = (await supabase.from("tags").select("label, people(name)").single()).data!
  // @ts-expect-error there is no way from tags to people
  unrelated.people.name
}

export async function writes() {
  await supabase.from("people").insert({ name: "Cem", email: "c@example.com" })
  await supabase.from("people").insert({ name: "Cem", email: "c@example.com", backup: null, home: { street: "x", "house no": 1, tags: null } })
  await supabase.from("orders").insert([{ person_id: 1, total: 3, status: "1st", previous: ["open"] }])
  await supabase.from("invoices").insert({ order_id: "x", number: 7 })
  await supabase.from("people").update({ name: "Cem", home: null }).eq("id", 1)
  await supabase.from("people").upsert({ name: "Cem", email: "c@example.com" })
  await supabase.from("partly_writable").update({ name: "Cem" }).eq("id", 1)
  await supabase.schema("odd schema").from("Weird Table").insert({ label: 1, Id: 5 })
  // @ts-expect-error the name is missing
  await supabase.from("people").insert({ email: "c@example.com" })
  // @ts-expect-error the database makes the number, always
  await supabase.from("people").insert({ id: 1, name: "Cem", email: "c@example.com" })
  // @ts-expect-error a generated column
  await supabase.from("orders").insert({ person_id: 1, total: 3, tax: 1 })
  // @ts-expect-error a generated column
  await supabase.from("orders").update({ tax: 1 })
  // @ts-expect-error NOT NULL
  await supabase.from("people").update({ name: null })
  // @ts-expect-error a text
  await supabase.from("people").update({ name: 1 })
  // @ts-expect-error no such label
  await supabase.from("orders").insert({ person_id: 1, total: 3, status: "closed" })
  // @ts-expect-error no such column
  await supabase.from("people").insert({ name: "Cem", email: "c@example.com", age: 3 })
  // @ts-expect-error an expression of the view
  await supabase.from("partly_writable").update({ loud: "CEM" })
  // @ts-expect-error the view cannot be written
  await supabase.from("order_totals").insert({ name: "x" })
}

export async function calls() {
  const sum = (await supabase.rpc("add", { a: 1 })).data!
  same<typeof sum, number>(true)
  await supabase.rpc("add", { a: 1, b: 2 })
  const loose = (await supabase.rpc("loose")).data!
  same<typeof loose, Record<string, unknown>>(true)
  const numbers = (await supabase.rpc("numbers", { up_to: 3 })).data!
  same<typeof numbers, number[]>(true)
  await supabase.rpc("nothing")
  const found = (await supabase.rpc("find_people", { query: "a%" })).data!
  same<(typeof found)[number]["name"], string>(true)
  const one = (await supabase.rpc("one_person", { who: 1 })).data!
  same<typeof one.name, string>(true)
  const report = (await supabase.rpc("report", { since: "2026-01-01" })).data!
  same<(typeof report)[number]["total sum"], number>(true)
  same<(typeof report)[number]["status"], Status>(true)
  const over = (await supabase.rpc("over", { a: 1, b: "x" })).data!
  same<(typeof over)[number]["label"], string>(true)
  const text = (await supabase.rpc("over", { a: 1 })).data!
  same<typeof text, string>(true)
  const address = (await supabase.rpc("make_address", { street: "x" })).data!
  same<typeof address.street, string | null>(true)
  const shout = (await supabase.schema("odd schema").rpc("Shout it", { "what?": "x" })).data!
  same<typeof shout, string>(true)
  // @ts-expect-error `a` is missing
  await supabase.rpc("add", { b: 2 })
  // @ts-expect-error a number
  await supabase.rpc("add", { a: "1" })
  // @ts-expect-error no such function
  await supabase.rpc("subtract", { a: 1 })
  // @ts-expect-error triggers call it, clients do not
  await supabase.rpc("on_trigger")
  const clash = (await supabase.rpc("clash", { a: 1 })).data!
  // @ts-expect-error a request cannot tell the two functions of this name apart
  const refused: number = clash
  void refused
}

export function helpers() {
  same<Tables<"orders">["tax"], number>(true)
  same<Tables<"open_orders">["total"], number | null>(true)
  same<TablesInsert<"orders">["status"], Status | undefined>(true)
  same<TablesUpdate<"orders">["total"], number | undefined>(true)
  same<Tables<{ schema: "odd schema" }, "Weird Table">["Mood"], "happy" | "sad">(true)
  same<TablesInsert<{ schema: "odd schema" }, "Weird Table">["label"], number>(true)
  same<Enums<"status">, Status>(true)
  same<Enums<{ schema: "odd schema" }, "Mood Type">, "happy" | "sad">(true)
  same<CompositeTypes<"parcel">["moods"], ("happy" | "sad")[] | null>(true)
  const labels: readonly Status[] = Constants.public.Enums.status
  void labels
}
