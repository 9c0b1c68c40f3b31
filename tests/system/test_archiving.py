"""Archiving beside a running logger, killed at any moment: nothing is lost, and it gets smaller."""

import random

import harness
import reference

NAME = "us10"
RUNS_KILLED = 60
SETTINGS = {"SEAL_AFTER": "1s", "IMAGE_MIN": "1s", "IMAGE_FACTOR": "1"}
COUNTERS = ("images", "bytes", "image_bytes", "change_bytes")


def archive_start(directory, store, number):
    command = [harness.BUILD / "obrebuild", "--store", store, "archive", "--output", "json"]
    return harness.Process(command, directory / f"archive.{number}.log")


def archive_and_kill(directory, store, choice):
    """Start it again and again, and kill it at any moment. (killed, ended by themselves)

    How long it takes depends on what else runs: the moments follow, so that both happen."""
    killed = ended = 0
    latest = 0.02
    for number in range(RUNS_KILLED):
        archive = archive_start(directory, store, number)
        harness.time.sleep(choice.uniform(0, latest))
        if archive.running():
            killed += 1
            latest *= 1.2
        else:
            ended += 1
            latest /= 1.2
            assert archive.child.returncode == 0, archive.text()
        archive.kill()
        harness.time.sleep(0.12)
    return killed, ended


def told(store, symbols):
    """All that a store tells but for its images and bytes."""
    list_ = [
        {name: value for name, value in row.items() if name not in COUNTERS}
        for row in harness.rows(store, "list")
    ]
    coverage = harness.rows(store, "coverage", expect=None)
    replays = [
        harness.obrebuild(
            store, "replay", f"binance:{symbol}", "--digest", "--output", "json"
        ).stdout
        for symbol in symbols
    ]
    samples = [
        harness.obrebuild(
            store, "sample", symbol, "--every", "1s", "--depth", "10", expect=None
        ).stdout
        for symbol in symbols
    ]
    return list_, coverage, replays, samples


def frame_bytes(store):
    """What the frames take, by the list, which verify compares with the frames themselves."""
    return sum(row["image_bytes"] + row["change_bytes"] for row in harness.rows(store, "list"))


def assert_sound(store):
    for row in harness.rows(store, "verify"):
        assert row["problems"] == 0, row


def check_truth(store, events, snapshots):
    """Every event as it was sent, and the book after it; without a loss. How many there were."""
    compared = 0
    for symbol, sent in events.items():
        truth = reference.Truth(snapshots[symbol], sent)
        by_id = {event["u"]: event for event in truth.events}
        rows = harness.rows(store, "replay", f"binance:{symbol}", "--digest")
        for row in rows:
            event = by_id[row["last_id"]]
            assert (row["bids"], row["asks"]) == (event["b"], event["a"])
            assert row["event_time_ns"] == event["E"] * 1_000_000
            assert (
                int(row["digest"], 16) == truth.digests[row["last_id"]]
            ), f"{symbol}: book after {row['last_id']}"
        ids = [row["last_id"] for row in rows]
        assert ids == [event["u"] for event in truth.events][-len(ids) :], f"{symbol}: a loss"
        compared += len(ids)
    return compared


def test_killed_again_and_again_beside_a_logger(tmp_path):
    choice = random.Random(11)
    snapshots = reference.snapshots(harness.capture_path(NAME))
    store, copy, plain = tmp_path / "store", tmp_path / "copy", tmp_path / "plain"
    lab = harness.Lab(tmp_path, [NAME], "--loop", "3", speed=20)
    try:
        symbols = harness.SYMBOLS[NAME]
        logger = harness.Logger(tmp_path, lab, symbols, store, **SETTINGS)
        logger.wait_text("VTHOUSD: live")  # it has all events, the other one may miss the first
        other = harness.Logger(tmp_path, lab, symbols, plain, log="plain.log", **SETTINGS)
        try:
            other.wait_text("VTHOUSD: live")
            harness.time.sleep(10)
            killed, ended = archive_and_kill(tmp_path, store, choice)
            lab.wait_end(60)
            events = reference.emitted(lab.journal())
            total = sum(len(sent) for sent in events.values())
            harness.wait_until(
                lambda: sum(harness.recorded_events(store).values()) >= total,
                30,
                f"all {total} events are in the store",
            )
        finally:
            codes = [logger.end(), other.end()]
            assert codes == [0, 0], logger.text()[-3000:] + other.text()[-3000:]
    finally:
        lab.end()
    assert killed >= 5 and ended >= 5, (killed, ended)
    assert_sound(store)
    harness.obrebuild(store, "backup", copy)
    before = told(copy, symbols)
    (done,) = harness.rows(store, "archive")
    assert_sound(store)
    assert told(store, symbols) == before
    assert frame_bytes(copy) - frame_bytes(store) == done["bytes_before"] - done["bytes_after"]
    compared = check_truth(store, events, snapshots)
    small, large = frame_bytes(store), frame_bytes(plain)
    print(f"{killed} killed, {ended} ended, {compared} events compared, {large} -> {small} bytes")
    assert compared > harness.DEPTH_MESSAGES[NAME] * 2.5
    assert small < large * 0.9
