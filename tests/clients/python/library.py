"""The clients that the tests use, on the server that clients.test.js has started."""

import os

from postgrest import SyncPostgrestClient

URL = os.environ["BEDPLATE_URL"]
PUBLISHABLE = os.environ["PUBLISHABLE"]
SECRET = os.environ["SECRET"]
TOKENS = {"alice": os.environ["ALICE"], "bob": os.environ["BOB"]}


def client(key=PUBLISHABLE, user=None):
    """A caller who is not signed in, or one of the users, or with the secret key the backend."""
    headers = {"apikey": key}
    if user:
        headers["Authorization"] = f"Bearer {TOKENS[user]}"
    return SyncPostgrestClient(f"{URL}/rest/v1", headers=headers)


def ids(builder):
    return [row["id"] for row in builder.execute().data]
