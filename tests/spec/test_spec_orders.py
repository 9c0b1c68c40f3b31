"""The second decoder on orders and trades: the golden values, the examples of the documents, and
the product on stores that it recorded."""

import json
import pathlib
import re
import sys
import time

import pytest

sys.path[:0] = [str(pathlib.Path(__file__).parents[1] / part) for part in ("spec", "system")]
import book  # noqa: E402
import harness  # noqa: E402
import obdecode  # noqa: E402
import orders  # noqa: E402
import plain  # noqa: E402
import refused_dense  # noqa: E402
import texts  # noqa: E402
import tokens  # noqa: E402
import trades  # noqa: E402
from test_spec import (  # noqa: E402
    BUILD,
    SOURCE,
    compare_replays,
    decoded,
    hex_lines,
    needs_build,
    program,
    run,
)

WAITING = orders.Waiting.add

# ---- golden values ----


def test_golden_values_have_every_sort_of_message_and_column(monkeypatch):
    columns = {orders.Columns: set(), trades.Columns: set()}
    byte = tokens.Columns.byte

    def trace(c, i, count=256):
        columns[type(c)].add(i)
        return byte(c, i, count)

    monkeypatch.setattr(tokens.Columns, "byte", trace)
    frames = list(decoded("v3"))
    methods = {(frame["kind"], frame["method"], "open" in frame["flags"]) for frame, _ in frames}
    assert methods == {
        *(("headless", 0, False), ("changes", 0, True)),
        *((kind, method, False) for kind in ("image", "changes") for method in (3, 4)),
    }
    messages = [event["order"] for _, part in frames for event in part if "order" in event]
    assert {m["type"] for m in messages} == set(texts.TYPES)
    assert {m["reason"] for m in messages} == set(range(10))
    assert {bit for bit in range(7) for m in messages if m["has"] >> bit & 1} == set(range(7))
    assert any(m["id"].startswith("0" * 16) and m["id"] > "0" * 31 for m in messages)
    assert {event.get("type", 0) for _, part in frames for event in part} == {0, 1, 2, 3}
    by_type = {orders.HAS: range(7), orders.SIDE: range(6), orders.SAME: range(6)}
    by_type |= {orders.WHERE: range(1, 5), orders.WAITING: range(1, 5)}
    by_type |= {orders.LEVEL: range(1, 5), orders.PLACE: range(1, 5), orders.SIZES: range(6)}
    used = {first + what for first, types in by_type.items() for what in types}
    others = {*range(17, 21), *range(70, 76), *range(77, 88), *range(95, 108)}
    assert columns[orders.Columns] >= used | others
    assert columns[trades.Columns] >= {0, 1, 2, 3, 5, *range(17, 33)}
    flags = [frame["flags"] for frame, _ in frames if frame["kind"] == "image"]
    assert any("correction" in part for part in flags)
    assert any("sync" not in part for part in flags)


# ---- the examples of the documents ----


def drawn_columns(page, after, **ids):
    """A block of the columns that a drawing shows; of those cut with dots, what is told."""
    text = (SOURCE / "schema" / page).read_text()
    columns, count = {}, {"orders.md": orders.COLUMNS, "trades.md": trades.COLUMNS}[page]
    for line in text[text.index(after) :].split("```")[1].splitlines():
        if drawn := re.match(r" {0,2}(\d{1,3})  ((?:[0-9a-f]{2} ?)+)( ?\.\.\.)?", line):
            number, data, dots = drawn.groups()
            columns[int(number)] = ids[f"c{number}"] if dots else bytes.fromhex(data)
    return refused_dense.block(columns, count)


def drawn_id(start):
    """An id of the examples: bytes from `start` on, but for those that tell the sort of UUID."""
    data = bytearray(range(start, start + 16))
    data[6], data[8] = 0x40, 0x80
    return bytes(data)


def id_bytes(*starts):
    return b"".join(bytes(start + i for i in range(16) if i not in (6, 8)) for start in starts)


EXAMPLE_TIMES = {
    "first_event_time_ns": 1_700_000_000_000_000_000,
    "first_receive_time_ns": 1_700_000_000_001_234_000,
}


