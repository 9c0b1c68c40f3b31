"""The wall clock steps while the logger records: told, stored, and no book is worse for it."""

import json
import os
import subprocess

import pytest

import harness
import reference

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
SETTINGS = {"SEAL_AFTER": "1s", "IMAGE_MIN": "1s", "IMAGE_FACTOR": "1"}
SYMBOLS = harness.SYMBOLS["spot4"]


class Clock:
    """The clock of a logger, off by as much as was set."""

    def __init__(self, directory):
        self.path = directory / "clockshift"
        self.env = {
            "LD_PRELOAD": str(harness.BUILD / "clockshift.so"),
            "CLOCKSHIFT_FILE": str(self.path),
            "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0",
        }
        self.set(0)

    def set(self, offset_ns):
        fresh = self.path.with_suffix(".new")
        fresh.write_text(f"{offset_ns}\n")
        fresh.rename(self.path)


def steps_told(logger):
    """The steps that the logger told, in ms."""
    lines = [line for line in logger.text().splitlines() if "the wall clock stepped by" in line]
    return [int(line.split("stepped by ")[1].split(" ms")[0]) for line in lines]


def step(clock, logger, offset_ns, step_ms):
    """Step the clock; the logger says so in one line."""
    before = len(steps_told(logger))
    clock.set(offset_ns)
    harness.wait_until(lambda: len(steps_told(logger)) > before, 5, "the step is told")
    harness.time.sleep(0.7)
    told = steps_told(logger)[before:]
    assert len(told) == 1 and abs(told[0] - step_ms) < 100, told


