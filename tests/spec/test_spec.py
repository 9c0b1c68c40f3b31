"""The second decoder against the golden values, and against the product on stores it wrote."""

import json
import os
import pathlib
import pickle
import random
import re
import subprocess
import sys
from unittest import mock

import pytest

SOURCE = pathlib.Path(os.environ.get("OBLOGGER_SOURCE", pathlib.Path(__file__).parents[2]))
BUILD = pathlib.Path(os.environ.get("OBLOGGER_BUILD", SOURCE / "build" / "dev"))
OBDECODE = SOURCE / "tests" / "spec" / "obdecode.py"
GOLDEN = SOURCE / "tests" / "data" / "golden"
VERSIONS = ["v1", "v2", "v3"]  # of plain frames, of dense ones, of orders and trades
sys.path.insert(0, str(OBDECODE.parent))
import book  # noqa: E402
import nibbles  # noqa: E402
import obdecode  # noqa: E402
import orders  # noqa: E402
import packing  # noqa: E402
import refused_dense  # noqa: E402
import refused_orders  # noqa: E402
import tokens  # noqa: E402
import trades  # noqa: E402
import wire  # noqa: E402

all_versions = pytest.mark.parametrize("version", VERSIONS)


def run(*words, codes=(0,), stdin=None):
    words = [str(word) for word in words]
    done = subprocess.run(
        words, input=stdin, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode in codes, done.stderr
    return done.stdout


def decode(*words, codes=(0,)):
    return run(sys.executable, OBDECODE, *words, codes=codes)


def lines(version, name="dump.jsonl"):
    return (GOLDEN / version / name).read_text().splitlines()


def rows(version, *tables):
    for line in lines(version):
        row = json.loads(line)
        if row["table"] in tables:
            yield row, bytes.fromhex(row["value"])


def decoded(version):
    """Every golden frame with its events."""
    for row in obdecode.decode_rows(obdecode.read_dump(GOLDEN / version / "dump.jsonl")):
        if row["table"] == "frames":
            yield row["value"]["frame"], row["value"]["list"]


def program(name):
    path = BUILD / name
    return path if path.exists() else BUILD / "tests" / "spec" / name


# ---- golden values ----


@all_versions
def test_golden_values_decode_to_what_they_meant(version):
    expected = (GOLDEN / version / "expected.jsonl").read_text()
    assert len(expected.splitlines()) > 40
    assert decode("records", GOLDEN / version / "dump.jsonl") == expected


def test_plain_golden_values_have_every_kind_and_flag():
    frames = list(decoded("v1"))
    assert {frame["kind"] for frame, _ in frames} == {"image", "changes", "headless"}
    flags = {flag for frame, _ in frames for flag in frame["flags"]}
    assert flags == set(obdecode.FLAGS) - {"thinned"}
    assert {frame["packing"] for frame, _ in frames} == {0, 1}
    events = [event for _, part in frames for event in part]
    assert any(event["flags"] == 1 for event in events)
    assert any(not event["bids"] and not event["asks"] for event in events)
    assert any(event["event_time_ns"] % 1000 for event in events)
    numbers = {number for event in events for level in event["bids"] for number in level}
    assert {obdecode.I64_MIN, wire.I64_MAX} <= numbers


def test_dense_golden_values_have_every_kind_and_column(monkeypatch):
    modes, columns = set(), set()
    unpack_group, byte = packing.unpack_group, tokens.Columns.byte
    monkeypatch.setattr(
        packing,
        "unpack_group",
        lambda r, mode, size: modes.add(mode) or unpack_group(r, mode, size),
    )
    monkeypatch.setattr(
        tokens.Columns, "byte", lambda c, i, count=256: columns.add(i) or byte(c, i, count)
    )
    frames = list(decoded("v2"))
    assert {frame["kind"] for frame, _ in frames} == set(obdecode.KINDS.values())
    assert {(frame["method"], frame["packing"]) for frame, _ in frames} == {(0, 0), (0, 1), (1, 2)}
    assert modes == {0, 1, 2, 3}
    assert columns >= {0, 1, 2, 3, 4, 5, *range(17, 27), 27, 39, 40, 41, 42, 43, 44}
    flags = [frame["flags"] for frame, _ in frames if frame["kind"] == "image"]
    assert any("correction" in part for part in flags) and [] not in flags
    repairs = [frame["level_updates"] for frame, _ in frames if frame["kind"] == "repair"]
    assert 0 in repairs and max(repairs) > 0


@all_versions
def test_every_damaged_byte_of_a_frame_is_refused(version):
    for _, value in rows(version, "frames"):
        obdecode.open_frame(value)
        for at in range(len(value)):
            flipped = value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]
            for damaged in (flipped, value[:at]):
                with pytest.raises(obdecode.Damage):
                    obdecode.open_frame(damaged)
        with pytest.raises(obdecode.Damage):
            obdecode.open_frame(value + b"\0")


