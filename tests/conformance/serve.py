#!/usr/bin/env python3
"""Runs `bedplate serve` on a PostgREST database, with PostgREST's settings from a JSON file.

    serve.py SETTINGS.json [--binary PATH] [--port N] [--db-uri URI]

For the outside oracle of `/rest/v1` (see CONTRIBUTING.md): a runner writes one file for each of PostgREST's test
configurations, with its names for the settings (`db-schemas`, `jwt-secret`, `app.settings` …), and starts a server
with it. This translates them into a `bedplate.toml` and environment variables in a temporary folder and becomes the
server. The database is served as it is: `database.contract = false`, `access.require_rls = false`.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

# What the server itself is told otherwise, or what has nothing to do with answers.
ELSEWHERE = {
    "db-uri", "server-host", "server-port", "db-pool", "db-prepared-statements", "admin-server-port", "log-level",
}
LISTS = {"db-schemas", "db-extra-search-path", "db-hoisted-tx-settings", "server-cors-allowed-origins"}
NUMBERS = {"db-max-rows", "jwt-cache-max-entries"}
BOOLEANS = {
    "db-plan-enabled", "db-aggregates-enabled", "db-config", "db-channel-enabled", "openapi-security-active",
    "jwt-secret-is-base64", "server-timing-enabled",
}


def toml(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    # A JSON string is a TOML basic string, except for this one character.
    return json.dumps(str(value)).replace("\x7f", "\\u007f")


def listed(value):
    if isinstance(value, list):
        return [str(item) for item in value]
    return [item.strip() for item in value.split(",")] if value else []


def boolean(value):
    return value if isinstance(value, bool) else str(value).lower() == "true"


def section(settings):
    """The lines of [rest], and the secret that may not stand there."""
    lines = {"extensions": False, "db_max_rows": 0, "db_anon_role": "", "server_cors_allowed_origins": ["*"]}
    if settings.get("jwt-secret") is None:
        lines["jwt_enabled"] = False
    for name, value in settings.items():
        if name in ELSEWHERE or name in ("jwt-secret", "app.settings") or name.startswith("app.settings.") or value is None:
            continue
        key = name.replace("-", "_")
        if name in LISTS:
            lines[key] = listed(value)
        elif name in NUMBERS:
            lines[key] = int(value)
        elif name in BOOLEANS:
            lines[key] = boolean(value)
        else:
            lines[key] = value
    return lines


def app_settings(settings):
    texts = {}
    for name, text in settings.get("app.settings", {}).items():
        texts[name.removeprefix("app.settings.")] = text
    for name, text in settings.items():
        if name.startswith("app.settings."):
            texts[name.removeprefix("app.settings.")] = text
    return texts


def configuration(settings, port):
    rest = section(settings)
    tables = {
        "server": {"host": "127.0.0.1", "port": port, "admin_port": 0, "pre_drain": "0s", "shutdown_grace": "1s"},
        "limits": {
            "filter_terms": 1000, "select_items": 10000, "embed_depth": 20, "in_items": 30000, "order_keys": 50,
            "body_bytes": "64MiB", "json_keys": 10000000, "array_items": 10000000, "write_rows": 100000,
            "url_bytes": "1MiB", "head_bytes": "1MiB",
        },
        "database": {
            "contract": False, "schemas": rest["db_schemas"], "extra_search_path": [],
            # PostgREST bounds no time by itself.
            "statement_timeout_anon": "60s", "statement_timeout_authenticated": "60s",
        },
        "api": {"enabled": False, "request_headers": ["*"]},
        "log": {"level": "warn"},
        "rate_limit": {"enabled": False},
        "rest": rest,
        "rest.app_settings": app_settings(settings),
        "env.production.access": {"require_rls": False},
    }
    lines = []
    for table, rows in tables.items():
        lines.append(f"[{table}]")
        lines += [f"{json.dumps(key)} = {toml(value)}" for key, value in rows.items()]
    return "\n".join(lines) + "\n"


def keys(binary):
    """Fresh keys, which nothing here uses: an external database wants them set."""
    text = subprocess.run([binary, "keys", "new", "--text"], check=True, capture_output=True, text=True).stdout
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("settings")
    parser.add_argument("--binary", default=str(ROOT / "target/debug/bedplate"))
    parser.add_argument("--port", type=int)
    parser.add_argument("--db-uri")
    args = parser.parse_args()
    settings = json.loads(pathlib.Path(args.settings).read_text())
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bedplate-conformance-"))
    port = args.port or int(settings.get("server-port", 3000))
    (folder / "bedplate.toml").write_text(configuration(settings, port))
    environment = {name: text for name, text in os.environ.items() if not name.startswith("BEDPLATE_")}
    environment.update(keys(args.binary))
    environment["DATABASE_URL"] = args.db_uri or settings["db-uri"]
    if settings.get("jwt-secret") is not None:
        environment["BEDPLATE_REST__JWT_SECRET"] = str(settings["jwt-secret"])
    os.chdir(folder)
    sys.stdout.flush()
    os.execve(args.binary, [args.binary, "serve"], environment)


if __name__ == "__main__":
    main()
