"""obrebuild sample: its words, its forms, and each of its lines against the book at that time."""

import csv
import decimal
import json

import pytest

import harness
import reference
from programs import make_store, run
from test_cli import DONE, FAILED, INCOMPLETE, USAGE, check_one_line

SYMBOL = "BTCUSDT"
SECOND = 1_000_000_000
FIELDS = (
    "exchange symbol at event_time_ns status bid bid_quantity ask ask_quantity bid_depth ask_depth"
).split()


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("sample") / "store")


def last_time(store):
    done = harness.obrebuild(store, "list", "--output", "json", expect=None)
    rows = map(json.loads, done.stdout.splitlines())
    return next((row["last_time_ns"] for row in rows if row["kind"] == "l2"), None)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A capture of one symbol, as the logger recorded it."""
    directory = tmp_path_factory.mktemp("sample")
    lab = harness.Lab(directory, ["btcusdt"])
    try:
        logger = harness.Logger(directory, lab, [SYMBOL], directory / "store")
        try:
            lab.wait_end(60)
            last_ns = reference.emitted(lab.journal())[SYMBOL][-1]["E"] * 1_000_000
            harness.wait_until(
                lambda: last_time(logger.store) == last_ns, 30, "the last event is in the store"
            )
        finally:
            assert logger.end() == 0, logger.text()[-3000:]
    finally:
        lab.end()
    return logger.store


def sample(store, *words):
    return run("obrebuild", "sample", SYMBOL, "--store", store, *words)


def rows(store, *words, code=DONE):
    done = sample(store, *words, "--output", "json")
    assert done.returncode == code, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def events(recorded):
    return harness.rows(recorded, "replay", SYMBOL)


# ---- wrong words ----


@pytest.mark.parametrize(
    "words, parts",
    [
        ([], ["sample", "one symbol"]),
        (["BTCUSDT", "ETHUSDT", "--every", "1s"], ["sample", "one symbol"]),
        (["BTCUSDT"], ["needs --every"]),
        (["BTCUSDT", "--every", "10"], ["--every 10:", "above 0, like 100ms, 10s, 1h"]),
        (["BTCUSDT", "--every", "0s"], ["--every 0s:", "above 0"]),
        (["BTCUSDT", "--every", "-1s"], ["--every -1s:", "above 0"]),
        (["BTCUSDT", "--every", "1.5s"], ["--every 1.5s:", "above 0"]),
        (["BTCUSDT", "--every", "200000000000d"], ["--every 200000000000d:", "above 0"]),
        (["BTCUSDT", "--every", "1s", "--depth", "0"], ["--depth 0:", "above 0"]),
        (["BTCUSDT", "--every", "1s", "--depth", "all"], ["--depth all:", "above 0"]),
        (["BTCUSDT", "--every", "1s", "--from", "2", "--to", "1"], ["--from", "later than --to"]),
        (["BTCUSDT", "--every", "1s", "--output", "xml"], ["--output xml", "table, json or csv"]),
    ],
    ids=" ".join,
)
def test_what_is_wrong_with_the_words_is_said(empty, words, parts):
    done = run("obrebuild", "--store", empty, "sample", *words)
    check_one_line(done, "obrebuild", USAGE, *parts)


def test_a_symbol_that_is_not_recorded_is_named(empty):
    done = run("obrebuild", "--store", empty, "sample", "ETHUSDT", "--every", "1s")
    check_one_line(done, "obrebuild", FAILED, "binance:ETHUSDT", "not recorded")


# ---- what is told ----


def total(levels, depth):
    """The sum of the quantities, with the digits that the exchange writes."""
    return str(sum((decimal.Decimal(quantity) for _, quantity in levels[:depth]), start=0))


def line_of(book, depth):
    """What the point at a book's time has to say."""
    (bid, bid_quantity), (ask, ask_quantity) = book["bids"][0], book["asks"][0]
    values = [book[name] for name in FIELDS[:5]] + [bid, bid_quantity, ask, ask_quantity]
    return dict(zip(FIELDS, values + [total(book[side], depth) for side in ("bids", "asks")]))