def test_the_blocks_of_orders():
    scale = [2, 3, True, 1, 1]
    a, b, c, d = map(drawn_id, (0x10, 0x20, 0x30, 0x50))
    levels = book.OrderBook(scale)
    frame = {**EXAMPLE_TIMES, "kind": "image", "first_id": 100}
    block = drawn_columns("orders.md", "Its block, unpacked", c100=id_bytes(0x10, 0x20, 0x30))
    (image,) = orders.Orders(scale).events(block, frame, levels)
    assert (image["first_id"], image["last_id"]) == (100, 100)
    assert image["bids"] == [[10000, 1500, a], [10000, 2000, b]] == list(levels.rows(0))
    assert image["asks"] == [[10005, 1500, c]] == list(levels.rows(1))
    block = drawn_columns("orders.md", "Then six messages", c100=id_bytes(0x50, 0x30))
    frame = {**EXAMPLE_TIMES, "kind": "changes", "first_id": 101}
    events = list(orders.Orders(scale).events(block, frame, levels))
    assert [event["last_id"] for event in events] == list(range(101, 107))
    first = EXAMPLE_TIMES["first_event_time_ns"]
    assert [event["event_time_ns"] - first for event in events] == [
        step * 1_000_000 for step in range(6)
    ]
    assert {event["receive_time_ns"] - event["event_time_ns"] for event in events} == {1_234_000}
    match = {"side": 1, "has": 35, "id": c, "other": d, "price": 10005, "size": 1500, "trade": 70}
    assert [event["order"] for event in events] == [
        book.message(book.RECEIVED, reason=1, has=3, id=d, price=10005, size=2500),
        book.message(book.MATCH, **match),
        book.message(book.DONE, side=1, reason=3, has=3, id=c, price=10005),
        book.message(book.OPEN, has=3, id=d, price=10005, size=1000),
        book.message(book.DONE, reason=4, has=3, id=b, price=10000, size=2000),
        book.message(book.OPEN, side=1, has=3, id=c, price=10007, size=1500),
    ]
    assert list(levels.rows(0)) == [[10005, 1000, d], [10000, 1500, a]]
    assert list(levels.rows(1)) == [[10007, 1500, c]]


def test_the_block_of_trades():
    frame = {**EXAMPLE_TIMES, "kind": "changes", "first_id": 101}
    block = drawn_columns("trades.md", "The block, unpacked")
    events = list(trades.Trades([2, 3, True, 1, 1]).events(block, frame, None))
    first = EXAMPLE_TIMES["first_event_time_ns"]
    told = [(e["last_id"], e["type"], e["bids"], e["asks"], e.get("fills")) for e in events]
    assert told == [
        (101, 3, [], [[10005, 1500]], [70, 70]),
        (102, 3, [], [[10006, 500]], [71, 73]),
        (103, 2, [[10000, 1500]], [], None),
    ]
    assert [event["event_time_ns"] - first for event in events] == [0, 0, 40_000_000]
    assert {event["receive_time_ns"] - event["event_time_ns"] for event in events} == {1_234_000}


def test_the_block_of_a_match_and_a_trade():
    block = hex_lines("frame.md", "A match and an aggregate trade in a block of method 0")
    match, trade = plain.Plain([2, 3, True, 1, 1]).events(block, {}, None)
    maker, taker = (drawn_id(start) for start in (0x30, 0x50))
    assert match["order"] == book.message(
        book.MATCH, side=1, has=35, id=maker, other=taker, price=10005, size=1500, trade=70
    )
    assert (match["first_id"], match["last_id"], match["asks"]) == (101, 101, [])
    assert (trade["type"], trade["last_id"], trade["fills"]) == (book.AGGREGATE, 102, [70, 72])
    assert (trade["bids"], trade["asks"]) == ([], [[10005, 1500]])
    for event in (match, trade):
        assert event["event_time_ns"] == 1_700_000_000_000_000_000
        assert event["receive_time_ns"] == 1_700_000_000_001_234_000


# ---- against the product ----


def whole_books(tmp_path, symbol, every):
    """Every so many books of orders, each with the time of the event before it."""
    rows = obdecode.read_dump(tmp_path / "dump.jsonl")
    times, books = [], []
    for n, (_, event, now) in enumerate(obdecode.replayed(rows, symbol, ("l3",))):
        while times and times[-1] >= event["event_time_ns"]:
            times.pop()  # "the book at T" is the last one that is no later
            books.pop()
        times.append(event["event_time_ns"])
        books.append(texts.book_line(event, now) if n % every == 0 else None)
    return [pair for pair in zip(times, books) if pair[1]]