@all_versions
def test_a_record_that_is_cut_or_longer_or_newer_is_refused(version):
    for row, value in rows(version, "streams", "symbols", "epochs", "gaps", "pruned", "marks"):
        for damaged in [value[:at] for at in range(len(value))] + [value + b"\0"]:
            with pytest.raises(obdecode.Damage):
                obdecode.read_value(
                    row["table"], damaged, row["major"] if row["table"] == "marks" else 0
                )
        with pytest.raises(obdecode.Newer):
            obdecode.read_value(row["table"], b"\3" + value[1:])


def refused():
    parts = [
        (version, json.loads(line))
        for version in VERSIONS
        for line in lines(version, "refused.jsonl")
    ]
    return [pytest.param(row, id=f"{v}: {row['table']}: {row['why']}") for v, row in parts]


@pytest.mark.parametrize("row", refused())
def test_what_no_decoder_may_take_is_refused(row):
    behind = [bytes.fromhex(row["behind"])] if row.get("behind") else []
    with pytest.raises(obdecode.Newer if row["newer"] else obdecode.Damage) as caught:
        obdecode.read_value(row["table"], bytes.fromhex(row["value"]), row.get("major", 0), behind)
    assert row["newer"] or not isinstance(caught.value, obdecode.Newer)


def test_what_is_refused_differs_from_what_is_taken():
    refused_dense.check_neighbours()
    refused_orders.check_neighbours()


def replay_fails(tmp_path, text, symbol="GOLDUSDT", command="replay"):
    """One line on stderr and exit 1."""
    (tmp_path / "dump.jsonl").write_text(text)
    done = subprocess.run(
        [sys.executable, OBDECODE, command, tmp_path / "dump.jsonl", symbol],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("obdecode: ") and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "version, stream, symbol, command",
    [
        ("v1", 1, "GOLDUSDT", "replay"),
        ("v2", 1, "GOLDUSDT", "replay"),
        ("v3", 1, "coinbase:GOLD-USD", "replay"),
        ("v3", 2, "coinbase:GOLD-USD", "trades"),
    ],
)
def test_a_missing_frame_is_found(tmp_path, version, stream, symbol, command):
    all_lines = lines(version)
    frames = [line for line in all_lines if f'"frames","stream":{stream},' in line]
    assert len(frames) >= 10
    for missing in frames[1:-1]:
        text = "\n".join(line for line in all_lines if line != missing)
        replay_fails(tmp_path, text, symbol, command)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "7",
        "[" * 100_000,
        '{"place":1}',
        '"\\ud800"',
        '{"place":"meta","table":"streams","stream":1,"major":0,"minor":0,"value":"0"}',
        '{"place":"meta","table":"streams","stream":"1","major":0,"minor":0,"value":"00"}',
    ],
)
def test_a_dump_that_is_none_ends_with_a_line(tmp_path, text):
    replay_fails(tmp_path, text[:100_000] + "\n")


# ---- the examples of the documents ----


def test_the_rans_example_of_the_document():
    packed = bytes.fromhex("030907241200 d7a81e00 d1043400 dca1 ca1f")
    data = bytes.fromhex("0000010000000501000001000009000100010000050001000105000100")
    assert packing.unpack_rans(packed, 29) == data


def hex_lines(page, after):
    """The bytes that a drawing of a frame shows, without its remarks."""
    text = (SOURCE / "schema" / page).read_text()
    drawing = text[text.index(after) :].split("```")[1]
    return b"".join(bytes.fromhex(line.strip().split("   ")[0]) for line in drawing.splitlines())


def test_the_frames_of_the_documents():
    frame, events = obdecode.read_frame(hex_lines("frame.md", "A frame of changes with one event"))
    assert (frame["kind"], frame["first_id"], events[0]["last_id"]) == ("changes", 101, 103)
    assert (events[0]["bids"], events[0]["asks"]) == ([[10000, 1500]], [[10005, 0]])
    frame, events = obdecode.read_frame(hex_lines("tokens.md", "The image's frame, packed"))
    assert (frame["kind"], frame["method"], events[0]["last_id"]) == ("image", 1, 100)
    assert events[0]["bids"] == [[10000, 1500], [9990, 2000], [9983, 1500]]
    assert events[0]["asks"] == [[10005, 700]]


