"""Symbols come and go while the logger runs: real processes, a real socket, real data."""

import json
import subprocess
import time

import pytest

import harness
import manage
from harness import Lab, Logger, wait_until


@pytest.fixture(name="lab", scope="module")
def lab_fixture(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    lab = Lab(folder, ["spot10"], "--loop", "200", "--no-hold", "--expect", "1", speed="5")
    yield lab
    lab.end()


@pytest.fixture(name="logger")
def logger_fixture(tmp_path, lab):
    logger = Logger(tmp_path, lab, ["ZILUSDT"], tmp_path / "store")
    logger.wait_text("ZILUSDT: live")
    yield logger
    if logger.running():
        logger.end()


def memory(pid):
    """Its own memory, without the pages of the store that happen to be there."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        for line in file:
            if line.startswith("RssAnon"):
                return int(line.split()[1]) * 1024
    raise AssertionError("no RssAnon")


def stop(logger):
    logger.send(15)
    assert logger.wait() == 0, logger.text()[-2000:]


def test_add_answers_when_the_book_is_live_and_what_is_kept_wins(tmp_path, lab, logger):
    socket = manage.socket_of(logger)
    rows = manage.ask(socket, "add", "binance:MANAUSDT", "NOSUCH", "NEOUSDC", expect=1)
    told = {row["symbol"]: row for row in rows}
    assert told["NOSUCH"]["error"] == "the exchange does not know this symbol"
    assert told["MANAUSDT"]["state"] == told["NEOUSDC"]["state"] == "live"
    status = manage.ask(socket, "status", "MANAUSDT")[0]
    assert (status["exchange"], status["symbol"]) == ("binance", "MANAUSDT")
    assert (status["state"], status["kind"], status["gaps"]) == ("live", "l2", 0)
    manage.ask(socket, "remove", "ZILUSDT", "NEOUSDC")
    assert manage.names(manage.ask(socket, "list")) == ["binance:MANAUSDT"]
    manage.ask(socket, "remove", "ZILUSDT", expect=1)
    stop(logger)
    again = Logger(tmp_path, lab, ["ZILUSDT"], logger.store, log="again.log")
    again.wait_text("MANAUSDT: live")
    assert manage.names(manage.ask(socket, "list")) == ["binance:MANAUSDT"]
    assert "binance:ZILUSDT: not recorded, obmanage removed it" in again.text()
    stop(again)
    gaps = harness.rows(logger.store, "coverage", "ZILUSDT", expect=None)
    assert [gap["cause"] for row in gaps for gap in row["gaps"]] == []
    cut = harness.rows(logger.store, "coverage", "MANAUSDT", "--kind", "l2", expect=3)
    assert [gap["cause"] for row in cut for gap in row["gaps"]] == ["stopped"]


def test_what_is_added_again_has_a_gap_of_that_time(lab, logger):
    socket = manage.socket_of(logger)
    manage.ask(socket, "add", "MANAUSDT")
    wait_until(
        lambda: manage.ask(socket, "status", "MANAUSDT")[0]["events"] > 3, 10, "events of it came"
    )
    manage.ask(socket, "remove", "MANAUSDT")
    manage.ask(socket, "add", "MANAUSDT")
    wait_until(
        lambda: all(gap["to_time_ns"] for gap in manage.ask(socket, "gaps")), 10, "it has ended"
    )
    gaps = manage.ask(socket, "gaps")
    assert [(gap["symbol"], gap["cause"]) for gap in gaps if gap["kind"] == "l2"] == [
        ("MANAUSDT", "removed")
    ]
    assert all(gap["to_time_ns"] > gap["from_time_ns"] for gap in gaps if gap["kind"] == "l2")
    stop(logger)
    row = harness.rows(logger.store, "coverage", "MANAUSDT", "--kind", "l2", expect=3)[0]
    assert [gap["cause"] for gap in row["gaps"]] == ["removed"]
    assert harness.rows(logger.store, "coverage", "ZILUSDT", "--kind", "l2")[0]["gaps"] == []
    harness.obrebuild(logger.store, "verify")


def test_the_live_book_is_the_one_that_is_rebuilt(lab, logger):
    socket = manage.socket_of(logger)
    manage.ask(socket, "add", "MANAUSDT", "QTUMETH")
    live = [manage.ask(socket, "book", symbol)[0] for symbol in ("MANAUSDT", "QTUMETH", "ZILUSDT")]
    shallow = manage.ask(socket, "book", "ZILUSDT", "--depth", 3)[0]
    assert len(shallow["bids"]) == len(shallow["asks"]) == 3
    stop(logger)
    for book in live:
        rebuilt = harness.rows(logger.store, book["symbol"], "--at", book["event_time_ns"])[0]
        assert rebuilt["last_id"] == book["last_id"]
        for key in ("exchange", "kind", "event_time_ns", "bids", "asks", "horizon", "proof"):
            assert rebuilt[key] == book[key], key


def test_a_pattern_takes_in_what_matches(lab, logger):
    socket = manage.socket_of(logger)
    rows = manage.ask(socket, "add", "binance:*ETH")
    assert rows[0] == {"exchange": "binance", "pattern": "*ETH", "matches": 2}
    assert manage.names(rows) == ["binance:QTUMETH", "binance:RENBTCETH"]
    listed = manage.ask(socket, "list")
    assert {row["symbol"]: row["origin"] for row in listed if "symbol" in row} == {
        "ZILUSDT": "settings",
        "QTUMETH": "pattern",
        "RENBTCETH": "pattern",
    }
    manage.ask(socket, "remove", "binance:*ETH")
    assert manage.names(manage.ask(socket, "list")) == ["binance:ZILUSDT"]


def test_watch_tells_the_best_prices_as_they_change(lab, logger):
    command = [harness.BUILD / "obmanage", "--socket", manage.socket_of(logger), "watch", "ZILUSDT"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watch:
        seen = [json.loads(watch.stdout.readline()) for _ in range(5)]
        watch.terminate()
    for before, after in zip(seen, seen[1:]):
        assert (before["bid"], before["ask"]) != (after["bid"], after["ask"])
        assert before["time_ns"] <= after["time_ns"]
    stop(logger)
    for one in seen[1:]:
        book = harness.rows(logger.store, "ZILUSDT", "--at", one["time_ns"], "--depth", 1)[0]
        assert (one["bid"], one["ask"]) == (book["bids"][0], book["asks"][0])


def test_snapshot_reconnect_loglevel_terminate(lab, logger):
    socket = manage.socket_of(logger)
    compared = manage.ask(socket, "snapshot", "all")
    assert [(row["symbol"], row["state"]) for row in compared] == [("ZILUSDT", "live")]
    assert manage.ask(socket, "reconnect") == [{"exchange": "binance", "connections": 1}]
    wait_until(lambda: logger.text().count("connected to") == 2, 10, "the next connection is up")
    assert manage.ask(socket, "loglevel", "debug") == [{"level": "debug", "before": "info"}]
    assert manage.run(socket, "loglevel", "loud", expect=2).stderr
    ping = manage.ask(socket, "ping")[0]
    assert (ping["pid"], ping["recorder"]) == (logger.child.pid, "main")
    assert manage.ask(socket, "uptime")[0]["uptime_s"] < 60
    manage.ask(socket, "terminate")
    assert logger.wait() == 0
    manage.run(socket, "ping", expect=1)
    assert harness.rows(logger.store, "coverage", "ZILUSDT", "--kind", "l2")[0]["gaps"] == []


def test_a_snapshot_of_a_book_without_ids(tmp_path):
    lab = Lab(tmp_path, ["level2"], "--loop", "50", "--expect", "1", speed="5")
    logger = Logger(tmp_path, lab, ["coinbase:SKL-USD"], tmp_path / "store")
    try:
        logger.wait_text("coinbase:SKL-USD: live")
        compared = manage.ask(manage.socket_of(logger), "snapshot", "coinbase:SKL-USD", seconds=20)
        assert [(row["symbol"], row["state"]) for row in compared] == [("SKL-USD", "live")]
        assert manage.ask(manage.socket_of(logger), "gaps") == []
        stop(logger)
    finally:
        logger.kill()
        lab.end()


def test_without_symbols_it_waits_for_the_first(tmp_path, lab):
    logger = Logger(tmp_path, lab, [], tmp_path / "store")
    socket = manage.socket_of(logger)
    wait_until(socket.exists, 10, "the socket is there")
    assert manage.ask(socket, "list") == []
    assert manage.ask(socket, "add", "ZILUSDT")[0]["state"] == "live"
    manage.ask(socket, "remove", "ZILUSDT")
    time.sleep(1.5)
    assert manage.ask(socket, "list") == []
    stop(logger)


def test_two_hundred_cycles_leave_nothing(lab, logger):
    socket = manage.socket_of(logger)
    symbols = ["MANAUSDT", "QTUMETH", "RENBTCETH", "NEOUSDC", "ETHBRL"]
    before = 0
    for cycle in range(40):  # of five symbols
        manage.ask(socket, "add", *symbols)
        manage.ask(socket, "remove", *symbols)
        if cycle == 10:
            before = memory(logger.child.pid)
    assert memory(logger.child.pid) < before + (1 << 20)
    stop(logger)
    for symbol in symbols:
        row = harness.rows(logger.store, "coverage", symbol, "--kind", "l2", expect=3)[0]
        assert {gap["cause"] for gap in row["gaps"]} == {"removed"}
        assert len(row["gaps"]) > 20  # one that ended before its first event has none of its own
    assert harness.rows(logger.store, "coverage", "ZILUSDT", "--kind", "l2")[0]["gaps"] == []
