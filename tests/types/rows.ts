// Real rows, as JSON on standard input ({ table: rows }), through the zod schemas.

import { strict as assert } from "node:assert"
import { readFileSync } from "node:fs"
import { z } from "zod"
import type { Tables, TablesInsert, TablesUpdate } from "./generated/shop/database.js"
import { schemas } from "./generated/shop/schemas.js"

const tables = { ...schemas.public.Tables, ...schemas.public.Views }
const rows = JSON.parse(readFileSync(0, "utf8")) as Record<string, Record<string, unknown>[]>

for (const [name, found] of Object.entries(rows)) {
  assert.ok(found.length > 0, `${name} has rows`)
  const { Row } = tables[name as keyof typeof tables]
  for (const row of found) {
    assert.deepEqual(Row.parse(row), row, `${name} keeps every value`)
    assert.equal((Row as z.ZodType).safeParse({ ...row, [Object.keys(row)[0]!]: { not: "this" } }).success, false, name)
  }
}

// The two kinds of types agree.
const order: Tables<"orders"> = schemas.public.Tables.orders.Row.parse(rows.orders![0])
const insert: TablesInsert<"orders"> = schemas.public.Tables.orders.Insert.parse({ person_id: 1, total: 5 })
const update: TablesUpdate<"orders"> = schemas.public.Tables.orders.Update.parse({ status: "1st", gift_for: null })
const odd: Tables<"class"> = schemas.public.Tables.class.Row.parse(rows.class![0])
assert.ok(order && insert && update && odd)

const { Insert } = schemas.public.Tables.people
// Ten characters, of which JavaScript counts some twice.
assert.ok(Insert.safeParse({ name: "Cem", email: "c@example.com", short: "🙂".repeat(10) }).success)
assert.ok(Insert.safeParse({ name: "Cem", email: "c@example.com", backup: null }).success)
for (const wrong of [
  { email: "c@example.com" },
  { id: 1, name: "Cem", email: "c@example.com" },
  { name: "Cem", email: "c@example.com", age: 3 },
  { name: null, email: "c@example.com" },
  { name: "Cem", email: "c@example.com", small: 40_000 },
  { name: "Cem", email: "c@example.com", uid: "no uuid" },
  { name: "Cem", email: "c@example.com", data: null },
  // What domains and lengths demand.
  { name: "Cem", email: "no address" },
  { name: "Cem", email: "c@example.com", short: "eleven char" },
]) {
  assert.equal(Insert.safeParse(wrong).success, false, JSON.stringify(wrong))
}
assert.equal(schemas.public.Enums.status.safeParse("closed").success, false)