def record(directory, offsets):
    """Record spot4 while the clock takes these offsets one after the other."""
    lab = harness.Lab(directory, ["spot4"], speed=4)
    clock = Clock(directory)
    try:
        logger = harness.Logger(
            directory, lab, SYMBOLS, directory / "store", **SETTINGS, **clock.env
        )
        try:
            logger.wait_text(f"{SYMBOLS[0]}: live")
            harness.time.sleep(1)
            last = 0
            for offset in offsets:
                assert not lab.ended()
                step(clock, logger, offset, (offset - last) // 1_000_000)
                last = offset
            assert not lab.ended()
            lab.wait_end(60)
            events = reference.emitted(lab.journal())
            total = sum(map(len, events.values()))
            harness.wait_until(
                lambda: sum(harness.recorded_events(logger.store).values()) == total,
                10,
                "all is stored",
            )
        finally:
            assert logger.end() == 0, logger.text()[-3000:]
    finally:
        lab.end()
    assert logger.text().count("connected to") == 1, logger.text()
    return logger, events


def check_exact(store, events):
    """Everything from the first image on, exactly; no gap, nothing found by verify."""
    for row in harness.rows(store, "verify"):
        assert row["problems"] == 0
    for row in harness.rows(store, "coverage"):
        assert row["gaps"] == []
    snapshots = reference.snapshots(harness.capture_path("spot4"))
    for symbol, sent in events.items():
        truth = reference.Truth(snapshots[symbol], sent)
        rows = harness.rows(store, "replay", f"binance:{symbol}", "--digest")
        ids = [row["last_id"] for row in rows]
        assert len(ids) > 20 and ids == [event["u"] for event in truth.events][-len(ids) :]
        for row in rows:
            assert int(row["digest"], 16) == truth.digests[row["last_id"]]
        check_ends(store, symbol, truth)


def check_ends(store, symbol, truth):
    """The record vouches for its last event and not for what comes long after it."""
    last_ns = truth.events[-1]["E"] * 1_000_000
    row = harness.rows(store, "--at", last_ns, f"binance:{symbol}")[0]
    assert row["last_id"] == truth.events[-1]["u"] and row["status"] == "ok"
    # the exchange goes on for less than the recording took
    row = harness.rows(store, "--at", last_ns + 4 * SECOND, f"binance:{symbol}", expect=3)[0]
    assert row["status"] == "ended"


def check_receive_queries(store, from_ns, to_ns):
    """Receive times do not ascend here: any answer but a crash, a hang or a damage will do."""
    times = [from_ns + (to_ns - from_ns) * i // 40 for i in range(41)]
    text = "".join(f"{time}\n" for time in times)
    done = harness.obrebuild(store, "--at", "-", "--clock", "receive", stdin=text, expect=None)
    assert done.returncode in (0, 3), done.stderr
    for symbol in SYMBOLS:
        for middle in (times[10], times[20], times[30]):
            done = harness.obrebuild(
                store, "replay", f"binance:{symbol}", "--clock", "receive", "--from", middle,
                expect=None,
            )  # fmt: skip
            assert done.returncode in (0, 3), done.stderr
    harness.obrebuild(store, "--clock", "receive", expect=None)


def days(store):
    return sorted(path.name for path in store.iterdir() if path.name[0] == "2")


def frames(store, day, symbol):
    done = subprocess.run(
        [str(harness.BUILD / "obdamage"), str(store), day, f"binance:{symbol}", "list"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_steps_of_seconds(tmp_path):
    began = harness.time.time_ns()
    logger, events = record(tmp_path, [5 * SECOND, -2 * SECOND])
    check_exact(logger.store, events)
    check_receive_queries(
        logger.store, began - 10 * SECOND, harness.time.time_ns() + 10 * SECOND
    )


@pytest.mark.parametrize("back", [False, True], ids=["on", "back"])
def test_a_step_of_a_day_goes_on_in_the_later_day(tmp_path, back):
    began = harness.time.time_ns()
    logger, events = record(tmp_path, [DAY, 0] if back else [DAY])
    check_exact(logger.store, events)
    folders = days(logger.store)
    later = harness.time.strftime("%Y-%m-%d", harness.time.gmtime((began + DAY) // SECOND))
    assert len(folders) == 2 and folders[1] >= later
    for symbol, sent in events.items():
        assert frames(logger.store, folders[1], symbol)[-1]["last_id"] == sent[-1]["u"]
        assert frames(logger.store, folders[0], symbol)[-1]["last_id"] < sent[-1]["u"]
    check_receive_queries(
        logger.store, began - 10 * SECOND, harness.time.time_ns() + DAY + 10 * SECOND
    )


def test_a_crash_after_a_step_is_a_gap_all_the_same(tmp_path):
    """The time up to which the record vouches must not take the step for silence."""
    lab = harness.Lab(tmp_path, ["spot4"], speed=4)
    clock = Clock(tmp_path)
    store = tmp_path / "store"
    try:
        logger = harness.Logger(tmp_path, lab, SYMBOLS, store, **SETTINGS, **clock.env)
        logger.wait_text(f"{SYMBOLS[0]}: live")
        harness.time.sleep(1)
        step(clock, logger, DAY, DAY // 1_000_000)
        harness.time.sleep(1.2)
        logger.kill()
        clock.set(0)
        again = harness.Logger(
            tmp_path, lab, SYMBOLS, store, log="again.log", **SETTINGS, **clock.env
        )
        again.wait_text(f"{SYMBOLS[0]}: live")
        lab.wait_end(60)
        harness.time.sleep(1.5)
        assert again.end() == 0
    finally:
        lab.end()
    for row in harness.rows(store, "verify"):
        assert row["problems"] == 0
    for row in harness.rows(store, "coverage", expect=3):
        assert [gap["cause"] for gap in row["gaps"]] == ["crashed"]
        gap = row["gaps"][0]
        assert gap["from_time_ns"] < gap["to_time_ns"]
        inside = (gap["from_time_ns"] + gap["to_time_ns"]) // 2
        done = harness.rows(store, "--at", inside, f"binance:{row['symbol']}", expect=3)
        assert done[0]["status"] == "gap"
