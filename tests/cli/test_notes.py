"""obrebuild notes: the remarks beside the record."""

import csv
import json

import pytest

from programs import run, write_store
from test_cli import DONE, FAILED, USAGE

SECOND = 1_000_000_000
DAY = 86400 * SECOND
T = 1_780_000_000 * SECOND  # 2026-05-28T20:26:40Z
DELAYS = "from_ns=5 count=9 early=1 min_ns=-2 p50_ns=30 p99_ns=40 max_ns=50"
TEXTS = {
    T: "clock synchronized=1 offset_ns=-1500 error_ns=250",
    T + SECOND: f"latency stream=1 {DELAYS}",
    T + 2 * SECOND: f"latency stream=2 {DELAYS} p999_ns=45",
    T + 3 * SECOND: f"latency stream=77 {DELAYS}",
    T + 4 * SECOND: 'of tomorrow\t"quoted" \x7f',
    T + DAY: "clock_step_ns=-8",
}
NUMBERS = {
    "from_ns": 5,
    "count": 9,
    "early": 1,
    "min_ns": -2,
    "p50_ns": 30,
    "p99_ns": 40,
    "max_ns": 50,
}
BTC = {"exchange": "binance", "symbol": "BTCUSDT", "kind": "l2"}
EXPECTED = [
    {
        "time_ns": T,
        "note": "clock",
        "synchronized": True,
        "offset_ns": -1500,
        "error_ns": 250,
    },
    {"time_ns": T + SECOND, "note": "latency", **BTC, **NUMBERS},
    {"time_ns": T + 2 * SECOND, "note": "latency", **BTC, "kind": "trades", **NUMBERS},
    {"time_ns": T + 3 * SECOND, "note": "latency", "stream": 77, **NUMBERS},
    {"time_ns": T + 4 * SECOND, "note": "other", "text": 'of tomorrow?"quoted" ?'},
    {"time_ns": T + DAY, "note": "clock_step", "clock_step_ns": -8},
]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    begin = "exchange=binance symbol=BTCUSDT price_digits=2 quantity_digits=8"
    lines = []
    for kind in "l2", "trades":
        lines += [f"stream {begin} kind={kind} now={T}", f"image kind={kind} id=1 receive={T}"]
    lines += [f"note at={at} text={text}" for at, text in TEXTS.items()]
    return write_store(tmp_path_factory.mktemp("notes") / "store", lines)


def notes(store, *words):
    return run("obrebuild", "notes", "--store", store, *words)


def rows(store, *words):
    done = notes(store, *words, "--output", "json")
    assert (done.returncode, done.stderr) == (DONE, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_all_remarks_of_all_days_in_the_order_of_their_times(store):
    assert rows(store) == EXPECTED


@pytest.mark.parametrize(
    "words, indices",
    [
        (["BTCUSDT"], [1, 2]),
        (["binance:BTCUSDT", "--kind", "trades"], [2]),
        (["--kind", "l2"], [1]),
        (["--from", T + 2 * SECOND, "--to", T + 4 * SECOND], [2, 3]),
        (["--from", T + 5 * SECOND], [5]),
        (["--to", T + 1], [0]),
        (["--to", T], []),
    ],
)
def test_those_of_a_stream_or_a_range(store, words, indices):
    assert rows(store, *words) == [EXPECTED[index] for index in indices]


def test_a_table_for_people(store):
    lines = notes(store).stdout.splitlines()
    assert len(lines) == len(EXPECTED)
    assert lines[0].split() == ["2026-05-28T20:26:40Z", *TEXTS[T].split()]
    assert lines[1].split() == [
        "2026-05-28T20:26:41Z", "latency", "binance:BTCUSDT", "l2", *DELAYS.split()]
    assert lines[3].split()[1:4] == ["latency", "stream=77", "from_ns=5"]
    assert lines[4].endswith('other      of tomorrow?"quoted" ?')


def test_csv_has_the_texts_as_they_are_stored(store):
    done = notes(store, "--output", "csv")
    head, *found = csv.reader(done.stdout.splitlines())
    assert head == "time_ns note exchange symbol kind text".split()
    assert [int(row[0]) for row in found] == list(TEXTS)
    assert [row[1] for row in found] == [row["note"] for row in EXPECTED]
    assert found[1][2:] == ["binance", "BTCUSDT", "l2", TEXTS[T + SECOND]]
    assert found[4][2:] == ["", "", "", EXPECTED[4]["text"]]


def test_a_symbol_that_is_not_recorded_is_a_failure(store):
    done = notes(store, "NOSUCH")
    assert (done.returncode, done.stdout) == (FAILED, "")
    assert "NOSUCH" in done.stderr
    assert notes(store, "--from", "yesterday").returncode == USAGE