def drawn_block(page, after):
    """The bytes that a drawing of a block shows, without numbers of columns and remarks."""
    text = (SOURCE / "schema" / page).read_text()
    lines = text[text.index(after) :].split("```")[1].splitlines()
    lines = [re.sub(r"^ {1,2}\d{1,2}  (?=[0-9a-f]{2}\b)", "", line).strip() for line in lines]
    return b"".join(bytes.fromhex(line.split("   ")[0]) for line in lines)


SYMBOL = r" (\d+) +([\d,]+) +([\d,]+) +([\d,]+) +([\d,]+) +(\d+) +(?:([0-9a-f]{4}) +)?(\S.*)"


def drawn_symbols(after):
    """The table of symbols of an example: k, x, point, start, share, v; u16; by."""
    text = (SOURCE / "schema" / "nibbles.md").read_text()
    table = text[text.index(after) :].split(" k   x  ", 1)[1].split("```")[0]
    for line in table.splitlines()[1:]:
        *numbers, word, by = re.fullmatch(SYMBOL, line).groups()
        yield [int(number.replace(",", "")) for number in numbers], word, by


def trace_symbols(monkeypatch):
    """What the reader of symbols does, in the words of the page."""
    told, places = [], []
    nibble, symbol = nibbles.Learnt.nibble, nibbles.Columns.symbol

    def trace_nibble(learnt, table, *index):
        places.append(" ".join([table, *(f"[{i}]" for i in index)]))
        return nibble(learnt, table, *index)

    def trace_symbol(columns, starts):
        k, at = columns.symbols, columns.words.at
        x = columns.states[k % 2]
        v = symbol(columns, starts)
        word = columns.words.data[at : columns.words.at][::-1].hex() or None
        share = starts[v + 1] - starts[v]
        told.append(([k, x, x % (1 << 15), starts[v], share, v], word, ", ".join(places)))
        places.clear()
        return v

    monkeypatch.setattr(nibbles.Learnt, "nibble", trace_nibble)
    monkeypatch.setattr(nibbles.Columns, "symbol", trace_symbol)
    return told


def decode_block(method, page, after, levels, first_id):
    """The one event or the events of a drawn block, the method fresh."""
    frame = {
        "first_id": first_id,
        "first_event_time_ns": 1_700_000_000_000_000_000,
        "first_receive_time_ns": 1_700_000_000_001_234_000,
    }
    return list(method(levels.scale).events(drawn_block(page, after), frame, levels))


def test_the_blocks_of_nibbles(monkeypatch):
    told = trace_symbols(monkeypatch)
    levels = book.Book([2, 3, True, 1, 1])
    begins = ["Its block, unpacked:", "Then one event, all nibbles fresh"]
    (image,) = decode_block(nibbles.Nibbles, "nibbles.md", begins[0], levels, 100)
    assert image["bids"] == [[10000, 1500], [9990, 2000]]
    assert image["asks"] == [[10005, 700]]
    assert (image["first_id"], image["last_id"]) == (100, 100)
    assert told == list(drawn_symbols(begins[0])) and len(told) == 23
    told.clear()
    (event,) = decode_block(nibbles.Nibbles, "nibbles.md", begins[1], levels, 101)
    assert (event["bids"], event["asks"]) == ([[10000, 1200]], [[10005, 0]])
    assert (event["first_id"], event["last_id"]) == (101, 102)
    assert event["event_time_ns"] == 1_700_000_000_000_000_000
    assert event["receive_time_ns"] - event["event_time_ns"] == 1_234_000
    assert told == list(drawn_symbols(begins[1])) and len(told) == 8


def test_the_block_of_tokens():
    levels = book.Book([2, 3, True, 1, 1])
    for price, quantity in ([10000, 1500], [9990, 2000], [9983, 1500]):
        levels.set(0, price, quantity)
    levels.set(1, 10005, 700)
    after = "Then two events, the list empty"
    events = decode_block(tokens.Tokens, "tokens.md", after, levels, 101)
    assert [(event["first_id"], event["last_id"]) for event in events] == [(101, 103), (104, 105)]
    assert [event["bids"] for event in events] == [[[10000, 1200], [9999, 2000]], []]
    assert [event["asks"] for event in events] == [[[10005, 0]], [[10020, 1200], [10010, 0]]]
    assert events[1]["receive_time_ns"] == 1_700_000_000_101_300_000


