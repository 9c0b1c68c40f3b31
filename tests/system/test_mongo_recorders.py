"""Two loggers record the same into one database, each loses another part of it, and together they
have it all: against a third one, with a store of its own, that was never interrupted."""

import json
import random
import signal

import pytest

import harness
import mongo

CAPTURES = ["us10", "made"]
SYMBOLS = ["BTCUSD", "ETHBTC", "coinbase:ETH-USD"]
STREAMS = 4  # three books, and the trades of one
SPEED = 4
SETTINGS = {"SEAL_AFTER": "2s", "IMAGE_MIN": "2s", "IMAGE_FACTOR": "1"}
AWAY = 3  # seconds of the wall clock


def key_of(row):
    return row["exchange"], row["symbol"], row["kind"]


def word_of(row):
    return [f"{row['exchange']}:{row['symbol']}", "--kind", row["kind"]]


class Recorder:
    """A logger that can go away and come back, with its store."""

    def __init__(self, directory, lab, name, **settings):
        self.directory, self.lab, self.name = directory / name, lab, name
        self.directory.mkdir()
        self.settings = {"RECORDER": name, **SETTINGS, **harness.KEYS, **settings}
        self.store = self.directory / "store"
        self.logger, self.losses = None, 0

    def start(self):
        self.logger = harness.Logger(
            self.directory, self.lab, SYMBOLS, self.store, **self.settings
        )

    def stop(self):
        logger, self.logger = self.logger, None
        assert logger.end() == 0, logger.text()[-3000:]

    def kill(self):
        logger, self.logger = self.logger, None
        logger.kill()

    def follows(self):
        """Is every stream recorded, with a gap behind it for each time that it was away?"""
        done = harness.obrebuild(self.store, "coverage", "--output", "json", expect=None)
        gaps = [json.loads(line)["gaps"] for line in done.stdout.splitlines()]
        return len(gaps) == STREAMS and all(
            len(known) == self.losses
            and all(gap["to_id"] is not None for gap in known)
            for known in gaps
        )

    def end(self):
        if self.logger:
            self.logger.kill()


def lose(recorder, end):
    """Away for some seconds; back when the record goes on."""
    end(recorder)
    recorder.losses += 1
    harness.time.sleep(AWAY)
    recorder.start()
    harness.wait_until(recorder.follows, 30, f"{recorder.name} goes on")
    harness.time.sleep(2)  # what is killed next loses what it did not commit


def play(directory, server, database):
    options = [*harness.KEYED, "--loop", "20", "--expect", "3"]
    lab = harness.Lab(directory, CAPTURES, *options, speed=SPEED)
    sink = {"MONGODB_ENDPOINT": server.uri(), "MONGODB_DATABASE": database}
    recorders = [Recorder(directory, lab, "c")]
    recorders += [Recorder(directory, lab, name, **sink) for name in ("a", "b")]
    try:
        for recorder in recorders:
            recorder.start()
        c, a, b = recorders
        for recorder in recorders:
            harness.wait_until(recorder.follows, 30, f"{recorder.name} records")
        harness.time.sleep(2)
        lose(a, Recorder.stop)
        lose(b, Recorder.kill)
        lose(a, Recorder.kill)
        assert lab.running() and not lab.ended(), "the capture is too short for this"
        lab.send(signal.SIGTERM)
        harness.time.sleep(2)
        for recorder in recorders:
            recorder.stop()
        return {recorder.name: recorder.store for recorder in recorders}
    finally:
        for recorder in recorders:
            recorder.end()
        lab.kill()


@pytest.fixture(scope="module", name="recording")
def make_recording(tmp_path_factory):
    directory = tmp_path_factory.mktemp("recorders")
    server = mongo.make_server(directory / "server")
    try:
        database = mongo.fresh_name()
        stores = play(directory, server, database)
        yield {**stores, "uri": server.uri(database)}
        with server.client() as client:
            client.drop_database(database)
    finally:
        server.end()


def coverage_of(store, expect=None):
    return {key_of(row): row for row in harness.rows(store, "coverage", expect=expect)}


def test_each_recorder_lost_something(recording):
    for name in "ab":
        rows = coverage_of(recording[name], expect=3)
        assert len(rows) == STREAMS
        assert all(row["gaps"] for row in rows.values()), rows
    for row in coverage_of(recording["c"], expect=0).values():
        assert not row["gaps"]


def test_together_they_lost_nothing_and_say_who_has_it(recording):
    rows = coverage_of(recording["uri"], expect=0)
    assert len(rows) == STREAMS
    for row in rows.values():
        assert row["gaps"] == []
        assert row["covered_ns"] == row["to_ns"] - row["from_ns"] > 0
        ranges = row["recorders"]
        assert {part["recorder"] for part in ranges} == {"a", "b"}
        assert ranges[0]["from_ns"] == row["from_ns"]
        # the other one may have been proved alive a moment longer
        assert row["to_ns"] - 10**9 < ranges[-1]["to_ns"] <= row["to_ns"]
        for before, behind in zip(ranges, ranges[1:]):
            assert before["to_ns"] == behind["from_ns"]
            assert before["recorder"] != behind["recorder"]
        assert {feed["recorder"] for feed in row["sources"]} == {"a", "b"}


def test_the_list_has_a_line_for_each_recorder(recording):
    listed = harness.rows(recording["uri"], "list")
    assert sorted({(row["recorder"], *key_of(row)) for row in listed}) == sorted(
        (name, *key_of(row)) for name in "ab" for row in harness.rows(recording["c"], "list")
    )
    for name in "ab":
        own = [row for row in listed if row["recorder"] == name]
        assert own == harness.rows(recording[name], "list")
        assert own == harness.rows(recording["uri"], "list", "--recorder", name)


