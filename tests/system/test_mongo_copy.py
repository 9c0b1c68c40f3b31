"""obrebuild push and pull: days of a record into a database, and home again."""

import subprocess

import pytest

import harness
import mongo

DAY = 86400 * 10**9
BEGIN = 20600 * DAY  # three days of two symbols, ten events each a day
DAYS = ("2026-05-27", "2026-05-28", "2026-05-29")
EVENTS = 10


def lines_of(symbol, base):
    """What obwrite is told: an image, then events over three days, a trade with each."""
    yield f"stream exchange=binance symbol={symbol} kind=l2 price_digits=2 quantity_digits=3 " \
        f"fixed=1 now={BEGIN}"
    yield "rest side=0 price=99.50 size=1"
    yield "rest side=1 price=100.50 size=2"
    yield f"image kind=l2 id={base} receive={BEGIN}"
    for number in range(3 * EVENTS):
        time = BEGIN + (number // EVENTS) * DAY + (number % EVENTS + 1) * 10**9
        yield f"level id={base + number + 1} time={time} receive={time} side={number % 2} " \
            f"price={99 - number % 7 if number % 2 == 0 else 101 + number % 5}.25 size={number + 1}"
        yield f"tick now={time}"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("copied") / "store"
    lines = [*lines_of("BTCUSDT", 100), *lines_of("ETHUSDT", 5000)]
    subprocess.run([harness.BUILD / "obwrite", path], text=True, check=True,
                   input="".join(f"{line}\n" for line in lines))
    assert {row["events"] for row in harness.rows(path, "list")} == {3 * EVENTS}
    return path


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = mongo.make_server(tmp_path_factory.mktemp("server"))
    yield server
    server.end()


@pytest.fixture
def uri(server):
    name = mongo.fresh_name()
    yield server.uri(name)
    with server.client() as client:
        client.drop_database(name)


def run(*words, expect=0):
    done = subprocess.run([harness.BUILD / "obrebuild", *map(str, words)], text=True,
                          capture_output=True, timeout=120, check=False)
    assert done.returncode == expect, done.stderr
    return done


def contents(path):
    """Every row, but for the store's own number of its symbols' readers."""
    return sorted(((row["place"], row["table"], row["stream"], row["major"], row["minor"]),
                   row["value"]) for row in mongo.dump(path) if row["table"] != "sinks")


def test_a_record_comes_home_whole(store, uri, tmp_path):
    run("push", "--mongodb", uri, "--store", store)
    told = run("pull", "--mongodb", uri, "--store", tmp_path / "home", "--output", "json").stdout
    assert '"damaged":0' in told
    assert contents(tmp_path / "home") == contents(store)
    again = run("pull", "--mongodb", uri, "--store", tmp_path / "home", "--output", "json").stdout
    assert again.startswith('{"frames":0,')
    assert run("push", "--mongodb", uri, "--store", store).stdout.startswith("0 frames")


def test_a_day_of_a_symbol_comes_home(store, uri, tmp_path):
    """The others are said to be missing, and come when they are asked for."""
    home = tmp_path / "home"
    run("push", "--mongodb", uri, "--store", store)
    run("pull", "--mongodb", uri, "--store", home, "BTCUSDT", "--from", f"{DAYS[1]}T00:00:00Z",
        "--to", f"{DAYS[2]}T00:00:00Z")
    rows = harness.rows(home, "list")
    assert [(row["symbol"], row["events"]) for row in rows] == [("BTCUSDT", EVENTS)]
    events = [harness.rows(place, "replay", "BTCUSDT", "--from", f"{DAYS[1]}T00:00:00Z", "--to",
                           f"{DAYS[2]}T00:00:00Z", "--digest", expect=None)
              for place in (store, home)]
    assert len(events[0]) == EVENTS and events[0] == events[1]
    moment = f"{DAYS[1]}T00:00:07Z"
    assert harness.rows(home, "--at", moment, "BTCUSDT") == \
        harness.rows(store, "--at", moment, "BTCUSDT")
    gaps = harness.rows(home, "coverage", "BTCUSDT", "--from", f"{DAYS[0]}T00:00:00Z",
                        expect=3)[0]["gaps"]
    assert {gap["cause"] for gap in gaps} == {"pruned"}
    run("verify", "--store", home)
    run("pull", "--mongodb", uri, "--store", home, "BTCUSDT")
    assert harness.rows(home, "list")[0]["events"] == 3 * EVENTS
    assert not harness.rows(home, "coverage", "BTCUSDT")[0]["gaps"]
    run("verify", "--store", home)
    run("pull", "--mongodb", uri, "--store", home)
    assert contents(home) == contents(store)


def test_another_record_is_refused(store, uri, tmp_path):
    run("push", "--mongodb", uri, "--store", store)
    other = tmp_path / "other"
    subprocess.run([harness.BUILD / "obwrite", other], text=True, check=True,
                   input="".join(f"{line}\n" for line in lines_of("BTCUSDT", 100)))
    assert "another store" in run("push", "--mongodb", uri, "--store", other, expect=1).stderr
    refused = run("pull", "--mongodb", uri, "--store", other, expect=1).stderr
    assert "another record" in refused and str(other) in refused
    assert contents(other) != contents(store)


def test_words_that_are_off(store, uri, tmp_path):
    run("push", "--mongodb", uri, "--store", store)
    nothing = run("pull", "--mongodb", uri, "--store", tmp_path / "none", "NOPE", expect=1).stderr
    assert "NOPE" in nothing
    assert "--mongodb" in run("pull", "--store", store, expect=2).stderr
    assert "--mongodb" in run("push", "--store", store, expect=2).stderr
    assert "missing" in run("push", "--mongodb", uri, "--store", tmp_path / "missing",
                            expect=1).stderr
    far = run("push", "--mongodb", "127.0.0.1:1/?serverSelectionTimeoutMS=300", "--store", store,
              expect=1).stderr
    assert "127.0.0.1:1" in far or "host:port" in far
