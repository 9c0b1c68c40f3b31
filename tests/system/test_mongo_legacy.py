"""The older system's layout: read from files and from a server, and written beside the record."""

import datetime
import random

import pytest

import harness
import mongo
import reference

SAMPLE = harness.DATA / "legacy_btcusdt.bson"
UTC = datetime.timezone.utc
MS = 1_000_000

needs_bson = pytest.mark.skipif(mongo.pymongo is None, reason="no bson module beside the server")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    made = mongo.make_server(tmp_path_factory.mktemp("server"))
    yield made
    made.end()


@pytest.fixture
def database(server):
    """Its name, and the database; dropped afterwards."""
    name = mongo.fresh_name()
    with server.client() as client:
        yield name, client[name]
        client.drop_database(name)


def date(ms):
    return datetime.datetime.fromtimestamp(ms // 1000, UTC) + datetime.timedelta(
        milliseconds=ms % 1000
    )


def as_doubles(pairs):
    return {price: float(quantity) for price, quantity in pairs}


def as_texts(pairs):
    return dict(pairs)


def document(kind, ms, bids, asks, side=as_doubles, **more):
    return {
        "type": kind,
        "DateTime": date(ms),
        "orberbook": {"bids": side(bids), "asks": side(asks)},
        **more,
    }


def captured(name="btcusdt", symbol="BTCUSDT"):
    """The image of a capture, and the events that follow it."""
    path = harness.capture_path(name)
    image = reference.snapshots(path)[symbol]
    events = []
    for _, text in reference.capture_lines(path):
        if '"depthUpdate"' in text:
            data = harness.json.loads(text)
            data = data.get("data", data)
            if data["s"] == symbol and data["u"] > image["lastUpdateId"]:
                events.append(data)
    return image, events


def older(image, events, side=as_doubles):
    """As the older system kept them."""
    yield document("snapshot", events[0]["E"] - 1, image["bids"], image["asks"], side)
    for event in events:
        yield document("update", event["E"], event["b"], event["a"], side)


def plain(text):
    """Without the zeros that a double does not keep."""
    return text.rstrip("0").rstrip(".") if "." in text else text


def truth(image, events, text=plain):
    """The digest of the book after each event, by its place in the order."""
    book = reference.Book()
    both = [image["bids"], image["asks"]], *([event["b"], event["a"]] for event in events)
    for bids, asks in both:
        book.apply(*([[text(p), text(q)] for p, q in side] for side in (bids, asks)))
        yield book.digest


def write_dump(path, documents):
    with open(path, "wb") as file:
        for one in documents:
            file.write(mongo.bson.encode(one))
    return path


def import_rows(store, *words, expect=0):
    return harness.rows(store, "import", *words, expect=expect)


def digests(store, *words):
    rows = harness.rows(store, "replay", "BTCUSDT", "--digest", *words, expect=None)
    return [int(row["digest"], 16) for row in rows]


# ---- files ----


def test_the_sample(tmp_path):
    """What is in it stands in tests/data/README.md."""
    store = tmp_path / "store"
    (row,) = import_rows(store, SAMPLE, "BTCUSDT", expect=3)
    assert row == {
        "exchange": "binance",
        "symbol": "BTCUSDT",
        "documents": 61,
        "snapshots": 2,
        "updates": 59,
        "trades": 66,
        "gaps": 1,
        "skipped": 0,
    }
    for row in harness.rows(store, "verify"):
        assert row["problems"] == 0
    covered = harness.rows(store, "coverage", "--kind", "l2", expect=3)[0]
    (gap,) = covered["gaps"]
    assert covered["proof"] == "none" and gap["cause"] == "silent"
    assert (gap["from_id"], gap["from_time_ns"]) == (31, 1646136030_000 * MS)
    inside = harness.rows(store, "BTCUSDT", "--at", "2022-03-01T12:00:40Z", expect=3)[0]
    assert inside["status"] == "gap"
    end = harness.rows(store, "BTCUSDT")[0]
    assert end["status"] == "ok" and end["bids"][0] == ["43124.97", "2.08881"]


