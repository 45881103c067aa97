"""What is asked for, and what shapes the answer."""

import unittest

from library import SECRET, client, ids
from postgrest import APIError, CountMethod

ALICE = "a1a1a1a1-0000-4000-8000-000000000001"
BOB = "b2b2b2b2-0000-4000-8000-000000000001"

# Methods that test_filters does not have; each is used below.
USED = {
    "from_", "table", "rpc", "schema", "auth", "aclose",
    "select", "insert", "upsert", "update", "delete",
    "order", "limit", "offset", "range", "single", "maybe_single", "csv", "explain", "strip_nulls", "max_affected",
    "retry", "execute",
}


class Builders(unittest.TestCase):
    def setUp(self):
        self.anon, self.alice, self.bob = client(), client(user="alice"), client(user="bob")
        self.service = client(SECRET)
        for each in (self.anon, self.alice, self.bob, self.service):
            self.addCleanup(each.aclose)

    def refused(self, builder, code):
        with self.assertRaises(APIError) as caught:
            builder.execute()
        self.assertEqual(caught.exception.code, code, caught.exception.message)
        return caught.exception

    def books(self, *columns, **options):
        return self.anon.from_("books").select(*(columns or ("id",)), **options)

    def test_select_and_counts(self):
        self.assertEqual(self.books("name:title", "cover:details->>cover").eq("id", 2).execute().data,
                         [{"name": "Engines and Roads", "cover": "soft"}])
        self.assertEqual(self.books(count=CountMethod.exact).limit(1).execute().count, 4)
        self.assertEqual(self.books(count=CountMethod.estimated).execute().count, 4)
        self.assertIsInstance(self.books(count=CountMethod.planned).execute().count, int)
        head = self.books(count=CountMethod.exact, head=True).execute()
        self.assertEqual((head.data, head.count), ([], 4))
        self.assertEqual(len(self.anon.table("genres").select("*").execute().data), 3)

    def test_order_and_pages(self):
        self.assertEqual(ids(self.books().order("price", desc=True)), [4, 1, 2, 3])
        self.assertEqual(ids(self.books().order("pages", nullsfirst=True)), [3, 2, 1, 4])
        self.assertEqual(ids(self.books().order("status").order("id", desc=True)), [2, 3, 1, 4])
        self.assertEqual(ids(self.books().order("id").limit(2).offset(1)), [2, 3])
        self.assertEqual(ids(self.books().order("id").range(2, 3)), [3, 4])
        authors = self.anon.from_("authors").select("id", "books!author_id(id)").eq("id", 2)
        listed = authors.order("id", desc=True, foreign_table="books").limit(1, foreign_table="books")
        self.assertEqual(listed.execute().data, [{"id": 2, "books": [{"id": 3}]}])

    def test_shapes(self):
        self.assertEqual(self.books().eq("id", 3).single().execute().data, {"id": 3})
        self.refused(self.books().single(), "PGRST116")
        self.assertEqual(self.books().eq("id", 3).maybe_single().execute().data, {"id": 3})
        self.assertIsNone(self.books().eq("id", 99).maybe_single().execute())
        self.assertEqual(self.books("id", "tags").gte("id", 3).order("id").csv().execute().data, "id,tags\n3,{gardens}\n4,{}")
        self.assertIn("cost=", self.books().explain(analyze=True, verbose=True).execute())
        self.assertIn("Plan", self.books().explain(format="json").execute().data[0])
        self.assertEqual(self.books("id", "pages").eq("id", 3).strip_nulls().execute().data, [{"id": 3}])
        self.assertEqual(ids(self.books().eq("id", 1).retry(False)), [1])

    def test_related_rows_aggregates_and_spread(self):
        rows = self.books("id", "author:authors!author_id(name)", "genres!inner(name)").eq("genres.name", "travel")
        self.assertEqual(rows.execute().data, [{"id": 2, "author": {"name": "Berta"}, "genres": [{"name": "travel"}]}])
        self.assertEqual(self.books("count()", "price.sum()").execute().data, [{"count": 4, "sum": 70.5}])
        self.assertEqual(self.books("id", "...authors!author_id(author:name)").eq("id", 1).execute().data,
                         [{"id": 1, "author": "Ada"}])
        self.assertEqual(len(self.refused(self.books("authors(id)"), "PGRST201").details), 2)

    def test_writes(self):
        shelves = self.alice.from_("shelves")
        one = shelves.insert({"name": "p1", "place": 1}).execute()
        self.assertEqual([row["name"] for row in one.data], ["p1"])
        many = shelves.insert([{"name": "p2", "place": 2}, {"name": "p3"}], default_to_null=False,
                              count=CountMethod.exact).select("name", "place").execute()
        self.assertEqual((many.data, many.count), ([{"name": "p2", "place": 2}, {"name": "p3", "place": 7}], 2))
        self.refused(shelves.insert({"name": "p1"}), "23505")
        changed = shelves.update({"note": "x"}, count=CountMethod.exact).like("name", "p%").execute()
        self.assertEqual((len(changed.data), changed.count), (3, 3))
        both = shelves.upsert([{"owner": ALICE, "name": "p1", "note": "y"}, {"owner": ALICE, "name": "p4", "note": "z"}],
                              on_conflict="owner,name").execute()
        self.assertEqual([row["note"] for row in both.data], ["y", "z"])
        ignored = shelves.upsert({"owner": ALICE, "name": "p1", "note": "n"}, on_conflict="owner,name", ignore_duplicates=True)
        self.assertEqual(ignored.execute().data, [])
        self.refused(shelves.delete().like("name", "p%").max_affected(3), "PGRST124")
        self.assertEqual(len(shelves.delete().like("name", "p%").max_affected(4).execute().data), 4)

    def test_calls(self):
        self.assertEqual(self.anon.rpc("add", {"a": 1, "b": 2}).execute().data, 3)
        self.assertEqual(self.anon.rpc("add", {"a": 1}, get=True).execute().data, 11)
        self.assertEqual(self.anon.rpc("total", {"parts": [1, 2]}, get=True).execute().data, 3)
        berta = {"author": "Berta"}
        found = self.anon.rpc("books_by", berta).select("id").gt("price", 10).execute()
        self.assertEqual(found.data, [{"id": 2}])
        self.assertEqual(self.anon.rpc("books_by", berta, count=CountMethod.exact, head=True).execute().count, 2)
        self.assertEqual(self.anon.rpc("books_by", berta).order("id").limit(1).single().execute().data["id"], 2)
        self.assertEqual(self.anon.rpc("books_by", berta).eq("id", 99).maybe_single().execute(), None)
        self.assertTrue(self.anon.rpc("books_by", berta).select("id").order("id").csv().execute().data.startswith("id\n2"))
        self.assertEqual(self.alice.rpc("who", {}).execute().data, ALICE)
        error = self.refused(self.anon.rpc("teapot", {}), "PT418")
        self.assertEqual((error.message, error.details, error.hint), ("A teapot", "It is short", "And stout"))

    def test_schemas(self):
        self.assertEqual(ids(self.anon.schema("archive").from_("boxes").select("id").order("id")), [1, 2])
        called = self.service.schema("archive").rpc("boxes_like", {"pattern": "m%"}).select("id")
        self.assertEqual(called.execute().data, [{"id": 1}])
        self.refused(self.anon.schema("auth").from_("users").select("*"), "PGRST106")

    def test_row_level_security_between_two_users(self):
        own = lambda user: ids(user.from_("shelves").select("id").order("id"))
        self.assertEqual((own(self.alice), own(self.bob), own(self.service)), ([1], [2], [1, 2]))
        self.refused(self.anon.from_("shelves").select("*"), "PGRST205")
        self.refused(self.alice.from_("drafts").select("*"), "PGRST205")
        self.assertEqual(self.alice.from_("shelves").delete().eq("id", 2).execute().data, [])
        self.refused(self.alice.from_("shelves").insert({"owner": BOB, "name": "forged"}), "42501")
        self.assertEqual(own(self.bob), [2])

    def test_tokens_by_auth(self):
        with client() as later:
            later.auth(client(user="bob").headers["Authorization"].removeprefix("Bearer "))
            self.assertEqual(ids(later.from_("shelves").select("id")), [2])
