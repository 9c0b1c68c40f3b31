"""Every fault of the laboratory: afterwards the book is exact wherever the record says no gap, and
every loss lies in a gap record."""

import json

import pytest

import harness
import reference

NAME = "us10"
SPEED = 40
SYMBOL = "BTCUSD"
STREAM = "btcusd@depth@100ms"


def play(tmp_path, faults, *options, name=NAME, speed=SPEED, seconds=120, seed=1, watch=None):
    """Record a capture under faults; the store, what was emitted, the journal's faults, the log.

    watch(logger) is called again and again while it runs."""
    script = tmp_path / "faults.jsonl"
    script.write_text("".join(json.dumps(fault) + "\n" for fault in faults))
    lab = harness.Lab(tmp_path, [name], "--faults", script, "--seed", seed, *options, speed=speed)
    try:
        logger = harness.Logger(
            tmp_path, lab, harness.SYMBOLS[name], tmp_path / "store", LOGLEVEL="debug"
        )
        try:
            while watch and lab.running() and not lab.ended():
                watch(logger)
                harness.time.sleep(0.5)
            lab.wait_end(seconds)
            settle(lab, logger)
        finally:
            assert logger.end() == 0, logger.text()[-3000:]
        journal = list(lab.journal())
    finally:
        lab.end()
    return {
        "name": name,
        "store": logger.store,
        "log": logger.text(),
        "speed": 1 if speed == "max" else float(speed),
        "events": reference.emitted(journal),
        "journal": journal,
        "faults": [line for line in journal if line["t"] == "fault"],
    }


def settle(lab, logger):
    """Until what was emitted last is in the store, or the store does not grow any more."""
    total = sum(len(events) for events in reference.emitted(lab.journal()).values())
    before = None
    for _ in range(20):
        now = harness.recorded_events(logger.store)
        if now and (now == before or sum(now.values()) == total):
            return
        before = now
        harness.time.sleep(1.2)


def gap_seconds(gap, speed, end_ns):
    """How long a gap was by our clock: the capture is played faster than it happened."""
    to_ns = end_ns if gap["to_time_ns"] is None else gap["to_time_ns"]
    return (to_ns - gap["from_time_ns"]) / 1e9 / speed


def check(run):
    """The promises that hold whatever happened. Gap seconds by symbol."""
    snapshots = reference.snapshots(harness.capture_path(run["name"]))
    coverage = {
        row["symbol"]: row
        for row in harness.rows(run["store"], "coverage", "--kind", "l2", expect=None)
    }
    lost = {}
    for symbol, events in run["events"].items():
        truth = reference.Truth(snapshots[symbol], events)
        by_id = {event["u"]: event for event in truth.events}
        rows = harness.rows(run["store"], "replay", f"binance:{symbol}", "--digest", expect=None)
        assert rows, f"{symbol}: nothing was recorded"
        for row in rows:
            event = by_id[row["last_id"]]
            assert (row["bids"], row["asks"]) == (
                event["b"],
                event["a"],
            ), f"{symbol}: levels of {event['u']}"
            assert (
                int(row["digest"], 16) == truth.digests[row["last_id"]]
            ), f"{symbol}: book after {row['last_id']}"
        ids = [row["last_id"] for row in rows]
        assert ids == sorted(set(ids)), f"{symbol}: an event is there twice, or out of order"
        gaps, have = coverage[symbol]["gaps"], set(ids)
        for event in truth.events:
            if event["u"] in have or event["u"] < ids[0]:
                continue
            assert any(
                gap["from_id"] < event["u"]
                and (gap["to_id"] is None or event["u"] <= gap["to_id"])
                for gap in gaps
            ), f"{symbol}: {event['u']} is lost without a gap record"
        lost[symbol] = sum(
            gap_seconds(gap, run["speed"], coverage[symbol]["to_ns"]) for gap in gaps
        )
        run.setdefault("gaps", {})[symbol] = gaps
    for row in harness.rows(run["store"], "verify"):
        assert row["problems"] == 0
    assert run["faults"], "the laboratory made no fault"
    return lost


def at(n, **action):
    return {"at": {"stream": STREAM, "n": n}, **action}


NO_GAP = {
    "duplicate": [at(300, do="duplicate"), at(500, do="duplicate")],
    "duplicates": [{"random": {"stream": "*", "p": 0.05}, "do": "duplicate"}],
    "garbage": [at(300, do="garbage", extra=True), at(400, do="garbage", extra=True, binary=True)],
    "oversized": [at(300, do="oversized", bytes=5000000)],
    "too-large": [at(300, do="oversized", bytes=20000000)],
    "padded": [at(300, do="oversized", bytes=5000000, pad=True)],
    "stale-image": [{"at": {"depth": SYMBOL, "n": 1}, "do": "stale", "behind": 1}],
    "crossed-image": [{"at": {"depth": SYMBOL, "n": 1}, "do": "crossed_snapshot"}],
    "no-image": [
        {"at": {"depth": SYMBOL, "n": 1}, "do": "http", "status": 500},
        {"at": {"depth": "MKRUSD", "n": 1}, "do": "http_garbage"},
        {"at": {"depth": "SOLUSD", "n": 1}, "do": "http_truncated"},
    ],
    "names-fail": [{"at": {"rest": "exchangeInfo", "n": 1}, "do": "http", "status": 503}],
}


