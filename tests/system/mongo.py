"""A real server of MongoDB's protocol for the tests: started, refused by, stalled, killed, ended.

SecantusDB out of the folder that `tools/setup --mongodb` makes, unless TEST_MONGODB_URI names a
server: then tests that kill, stall or make it fail are skipped. Every test works in a database of
its own."""

import ctypes
import datetime
import json
import os
import pathlib
import secrets
import shutil
import signal
import socket
import string
import struct
import subprocess
import sys
import threading
import urllib.parse

import pytest

import harness

STAND_IN = pathlib.Path(
    os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache",
    "oblogger",
    "secantus-0.7.0b3",
)
NAMED = os.environ.get("TEST_MONGODB_URI", "")
ADMIN, USER = "admin", "recorder"
# every byte of it that a URI gives a meaning of its own
PASSWORD = "s3cret/p@ss:w%rd?7&x"

for site in sorted(STAND_IN.glob("lib/python3*/site-packages")):
    sys.path.append(str(site))
try:
    import bson
    import bson.int64
    import pymongo
    import pymongo.errors
except ImportError:
    pymongo = None


def reason_to_skip():
    """Why there is no server here; None: there is one."""
    if pymongo is None or not (NAMED or (STAND_IN / "complete").exists()):
        return f"no server in {STAND_IN}: tools/setup --mongodb makes it"
    return None


def fresh_name():
    """Of a database that no other test has."""
    return f"test_{os.getpid()}_{secrets.token_hex(4)}"


class NamedServer:
    """The server of TEST_MONGODB_URI: used, never harmed."""

    ours, auth, ca = False, False, None

    def __init__(self):
        self.parts = urllib.parse.urlsplit(NAMED)
        self.options = dict(urllib.parse.parse_qsl(self.parts.query))
        if self.parts.username:  # the login stays where it is, the database is another
            self.options.setdefault("authSource", self.parts.path.strip("/") or "admin")

    def uri(self, database="", **options):
        words = urllib.parse.urlencode({**self.options, **options})
        place = f"{self.parts.scheme}://{self.parts.netloc}/{database}"
        return f"{place}?{words}" if words else place

    def client(self):
        return pymongo.MongoClient(self.uri(serverSelectionTimeoutMS=10000))

    def end(self):
        pass


