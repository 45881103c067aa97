#!/usr/bin/env python3
"""Mutates valid requests of the PostgREST dialect and sends them to the real program on examples/helpdesk.

A finding is an answer of 500 and more, a connection that ends without an answer, a panic in the log, a server that is gone, or
a request that takes more CPU of the server than the bound. Needs nothing but Python's standard library.

  tests/fuzz/run.py [--seconds 120] [--seed N] [--program target/debug/bedplate] [--cpu-ms 20]

Status 1 and the requests, as bytes, when something was found. Transactions are rolled back, so that the data stays as it is.
"""

import argparse
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
CORPUS = pathlib.Path(__file__).with_name("corpus.txt")

# A build without optimisations takes many times the CPU.
DEBUG_FACTOR = 20
# Statements that are ended by their timeout are PostgreSQL's to answer for, and no fault.
EXPECTED = {"57014"}

WORDS = [
    "not.", "eq.", "in.(", ")", "(", "{", "}", "[", "]", ",", ".", "..", "...", ":", "::", "::int", "::text", "::json", "!", "!inner", "->",
    "->>", "->-1", "*", "\"", "\\", "'", "''", ";", "--", "/*", "$1", "%", "%25", "%00", "%0d%0a", "%ff", "%c0%af", "%F0%9F%A6%80",
    "&", "=", "==", "?", "#", "+", " ", "\t", "~", "^", "|", "null", "true", "id", "title", "tags", "comments", "profiles", "count()",
    "count", "sum()", ".avg()", "select=", "order=", "or=(", "and=(", "limit=", "offset=", "columns=", "on_conflict=", "having=(",
    "distinct=true", "is.null", "is.unknown", "fts(", "match.", "any).{", "(all).", "0", "-1", "1e999", "99999999999999999999",
    "9223372036854775807", "-9223372036854775808", "18446744073709551615", "4294967296", "0.1", "NaN", "Infinity", "2026-13-45",
    "[1,2)", "empty", "{1,NULL}", "(1,2)", "[[[[", "((((", "{\"a\":", "\\u0000", "\\ud800", "\u0301", "\u202e", "é", "🦀", "x" * 64, "x" * 300,
    "application/vnd.pgrst.object+json", "nulls=stripped", "q=0", "text/csv", "return=representation", "resolution=merge-duplicates",
    "timezone=UTC", "max-affected=0", "handling=strict", "tx=commit", "count=exact", "missing=default",
]
HEADERS = [
    "Accept", "Prefer", "Range", "Range-Unit", "Content-Type", "Accept-Profile", "Content-Profile", "Authorization", "apikey", "Cookie",
    "X-Anything", "Content-Encoding", "Expect", "If-None-Match", "Origin",
]
METHODS = ["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS", "TRACE", "QUERY"]
# What stands in a request target as it is (RFC 3986); the rest is encoded, or the program's HTTP layer refuses it.
PLAIN = set(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()*+,;=:@/?%")


class Request:
    """A method, a target, headers and a body, all of them text that becomes bytes late."""

    def __init__(self, method, target, headers, body):
        self.method, self.target, self.headers, self.body = method, target, headers, body

    @classmethod
    def parse(cls, line):
        line, _, body = line.partition(" > ")
        first, *headers = line.split(" | ")
        method, target = first.split(" ", 1)
        headers = [tuple(header.split(": ", 1)) for header in headers]
        body = body.replace("\\n", "\n")
        if body and not any(name == "Content-Type" for name, _ in headers):
            headers.append(("Content-Type", "application/json"))
        return cls(method, target, headers, body)

    def copy(self):
        return Request(self.method, self.target, list(self.headers), self.body)

    def encode(self, token):
        target = b"".join(
            bytes([byte]) if byte in PLAIN else b"%%%02X" % byte for byte in self.target.encode("utf-8", "surrogatepass")
        )
        body = self.body.encode("utf-8", "surrogatepass")
        lines = [self.method.encode() + b" /rest/v1" + target + b" HTTP/1.1", b"Host: 127.0.0.1"]
        names = {name.lower() for name, _ in self.headers}
        if "authorization" not in names:
            lines.append(b"Authorization: Bearer " + token.encode())
        for name, value in self.headers:
            value = "".join(c for c in value if c not in "\r\n\0").encode("utf-8", "surrogatepass")
            lines.append(name.encode() + b": " + value)
        if body or self.method in ("POST", "PATCH", "PUT"):
            lines.append(b"Content-Length: %d" % len(body))
        return b"\r\n".join(lines) + b"\r\n\r\n" + body


class Mutator:
    def __init__(self, seeds, rng):
        self.seeds, self.rng = seeds, rng

    def make(self):
        request = self.rng.choice(self.seeds).copy()
        for _ in range(self.rng.choice([1, 1, 1, 2, 2, 3, 5, 8])):
            self.change(request)
        return request

    def change(self, request):
        other = self.rng.choice(self.seeds)
        match self.rng.choices(["target", "header", "body", "method", "more"], [60, 16, 16, 3, 5])[0]:
            case "target":
                request.target = "/" + self.text(request.target, other.target).lstrip("/")
            case "header":
                self.header(request, other)
            case "body":
                request.body = self.text(request.body, other.body)
                if request.method not in ("POST", "PATCH", "PUT"):
                    request.body = ""
            case "method":
                request.method = self.rng.choice(METHODS)
            case "more":
                path, _, query = other.target.partition("?")
                request.target += ("&" if "?" in request.target else "?") + (query or path)

    def header(self, request, other):
        if request.headers and self.rng.random() < 0.7:
            at = self.rng.randrange(len(request.headers))
            name, value = request.headers[at]
            donor = next((v for n, v in other.headers if n == name), self.rng.choice(WORDS))
            request.headers[at] = (name, self.text(value, donor))
        else:
            request.headers.append((self.rng.choice(HEADERS), self.text("", self.rng.choice(WORDS))))

    def text(self, text, other):
        rng = self.rng
        begin = rng.randint(0, len(text))
        end = min(len(text), begin + rng.choice([0, 1, 1, 2, 4, 8, 16]))
        match rng.randrange(8):
            case 0:
                return text[:begin] + text[end:]
            case 1 | 2 | 3:
                return text[:begin] + rng.choice(WORDS) + text[end:]
            case 4:
                piece = text[begin:end] or rng.choice(WORDS)
                many = rng.choice([2, 3, 10, 100, 1000, 20000])
                # Heads have a limit of their own, which is not what is looked for.
                return text[:begin] + piece * min(many, 7000 // len(piece) + 1) + text[end:]
            case 5:
                start = rng.randint(0, len(other))
                return text[:begin] + other[start:start + rng.randint(1, 40)] + text[end:]
            case 6:
                return text[:begin] + chr(rng.choice([0, 1, 9, 31, 127, 128, 0xFEFF, 0x1F980, rng.randrange(32, 127)])) + text[end:]
            case _:
                middle = rng.randint(begin, len(text))
                return text[:begin] + text[middle:] + text[begin:middle]


class Server:
    """`bedplate dev` on a copy of the example, with a private PostgreSQL."""

    SETTINGS = [
        "server.port=0", "server.admin_port=0", "rest.db_tx_end=rollback-allow-override", "rest.db_aggregates_enabled=true",
        "rest.db_plan_enabled=true", "database.statement_timeout_authenticated=2s", "limits.url_bytes=16KiB",
        "rate_limit.enabled=false",
    ]

    def __init__(self, program):
        self.folder = tempfile.mkdtemp(prefix="bedplate-fuzz-")
        # As root, the private PostgreSQL runs as another user, who has to pass through.
        os.chmod(self.folder, 0o755)
        project = pathlib.Path(self.folder) / "helpdesk"
        shutil.copytree(ROOT / "examples/helpdesk", project, ignore=shutil.ignore_patterns(".bedplate*"))
        settings = [word for setting in self.SETTINGS for word in ("--set", setting)]
        self.log, self.panics = [], 0
        self.process = subprocess.Popen(
            [program, "dev", "--json", *settings], cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace"
        )
        threading.Thread(target=self.read_log, daemon=True).start()
        self.address = self.ready()
        threading.Thread(target=lambda: [None for _ in self.process.stdout], daemon=True).start()
        token = subprocess.run(
            [program, "token", "--as", "alice@acme.example"], cwd=project, capture_output=True, text=True, check=True
        ).stdout.strip()
        self.token = json.loads(token)["token"] if token.startswith("{") else token.split()[-1]

    def read_log(self):
        for line in self.process.stderr:
            self.panics += "panicked" in line
            self.log = [*self.log[-50:], line]

    def ready(self):
        for line in self.process.stdout:
            event = json.loads(line)
            self.log.append(line)
            if event.get("event") == "ready":
                host, port = event["url"].removeprefix("http://").rstrip("/").split(":")
                return host, int(port)
        sys.exit("the server did not start:\n" + "".join(self.log))

    def cpu(self):
        """Milliseconds that all threads have used (proc(5), schedstat)."""
        total = 0
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            try:
                total += int((task / "schedstat").read_text().split()[0])
            except OSError:
                pass
        return total / 1e6

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class Client:
    def __init__(self, address):
        self.address, self.socket = address, None

    def ask(self, request, method):
        """Status and body. Raises OSError or HTTPException when there is no answer."""
        fresh = self.socket is None
        if fresh:
            self.socket = socket.create_connection(self.address, timeout=30)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.socket.sendall(request)
            answer = http.client.HTTPResponse(self.socket, method=method)
            answer.begin()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        if answer.will_close:
            self.close()
        return answer.status, body

    def close(self):
        if self.socket:
            self.socket.close()
        self.socket = None


class Hunt:
    def __init__(self, server, bound):
        self.server, self.bound = server, bound
        self.client = Client(server.address)
        self.found, self.sent, self.statuses, self.slowest, self.last = {}, 0, {}, 0.0, b""

    def report(self, kind, request, more):
        if kind not in self.found:
            print(f"\nFOUND {kind}: {more}\n  {request!r}"[:4000], flush=True)
        self.found[kind] = self.found.get(kind, 0) + 1

    def send(self, request, method):
        before, panics = self.server.cpu(), self.server.panics
        try:
            status, body = self.client.ask(request, method)
        except (OSError, http.client.HTTPException) as error:
            self.report(f"no answer ({type(error).__name__})", request, error)
            return
        took = self.server.cpu() - before
        self.sent, self.last = self.sent + 1, body
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if status >= 500:
            self.judge(request, status, body)
        if took > self.bound:
            took = min([took, *(self.again(request, method) for _ in range(3))])
            if took > self.bound:
                self.report(f"slow ({status})", request, f"{took:.1f} ms of CPU")
        self.slowest = max(self.slowest, took)
        if self.server.panics > panics:
            self.report("panic", request, "".join(self.server.log[-5:]))

    def judge(self, request, status, body):
        try:
            code = json.loads(body).get("code")
        except ValueError:
            code = None
        if code not in EXPECTED:
            self.report(f"{status} {code}", request, body[:500])

    def again(self, request, method):
        before = self.server.cpu()
        try:
            self.client.ask(request, method)
        except (OSError, http.client.HTTPException):
            pass
        return self.server.cpu() - before


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--program", default=str(ROOT / "target/debug/bedplate"))
    parser.add_argument("--cpu-ms", type=float, default=20, help="of a build for release; 20 times as much in debug")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(2**32)
    bound = options.cpu_ms * (DEBUG_FACTOR if "/debug/" in options.program else 1)
    seeds = [Request.parse(line) for line in CORPUS.read_text().splitlines() if line and not line.startswith("#")]
    server = Server(os.path.abspath(options.program))
    hunt = Hunt(server, bound)
    try:
        for request in seeds:
            known = dict(hunt.statuses)
            hunt.send(request.encode(server.token), request.method)
            if any(status >= 400 and n > known.get(status, 0) for status, n in hunt.statuses.items()):
                print(f"refused: {request.method} {request.target} {request.headers} {hunt.last[:200]}")
        strange = {status: n for status, n in hunt.statuses.items() if status >= 400}
        print(f"seed {seed}; {len(seeds)} requests of the corpus: {hunt.statuses}", flush=True)
        if sum(strange.values()) > len(seeds) // 20:
            sys.exit("too many requests of the corpus are refused: it no longer fits the example")
        mutator = Mutator(seeds, random.Random(seed))
        end = time.monotonic() + options.seconds
        while time.monotonic() < end and server.process.poll() is None:
            request = mutator.make()
            hunt.send(request.encode(server.token), request.method)
        if server.process.poll() is not None:
            hunt.report("the server ended", b"", "".join(server.log))
    finally:
        server.stop()
    print(f"{hunt.sent} requests, statuses {dict(sorted(hunt.statuses.items()))}, at most {hunt.slowest:.1f} ms of CPU (bound {bound:.0f})")
    for kind, times in hunt.found.items():
        print(f"{times} x {kind}")
    sys.exit(1 if hunt.found else 0)


if __name__ == "__main__":
    main()