@pytest.mark.parametrize("fault", NO_GAP)
def test_no_gap(tmp_path, fault):
    run = play(tmp_path, NO_GAP[fault])
    lost = check(run)
    assert all(seconds == 0 for seconds in lost.values()), lost
    total = sum(len(events) for events in run["events"].values())
    stored = sum(harness.recorded_events(run["store"]).values())
    # an image that comes late covers what a quiet stream brings after it: not an event of the book
    assert total - stored <= (
        60 if "image" in fault else 0
    ), f"{total - stored} events are not stored"


SHORT_GAP = {
    "drop": [at(300, do="drop")],
    "lost-range": [at(300, do="idjump", k=5)],
    "swap": [at(300, do="swap")],
    "delay": [at(300, do="delay", ms=300)],
    "truncate": [at(300, do="truncate")],
    "garbage-instead": [at(300, do="garbage")],
    "crossed": [at(300, do="crossed")],
}


@pytest.mark.parametrize("fault", SHORT_GAP)
def test_a_short_gap_of_that_symbol_alone(tmp_path, fault):
    run = play(tmp_path, SHORT_GAP[fault])
    lost = check(run)
    assert 0 < lost.pop(SYMBOL) <= 3, run["gaps"][SYMBOL]
    assert all(seconds == 0 for seconds in lost.values()), lost
    cause = "crossed" if fault == "crossed" else "sequence"
    assert [gap["cause"] for gap in run["gaps"][SYMBOL]] == [cause]


CUTS = {
    "cut": [at(300, do="cut")],
    "close": [at(300, do="close", code=1001)],
    "life": [at(300, do="life")],
    "stall": [at(300, do="stall", seconds=0.7)],
}


@pytest.mark.parametrize("fault", CUTS)
def test_a_cut_costs_at_most_five_seconds(tmp_path, fault):
    run = play(tmp_path, CUTS[fault])
    lost = check(run)
    assert lost[SYMBOL] <= 5, run["gaps"][SYMBOL]
    assert max(lost.values()) <= 8, lost  # quiet symbols: until their next event
    assert {gap["cause"] for gaps in run["gaps"].values() for gap in gaps} <= {
        "disconnect",
        "sequence",
    }


def test_an_announced_end_costs_nothing(tmp_path):
    run = play(tmp_path, [at(300, do="shutdown", ms=2000)])
    lost = check(run)
    assert all(seconds == 0 for seconds in lost.values()), lost


def test_a_stall_that_loses_nothing_is_no_gap(tmp_path):
    run = play(tmp_path, [at(300, do="stall", seconds=3, lossless=True)])
    lost = check(run)
    assert all(seconds == 0 for seconds in lost.values()), lost


@pytest.mark.parametrize("status", [429, 418])
def test_retry_after_is_obeyed(tmp_path, status):
    run = play(
        tmp_path,
        [{"at": {"depth": SYMBOL, "n": 1}, "do": "http", "status": status, "retry_after": 3}],
    )
    check(run)
    refused = next(line for line in run["faults"])
    asked = [
        line["ns"]
        for line in run["journal"]
        if line["t"] in ("rest", "depth") and line["ns"] > refused["ns"]
    ]
    # requests that were under way already may still arrive
    later = [ns for ns in asked if ns - refused["ns"] > 0.5e9]
    assert later and min(later) - refused["ns"] >= 2.9e9


@pytest.mark.parametrize("seed", [1, 2])
def test_everything_at_once(tmp_path, seed):
    chances = [
        ("drop", 0.002),
        ("duplicate", 0.01),
        ("swap", 0.002),
        ("delay", 0.002),
        ("truncate", 0.002),
        ("garbage", 0.002),
    ]
    faults = [{"random": {"stream": "*", "p": p}, "do": do, "ms": 200} for do, p in chances]
    faults += [
        {"at": {"seconds": 2}, "do": "cut"},
        {"at": {"depth": "*", "n": 2}, "do": "stale", "behind": 3},
    ]
    run = play(tmp_path, faults, seed=seed)
    check(run)
    assert len(run["faults"]) > 20


def test_faults_at_full_speed(tmp_path):
    faults = [
        {"random": {"stream": "*", "p": 0.002}, "do": "drop"},
        {"random": {"stream": "*", "p": 0.01}, "do": "duplicate"},
        {"random": {"stream": "*", "p": 0.002}, "do": "truncate"},
    ]
    run = play(tmp_path, faults, name="btcusdt", speed="max")
    check(run)
