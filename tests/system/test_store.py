"""The store under the running program: a full disk, readers beside the writer, a second writer."""

import os
import subprocess
import threading

import pytest

import harness
import reference


@pytest.fixture
def small_disk(tmp_path):
    """A tmpfs of 700 KB; needs root."""
    place = tmp_path / "disk"
    place.mkdir()
    if (
        os.geteuid() != 0
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=700k", "tmpfs", place], check=False
        ).returncode
    ):
        pytest.skip("mounting a tmpfs needs root")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def check(store, events, name):
    """Exact wherever there is no gap. Events that are stored, by symbol."""
    snapshots = reference.snapshots(harness.capture_path(name))
    stored = {}
    for symbol, list_ in events.items():
        truth = reference.Truth(snapshots[symbol], list_)
        rows = harness.rows(store, "replay", f"binance:{symbol}", "--digest", expect=None)
        for row in rows:
            assert (
                int(row["digest"], 16) == truth.digests[row["last_id"]]
            ), f"{symbol}: book after {row['last_id']}"
        stored[symbol] = {row["last_id"] for row in rows}
    for row in harness.rows(store, "verify"):
        assert row["problems"] == 0
    return stored


def test_a_full_disk_loses_nothing_while_the_queue_holds(tmp_path, small_disk):
    lab = harness.Lab(tmp_path, ["btcusdt"], speed=60)
    try:
        logger = harness.Logger(
            tmp_path,
            lab,
            ["BTCUSDT"],
            small_disk / "store",
            SEAL_AFTER="1s",
            IMAGE_MIN="1s",
            IMAGE_FACTOR="1",
        )
        logger.wait_text("trying again every second", 60)
        harness.time.sleep(2)
        subprocess.run(["mount", "-o", "remount,size=64m", small_disk], check=True)
        logger.wait_text("writing again", 30)
        lab.wait_end(60)
        total = len(reference.emitted(lab.journal())["BTCUSDT"])
        harness.wait_until(
            lambda: harness.recorded_events(logger.store).get("BTCUSDT") == total,
            20,
            "all is stored",
        )
        assert logger.end() == 0
        events = reference.emitted(lab.journal())
    finally:
        lab.end()
    stored = check(small_disk / "store", events, "btcusdt")
    assert len(stored["BTCUSDT"]) >= 6400
    assert harness.rows(small_disk / "store", "coverage")[0]["gaps"] == []


def test_a_full_disk_at_the_start_is_one_clear_line(tmp_path, small_disk):
    subprocess.run(
        ["dd", "if=/dev/zero", f"of={small_disk}/filler", "bs=4k"],
        capture_output=True,
        check=False,
    )
    env = {**os.environ, "SYMBOLS": "BTCUSDT", "STORE": str(small_disk / "store")}
    done = subprocess.run(
        [str(harness.BUILD / "oblogger")],
        env=env,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("oblogger: ") and "space" in last and str(small_disk) in last


def test_readers_work_while_the_logger_writes(tmp_path):
    lab = harness.Lab(tmp_path, ["us10"], speed=20)
    failures = []
    try:
        logger = harness.Logger(
            tmp_path,
            lab,
            harness.SYMBOLS["us10"],
            tmp_path / "store",
            SEAL_AFTER="1s",
            IMAGE_MIN="1s",
            IMAGE_FACTOR="1",
        )
        harness.wait_until(
            lambda: len(harness.recorded_events(logger.store)) == 10,
            30,
            "all symbols are in the store",
        )
        stop = threading.Event()

        def read():
            count = 0
            while not stop.is_set():
                for arguments in (["verify"], ["replay", "binance:BTCUSD"], ["coverage"], []):
                    done = harness.obrebuild(
                        logger.store, *arguments, "--output", "json", expect=None
                    )
                    if done.returncode not in (0, 3):
                        failures.append(
                            (arguments, done.returncode, done.stdout[-500:], done.stderr[-500:])
                        )
                count += 1
            assert count > 2

        readers = [threading.Thread(target=read) for _ in range(2)]
        for reader in readers:
            reader.start()
        lab.wait_end(60)
        stop.set()
        for reader in readers:
            reader.join()
        backup = tmp_path / "backup"
        harness.obrebuild(logger.store, "backup", backup)
        second = subprocess.run(
            [str(harness.BUILD / "oblogger")],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
            env={**os.environ, **lab.env, "SYMBOLS": "BTCUSD", "STORE": str(logger.store)},
        )
        assert second.returncode == 1 and str(logger.store) in second.stderr
        assert logger.end() == 0
        events = reference.emitted(lab.journal())
    finally:
        lab.end()
    assert not failures, failures[0]
    check(logger.store, events, "us10")
    check(backup, events, "us10")
