#!/usr/bin/env python3
"""schemathesis, sqlmap and wapiti over the real program on a copy of examples/helpdesk, by its own description.

  tests/security/run.py [--only schemathesis,sqlmap,wapiti] [--examples 40] [--level 2] [--risk 2] [--minutes 4]
                        [--program target/debug/bedplate]

`make security` runs it with what it needs; docs/security-testing.md says what each of them looks for. Status 1 and the finding
when one has something to say. Reports stay in target/security/reports.
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TOOLS = ROOT / "target/security/venv/bin"
WAPITI = ROOT / "target/security/wapiti/bin/wapiti"
REPORTS = ROOT / "target/security/reports"
ALICE = "alice@acme.example"


@contextlib.contextmanager
def server(program):
    """`bedplate dev` on a copy of the helpdesk, with free ports; its URL and project folder."""
    with tempfile.TemporaryDirectory(prefix="bedplate-security-") as folder:
        # As root, the private PostgreSQL runs as another user, who has to pass through.
        os.chmod(folder, 0o755)
        project = pathlib.Path(folder, "helpdesk")
        shutil.copytree(ROOT / "examples/helpdesk", project, ignore=shutil.ignore_patterns(".bedplate"))
        log = open(REPORTS / "server.log", "wb")
        command = [program, "dev", "--json", "--set", "server.port=0", "--set", "server.admin_port=0"]
        # More requests than one caller may send.
        command += ["--set", "rate_limit.enabled=false"]
        with log, subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, stderr=log, text=True) as child:
            try:
                yield ready(child), project
                if child.poll() is not None:
                    sys.exit(f"the server ended while the tools ran: see {REPORTS / 'server.log'}")
            finally:
                child.terminate()
                child.stdout.close()
                child.wait(60)


def ready(child):
    for line in child.stdout:
        event = json.loads(line)
        if event.get("event") == "ready":
            return event["url"]
    sys.exit(f"the server did not start: see {REPORTS / 'server.log'}")


def token(url, user):
    body = json.dumps({"user": user}).encode()
    request = urllib.request.Request(f"{url}/dev/token", body, {"content-type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["data"]["access_token"]


def description(url, bearer):
    request = urllib.request.Request(f"{url}/openapi.json", headers={"authorization": f"Bearer {bearer}"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def run(name, command, seconds, **more):
    """Runs a tool with a bound on its time; its status and output, which also stays in the reports."""
    begun = time.monotonic()
    print(f"== {name}", flush=True)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, cwd=REPORTS, **more)
        status, output = done.returncode, done.stdout + done.stderr
    except subprocess.TimeoutExpired as late:
        parts = [late.stdout or b"", late.stderr or b""]
        status, output = None, "".join(p.decode() if isinstance(p, bytes) else p for p in parts)
    (REPORTS / f"{name}.txt").write_text(output)
    print(f"   {time.monotonic() - begun:.0f} s, status {status}", flush=True)
    return status, output


def schemathesis(options, url, bearer):
    """Each operation with valid and invalid data: no answer of 500, nothing that the description does not say."""
    command = [
        TOOLS / "schemathesis", "--config-file", HERE / "schemathesis.toml", "--no-color", "run", f"{url}/openapi.json",
        "--header", f"Authorization: Bearer {bearer}", "--max-examples", str(options.examples), "--workers", "1",
        "--phases", "examples,coverage,fuzzing", "--continue-on-failure",
        "--seed", str(options.seed), "--report", "junit", "--report-junit-path", REPORTS / "schemathesis.xml",
    ]
    status, output = run("schemathesis", command, options.minutes * 60 + 60, env={**os.environ, "PYTHONPATH": str(HERE)})
    return [] if status == 0 else [tail(output)]


def sqlmap(options, url, bearer):
    """Every parameter of every operation that takes one, and fields of bodies: none is injectable."""
    faults = []
    all_targets = list(targets(description(url, bearer), url))
    # Of the three it takes the longest.
    deadline = time.monotonic() + 2 * options.minutes * 60
    tested = 0
    for target in all_targets:
        left = deadline - time.monotonic()
        if left < 5:
            break
        tested += 1
        faults += inject(options, target, bearer, left)
    print(f"   sqlmap: {tested} of {len(all_targets)} places, level {options.level}, risk {options.risk}")
    if tested < len(all_targets):
        print("   sqlmap: not all within its time; --minutes gives it more")
    return faults


def targets(document, url):
    """Places to put SQL into: the filters of each list, each key in a path, each body. Paths below others go through the same
    code whatever they are, so the first few stand for them all."""
    nested = 0
    for path, item in document["paths"].items():
        if not path.startswith("/api/"):
            continue
        nested += path.count("/") > 4
        if path.count("/") > 4 and nested > NESTED:
            continue
        keys = {p["name"]: p for p in item.get("parameters", [])}
        filled = re.sub(r"\{([^}]+)\}", lambda m: str(keys[m[1]].get("example", 1)), path)
        marked = re.sub(r"\{([^}]+)\}", lambda m: str(keys[m[1]].get("example", 1)) + "*", path)
        if marked != filled and "get" in item:
            yield f"{url}{marked}", None, "GET"
        if "get" in item and marked == filled:
            own = [p for p in item["get"]["parameters"] if "example" in p]
            for some in (own[at : at + 6] for at in range(0, len(own), 6)):
                query = "&".join(f"{p['name']}={p['example']}*" for p in some)
                yield f"{url}{filled}?{query}", None, "GET"
            yield f"{url}{filled}?select=*&order=1*&and=(1*)", None, "GET"
        for method in ("post", "patch", "put"):
            content = item.get(method, {}).get("requestBody", {}).get("content", {}).get("application/json", {})
            example = content.get("example") or content.get("examples", {}).get("one", {}).get("value")
            if example and marked == filled:
                yield f"{url}{filled}", json.dumps({k: f"{v}*" for k, v in example.items()}), method.upper()


NESTED = 4


def inject(options, target, bearer, seconds):
    address, body, method = target
    command = [
        TOOLS / "sqlmap", "-u", address, "--batch", "--flush-session", "--dbms", "postgresql", "--disable-coloring",
        "--level", str(options.level), "--risk", str(options.risk), "--threads", "2", "--timeout", "10", "--ignore-code", "*",
        "--headers", f"Authorization: Bearer {bearer}\nContent-Type: application/json", "--method", method,
        "--output-dir", str(REPORTS / "sqlmap"),
    ]
    if body:
        command += ["--data", body]
    name = "sqlmap-" + re.sub(r"\W+", "-", f"{method}-{address.split('/', 3)[3]}")[:80]
    status, output = run(name, command, seconds)
    if "appears to be injectable" in output and "false positive" not in output or "identified the following injection" in output:
        return [f"{method} {address}\n{tail(output)}"]
    if status not in (0, None):
        return [f"sqlmap failed on {method} {address}\n{tail(output)}"]
    return []


# Those that need a machine outside are of no use here: ssrf, xxe.
MODULES = "sql,timesql,xss,permanentxss,exec,file,crlf,redirect,http_headers,csp,cookieflags,ldap,methods"


def wapiti(options, url, bearer):
    """Injection of several kinds, and headers that are missing."""
    document = description(url, bearer)
    # It reads OpenAPI 3.0: there, types are single and servers absolute.
    for_tool = REPORTS / "wapiti-openapi.json"
    for_tool.write_text(json.dumps({**older(document), "openapi": "3.0.3", "servers": [{"url": url}]}))
    report = REPORTS / "wapiti.json"
    report.unlink(missing_ok=True)
    command = [
        WAPITI, "-u", f"{url}/", "--swagger", str(for_tool), "--scope", "folder", "-m", MODULES, "-f", "json",
        "-o", str(report), "--header", f"Authorization: Bearer {bearer}", "--flush-session", "--no-bugreport", "--level", "1",
        "--max-scan-time", str(options.minutes * 60), "--max-attack-time", str(options.minutes * 10), "--timeout", "10", "--tasks", "4",
        "--store-session", str(REPORTS / "wapiti"),
    ]
    status, output = run("wapiti", command, options.minutes * 60 + 120)
    if not report.exists():
        return [f"wapiti wrote no report (status {status})\n{tail(output)}"]
    found = json.loads(report.read_text())["vulnerabilities"]
    listed = [f"{kind}: {hit.get('method')} {hit.get('path')} {hit.get('info')}" for kind, hits in found.items() for hit in hits]
    return sorted(set(listed))


def older(schema):
    """JSON Schema 2020-12 as OpenAPI 3.0 has it, as far as our descriptions differ."""
    if isinstance(schema, list):
        return [older(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: older(value) for key, value in schema.items()}
    if isinstance(made.get("type"), list):
        kinds = [kind for kind in made["type"] if kind != "null"]
        made.update(type=kinds[0] if kinds else "string", nullable="null" in schema["type"])
    if made.get("type") == "null":
        made.update(type="string", nullable=True)
    for key, of in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(made.get(key), (int, float)) and not isinstance(made[key], bool):
            made[of], made[key] = made[key], True
    return made


def tail(output, lines=60):
    return "\n".join(output.strip().splitlines()[-lines:])


CHECKS = {"schemathesis": schemathesis, "sqlmap": sqlmap, "wapiti": wapiti}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--only", default=",".join(CHECKS), help="some of schemathesis,sqlmap,wapiti")
    parser.add_argument("--examples", type=int, default=40, help="schemathesis: requests of each kind for each operation")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="schemathesis: to repeat a run")
    parser.add_argument("--level", type=int, default=1, help="sqlmap: 1 to 5")
    parser.add_argument("--risk", type=int, default=2, help="sqlmap: 1 to 3")
    parser.add_argument("--minutes", type=int, default=4, help="for each tool, twice as many for sqlmap")
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "target/debug/bedplate")
    options = parser.parse_args()
    REPORTS.mkdir(parents=True, exist_ok=True)
    wrong = {}
    with server(options.program.resolve()) as (url, _):
        for name in options.only.split(","):
            faults = CHECKS[name](options, url, token(url, ALICE))
            if faults:
                wrong[name] = faults
    panics = [line for line in (REPORTS / "server.log").read_text(errors="replace").splitlines() if "panic" in line]
    if panics:
        wrong["server"] = panics
    for name, faults in wrong.items():
        print(f"\n{name} found:\n" + "\n".join(faults))
    print(f"\n{'found something' if wrong else 'nothing found'}; reports in {REPORTS.relative_to(ROOT)}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