def test_it_is_not_imported_twice(tmp_path):
    store = tmp_path / "store"
    import_rows(store, SAMPLE, "BTCUSDT", expect=3)
    before = harness.rows(store, "list")
    done = harness.obrebuild(store, "import", SAMPLE, "BTCUSDT", expect=1)
    assert "nothing was imported" in done.stderr and len(done.stderr.splitlines()) == 1
    assert harness.rows(store, "list") == before
    import_rows(store, SAMPLE, "ETHUSDT", expect=3)


def test_wrong_words_make_no_store(tmp_path):
    store = tmp_path / "store"
    harness.obrebuild(store, "import", expect=2)
    harness.obrebuild(store, "import", "BTCUSDT", expect=2)
    harness.obrebuild(store, "import", SAMPLE, "BTCUSDT", "ETHUSDT", expect=2)
    harness.obrebuild(store, "import", tmp_path / "none.bson", expect=1)
    assert not store.exists()


@pytest.mark.parametrize("cut", [1, 300, 9000])
def test_a_damaged_file_gives_what_comes_before(tmp_path, cut):
    data = SAMPLE.read_bytes()
    path = tmp_path / "btcusdt.bson"
    path.write_bytes(data[:-cut])
    store = tmp_path / "store"
    done = harness.obrebuild(store, "import", path, "--output", "json", expect=1)
    row = harness.json.loads(done.stdout)
    assert "the document is cut" in done.stderr
    assert f"after {row['documents']} documents" in done.stderr
    whole = tmp_path / "whole"
    import_rows(whole, SAMPLE, "BTCUSDT", expect=3)
    assert digests(store) == digests(whole)[: len(digests(store))]
    assert 0 < row["documents"] < 61


@needs_bson
@pytest.mark.parametrize("side", [as_doubles, as_texts])
def test_a_captures_books_come_back(tmp_path, side):
    image, events = captured()
    path = write_dump(tmp_path / "btcusdt.bson", older(image, events, side))
    store = tmp_path / "store"
    (row,) = import_rows(store, path)
    assert (row["updates"], row["gaps"], row["skipped"]) == (len(events), 0, 0)
    text = plain if side is as_doubles else str
    expected = list(truth(image, events, text))[1:]
    assert digests(store) == expected
    for row in harness.rows(store, "verify"):
        assert row["problems"] == 0


# ---- a database ----


@pytest.mark.parametrize("index", [False, True])
def test_a_database_gives_what_a_file_gives(tmp_path, server, database, index):
    name, there = database
    image, events = captured()
    documents = list(older(image, events[:1500]))
    choice = random.Random(4)
    for place in range(1, len(documents) - 1, 7):  # neighbours that came the wrong way round
        documents[place : place + 2] = reversed(documents[place : place + 2])
    if index:  # then the order in which they lie says nothing
        there.btcusdt.create_index("DateTime")
        choice.shuffle(documents)
    there.btcusdt.insert_many(documents)
    there.other.insert_many([{"name": "nobody"}, {"name": "knows"}])
    store = tmp_path / "store"
    rows = import_rows(store, "--mongodb", server.uri(name))
    assert [(row["symbol"], row["updates"], row["gaps"]) for row in rows] == [("BTCUSDT", 1500, 0)]
    assert digests(store) == list(truth(image, events[:1500]))[1:]
    again = tmp_path / "again"
    import_rows(again, "--mongodb", server.uri(name), "BTCUSDT")
    assert digests(again) == digests(store)
    words = ["import", "--mongodb", server.uri(name), "ETHUSDT"]
    harness.obrebuild(tmp_path / "none", *words, expect=1)


def test_a_database_without_the_layout_says_so(tmp_path, server, database):
    name, there = database
    there.other.insert_one({"type": "letter"})
    done = harness.obrebuild(tmp_path, "import", "--mongodb", server.uri(name), expect=1)
    assert "no collection of the database has the older layout" in done.stderr


# ---- written beside the record ----


def settings(server, name):
    return {
        "MONGODB_ENDPOINT": server.uri(name),
        "MONGODB_LAYOUT": "frames,legacy",
        "SEAL_AFTER": "2s",
    }


