"""Who may write to the database: passwords and where they must not be seen, certificates, rights,
addresses that are none. Whatever is wrong there, the local record goes on."""

import os
import pathlib
import subprocess
import urllib.parse

import pytest

import harness
import mongo
from test_mongo import SETTINGS, same
from test_mongo_faults import PATIENCE, about_the_database

READ_AND_WRITE = ["find", "insert", "update", "remove"]


@pytest.fixture(scope="module")
def secured(tmp_path_factory):
    """A server that wants a password and TLS."""
    server = mongo.make_own_server(tmp_path_factory.mktemp("secured"), auth=True, tls=True)
    yield server
    server.end()


@pytest.fixture(scope="module")
def filled(secured, tmp_path_factory):
    """A store and the database that has followed it."""
    made = record(tmp_path_factory.mktemp("filled"), MONGODB_ENDPOINT=secured.uri("filled"))
    return {"store": made["store"], "uri": secured.uri("filled")}


def record(directory, seconds=2, **settings):
    """Some seconds; the store, the log and the command line of it."""
    lab = harness.Lab(directory, ["us10"], "--loop", "50", speed=20)
    try:
        logger = harness.Logger(
            directory,
            lab,
            harness.SYMBOLS["us10"],
            directory / "store",
            **{"LOGLEVEL": "debug", **SETTINGS, **settings},
        )
        try:
            logger.wait_text("VTHOUSD: live")
            harness.time.sleep(seconds)
            words = command_line(logger.child.pid)
        finally:
            assert logger.end() == 0, logger.text()[-3000:]
    finally:
        lab.end()
    assert sum(harness.recorded_events(logger.store).values()) > 50
    return {"store": logger.store, "logger": logger, "words": words, "log": logger.text()}


def command_line(pid):
    return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()


def forms(password):
    """How it may be written."""
    return [word.encode() for word in (password, urllib.parse.quote(password, safe=""))]


def check_unseen(made, password=mongo.PASSWORD):
    """It is in no log, no command line and no file of the store."""
    files = [path for path in made["store"].rglob("*") if path.is_file()]
    assert len(files) >= 4
    seen = [made["log"].encode(), made["words"], *(path.read_bytes() for path in files)]
    for form in forms(password):
        assert not [text for text in seen if form in text]


def check_shipped(made, server, database):
    with server.client() as client:
        assert not mongo.differences(made["store"], client[database])
        client.drop_database(database)


def told_once(made, *words):
    """One line of trouble, with these words; not one a try."""
    lines = about_the_database(made["logger"])
    trouble = [line for line in lines if line.split(" ")[1] in ("warning:", "error:")]
    assert len(trouble) == 1, lines
    for word in words:
        assert word in trouble[0], trouble[0]


# ---- the ways of a password ----


def endpoint_file(server, database, directory):
    path = directory / "endpoint"
    path.write_text(server.uri(database) + "\n")
    return {"MONGODB_ENDPOINT_FILE": str(path)}


def password_file(server, database, directory):
    path = directory / "password"
    path.write_text(mongo.PASSWORD + "\n")
    return {
        "MONGODB_ENDPOINT": server.uri(database, password=None),
        "MONGODB_PASSWORD_FILE": str(path),
    }