@pytest.mark.parametrize("clock, name", [("exchange", "event"), ("receive", "receive")])
def test_each_line_is_the_book_at_its_time(recorded, events, clock, name):
    first, last = events[0][f"{name}_time_ns"], events[-1][f"{name}_time_ns"]
    every = f"{(last - first) // 200 + 1}ns"
    points = rows(recorded, "--every", every, "--depth", "20", "--clock", clock)
    assert len(points) > 190
    times = "".join(f"{point['at']}\n" for point in points)
    books = harness.rows(
        recorded, "--at", "-", "--depth", 20, "--clock", clock, SYMBOL, stdin=times
    )
    assert points == [line_of(book, 20) for book in books]


def test_without_ends_the_grid_is_that_of_the_record(recorded, events):
    (row,) = [row for row in harness.rows(recorded, "list") if row["kind"] == "l2"]
    times = [point["at"] for point in rows(recorded, "--every", "10s")]
    begin = -(-events[0]["event_time_ns"] // (10 * SECOND)) * 10 * SECOND
    assert times == list(range(begin, row["recorded_until_ns"], 10 * SECOND))


def test_depth_is_that_of_one_level_unless_it_is_given(recorded):
    points = rows(recorded, "--every", "10s")
    assert points == rows(recorded, "--every", "10s", "--depth", "1")
    assert all(point["bid_depth"] == point["bid_quantity"] for point in points)


def test_a_point_outside_the_record_has_no_numbers(recorded, events):
    first, last = events[0]["event_time_ns"], events[-1]["event_time_ns"]
    words = ["--every", "5min", "--from", first - SECOND, "--to", last + 600 * SECOND]
    points = rows(recorded, *words, code=INCOMPLETE)
    assert [point["status"] for point in points] == ["empty", "ok", "ok", "ended", "ended"]
    for point in points:
        numbers = [point[name] for name in FIELDS[5:]]
        assert all(numbers) if point["status"] == "ok" else numbers == [None] * 6
    told = [point["event_time_ns"] for point in points]
    assert told[0] is None and told[-1] == last
    done = sample(recorded, *words)
    assert done.returncode == INCOMPLETE
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"obrebuild: binance:{SYMBOL}: 3 of 5 points lie in a gap, beyond")


@pytest.mark.parametrize(
    "words", [["--from", "2030-01-01T00:00:00Z"], ["--to", "1"]], ids=" ".join
)
def test_a_grid_beside_the_record_is_said(recorded, words):
    done = sample(recorded, "--every", "1s", "--output", "json", *words)
    check_one_line(done, "obrebuild", INCOMPLETE, f"binance:{SYMBOL}", "no point")


# ---- forms ----


def texts_of(point):
    return ["" if point[name] is None else str(point[name]) for name in FIELDS]


def test_csv_tells_what_json_tells(recorded, events):
    words = ["--every", "1min", "--from", events[0]["event_time_ns"] - SECOND]
    points = rows(recorded, *words, code=INCOMPLETE)
    done = sample(recorded, *words, "--output", "csv")
    header, *lines = csv.reader(done.stdout.splitlines())
    assert header == FIELDS
    assert lines == [texts_of(point) for point in points]
    assert {point["status"] for point in points} == {"empty", "ok"}


def test_a_table_has_a_heading_and_its_columns_in_line(recorded):
    points = rows(recorded, "--every", "1min")
    heading, *lines = sample(recorded, "--every", "1min").stdout.splitlines()
    assert heading.split()[:2] == ["at", "status"]
    assert {line.index("|") for line in [heading, *lines]} == {heading.index("|")}
    order = ["status", "bid_depth", "bid_quantity", "bid", "ask", "ask_quantity", "ask_depth"]
    told = [line.replace("|", "").split()[1:] for line in lines]
    assert told == [[point[name] for name in order] for point in points]