def command_of(row):
    """What gives every event of a stream."""
    if row["kind"] == "trades":
        return ["trades", f"{row['exchange']}:{row['symbol']}"]
    return ["replay", *word_of(row), "--digest"]


def plain(event, *left_out):
    """What does not depend on whose it is."""
    own = {"recorder", "receive_time_ns", "epoch", *left_out}
    return {name: value for name, value in event.items() if name not in own}


def test_every_event_comes_once_with_its_book(recording):
    for row in harness.rows(recording["c"], "list"):
        truth = [plain(event) for event in harness.rows(recording["c"], *command_of(row))]
        merged = harness.rows(recording["uri"], *command_of(row))
        events = [plain(event) for event in merged]
        if events[0] in truth:
            truth = truth[truth.index(events[0]) :]
        else:
            events = events[events.index(truth[0]) :]
        shared = min(len(truth), len(events))
        assert shared > 100
        assert events[:shared] == truth[:shared], key_of(row)
        assert max(len(truth), len(events)) <= shared + 20, "they ended at the same time"
        assert {event["recorder"] for event in merged} == {"a", "b"}


def test_csv_and_table_say_it_too(recording):
    words = ["binance:BTCUSD"]
    json_rows = harness.rows(recording["uri"], "replay", *words)
    lines = harness.obrebuild(
        recording["uri"], "replay", *words, "--output", "csv"
    ).stdout.splitlines()
    assert lines[0].startswith("recorder,event_time_ns,")
    levels = sum(len(row["bids"]) + len(row["asks"]) for row in json_rows)
    assert len(lines) == 1 + levels
    assert {line.split(",")[0] for line in lines[1:]} == {"a", "b"}
    lines = harness.obrebuild(
        recording["uri"], "trades", "coinbase:ETH-USD", "--output", "csv"
    ).stdout.splitlines()
    assert lines[0].startswith("recorder,exchange,symbol,id,")
    assert {line.split(",")[0] for line in lines[1:]} == {"a", "b"}
    table = harness.obrebuild(recording["uri"], *words).stdout
    assert "status ok  recorder " in table.splitlines()[0]


def test_the_book_is_exact_at_any_time(recording):
    chance = random.Random(6)
    for name, row in coverage_of(recording["uri"]).items():
        if name[2] == "trades":
            continue
        edges = {part["to_ns"] for part in row["recorders"][:-1]}
        row["from_ns"] = max(row["from_ns"], coverage_of(recording["c"])[name]["from_ns"])
        times = [chance.randrange(row["from_ns"], row["to_ns"]) for _ in range(150)]
        times += [edge + shift for edge in edges for shift in (-1, 0, 1, 10**6, 10**9)]
        stdin = "".join(f"{time}\n" for time in times if time <= row["to_ns"])
        words = [*word_of(row), "--at", "-"]
        truth = harness.rows(recording["c"], *words, stdin=stdin, expect=0)
        books = harness.rows(recording["uri"], *words, stdin=stdin, expect=0)
        assert len(books) >= 150
        for book, true in zip(books, truth, strict=True):
            # an image of the exchange reaches so deep, at its time: beyond, both are right
            assert plain(book, "horizon") == plain(true, "horizon")
        assert {book["recorder"] for book in books} == {"a", "b"}
        assert {book["status"] for book in books} == {"ok"}


def test_a_grid_over_both_is_that_of_the_third(recording):
    row = coverage_of(recording["uri"])["binance", "BTCUSD", "l2"]
    row["from_ns"] += 2 * 10**9  # they did not begin at the same event
    words = [
        *("sample", "BTCUSD", "--every", "500ms", "--depth", "5"),
        *("--from", row["from_ns"], "--to", row["to_ns"]),
    ]
    points = harness.rows(recording["uri"], *words)
    assert [plain(point) for point in points] == [
        plain(point) for point in harness.rows(recording["c"], *words)
    ]
    assert {point["recorder"] for point in points} == {"a", "b"}


def test_one_of_them_can_be_asked_alone(recording):
    for name in "ab":
        for words in (["coverage"], ["replay", "BTCUSD"], ["verify"], ["symbols"]):
            alone = harness.obrebuild(
                recording["uri"], "--recorder", name, *words, "--output", "json", expect=None
            )
            local = harness.obrebuild(recording[name], *words, "--output", "json", expect=None)
            assert (alone.stdout, alone.returncode) == (local.stdout, local.returncode)
    done = harness.obrebuild(recording["uri"], "--recorder", "z", "list", expect=1)
    assert done.stdout == "" and done.stderr.count("\n") == 1
    assert "z" in done.stderr and "'a', 'b'" in done.stderr


def test_each_record_is_verified(recording):
    rows = harness.rows(recording["uri"], "verify")
    assert len(rows) == 2 * STREAMS
    assert {row["recorder"] for row in rows} == {"a", "b"}
    assert not any(row["problems"] for row in rows)


def test_what_both_say_of_a_symbol_is_said_once(recording):
    rows = harness.rows(recording["uri"], "symbols")
    assert len(rows) == len({(row["exchange"], row["symbol"]) for row in rows}) == 3
    local = {name: harness.rows(recording[name], "symbols") for name in "ab"}
    first = {
        row["symbol"]: min(
            other["from_ns"]
            for known in local.values()
            for other in known
            if other["symbol"] == row["symbol"]
        )
        for row in rows
    }
    assert {row["symbol"]: row["from_ns"] for row in rows} == first