class MongoServer:
    """A server of the test's own on loopback. Ended by end(), or with this process."""

    ours = True

    def __init__(self, directory, standalone=False, auth=False, tls=False):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(exist_ok=True)
        self.port = free_port()
        self.child, self.auth, self.ca = None, False, None
        self.options = ["--enable-test-commands"] + ["--standalone"] * standalone
        (self.directory / "empty.toml").touch()  # else it takes settings that the machine has
        if tls:
            self.ca, certificate, key = make_certificates(self.directory)
            self.options += ["--tls-cert-file", certificate, "--tls-key-file", key]
        if auth:
            self.make_users()

    def make_users(self):
        """While it still lets everybody in; from then on it does not."""
        self.start()
        with self.client() as client:
            for user in (ADMIN, USER):
                client.admin.command("createUser", user, pwd=PASSWORD, roles=["root"])
        self.stop()
        self.auth = True
        self.options.append("--auth")

    def start(self):
        """It answers when this returns."""
        assert self.child is None
        keeper = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        words = [
            *keeper,
            STAND_IN / "bin" / "secantusd-py",
            *("--config", self.directory / "empty.toml", "--log-level", "WARNING"),
            *("--host", "127.0.0.1", "--port", self.port),
            *("--storage-path", self.directory / "data", "--cache-size", "256M"),
            *self.options,
        ]
        with open(self.directory / "server.log", "ab") as log:
            self.child = subprocess.Popen(
                [str(word) for word in words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
            )
        try:
            harness.wait_until(self.answers, 30, "the server answers")
        except BaseException:
            self.kill()
            raise
        return self

    def answers(self):
        log = self.directory / "server.log"
        assert self.child.poll() is None, log.read_text(errors="replace")[-2000:]
        try:
            with self.client(serverSelectionTimeoutMS=500) as client:
                return client.admin.command("ping")
        except pymongo.errors.ConnectionFailure:
            return None

    def stop(self):
        """In order; its port is free again when this returns."""
        self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(30)
        finally:
            self.kill()

    def kill(self):
        if self.child:
            self.child.kill()
            self.child.wait()
            self.child = None

    def pause(self):
        self.child.send_signal(signal.SIGSTOP)

    def resume(self):
        self.child.send_signal(signal.SIGCONT)

    def end(self):
        self.kill()
        shutil.rmtree(self.directory / "data", ignore_errors=True)

    def address(self):
        return f"127.0.0.1:{self.port}"

    def uri(self, database="", user=USER, password=PASSWORD, address=None, **options):
        """password=None: left to come another way."""
        who = ""
        if self.auth and user:
            options.setdefault("authSource", "admin")
            who = ":".join(urllib.parse.quote(word, safe="") for word in (user, password) if word)
        if self.ca:
            options = {"tls": "true", "tlsCAFile": str(self.ca), **options}
        words = "&".join(f"{name}={value}" for name, value in options.items())
        place = f"mongodb://{who + '@' if who else ''}{address or self.address()}/{database}"
        return f"{place}?{words}" if words else place

    def client(self, **options):
        options = {"serverSelectionTimeoutMS": 10000, "directConnection": "true", **options}
        return pymongo.MongoClient(self.uri(user=ADMIN, **options))

    def fail_point(self, mode="alwaysOn", **data):
        """Commands fail from now on, as the server's own test command describes it."""
        with self.client() as client:
            client.admin.command("configureFailPoint", "failCommand", mode=mode, data=data)

    def no_fail_point(self):
        with self.client() as client:
            client.admin.command("configureFailPoint", "failCommand", mode="off")

    def add_user(self, user, database, actions):
        """A user that may do these actions in that database, and nothing else."""
        place = {"resource": {"db": database, "collection": ""}, "actions": actions}
        with self.client() as client:
            client.admin.command("createRole", user, privileges=[place], roles=[])
            roles = [{"role": user, "db": "admin"}]
            client.admin.command("createUser", user, pwd=PASSWORD, roles=roles)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def make_certificates(directory, name="ca"):
    """A CA of our own, and what it signed for loopback: paths of CA, certificate and key."""

    def openssl(*words):
        subprocess.run(["openssl", *map(str, words)], capture_output=True, check=True)

    parts = ("ca.pem", "ca.key", "csr", "pem", "key", "facts")
    ca, ca_key, request, certificate, key, facts = (directory / f"{name}.{p}" for p in parts)
    facts.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-x509", *new, "-days", 2, "-subj", "/CN=a test", "-keyout", ca_key, "-out", ca)
    openssl("req", *new, "-subj", "/CN=localhost", "-keyout", key, "-out", request)
    signed = ["-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-days", 2, "-extfile", facts]
    openssl("x509", "-req", "-in", request, *signed, "-out", certificate)
    return ca, certificate, key


def make_server(directory, **options):
    """Answering. Where there is none the test is skipped, with the reason."""
    reason = reason_to_skip()
    if reason:
        pytest.skip(reason)
    if NAMED:
        return NamedServer()
    server = MongoServer(directory, **options)
    try:
        return server.start()
    except BaseException:
        server.end()
        raise


def make_own_server(directory, **options):
    """The same for tests that kill it, stall it, or make it fail."""
    if NAMED:
        pytest.skip("the server of TEST_MONGODB_URI is not the tests' to harm")
    return make_server(directory, **options)


class Tap:
    """Stands between clients and a server: keeps each command, and loses answers on demand."""

    MESSAGE = 2013  # OP_MSG, of which the body is the section of kind 0

    def __init__(self, port):
        self.target = ("127.0.0.1", port)
        self.commands, self.lost, self.to_lose = [], [], []
        self.sockets = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def lose_answers(self, command, count):
        """The server does what it is told by the next so many of these, and nobody hears of it."""
        self.to_lose += [command] * count

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
                server = socket.create_connection(self.target)
            except OSError:
                return
            self.sockets += [client, server]
            losing = {}
            for words in (
                (client, server, self.meet_request, losing),
                (server, client, self.meet_answer, losing),
            ):
                threading.Thread(target=self.pump, args=words, daemon=True).start()

    def pump(self, reader, writer, meet, losing):
        """Hand on whole messages; meet(message, losing) may end the connection."""
        try:
            while True:
                message = self.read(reader)
                if meet(message, losing):
                    break
                writer.sendall(message)
        except (OSError, EOFError):
            pass
        for end in (reader, writer):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def meet_request(self, message, losing):
        name = self.keep(message)
        if name in self.to_lose:
            self.to_lose.remove(name)
            losing[struct.unpack("<i", message[4:8])[0]] = name
        return False

    def meet_answer(self, message, losing):
        name = losing.get(struct.unpack("<i", message[8:12])[0])
        if name:
            self.lost.append(name)
        return name

    @staticmethod
    def read(end):
        message = b""
        size = 4
        while len(message) < size:
            part = end.recv(min(size - len(message), 1 << 20))
            if not part:
                raise EOFError
            message += part
            if len(message) == 4:
                size = struct.unpack("<i", message)[0]
        return message

    def keep(self, message):
        """A command, and its name."""
        if struct.unpack("<i", message[12:16])[0] != self.MESSAGE or message[20] != 0:
            return None
        size = struct.unpack("<i", message[21:25])[0]
        body = bson.decode(message[21 : 21 + size])
        self.commands.append(body)
        return next(iter(body))

    def end(self):
        self.listener.close()
        for end in self.sockets:
            end.close()


# ---- what the database must hold of a store ----

COLLECTIONS = {
    **{name: name for name in "streams days pruned symbols times epochs gaps marks notes".split()},
    "info": "recorders",
}
xxhash = ctypes.CDLL("libxxhash.so.0")
xxhash.XXH64.restype = ctypes.c_int64
xxhash.XXH64.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64]