# ---- a frame that stands behind a dropped image ----


def make_frame(data, body):
    """The frame with another body, and its size and checksum right."""
    head = data[:8] + (24 + len(body)).to_bytes(4, "little") + data[12:16]
    return head + obdecode.checksum_of(head + bytes(8) + body).to_bytes(8, "little") + body


def move_last(version, position):
    """The rows of stream 1 up to that position, the last frame one position further, thinned."""
    for line in lines(version):
        row = json.loads(line)
        if row["stream"] != 1 or row["table"] not in ("streams", "frames", "times"):
            continue
        at = row["minor"] if row["table"] == "times" else row["major"]
        if at > position:
            continue
        if at == position and row["table"] == "frames":
            value = bytes.fromhex(row["value"])
            assert value[24] == 32
            row["value"] = make_frame(value, b"\x60" + value[25:]).hex()
        if at == position:
            row["minor" if row["table"] == "times" else "major"] += 1
        yield row


def test_a_thinned_frame_leaves_a_hole_of_one_position():
    def replay(change):
        read = [{**row, "value": bytes.fromhex(row["value"])} for row in moved]
        change(read)
        return list(obdecode.replay(read, "GOLDUSDT"))

    moved = list(move_last("v2", 141))
    whole = list(obdecode.replay(obdecode.read_dump(GOLDEN / "v2" / "dump.jsonl"), "GOLDUSDT"))
    count = 136 + 29
    assert replay(lambda read: None) == whole[:count]

    def unflag(read):
        last = [row for row in read if row["table"] == "frames"][-1]
        last["value"] = make_frame(last["value"], b"\x20" + last["value"][25:])

    with pytest.raises(obdecode.Damage):
        replay(unflag)


# ---- against the product ----


def dump_store(tmp_path, store):
    dump = tmp_path / "dump.jsonl"
    dump.write_text(run(program("obdump"), store))
    return dump


COMMANDS = {"replay": ["replay", "--digest"], "trades": ["trades"]}


def compare_replays(tmp_path, store, symbol, count, command="replay"):
    """The lines of both, which are the same."""
    ours = decode(command, dump_store(tmp_path, store), symbol).splitlines()
    words = [*COMMANDS[command], symbol, "--output", "json"]
    theirs = run(BUILD / "obrebuild", "--store", store, *words, codes=(0, 3)).splitlines()
    assert len(ours) >= count
    assert ours == theirs
    run(BUILD / "obrebuild", "--store", store, "verify", symbol)
    return ours


def archive_store(tmp_path, store):
    """The heads of its frames, then."""
    run(BUILD / "obrebuild", "--store", store, "archive")
    frames = [
        obdecode.open_frame(row["value"])[0]
        for row in obdecode.read_dump(dump_store(tmp_path, store))
        if row["table"] == "frames"
    ]
    assert {frame["method"] for frame in frames if frame["kind"] != "headless"} == {2}
    return frames


def compare_archived(tmp_path, store, symbol, count, thinned):
    """Archiving changes no line, and makes so many frames that stand behind a dropped image."""
    before = compare_replays(tmp_path, store, symbol, count)
    frames = archive_store(tmp_path, store)
    assert sum("thinned" in frame["flags"] for frame in frames) == thinned
    assert compare_replays(tmp_path, store, symbol, count) == before


BENCH_STORE = BUILD / "bench" / "bench_store"
needs_build = pytest.mark.skipif(not program("obdump").exists(), reason="nothing is built")


@needs_build
@pytest.mark.parametrize(
    "version, symbol, count",
    [("v1", "GOLDUSDT", 69), ("v2", "GOLDUSDT", 350), ("v2", "binance_us:EMPTYUSD", 5)],
)
def test_the_golden_record_replays_alike(tmp_path, version, symbol, count):
    run(program("obgolden"), "store", version, tmp_path / "store")
    compare_replays(tmp_path, tmp_path / "store", symbol, count)


@needs_build
@pytest.mark.parametrize("symbol, count", [("GOLDUSDT", 350), ("binance_us:EMPTYUSD", 5)])
def test_the_golden_record_replays_alike_when_it_is_archived(tmp_path, symbol, count):
    run(program("obgolden"), "store", "v2", tmp_path / "store")
    compare_archived(tmp_path, tmp_path / "store", symbol, count, 1)