WAYS = {
    "uri": lambda server, database, _: {"MONGODB_ENDPOINT": server.uri(database)},
    "password": lambda server, database, _: {
        "MONGODB_ENDPOINT": server.uri(password=None),
        "MONGODB_DATABASE": database,
        "MONGODB_PASSWORD": mongo.PASSWORD,
    },
    "endpoint-file": endpoint_file,
    "password-file": password_file,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_password_comes_and_is_never_seen(secured, tmp_path, way):
    database = mongo.fresh_name()
    made = record(tmp_path, **WAYS[way](secured, database, tmp_path))
    check_unseen(made)
    check_shipped(made, secured, database)


def test_a_wrong_password_is_told_once_and_not_shown(secured, tmp_path):
    wrong = "Wr0ng/p@ss:w%rd"
    uri = secured.uri("wrong", password=wrong, **PATIENCE)
    made = record(tmp_path, seconds=5, MONGODB_ENDPOINT=uri)
    told_once(made, secured.address())
    check_unseen(made, wrong)


def test_no_password_at_all_is_told_once(secured, tmp_path):
    uri = secured.uri("wrong", user=None, **PATIENCE)
    made = record(tmp_path, seconds=4, MONGODB_ENDPOINT=uri)
    told_once(made)


# ---- certificates ----


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(secured, tmp_path):
    stranger, _, _ = mongo.make_certificates(tmp_path, "stranger")
    uri = secured.uri("wrong", tlsCAFile=stranger, **PATIENCE)
    made = record(tmp_path, seconds=4, MONGODB_ENDPOINT=uri)
    told_once(made, secured.address())
    check_unseen(made)


def test_a_server_without_tls_gets_no_password(tmp_path):
    """tls=true to a port that speaks none: nothing is sent in clear."""
    with mongo.socket.create_server(("127.0.0.1", 0)) as listener:
        uri = f"mongodb://me:{urllib.parse.quote(mongo.PASSWORD, safe='')}@127.0.0.1"
        uri += f":{listener.getsockname()[1]}/?tls=true&connectTimeoutMS=800"
        made = record(tmp_path, MONGODB_ENDPOINT=uri + "&serverSelectionTimeoutMS=800")
        listener.settimeout(1)
        heard = b""
        connection, _ = listener.accept()
        connection.settimeout(1)
        with connection:
            try:
                heard = connection.recv(65536)
            except OSError:
                pass
    assert heard[:1] == b"\x16", heard[:40]  # a handshake of TLS
    check_unseen(made)


# ---- rights ----


def test_without_the_right_to_make_collections_it_ships_all_the_same(secured, tmp_path):
    database = mongo.fresh_name()
    secured.add_user("writer", database, READ_AND_WRITE)
    made = record(tmp_path, MONGODB_ENDPOINT=secured.uri(database, user="writer"))
    told_once(made)
    check_shipped(made, secured, database)


def test_without_the_right_to_write_it_records_locally(secured, tmp_path):
    database = mongo.fresh_name()
    secured.add_user("reader", database, ["find"])
    uri = secured.uri(database, user="reader", **PATIENCE)
    made = record(tmp_path, seconds=5, MONGODB_ENDPOINT=uri)
    told_once(made)
    with secured.client() as client:
        assert not mongo.stored_documents(client[database])


def test_a_reader_needs_only_the_right_to_read(secured, filled):
    secured.add_user("asker", "filled", ["find"])
    both = {"store": filled["store"], "uri": secured.uri("filled", user="asker")}
    for words in ("list", "coverage", "verify", "replay binance:BTCUSD"):
        same(both, *words.split())


# ---- wrong settings ----

NONSENSE = {
    "MONGODB_ENDPOINT": [
        "mongodb://",
        "mongodb:///orderbooks",
        "http://127.0.0.1:27017",
        "127.0.0.1:99999",
        "127.0.0.1:port",
        "mongodb://me:Hidden1@127.0.0.1:1/?tls=perhaps",
        "mongodb://me:Hidden1@127.0.0.1:1/?tlsInsecure=true",
        "mongodb://me:Hid/den1@127.0.0.1:1/",
        "127.0.0.1:1/?x Hidden1",
    ],
    "MONGODB_DATABASE": ["a b", "a/b", "", "x" * 64, "a.b", "$a"],
    "MONGODB_LAYOUT": ["legacy", "frames,", "rows"],
}


@pytest.mark.parametrize(
    "name,value", [(name, value) for name, values in NONSENSE.items() for value in values]
)
@pytest.mark.parametrize("check", [True, False], ids=["check", "start"])
def test_a_wrong_setting_stops_the_start(tmp_path, name, value, check):
    env = {"SYMBOLS": "BTCUSDT", "STORE": str(tmp_path / "store"), name: value}
    nowhere = {"BINANCE_WS_URL": "ws://127.0.0.1:1", "BINANCE_REST_URL": "http://127.0.0.1:1"}
    env = {"MONGODB_ENDPOINT": "127.0.0.1:1", **nowhere, **env}
    done = subprocess.run(
        [str(harness.BUILD / "oblogger"), *["--check"] * check],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=3,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1 and name in lines[0], lines
    assert "Hid" not in done.stderr and "den1" not in done.stderr
    assert not (tmp_path / "store").exists()


# ---- obrebuild ----


def ask(*words, **settings):
    return subprocess.run(
        [str(harness.BUILD / "obrebuild"), *map(str, words)],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def one_line(done, code, *words):
    assert done.returncode == code, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("obrebuild: "), done.stderr
    assert not done.stdout
    for word in words:
        assert word in lines[0], lines[0]


def test_obrebuild_hides_the_password_of_its_command_line(filled):
    child = subprocess.Popen(
        [str(harness.BUILD / "obrebuild"), "--mongodb", filled["uri"], "--at", "-", "BTCUSD"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        child.stdin.write(b"1617643100\n")
        child.stdin.flush()
        assert child.stdout.readline()
        words = command_line(child.pid)
    finally:
        _, talk = child.communicate(timeout=20)
    for form in forms(mongo.PASSWORD):
        assert form not in words and form not in talk
    assert b"--at" in words


def test_obrebuild_takes_the_password_from_its_settings(secured, filled, tmp_path):
    uri = secured.uri("filled", password=None)
    want = harness.obrebuild(filled["store"], "list").stdout
    (tmp_path / "password").write_text(mongo.PASSWORD + "\n")
    for settings in (
        {"MONGODB_PASSWORD": mongo.PASSWORD},
        {"MONGODB_PASSWORD_FILE": str(tmp_path / "password")},
    ):
        done = ask("list", "--mongodb", uri, **settings)
        assert done.returncode == 0 and done.stdout == want, done.stderr


def test_obrebuild_says_in_a_line_why_it_cannot(secured, filled):
    wrong = "Wr0ng/p@ss:w%rd"
    done = ask("list", "--mongodb", secured.uri("filled", password=wrong))
    one_line(done, 1, secured.address())
    assert not [form for form in forms(wrong) if form.decode() in done.stderr]
    nobody = f"127.0.0.1:{mongo.free_port()}"
    began = harness.time.monotonic()
    one_line(ask("list", "--mongodb", nobody), 1, nobody)
    assert harness.time.monotonic() - began < 8
    one_line(ask("list", "--mongodb", secured.uri("empty")), 1, "empty")
    done = ask("list", "--mongodb", secured.uri("filled"), "--recorder", "nobody")
    one_line(done, 1, "nobody")
    assert ask("list", "--mongodb", "mongodb://").returncode == 2
    both = ask("list", "--mongodb", secured.uri("filled"), "--store", filled["store"])
    assert both.returncode == 2