def dump(store):
    """Every row of a local store, its value as bytes."""
    program = harness.BUILD / "tests" / "spec" / "obdump"
    done = subprocess.run([str(program), str(store)], capture_output=True, text=True, check=True)
    for line in done.stdout.splitlines():
        row = json.loads(line)
        row["value"] = bytes.fromhex(row["value"])
        yield row


def read_stream(value):
    """What `streams` says of a number; no text in it is 128 bytes long."""
    exchange = value[2 : 2 + value[1]]
    rest = value[2 + value[1] :]
    symbol, kind = rest[1 : 1 + rest[0]], rest[1 + rest[0]]
    return {
        "exchange": exchange.decode(),
        "symbol": symbol.decode(),
        "kind": ("l2", "l3", "trades")[kind],
    }


def escaped(name):
    """A recorder's name as ids have it."""
    plain = string.ascii_letters + string.digits + "._-"
    return "".join(chr(b) if chr(b) in plain else f"%{b:02X}" for b in name.encode())


def id_of(row, recorder):
    major = (row["major"] + (1 << 63)) % (1 << 64)
    id_ = f"{escaped(recorder)}/{row['place']}/{row['stream']:08x}/{major:016x}"
    return id_ + (f"/{row['minor']:016x}" if row["minor"] else "")


def collection_of(row, streams):
    if row["table"] != "frames":
        return COLLECTIONS[row["table"]]
    if streams[row["stream"]]["kind"] == "trades":
        return "trades"
    return "images" if row["value"][5] == 1 else "changes"


def expected_documents(store, recorder="main"):
    """(collection, id) -> row of all that is shipped: everything but the sinks' positions."""
    rows = [row for row in dump(store) if row["table"] != "sinks"]
    streams = {
        row["stream"]: read_stream(row["value"])
        for row in rows
        if row["table"] == "streams"
    }
    for row in rows:
        row.update(streams.get(row["stream"], {}))
    return {(collection_of(row, streams), id_of(row, recorder)): row for row in rows}


def stored_documents(database, recorder="main"):
    """(collection, id) -> document, as far as it stands for a key of the store."""
    found = {}
    for collection in (*COLLECTIONS.values(), "images", "changes", "trades"):
        for document in database[collection].find({"recorder": recorder}):
            if document["_id"] != escaped(recorder):
                found[collection, document["_id"]] = document
    return found


def payload_of(database, collection, document):
    payload = document.get("payload", b"")
    for part in range(1, document.get("parts", 1)):
        further = database["parts"].find_one({"_id": f"{collection}/{document['_id']}#{part}"})
        payload += further["payload"]
    return payload


def differences(store, database, recorder="main"):
    """What the database has not, has too much, or has otherwise: nothing, when all is shipped."""
    expected = expected_documents(store, recorder)
    stored = stored_documents(database, recorder)
    found = [f"{key} is missing" for key in expected.keys() - stored.keys()]
    found += [f"{key} is none of the store's" for key in stored.keys() - expected.keys()]
    for key in expected.keys() & stored.keys():
        payload = payload_of(database, key[0], stored[key])
        if payload != expected[key]["value"]:
            found.append(f"{key} has another payload")
        if payload and stored[key]["checksum"] != xxhash.XXH64(payload, len(payload), 0):
            found.append(f"{key} has another checksum")
    return sorted(found)


def shipped_wrong(store, database, recorder="main"):
    """Frames in the database that the store has not, or otherwise, while both go on."""
    stored = stored_documents(database, recorder)
    expected = expected_documents(store, recorder)
    return [
        key
        for key in stored
        if key[0] in ("images", "changes", "trades")
        and (
            key not in expected
            or payload_of(database, key[0], stored[key]) != expected[key]["value"]
        )
    ]