def compare_books(tmp_path, store, symbol, every):
    """Whole books, order by order. How many there were."""
    ours = whole_books(tmp_path, symbol, every)
    stdin = "".join(f"{at_ns}\n" for at_ns, _ in ours)
    words = ["--at", "-", "--kind", "l3", symbol, "--output", "json"]
    theirs = run(BUILD / "obrebuild", "--store", store, *words, codes=(0, 3), stdin=stdin)
    theirs = [json.loads(line) for line in theirs.splitlines()]
    assert len(theirs) == len(ours)
    for (_, want), line in zip(ours, theirs):
        assert {key: line[key] for key in want} == want
    return len(ours)


def compare_all(tmp_path, store, every):
    """Every event of every stream, and some books of orders. How many books and trades."""
    books = count = 0
    for line in run(BUILD / "obrebuild", "--store", store, "list", "--output", "json").splitlines():
        row = json.loads(line)
        symbol = f"{row['exchange']}:{row['symbol']}"
        command = "trades" if row["kind"] == "trades" else "replay"
        lines = compare_replays(tmp_path, store, symbol, 1, command)
        count += len(lines) if row["kind"] == "trades" else 0
        books += compare_books(tmp_path, store, symbol, every) if row["kind"] == "l3" else 0
    return books, count


@needs_build
def test_the_golden_record_replays_alike(tmp_path):
    run(program("obgolden"), "store", "v3", tmp_path / "store")
    books, count = compare_all(tmp_path, tmp_path / "store", 3)
    assert books > 40 and count > 80


@needs_build
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_a_recorder_wrote_replays_alike(tmp_path, monkeypatch, seed):
    run(program("obgolden"), "orders", tmp_path / "store", seed)
    waiting = set()
    monkeypatch.setattr(
        orders.Waiting, "add", lambda row, *order: waiting.add(len(row.row)) or WAITING(row, *order)
    )
    books, count = compare_all(tmp_path, tmp_path / "store", 8)
    assert books > 100 and count > 1000
    assert max(waiting) == orders.WAITING_MAX, "none was forgotten"


def record_capture(directory, name):
    """The store that oblogger records of a capture, which the laboratory plays."""
    keys, settings = [], {"SEAL_AFTER": "1s", "IMAGE_MIN": "1s", "IMAGE_FACTOR": "1"}
    if name in ("made", "full"):
        keys, settings = harness.KEYED, {**settings, **harness.KEYS}
    if name == "advanced":
        settings["COINBASE_FEED"] = "advanced"
    store = directory / "store"
    lab = harness.Lab(directory, [name], *keys, speed="5" if keys else "max")
    try:
        logger = harness.Logger(directory, lab, harness.SYMBOLS[name], store, **settings)
        try:
            lab.wait_end(120)
            settle(store)
        finally:
            assert logger.end() == 0, logger.text()[-3000:]
    finally:
        lab.end()
    return store


def settle(store):
    """Until it does not grow any more."""
    before, now = None, {}
    for _ in range(30):
        time.sleep(1.2)
        before, now = now, {key: row["events"] for key, row in harness.recorded(store).items()}
        if now and now == before:
            return
    raise AssertionError(f"it still grows: {now}")


@needs_build
@pytest.mark.parametrize(
    "name, kind, blocks, books_least, trades_least",
    [
        ("made", "l3", 2, 30, 90),
        ("full", "l3", 2, 100, 1),
        ("level2", "l2", 10, 0, 80),
        ("advanced", "l2", 2, 0, 200),
        ("btcusdt", "l2", 2, 0, 10_000),
    ],
)
def test_what_was_recorded_of_an_exchange_replays_alike(
    tmp_path, monkeypatch, name, kind, blocks, books_least, trades_least
):
    monkeypatch.setattr(harness, "BUILD", BUILD)
    store = record_capture(tmp_path, name)
    books, count = compare_all(tmp_path, store, 4 if name == "made" else 25)
    assert books >= books_least and count >= trades_least
    frames = [
        obdecode.open_frame(row["value"])[0]
        for row in obdecode.read_dump(tmp_path / "dump.jsonl")
        if row["table"] == "frames"
    ]
    sealed = [frame["method"] for frame in frames if frame["kind"] == "changes"]
    assert sealed.count(3 if kind == "l3" else 1) >= blocks and sealed.count(4) >= 1
