// supabase-js on the types of examples/helpdesk. It is compiled and never run.

import { createClient } from "@supabase/supabase-js"
import { same } from "./assert.js"
import type { Database, Enums, TablesInsert } from "./generated/helpdesk/database.js"

const supabase = createClient<Database>("http://localhost:54321", "key")

type Status = "open" | "pending" | "solved" | "closed"

export async function tickets() {
  same<Enums<"ticket_status">, Status>(true)
  const tickets = (
    await supabase
      .from("tickets")
      .select("id, title, status, priority, author:profiles!tickets_author_id_fkey(display_name), comments(body)")
      .eq("status", "open")
      .order("id")
  ).data!
  const ticket = tickets[0]!
  same<typeof ticket.author, { display_name: string }>(true)
  same<typeof ticket.comments, { body: string }[]>(true)
  same<typeof ticket.status, Status>(true)

  const fresh: TablesInsert<"tickets"> = { organization_id: 1, title: "The kettle leaks", tags: ["kitchen"] }
  await supabase.from("tickets").insert(fresh)
  // @ts-expect-error a title is needed
  await supabase.from("tickets").insert({ organization_id: 1 })
  // @ts-expect-error no such status
  await supabase.from("tickets").update({ status: "done" }).eq("id", 1)

  const counts = (await supabase.rpc("ticket_counts", { organization: 1 })).data!
  same<typeof counts, { status: Status; tickets: number }[]>(true)
}
