"""Delays from the exchange, and the clock's state: counted for /metrics, stored beside the record,
and the same in a store that is made again of the raw capture."""

import re
import socket
import subprocess
import urllib.request

import harness

DEPTH = harness.DEPTH_MESSAGES["us10"]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def sum_of(text, name):
    return sum(float(value) for value in re.findall(rf"^{name}{{[^}}]*}} (\S+)$", text, re.M))


def record(directory, port):
    """The text of /metrics when all is played and recorded; then the logger ends in order."""
    directory.joinpath("faults.jsonl").write_text("")
    lab = harness.Lab(
        directory, ["us10"], "--faults", directory / "faults.jsonl", speed="max"
    )
    logger = harness.Logger(
        directory, lab, harness.SYMBOLS["us10"], directory / "store",
        RAW_CAPTURE=str(directory / "raw"), METRICS_PORT=str(port),
    )  # fmt: skip
    try:
        lab.wait_end(120)
        harness.wait_until(
            lambda: sum(harness.recorded_events(directory / "store").values()) >= DEPTH,
            30,
            "all events are stored",
        )
        url = f"http://127.0.0.1:{port}/metrics"
        text = urllib.request.urlopen(url, timeout=10).read().decode()
        assert logger.end() == 0, logger.text()[-3000:]
        return text
    finally:
        if logger.running():
            logger.kill()
        lab.end()


def test_each_recorded_event_is_in_the_sums_the_histogram_and_the_notes(tmp_path):
    text = record(tmp_path, free_port())
    store = tmp_path / "store"
    listed = {
        (row["symbol"], row["kind"]): row["events"] for row in harness.rows(store, "list")
    }
    events = sum(listed.values())
    assert events >= DEPTH
    assert sum_of(text, "oblogger_events_total") == events
    assert sum_of(text, "oblogger_event_delays_total") == events
    assert sum_of(text, "oblogger_delay_seconds_count") == events

    first, *others = harness.rows(store, "notes")
    assert first["note"] == "clock" and isinstance(first["synchronized"], bool)
    told = {key: 0 for key in listed}
    for row in others:
        if row["note"] != "latency":
            continue
        told[row["symbol"], row["kind"]] += row["count"]
        assert row["min_ns"] <= row["p50_ns"] <= row["p99_ns"] <= row["max_ns"]
        assert row["early"] <= row["count"] and first["time_ns"] < row["time_ns"]
        assert row["from_ns"] < row["time_ns"]
    assert told == listed

    again = tmp_path / "again"
    words = [harness.BUILD / "obrebuild", "--store", again, "rederive", tmp_path / "raw"]
    subprocess.run([str(word) for word in words], check=True, capture_output=True, timeout=60)
    assert harness.rows(again, "notes") == [first, *others]