@needs_build
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_a_recorder_wrote_replays_alike_archived_too(tmp_path, seed):
    run(program("obgolden"), "record", tmp_path / "store", seed)
    compare_archived(tmp_path, tmp_path / "store", "binance:FEEDUSDT", 1800, 8)


@needs_build
@pytest.mark.parametrize(
    "symbol, count, thinned",
    [("MANAUSDT", 800, 0), ("XMRBTC", 130, 0), ("BTCUSD", 1000, 0), ("BTCUSDT", 6000, 15)],
)
def test_what_was_recorded_of_a_capture_replays_alike_archived_too(
    tmp_path, symbol, count, thinned
):
    run(sys.executable, SOURCE / "bench" / "events.py", tmp_path / "events")
    file = max(
        (tmp_path / "events").glob(f"*.{symbol}.obev"), key=lambda path: path.stat().st_size
    )
    run(BENCH_STORE, tmp_path / "store", symbol, file)
    compare_archived(tmp_path, tmp_path / "store", symbol, count, thinned)


METHOD_COLUMNS = {
    1: tokens.Columns,
    2: nibbles.Columns,
    3: orders.Columns,
    4: trades.Columns,
}


def damage_columns(chance, method, block):
    """Columns of the block with a byte or two changed, taken out or put in; sizes are right."""
    columns = [bytearray(column.data) for column in METHOD_COLUMNS[method](block).columns]
    full = [column for column in columns if column]
    for _ in range(chance.randint(1, 3)):
        column = chance.choice(full if chance.random() < 0.9 else columns)
        at = chance.randrange(len(column) + 1)
        what = chance.randrange(6)
        if what == 0:
            column[at:at] = chance.randbytes(chance.randint(1, 3))
        elif what == 1:
            del column[at : at + 1]
        elif what == 2:
            column[at : at + 1] = chance.randbytes(1)
        else:
            column[at : at + 1] = bytes(
                byte ^ 1 << chance.randrange(8) for byte in column[at : at + 1]
            )
    return refused_dense.block(dict(enumerate(map(bytes, columns))), len(columns))


