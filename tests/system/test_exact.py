"""Real captures, recorded by the real program over TLS: every event and every book is exact."""

import json
import pathlib

import pytest

import harness
import reference


@pytest.fixture(
    scope="module",
    params=[(name, speed) for name in harness.CAPTURES for speed in ("max", "40")],
    ids=lambda pair: "-".join(pair),
)
def recording(request, tmp_path_factory):
    """A store of one capture and what the laboratory says that it sent."""
    name, speed = request.param
    return record(name, speed, tmp_path_factory.mktemp(f"{name}-{speed}"))


def record(name, speed, directory):
    """Play it all. At the recorded pace the laboratory's image can be seconds ahead of the stream,
    which a real exchange's is not: what it covers already and comes later is not awaited."""
    snapshots = reference.snapshots(harness.capture_path(name))
    lab = harness.Lab(directory, [name], speed=speed)
    try:
        logger = harness.Logger(directory, lab, harness.SYMBOLS[name], directory / "store")
        try:
            lab.wait_end(900)
            events = reference.emitted(lab.journal())
            truths = {
                symbol: reference.Truth(snapshots[symbol], events[symbol]) for symbol in events
            }
            total = sum(len(list_) for list_ in events.values())
            if speed == "1":
                total -= sum(truth.early for truth in truths.values())
            harness.wait_until(
                lambda: sum(harness.recorded_events(logger.store).values()) >= total,
                30,
                f"all {total} events are in the store",
            )
        finally:
            assert logger.end() == 0, logger.text()[-3000:]
    finally:
        lab.end()
    return {
        "name": name,
        "store": logger.store,
        "events": events,
        "log": logger.text(),
        "truths": truths,
    }


def check_levels_as_sent(row, event):
    assert row["bids"] == event["b"] and row["asks"] == event["a"], f"levels of u {event['u']}"
    assert row["event_time_ns"] == event["E"] * 1_000_000
    assert (row["first_id"], row["last_id"]) == (event["U"], event["u"])


def check_every_event(store, symbol, truth):
    """Each event as it was sent, and after it the digest of the whole book. How many there were."""
    rows = harness.rows(store, "replay", f"binance:{symbol}", "--digest")
    by_id = {event["u"]: event for event in truth.events}
    for row in rows:
        check_levels_as_sent(row, by_id[row["last_id"]])
        assert (
            int(row["digest"], 16) == truth.digests[row["last_id"]]
        ), f"{symbol}: book after {row['last_id']}"
    ids = [row["last_id"] for row in rows]
    assert ids == [event["u"] for event in truth.events][-len(ids) :], f"{symbol}: order or loss"
    return len(rows)


def check_whole_books(store, symbol, truth):
    """The whole book, digit for digit, at every 100th event and at the end. How many there were."""
    last_of = {}
    for index, (event, book) in enumerate(truth.books()):
        if index % 100 == 99 or index == len(truth.events) - 1:
            last_of[event["E"]] = (event["u"], book.levels())
        elif event["E"] in last_of:
            last_of[event["E"]] = (event["u"], book.levels())
    first = harness.rows(store, "replay", f"binance:{symbol}")[0]["event_time_ns"] // 1_000_000
    times = [time for time in last_of if time >= first]
    rows = harness.rows(
        store, "--at", "-", f"binance:{symbol}", stdin="".join(f"{time}\n" for time in times)
    )
    assert len(rows) == len(times)
    for time, row in zip(times, rows):
        last_id, (bids, asks) = last_of[time]
        assert row["last_id"] == last_id and row["status"] == "ok"
        assert row["bids"] == bids, f"{symbol}: bids at {time}"
        assert row["asks"] == asks, f"{symbol}: asks at {time}"
    return len(rows)


def test_every_event_is_exact(recording):
    compared = books = 0
    listed = {
        row["symbol"]: row
        for row in harness.rows(recording["store"], "list")
        if row["kind"] == "l2"
    }
    for symbol, truth in recording["truths"].items():
        count = check_every_event(recording["store"], symbol, truth)
        headless = listed[symbol]["events"] - count
        assert headless + count == len(recording["events"][symbol])
        assert listed[symbol]["level_updates"] == sum(
            len(e["b"]) + len(e["a"]) for e in recording["events"][symbol]
        )
        assert headless <= truth.early + 50, f"{symbol}: {headless} events have no book"
        compared += listed[symbol]["events"]
        books += check_whole_books(recording["store"], symbol, truth)
    print(f"{recording['name']}: {compared} events compared, {books} whole books")
    assert compared >= harness.DEPTH_MESSAGES[recording["name"]]


def test_the_record_is_complete_and_sound(recording):
    for row in harness.rows(recording["store"], "coverage"):
        assert row["gaps"] == [] and row["covered_ns"] == row["to_ns"] - row["from_ns"], row
    for row in harness.rows(recording["store"], "verify"):
        assert row["problems"] == 0
    assert "gap" not in recording["log"], recording["log"]


def ticker_index(name):
    """bookTicker messages of a capture by symbol: (update id, bid, bid size, ask, ask size)."""
    found = {}
    for _, text in reference.capture_lines(harness.capture_path(name)):
        if "@bookTicker" in text[:80]:
            data = json.loads(text)["data"]
            found.setdefault(data["s"], []).append(
                (data["u"], data["b"], data["B"], data["a"], data["A"])
            )
    return found


# comparisons and differences that the captures themselves have, see tests/data/README.md
TICKERS = {"btcusdt": (5737, 2), "spot10": (2344, 0), "spot4": (200, 0), "us10": (1505, 0)}


def test_best_bid_and_ask_equal_the_exchanges_own(recording):
    compared = different = 0
    tickers = ticker_index(recording["name"])
    for symbol, truth in recording["truths"].items():
        digests = {
            row["last_id"]
            for row in harness.rows(recording["store"], "replay", f"binance:{symbol}")
        }
        waiting = iter(tickers.get(symbol, []))
        ticker = next(waiting, None)
        for event, book in truth.books():
            inside = None
            while ticker and ticker[0] <= event["u"]:
                inside = ticker if ticker[0] >= event["U"] else inside
                ticker = next(waiting, None)
            if inside and event["u"] in digests:
                (bid, bid_size), (ask, ask_size) = book.best()
                compared += 1
                different += (bid, bid_size, ask, ask_size) != inside[1:]
    expected, allowed = TICKERS[recording["name"]]
    print(
        f"{recording['name']}: {compared} best prices compared with bookTicker, {different} differ"
    )
    assert compared >= expected - 60 and different <= allowed


@pytest.mark.full
@pytest.mark.parametrize("name", ["spot4", "us10"])
def test_recorded_pace(name, tmp_path):
    recording = record(name, "1", pathlib.Path(tmp_path))
    compared = early = 0
    for symbol, truth in recording["truths"].items():
        count = check_every_event(recording["store"], symbol, truth)
        assert count == len(truth.events), f"{symbol}: an event behind the image is missing"
        check_whole_books(recording["store"], symbol, truth)
        compared, early = compared + count, early + truth.early
    print(f"{name} at the recorded pace: {compared} events compared, {early} before the image")
    assert compared + early >= harness.DEPTH_MESSAGES[name]
    test_the_record_is_complete_and_sound(recording)
