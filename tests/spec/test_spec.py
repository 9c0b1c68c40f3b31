"""The second decoder against the golden values, and against the product on stores it wrote."""
import json
import os
import pathlib
import subprocess
import sys

import pytest

SOURCE = pathlib.Path(os.environ.get("OBLOGGER_SOURCE", pathlib.Path(__file__).parents[2]))
BUILD = pathlib.Path(os.environ.get("OBLOGGER_BUILD", SOURCE / "build" / "dev"))
OBDECODE = SOURCE / "tests" / "spec" / "obdecode.py"
GOLDEN = SOURCE / "tests" / "data" / "golden" / "v1"
sys.path.insert(0, str(OBDECODE.parent))
import obdecode  # noqa: E402


def run(*words, codes=(0,)):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True,
                          timeout=120, check=False)
    assert done.returncode in codes, done.stderr
    return done.stdout


def decode(*words, codes=(0,)):
    return run(sys.executable, OBDECODE, *words, codes=codes)


def rows(table):
    for line in (GOLDEN / "dump.jsonl").read_text().splitlines():
        row = json.loads(line)
        if row["table"] == table:
            yield row, bytes.fromhex(row["value"])


def program(name):
    path = BUILD / name
    return path if path.exists() else BUILD / "tests" / "spec" / name


def test_golden_values_decode_to_what_they_meant():
    expected = (GOLDEN / "expected.jsonl").read_text()
    assert len(expected.splitlines()) > 40
    assert decode("records", GOLDEN / "dump.jsonl") == expected


def test_golden_values_have_every_kind_and_flag():
    frames = [obdecode.read_frame(value) for _, value in rows("frames")]
    assert {frame["kind"] for frame, _ in frames} == {"image", "changes", "headless"}
    assert {flag for frame, _ in frames for flag in frame["flags"]} == set(obdecode.FLAGS)
    assert {frame["packing"] for frame, _ in frames} == {0, 1}
    events = [event for _, part in frames for event in part]
    assert any(event["flags"] == 1 for event in events)
    assert any(not event["bids"] and not event["asks"] for event in events)
    assert any(event["event_time_ns"] % 1000 for event in events)
    numbers = {number for event in events for level in event["bids"] for number in level}
    assert {obdecode.I64_MIN, obdecode.I64_MAX} <= numbers


def test_every_damaged_byte_of_a_frame_is_refused():
    for _, value in rows("frames"):
        for at in range(len(value)):
            flipped = value[:at] + bytes([value[at] ^ 1]) + value[at + 1:]
            for damaged in (flipped, value[:at]):
                with pytest.raises(obdecode.Damage):
                    obdecode.read_frame(damaged)
        with pytest.raises(obdecode.Damage):
            obdecode.read_frame(value + b"\0")


@pytest.mark.parametrize("table", ["streams", "epochs", "gaps", "pruned", "marks"])
def test_a_record_that_is_cut_or_longer_or_newer_is_refused(table):
    for _, value in rows(table):
        for damaged in [value[:at] for at in range(len(value))] + [value + b"\0"]:
            with pytest.raises(obdecode.Damage):
                obdecode.read_value(table, damaged)
        with pytest.raises(obdecode.Newer):
            obdecode.read_value(table, b"\2" + value[1:])


def refused():
    lines = (GOLDEN / "refused.jsonl").read_text().splitlines()
    return [pytest.param(row, id=f"{row['table']}: {row['why']}") for row in map(json.loads, lines)]


@pytest.mark.parametrize("row", refused())
def test_what_no_decoder_may_take_is_refused(row):
    with pytest.raises(obdecode.Newer if row["newer"] else obdecode.Damage) as caught:
        obdecode.read_value(row["table"], bytes.fromhex(row["value"]))
    assert row["newer"] or not isinstance(caught.value, obdecode.Newer)


def test_a_missing_frame_is_found(tmp_path):
    lines = (GOLDEN / "dump.jsonl").read_text().splitlines()
    kept = [line for line in lines if '"frames","stream":1,"major":10,' not in line]
    assert len(kept) == len(lines) - 1
    (tmp_path / "dump.jsonl").write_text("\n".join(kept) + "\n")
    decode("replay", tmp_path / "dump.jsonl", "GOLDUSDT", codes=(1,))


def compare_replays(tmp_path, store, symbol, count):
    dump = tmp_path / "dump.jsonl"
    dump.write_text(run(program("obdump"), store))
    ours = decode("replay", dump, symbol).splitlines()
    theirs = run(BUILD / "obrebuild", "--store", store, "replay", symbol, "--digest",
                 codes=(0, 3)).splitlines()
    assert len(ours) >= count
    assert ours == theirs
    run(BUILD / "obrebuild", "--store", store, "verify", symbol)


needs_build = pytest.mark.skipif(not program("obdump").exists(), reason="nothing is built")


@needs_build
def test_the_golden_record_replays_alike(tmp_path):
    run(program("obgolden"), "store", tmp_path / "store")
    compare_replays(tmp_path, tmp_path / "store", "GOLDUSDT", 69)


@needs_build
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_a_recorder_wrote_replays_alike(tmp_path, seed):
    run(program("obgolden"), "record", tmp_path / "store", seed)
    compare_replays(tmp_path, tmp_path / "store", "binance:FEEDUSDT", 1800)