def record(tmp_path, server, name, during=None):
    """A capture, recorded with both layouts; what was recorded of which symbol."""
    store = tmp_path / "store"
    lab = harness.Lab(tmp_path, ["us10"], speed=10)
    try:
        symbols = harness.SYMBOLS["us10"]
        logger = harness.Logger(tmp_path, lab, symbols, store, **settings(server, name))
        try:
            logger.wait_text("VTHOUSD: live")
            if during:
                during()
            lab.wait_end(60)
            harness.wait_until(
                lambda: sum(harness.recorded_events(store).values())
                >= harness.DEPTH_MESSAGES["us10"] * 0.9,
                30,
                "all is recorded",
            )
        finally:
            code = logger.end()
        assert code == 0, f"exit {code}: {logger.text()[-3000:]}"
    finally:
        lab.end()
    return store, logger.text()


def replayed(store, symbol):
    rows = harness.rows(store, "replay", symbol, "--digest", expect=None)
    return [
        (row["first_id"], row["last_id"], row["event_time_ns"], row["receive_time_ns"])
        + (row["bids"], row["asks"], row["digest"])
        for row in rows
    ]


def assert_written(tmp_path, server, name, store):
    """Read back, it is the record."""
    back = tmp_path / "back"
    rows = import_rows(back, "--mongodb", server.uri(name), expect=None)
    assert {row["symbol"] for row in rows} == set(harness.SYMBOLS["us10"])
    assert all(row["skipped"] == 0 for row in rows)
    compared = 0
    for symbol in harness.SYMBOLS["us10"]:
        expected = replayed(store, symbol)
        assert replayed(back, symbol) == expected
        compared += len(expected)
    assert compared > 2000
    traded = harness.recorded_events(back, "trades")
    for symbol, count in harness.recorded_events(store, "trades").items():
        # those behind the last update wait for the next one
        assert count >= traded.get(symbol, 0) >= count - 5


def test_what_the_logger_writes_is_the_record(tmp_path, server, database):
    name, there = database
    store, said = record(tmp_path, server, name)
    assert_written(tmp_path, server, name, store)
    one = there.btcusd.find_one({"type": "update"})
    assert one["exchange"] == "binance" and one["symbol"] == "BTCUSD"
    assert all(isinstance(q, str) for q in one["orberbook"]["bids"].values())
    assert isinstance(one["DateTime"], datetime.datetime)
    assert isinstance(one["event_time_ns"], mongo.bson.int64.Int64)
    assert "older layout" not in said


def assert_once(server, name):
    """No update is there twice."""
    with server.client() as client:
        for symbol in harness.SYMBOLS["us10"]:
            updates = client[name][symbol.lower()].find({"type": "update"}, {"last_id": 1})
            ids = [(one["_id"].split("/")[2], one["last_id"]) for one in updates]  # of an epoch
            assert len(ids) == len(set(ids)) > 0


def test_nothing_is_lost_or_twice_when_the_server_is_killed(tmp_path):
    server = mongo.make_own_server(tmp_path / "server")
    name = mongo.fresh_name()

    def kill():
        for _ in range(3):
            server.kill()
            harness.time.sleep(1)
            server.start()
            harness.time.sleep(1)

    try:
        store, said = record(tmp_path, server, name, kill)
        assert_written(tmp_path, server, name, store)
        assert_once(server, name)
        assert said.count("older layout: writing again") <= 3
    finally:
        server.end()


def test_what_was_recorded_without_the_server_is_written_by_the_next_start(tmp_path):
    server = mongo.make_own_server(tmp_path / "server")
    name = mongo.fresh_name()
    try:
        server.stop()
        store, said = record(tmp_path, server, name)
        assert said.count("MongoDB, older layout: ") <= 2
        server.start()
        (tmp_path / "again").mkdir()
        lab = harness.Lab(tmp_path / "again", ["us10"])
        try:
            again = harness.Logger(
                tmp_path, lab, ["BTCUSD"], store, log="again.log", **settings(server, name)
            )
            again.wait_text("BTCUSD: live")
            harness.time.sleep(6)
            assert again.end() == 0, again.text()[-3000:]
        finally:
            lab.end()
        assert_written(tmp_path, server, name, store)
        assert_once(server, name)
    finally:
        server.end()