def code_symbols(told):
    """The column of symbols, each with the starts that it is read by, as nibbles.md tells."""
    states, words = [1 << 16, 1 << 16], []
    for k in reversed(range(len(told))):
        starts, v = told[k]
        x, share = states[k % 2], starts[v + 1] - starts[v]
        if x >= share << 17:
            words.insert(0, x & 0xFFFF)
            x >>= 16
        states[k % 2] = (x // share << 15) + x % share + starts[v]
    head = b"".join(state.to_bytes(4, "little") for state in states)
    return (head if told else b"") + b"".join(word.to_bytes(2, "little") for word in words)


class Script(nibbles.Columns):
    """Tells a walk the symbols of a script, where there is one, and keeps what it told."""

    def __init__(self, block, script=None, more=b""):
        super().__init__(block)
        raw = self.columns[nibbles.RAW].data + more
        self.columns[nibbles.RAW], self.bits[nibbles.RAW] = wire.Reader(raw), wire.Bits(raw)
        self.script, self.told = script, []

    def symbol(self, starts):
        if self.script is None:
            value = super().symbol(starts)
        else:
            wire.need(self.script, "the script ends")
            value = self.script.pop(0)
        self.told.append((starts, value))
        return value

    def run(self, frames, row, data):
        """Read the frame by this script, up to the first damage."""
        with mock.patch.object(nibbles, "Columns", lambda block: self):
            try:
                list(pickle.loads(frames).read(row["major"], row["place"], data)[1])
            except obdecode.Damage:
                pass
        return self

    def block(self):
        columns = {i: column.data for i, column in enumerate(self.columns)}
        columns[nibbles.SYMBOLS] = code_symbols(self.told)
        columns[nibbles.RAW] = columns[nibbles.RAW][: self.bits[nibbles.RAW].bytes_used()]
        return refused_dense.block(columns, len(columns))


def change_symbols(chance, frames, row, data):
    """The frame with a few symbols changed and all coded anew, so that nothing ends early."""
    summary, block = split_frame(data)
    told = Script(block).run(frames, row, data)
    assert told.block() == block
    script = [value for _, value in told.told] + chance.choices(range(16), k=60)
    for _ in range(chance.randint(1, 3)):
        script[chance.randrange(len(told.told) or 1)] = chance.randrange(16)
    changed = Script(block, script, chance.randbytes(400)).run(frames, row, data)
    return stored_frame(data, summary, changed.block())


def split_frame(data):
    """The summary as it stands, and the block unpacked."""
    frame, block = obdecode.open_frame(data)
    r = obdecode.Reader(data[24:])
    obdecode.read_summary(r, {"kind": frame["kind"]})
    return data[24 : 24 + r.at], block


def stored_frame(data, summary, block):
    """The frame with another block, not packed."""
    head = data[:7] + b"\0" + data[8:12] + len(block).to_bytes(4, "little") + data[16:]
    return make_frame(head, summary + block)


def damage_frame(chance, data):
    """Another frame with a right checksum: its columns damaged, or how they are packed."""
    summary, block = split_frame(data)
    if chance.random() < 0.3:
        packed = bytearray(data[24 + len(summary) :])
        packed[chance.randrange(len(packed))] ^= 1 << chance.randrange(8)
        return make_frame(data, summary + packed)
    return stored_frame(data, summary, damage_columns(chance, data[6], block))


def damaged_frames(chance, count, source):
    """Segments of a record, each on a stream of its own, the last frame of it damaged: rows, and
    what this decoder makes of the last one."""
    behind, frames, stream = [], obdecode.Frames(), 0
    for row, value in source:
        kept = pickle.dumps(frames)
        list(frames.read(row["major"], row["place"], value)[1])
        behind = behind if value[5] != 1 else []
        for _ in range(count if value[6] else 0):
            stream += 1
            if value[6] == 2 and stream % 2:
                damaged = change_symbols(chance, kept, row, value)
            else:
                damaged = damage_frame(chance, value)
            last = {**row, "stream": stream, "value": damaged.hex()}
            yield [{**before, "stream": stream} for before in behind] + [last], judge(kept, last)
        behind.append(row)


def tell_events(frame, events):
    """An image of orders as a book and the frame's head have it."""
    told = [obdecode.tell_event(event) for event in events]
    if (frame["kind"], frame["method"]) == ("image", 3):
        heads = ("event_time_ns", "receive_time_ns")
        told[0].update((key, frame["first_" + key]) for key in heads)
        told[0].update((key, frame[key]) for key in ("first_id", "last_id"))
        told[0]["bids"].sort(key=lambda order: -order[0])
        told[0]["asks"].sort(key=lambda order: order[0])
    return told


def judge(frames, row):
    try:
        value = bytes.fromhex(row["value"])
        frame, events, _ = pickle.loads(frames).read(row["major"], row["place"], value)
        line = {**row, "value": {"frame": frame, "list": tell_events(frame, events)}}
        return json.dumps(line, separators=(",", ":"))
    except obdecode.Newer:
        return "newer"
    except obdecode.Damage:
        return "refused"


def check_count(facts, frame):
    """Of what a checker compares, what every reader refuses."""
    wire.need(facts.facts["events"] == frame["events"], "the count of events")


def archived_frames(tmp_path):
    run(program("obgolden"), "store", "v2", tmp_path / "store")
    archive_store(tmp_path, tmp_path / "store")
    for row in obdecode.read_dump(tmp_path / "dump.jsonl"):
        if row["table"] == "frames":
            yield {**row, "value": row["value"].hex()}, row["value"]


DAMAGED_VERSIONS = {1: "v2", 3: "v3", 4: "v3"}


@needs_build
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("method, count", [(1, 40), (2, 40), (3, 90), (4, 60)])
def test_damage_under_a_right_checksum_is_seen_alike(tmp_path, monkeypatch, method, count, seed):
    source = archived_frames(tmp_path) if method == 2 else rows(DAMAGED_VERSIONS[method], "frames")
    source = [(row, value) for row, value in source if value[6] in (0, method)]
    monkeypatch.setattr(obdecode.Facts, "check", check_count)
    monkeypatch.setattr(obdecode, "check_image", lambda *words: None)
    dump, expected = [], []
    for part, verdict in damaged_frames(random.Random(seed), count, source):
        dump += part
        expected.append((len(dump) - 1, verdict))
    (tmp_path / "dump.jsonl").write_text(
        "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in dump)
    )
    theirs = run(program("obgolden"), "read", tmp_path / "dump.jsonl").splitlines()
    assert len(theirs) == len(dump)
    for at, verdict in expected:
        assert theirs[at] == verdict, json.dumps(dump[at])
    verdicts = [verdict == "refused" for _, verdict in expected]
    assert len(verdicts) > 800 and 50 < sum(verdicts) < len(verdicts) - 50
