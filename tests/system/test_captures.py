"""Every event of every capture, through a real store, comes back from an independent reader.

Each capture is recorded into LMDB as a logger would have at its own pace, dumped, and decoded by
the second decoder (tests/spec/obdecode.py), which knows the format's pages only. The larger
captures are taken where a folder with them lies beside the checkout."""

import array
import json
import subprocess
import sys

import pytest

import harness

SPEC = harness.ROOT / "tests" / "spec" / "obdecode.py"
EVENTS = harness.ROOT / "bench" / "events.py"
BUNDLED = "spot_btcusdt spot_2021_10sym spot_2021_4sym us_2021_10sym".split()
LARGER = "usdm_btcusdt coinm_btcusd usdm_2021_5sym coinbase_level2 coinbase_advanced".split()
WORDS = ["price_digits", "quantity_digits", "fixed", "tick", "lot", "events", "levels"]


def large_captures():
    """The folder that has them all, beside the checkout; or None."""
    for folder in sorted(harness.ROOT.parent.iterdir()):
        if (folder / "data" / "binance_usdm_btcusdt_20240808.gz").exists():
            return folder / "data"
    return None


@pytest.fixture(scope="module")
def captures(tmp_path_factory):
    out = tmp_path_factory.mktemp("events")
    data = large_captures()
    words = ["--data", data] if data else []
    run(sys.executable, EVENTS, *words, out)
    return out


def run(*words):
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def text_of(value, digits, fixed):
    if not digits:
        return str(value)
    text = f"{value:0{digits + 1}}"
    text = f"{text[:-digits]}.{text[-digits:]}"
    return text if fixed else text.rstrip("0").rstrip(".")


def levels_of(numbers, at, count, head):
    return [
        [
            text_of(numbers[i], head["price_digits"], head["fixed"]),
            text_of(numbers[i + 1], head["quantity_digits"], head["fixed"]),
        ]
        for i in range(at, at + 2 * count, 2)
    ]


def events_of(path):
    """What an event file holds, as a replay would print it."""
    numbers = array.array("q", path.read_bytes())
    head = dict(zip(WORDS, numbers[1:8]))
    at = 12 + 2 * (numbers[10] + numbers[11])
    for _ in range(head["events"]):
        event_time, receive_time, first_id, last_id, bids, asks = numbers[at : at + 6]
        at += 6
        yield {
            "event_time_ns": event_time,
            "receive_time_ns": receive_time,
            "first_id": first_id,
            "last_id": last_id,
            "bids": levels_of(numbers, at, bids, head),
            "asks": levels_of(numbers, at + 2 * bids, asks, head),
        }
        at += 2 * (bids + asks)


def decoded(dump, symbol):
    for line in run(sys.executable, SPEC, "replay", dump, symbol).splitlines():
        row = json.loads(line)
        del row["epoch"], row["digest"]
        yield row


def check_store(store, symbol, expected, directory):
    dump = directory / f"{symbol}.dump"
    dump.write_text(run(harness.BUILD / "tests" / "spec" / "obdump", store))
    count = 0
    for want, have in zip(expected, decoded(dump, symbol), strict=True):
        assert have == want
        count += 1
    return count


@pytest.mark.parametrize("name", BUNDLED + LARGER)
def test_every_event_comes_back(name, captures, tmp_path):
    if name in LARGER and not large_captures():
        pytest.skip(f"{name}: its capture is not bundled, and no folder beside has it")
    paths = sorted(captures.glob(f"{name}.*.obev"))
    assert paths, f"no event file was made of {name}"
    for path in paths:
        symbol = path.name.split(".")[1]
        store = tmp_path / symbol
        run(harness.BUILD / "bench" / "bench_store", store, symbol, path)
        expected = list(events_of(path))
        assert check_store(store, symbol, expected, tmp_path) == len(expected)
        run(harness.BUILD / "obrebuild", "--store", store, "verify")
