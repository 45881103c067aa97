"""supabase-py as a whole, the asynchronous client, and that no method is overlooked."""

import inspect
import unittest

import postgrest
import postgrest.base_request_builder as base
from library import PUBLISHABLE, SECRET, TOKENS, URL
from postgrest import AsyncPostgrestClient, SyncPostgrestClient
from supabase import ClientOptions, create_client
from test_builders import USED
from test_filters import CASES

BUILDERS = [
    SyncPostgrestClient, AsyncPostgrestClient,
    postgrest.SyncRequestBuilder, postgrest.SyncSelectRequestBuilder, postgrest.SyncFilterRequestBuilder,
    postgrest.SyncRPCFilterRequestBuilder, postgrest.SyncMaybeSingleRequestBuilder, postgrest.SyncSingleRequestBuilder,
    postgrest.SyncQueryRequestBuilder,
    base.BaseFilterRequestBuilder, base.BaseSelectRequestBuilder, base.BaseRPCRequestBuilder,
]
# Deprecated by the client itself, with a warning at each call.
DEPRECATED = {"from_table"}


class Whole(unittest.TestCase):
    def test_each_method_is_tested(self):
        methods = {
            name
            for builder in BUILDERS
            for name, _ in inspect.getmembers(builder, lambda it: callable(it) or isinstance(it, property))
            if not name.startswith("_")
        }
        self.assertEqual(methods - set(CASES) - USED - DEPRECATED, set(), "not tested")
        self.assertEqual((set(CASES) | USED) - methods, set(), "no such method")

    def test_supabase(self):
        with_token = ClientOptions(headers={"Authorization": f"Bearer {TOKENS['alice']}"})
        for key, options, seen in [(SECRET, None, [1, 2]), (PUBLISHABLE, with_token, [1])]:
            supabase = create_client(URL, key, options) if options else create_client(URL, key)
            rows = supabase.table("shelves").select("id").order("id").execute()
            self.assertEqual([row["id"] for row in rows.data], seen)
            self.assertEqual(supabase.rpc("add", {"a": 1}).execute().data, 11)
            self.assertEqual(len(supabase.schema("archive").from_("boxes").select("id").execute().data), 2)
            supabase.postgrest.aclose()


class Asynchronous(unittest.IsolatedAsyncioTestCase):
    async def test_reads_writes_and_calls(self):
        headers = {"apikey": PUBLISHABLE, "Authorization": f"Bearer {TOKENS['alice']}"}
        async with AsyncPostgrestClient(f"{URL}/rest/v1", headers=headers) as alice:
            shelves = alice.from_("shelves")
            self.assertEqual((await shelves.insert({"name": "later"}).execute()).data[0]["name"], "later")
            self.assertEqual((await shelves.delete().eq("name", "later").execute()).data[0]["name"], "later")
            self.assertEqual((await shelves.select("id").execute()).data, [{"id": 1}])
            self.assertEqual((await alice.rpc("add", {"a": 1}).execute()).data, 11)
