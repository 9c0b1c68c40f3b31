#!/usr/bin/env python3
"""Makes v2/refused.jsonl: what of method 1 and packing 2 every decoder must refuse."""

import json
import sys

import obdecode
import packing
from refused import frame, signed, summary
from tokens import COLUMNS
from wire import write_varint

RAW = COLUMNS - 1
MILLISECOND = 1_000_000


def bits(*parts):
    """Numbers of so many bits each, as a run."""
    value = at = 0
    for number, count in parts:
        value |= number << at
        at += count
    return value.to_bytes((at + 7) // 8, "little")


def block(columns, count=COLUMNS):
    parts = [columns.get(i, b"") for i in range(count)]
    return b"".join([write_varint(count), *(write_varint(len(part)) for part in parts), *parts])


def dense(content, kind=2, **other):
    fields = {"flags": 0, "events": 1, "levels": 1, "method": 1, **other}
    head = {
        "flags": fields.pop("flags"),
        "events": fields.pop("events"),
        "levels": fields.pop("levels"),
        "segment": fields.pop("segment", 1),
    }
    times = signed(MILLISECOND) + bytes(5)
    body = summary(**head, ids=signed(1 if kind in (1, 4) else 2) + signed(0), times=times)
    return frame(body + bytes(kind in (1, 4)), kind=kind, content=content, **fields)


# Bids 4 x 1 and 3 x 2, ask 6 x 3, all in new values.
IMAGE_COLUMNS = {
    0: b"\x20",
    2: b"\0",
    3: b"\0",
    5: b"\2",
    6: b"\1",
    17: b"\3\x08",
    19: b"\x08",
    39: b"\3\4",
    40: bytes(3),
    42: bytes(3),
    43: b"\1\2\3",
    RAW: b"\1",
}
IMAGE = dense(block(IMAGE_COLUMNS), kind=1, flags=2, levels=3)


def plain_image():
    heads = bytes([0]) + signed(0) + signed(1) + signed(0) + b"\1\0"
    content = write_varint(len(heads)) + b"\1" + heads + b"\2\2"
    return dense(content, kind=1, flags=2, method=0)


def ask(columns=None, asks=1, bids=0, **other):
    """An event of one ask, if not told otherwise a change: to a new value, 5."""
    usual = {
        0: b"\x20",
        2: b"\0",
        3: b"\0",
        5: bytes([bids]),
        6: bytes([asks]),
        17: b"\1",
        41: b"\0",
        42: b"\0",
        43: b"\4",
        RAW: b"\1",
    }
    usual.update(columns or {})
    return dense(block(usual), **other)


def token(value, **columns):
    """An event of one ask with that token and nothing else but `columns`."""
    empty = {41: b"", 42: b"", 43: b"", RAW: b""}
    given = {int(name[1:]): content for name, content in columns.items()}
    return ask({**empty, 17: bytes([value]), **given})


BLOCK = block(
    {
        0: b"\x20",
        2: b"\0",
        3: b"\0",
        5: b"\0",
        6: b"\1",
        17: b"\1",
        41: b"\0",
        42: b"\0",
        43: b"\4",
        RAW: b"\1",
    }
)
EVENTS = {
    "45 columns": dense(block(IMAGE_COLUMNS, 45)),
    "47 columns": dense(block(IMAGE_COLUMNS, 47)),
    "sizes that are cut": dense(BLOCK[:40]),
    "a column that is cut": dense(BLOCK[:-1]),
    "bytes behind the columns": dense(BLOCK + b"\0"),
    "no event": dense(block({}), events=0, levels=0),
    "fewer events than the head says": ask(events=2),
    "more events than the head says": ask(
        {0: b"\x20\x20", 2: bytes(2), 3: bytes(2), 5: bytes(2), 6: b"\1\0"}
    ),
    "units of 9": ask({0: b"\xa0", 1: b"\x09"}),
    "event flags of 2^32": ask({0: b"\x28", 1: bytes([64 + 114]), 16: bytes(4)}),
    "a number of 242": ask({2: b"\xf2"}),
    "a number without its bits": ask({2: b"\x80"}),
    "a time beyond i64": ask({2: bytes([108 + 114]), 16: bytes(7)}),
    "a delay beyond i64": ask({3: bytes([120 + 114]), 16: bytes(8)}),
    "524,289 bids": ask({5: bytes([38 + 114]), 6: b"", 10: b"\0", 16: bits((1, 18))}),
    "a head without a time": ask({2: b""}),
    "a head without a count": ask({6: b""}),
    "asks in the column of another class": ask({6: b"", 7: b"\1"}),
    "bits left behind the heads": ask({16: b"\0"}),
    "a token of 240": token(240),
    "a token in the column of others": token(
        1, c17=b"", c19=b"\1", c41=b"\0", c42=b"\0", c43=b"\1"
    ),
    "no token": ask({17: b""}),
    "a token too many": ask({17: b"\1\1"}),
    "a skip behind the end": token(15 * 2),
    "a skip of 2^63": token(15 * 15, **{f"c{RAW}": bits((63, 6), (0, 63))}),
    "a remove at the end": token(15),
    "a change at the end": token(15 + 1, c41=b"\0", c42=b"\0", c43=b"\1"),
    "a repeat at the end": token(15 + 2),
    "a price behind nothing": token(3, c40=b"\0", c42=b"\0", c43=b"\1"),
    "a price before nothing": token(15 + 4, c40=b"\0", c42=b"\0", c43=b"\1"),
    "a missing price behind nothing": token(9),
    "a missing price before nothing": token(15 + 10),
    "a price like the next": token(
        8, c39=b"\x80", c40=b"\0", c42=b"\0", c43=b"\1", **{f"c{RAW}": bits((6, 64))}
    ),
    "a price like the one before": token(
        15 + 8, c27=b"\x80", c40=b"\0", c42=b"\0", c43=b"\1", **{f"c{RAW}": bits((6, 64))}
    ),
    "a missing price that is there": token(14, c39=b"\x80", **{f"c{RAW}": bits((6, 64))}),
    "a price without its bits": token(8, c39=b"\x80", c40=b"\0", c42=b"\0", c43=b"\1"),
    "no price": token(8, c40=b"\0", c42=b"\0", c43=b"\1"),
    "a rank of the image": token(8, c39=b"\0", c40=b"\1"),
    "a rank that the list does not have": token(1, c41=b"\x08"),
    "an inserted bucket of 128": token(8, c39=b"\0", c40=b"\x80"),
    "a mode of 3": token(1, c41=b"\3", c42=b"\0", c43=b"\1"),
    "20 zeros": token(1, c41=b"\0", c42=b"\x14", c43=b"\1"),
    "a value of bucket 128": token(1, c41=b"\0", c42=b"\0", c43=b"\x80", **{f"c{RAW}": bytes(8)}),
    "a value without its zeros": token(1, c41=b"\0", c43=b"\1"),
    "an inserted 0": token(8, c39=b"\0", c40=b"\0", c42=b"\0", c43=b"\0"),
    "an inserted 2^64": token(
        8, c39=b"\0", c40=b"\0", c42=b"\1", c43=b"\x7e", **{f"c{RAW}": bytes(8)}
    ),
    "a price left": token(2, c39=b"\0"),
    "an inserted quantity left": token(2, c40=b"\0"),
    "a plain number left": token(2, c44=b"\0"),
    "8 bits left": token(2, **{f"c{RAW}": b"\0"}),
    "plain levels without a quantity": dense(
        block({0: b"\x24", 2: b"\0", 3: b"\0", 5: b"\0", 6: b"\1", 44: b"\x0c"})
    ),
    "a method that is not the image's": (plain_image(), ask()),
    "no image": (b"", ask()),
    "another segment": ask(segment=2),
    "headless events": ask(kind=3),
    "a repair without an image": (b"", ask(kind=4, flags=2)),
    "a repair whose head is that of changes": frame(
        summary(flags=2, times=signed(MILLISECOND) + bytes(5))[:-1], kind=4, content=b"", method=1
    ),
}

# ---- packing 2 ----


def make_table(data):
    """The table and the frequencies, as frame.md tells a writer."""
    counts = {symbol: data.count(symbol) for symbol in sorted(set(data))}
    exponents = {symbol: count.bit_length() - 1 for symbol, count in counts.items()}
    weights, parts, before = {}, [(len(counts) - 1, 8)], -1
    for symbol, p in exponents.items():
        gap, q = symbol - before, min(p, 3)
        o = gap.bit_length() - 1
        r = (counts[symbol] >> (p - q)) - (1 << q)
        weights[symbol] = ((1 << q) + r) << (p - q)
        parts += [(1 << o, o + 1), (gap - (1 << o), o), (p, 4), (r, q)]
        before = symbol
    return bits(*parts), packing.share_slots(weights)


def code(data, frequency, begin=1 << 16):
    states, words = [begin, begin], []
    starts = {symbol: sum(f for s, f in frequency.items() if s < symbol) for symbol in frequency}
    for i in reversed(range(len(data))):
        x, f = states[i % 2], frequency[data[i]]
        if x >= f << 20:
            words.append(x & 0xFFFF)
            x >>= 16
        states[i % 2] = (x // f << 12) + x % f + starts[data[i]]
    return [state.to_bytes(4, "little") for state in states], b"".join(
        word.to_bytes(2, "little") for word in reversed(words)
    )


SIZES = [len(IMAGE_COLUMNS.get(i, b"")) for i in range(COLUMNS)]
FULL = [i for i, size in enumerate(SIZES) if size]
BYTES = b"".join(IMAGE_COLUMNS[i] for i in FULL)
BITMAP = sum(1 << i for i in FULL).to_bytes((COLUMNS + 7) // 8, "little")
UNPACKED = len(block(IMAGE_COLUMNS))


def group(columns, mode, content):
    return write_varint(4 * (columns - 1) + mode) + content


def sized(content):
    return write_varint(len(content)) + content


def packed(*groups, sizes=None, unpacked=UNPACKED):
    sizes = b"".join(map(write_varint, sizes or [SIZES[i] for i in FULL]))
    return image(write_varint(COLUMNS) + BITMAP + sizes + b"".join(groups), unpacked=unpacked)


def image(content, **other):
    other = {"unpacked": UNPACKED, **other}
    return dense(content, kind=1, flags=2, levels=3, packing=2, **other)


ALL = len(FULL)
STORED = group(ALL, 0, BYTES)
ZSTD = (
    bytes.fromhex("20") + bytes([len(BYTES)]) + (1 | len(BYTES) << 3).to_bytes(3, "little") + BYTES
)  # one raw block, content size in the head
TABLE, FREQUENCY = make_table(BYTES)
STATES, WORDS = code(BYTES, FREQUENCY)


def coded(table=TABLE, states=None, words=WORDS):
    return packed(group(ALL, 3, sized(table + b"".join(states or STATES) + words)))


FLAT = [(255, 8)]  # the most frequent symbol gets less than nothing: 204 great weights, 52 of 1
for number in range(256):
    FLAT += [(1, 1)] + ([(15, 4), (7, 3)] if number < 204 else [(0, 4)])
STATE = (1 << 16).to_bytes(4, "little")
COLUMN_FRAMES = {
    "257 columns": image(write_varint(257) + bytes(33), unpacked=2 + 257),
    "a bitmap that is cut": image(write_varint(COLUMNS) + bytes(5)),
    "a size that is missing": image(write_varint(COLUMNS) + BITMAP),
    "a column above the block": packed(STORED, sizes=[UNPACKED + 1] + [1] * (ALL - 1)),
    "columns above the block": packed(STORED, sizes=[UNPACKED] * ALL),
    "columns below the block": packed(STORED, unpacked=UNPACKED + 1),
    "a block above the limit": packed(STORED, unpacked=(32 << 20) + 1),
    "no group": packed(),
    "a group too few": packed(group(ALL - 1, 0, BYTES[:-1])),
    "a group of more columns than there are": packed(group(ALL + 1, 0, BYTES)),
    "a group of 2^62 columns": packed(write_varint((1 << 64) - 4) + BYTES),
    "a group that is cut": packed(group(ALL, 0, BYTES[:-1])),
    "a byte behind the groups": packed(STORED, b"\0"),
    "a constant without its byte": packed(group(ALL, 1, b"")),
    "zstd that is cut": packed(group(ALL, 2, write_varint(len(ZSTD)) + ZSTD[:-1])),
    "zstd with a byte behind it": packed(group(ALL, 2, sized(ZSTD + b"\0"))),
    "zstd of nothing": packed(group(ALL, 2, sized(b""))),
    "zstd with its magic": packed(group(ALL, 2, sized(packing.ZSTD_MAGIC + ZSTD))),
    "zstd of fewer bytes": packed(group(ALL, 2, sized(b"\x20\0\1\0\0"))),
    "zstd that is none": packed(group(ALL, 2, sized(b"\xff" * 9))),
    "rans of nothing": packed(group(ALL, 3, sized(b""))),
    "a table that is cut": packed(group(ALL, 3, sized(TABLE[:-1]))),
    "a table without an end": packed(group(ALL, 3, sized(bytes(99)))),
    "one symbol": coded(bits((0, 8), (1, 1), (0, 4)), [STATE] * 2, b""),
    "symbol 256": coded(bits((1, 8), (1 << 7, 8), (127, 7), (0, 4), (2, 2), (0, 1), (0, 4))),
    "a symbol of 9 digits": coded(bits((1, 8), (1 << 8, 9), (1, 8), (0, 4), (1, 1), (0, 4))),
    "nothing left for the most frequent": coded(bits(*FLAT), [STATE] * 2, bytes(4 * len(BYTES))),
    "7 bytes of states": coded(states=[STATE[:3], STATE], words=b""),
    "a word that is missing": coded(words=WORDS[:-2]),
    "half a word": coded(words=WORDS[:-1]),
    "a word too many": coded(words=WORDS + b"\0\0"),
    "a byte too many": coded(words=WORDS + b"\0"),
    "another state at the end": coded(TABLE, *code(BYTES, FREQUENCY, (1 << 16) + 1)),
}
ARCHIVE = b"\1\1\2\3"
ARCHIVES = {
    "a number above 2^64": ARCHIVE[:2] + b"\xff" * 9 + b"\2" + ARCHIVE[3:],
    "a number of eleven bytes": ARCHIVE[:3] + b"\x80" * 10 + b"\0",
    "version 0": b"\0" + ARCHIVE[1:],
    "it is cut": ARCHIVE[:3],
    "a byte behind it": ARCHIVE + b"\0",
}


def symbol(base=b"BTC", tick=b"0.01", flags=b"\1\0"):
    texts = [b"binance", b"BTCUSDT", base, b"USDT", tick, b"", b"", b"", b"TRADING"]
    return b"\1\2" + b"".join(write_varint(len(text)) + text for text in texts) + flags


SYMBOLS = {
    "a currency of 24 bytes": symbol(base=b"B" * 24),
    "a decimal of 48 bytes": symbol(tick=b"1" * 48),
    "a text with NUL": symbol(base=b"B\0C"),
    "a flag of 2": symbol(flags=b"\2\0"),
    "another flag of 2": symbol(flags=b"\1\2"),
    "version 0": b"\0" + symbol()[1:],
    "it is cut": symbol()[:-1],
    "a byte behind it": symbol() + b"\0",
}


def rows():
    for why, value in EVENTS.items():
        behind, value = value if isinstance(value, tuple) else (IMAGE, value)
        yield {"table": "frames", "why": why, "value": value, "behind": behind}
    for why, value in COLUMN_FRAMES.items():
        yield {"table": "frames", "why": why, "value": value}
    for why, value in ARCHIVES.items():
        yield {"table": "marks", "why": why, "value": value, "major": 1}
    yield {
        "table": "marks",
        "why": "version 2",
        "value": b"\2" + ARCHIVE[1:],
        "major": 1,
        "newer": True,
    }
    for why, value in SYMBOLS.items():
        yield {"table": "symbols", "why": why, "value": value}
    yield {"table": "symbols", "why": "version 2", "value": b"\2" + symbol()[1:], "newer": True}


def check_neighbours():
    """What the values above differ from is taken, and so they are refused for their reason."""
    taken = obdecode.read_frame(IMAGE)[1]
    assert [taken[0]["bids"], taken[0]["asks"]] == [[[4, 1], [3, 2]], [[6, 3]]]
    for same in (packed(STORED), coded(), packed(group(ALL, 2, sized(ZSTD)))):
        assert obdecode.read_frame(same)[1] == taken
    assert obdecode.read_frame(ask(), [IMAGE])[1][0]["asks"] == [[6, 5]]
    for inserted in (
        token(8, c39=b"\0", c40=b"\0", c42=b"\0", c43=b"\1"),
        token(2),
        token(0),
        token(14, c39=b"\0"),
        token(15 + 8, c27=b"\0", c40=b"\0", c42=b"\0", c43=b"\1"),
    ):
        assert len(obdecode.read_frame(inserted, [IMAGE])[1][0]["asks"]) == 1
    obdecode.read_frame(ask(kind=4, flags=2), [IMAGE])
    obdecode.read_frame(plain_image())
    obdecode.read_value("marks", ARCHIVE, 1)
    obdecode.read_value("symbols", symbol(base=b"B" * 23, tick=b"1" * 47))


def write(rows):
    for row in rows:
        line = {
            "table": row["table"],
            "newer": row.get("newer", False),
            "why": row["why"],
            "value": row["value"].hex(),
            "behind": row.get("behind", b"").hex(),
            "major": row.get("major", 0),
        }
        try:
            obdecode.read_value(
                row["table"], row["value"], line["major"], filter(None, [row.get("behind")])
            )
        except obdecode.Damage as error:
            print(f"{row['why']}: {error}", file=sys.stderr)
        else:
            sys.exit(f"taken: {row['why']}")
        print(json.dumps(line, separators=(",", ":")))


def main():
    check_neighbours()
    write(rows())


if __name__ == "__main__":
    sys.exit(main())
