#!/usr/bin/env python3
"""Makes v1/refused.jsonl: values that every decoder must refuse though their checksum is right."""

import json
import sys

import obdecode
from wire import write_varint as varint


def signed(value):
    return varint(2 * value if value >= 0 else -2 * value - 1)


def block(heads=None, prices=b"\2", quantities=b"\2"):
    heads = head() if heads is None else heads
    return varint(len(heads)) + varint(len(prices)) + heads + prices + quantities


def head(bits=0, span=0, time=1, delay=1, bids=1, asks=0):
    return varint(bits) + signed(span) + signed(time) + signed(delay) + varint(bids) + varint(asks)


def summary(**other):
    """One event of id 1, at 1 ms, received 1 ms later, one level."""
    fields = {
        "flags": 0,
        "digits": 4,
        "quantity_digits": 3,
        "tick": 1,
        "lot": 1,
        "epoch": 1,
        "segment": 1,
        "events": 1,
        "levels": 1,
        "ids": signed(1) + signed(0),
        "times": signed(1000000) + bytes(3) + signed(1000000) + bytes(1),
    }
    fields.update(other)
    return b"".join(part if isinstance(part, bytes) else varint(part) for part in fields.values())


def frame(
    body=None,
    version=1,
    kind=2,
    method=0,
    packing=0,
    unpacked=None,
    magic=b"OBFR",
    content=None,
    extra=0,
):
    content = block() if content is None else content
    body = (summary() if body is None else body) + content
    unpacked = len(content) if unpacked is None else unpacked
    start = (
        magic
        + bytes([version, kind, method, packing])
        + (24 + len(body) + extra).to_bytes(4, "little")
        + unpacked.to_bytes(4, "little")
    )
    checksum = obdecode.checksum_of(start + bytes(8) + body)
    return start + checksum.to_bytes(8, "little") + body


END = b"\xff" * 9
ZSTD = bytes.fromhex("28b52ffd2000010000")  # one frame, content size 0, one empty raw block
FRAMES = {
    "another magic": frame(magic=b"OBFX"),
    "a size that is not its own": frame(extra=1),
    "kind 0": frame(kind=0),
    "kind 5": frame(kind=5),
    "packing 3": frame(packing=3),
    "an unknown flag": frame(summary(flags=128)),
    "a flag far beyond": frame(summary(flags=1 << 31)),
    "19 price digits": frame(summary(digits=38)),
    "19 quantity digits": frame(summary(quantity_digits=19)),
    "a tick of 0": frame(summary(tick=0)),
    "a tick of 2^63": frame(summary(tick=1 << 63)),
    "a lot of 0": frame(summary(lot=0)),
    "an epoch of 2^32": frame(summary(epoch=1 << 32)),
    "2^32 events": frame(summary(events=1 << 32)),
    "2^32 levels": frame(summary(levels=1 << 32)),
    "a varint above 2^64": frame(summary(segment=END + b"\2")),
    "a varint of eleven bytes": frame(summary(segment=b"\x80" * 10 + b"\0")),
    "a summary that ends early": frame(summary()[:12], content=b""),
    "a block longer than stated": frame(unpacked=len(block()) - 1),
    "a block shorter than stated": frame(unpacked=len(block()) + 1),
    "a packed block that is no zstd": frame(packing=1),
    "a packed block of another size": frame(packing=1, content=ZSTD, unpacked=1),
    "a packed block above the limit": frame(packing=1, content=ZSTD, unpacked=(32 << 20) + 1),
    "no block": frame(content=b""),
    "heads beyond the block": frame(content=b"\x7f\1" + head() + b"\2\2"),
    "prices beyond the block": frame(content=varint(len(head())) + b"\x7f" + head() + b"\2\2"),
    "heads of 2^64 - 1 bytes": frame(content=END + b"\1\1" + head() + b"\2\2"),
    "time unit 3": frame(content=block(head(bits=3 << 3))),
    "delay unit 3": frame(content=block(head(bits=3 << 5))),
    "bits above bit 6": frame(content=block(head(bits=1 << 7))),
    "a head that ends early": frame(content=block(head()[:-1])),
    "more bids than prices": frame(content=block(head(bids=2))),
    "more asks than prices": frame(content=block(head(asks=1))),
    "2^32 + 1 bids": frame(content=block(head(bids=(1 << 32) + 1))),
    "2^64 - 1 asks": frame(content=block(head(bids=1, asks=(1 << 64) - 1))),
    "a time beyond i64": frame(content=block(head(time=1 << 62))),
    "a delay beyond i64": frame(content=block(head(delay=-(1 << 62)))),
    "a price beyond i64": frame(summary(tick=1 << 62), content=block(prices=signed(2))),
    "a quantity beyond i64": frame(summary(lot=1 << 62), content=block(quantities=signed(-3))),
    "a price that is cut": frame(content=block(prices=b"\x80")),
    "a quantity that is missing": frame(content=block(quantities=b"")),
    "a price too many": frame(content=block(prices=b"\2\2")),
    "a quantity too many": frame(content=block(quantities=b"\2\2")),
}
NEWER = {
    "frame version 2": frame(version=2),
    "method 200": frame(method=200),
}
EPOCH = b"\1\0\1\2\4\2\3\1\1\1"
GAP = b"\1\0\0\1" + b"\2\4\6\1" * 2 + b"\0"
MARK = b"\1" + bytes(4) + b"\1" * 19
STREAM = b"\1\1x\1y\0\1"


def changed(value, at, byte):
    return value[:at] + bytes([byte]) + value[at + 1 :]


RECORDS = {
    "streams": {
        "kind 3": changed(STREAM, 5, 3),
        "a flag of 2": changed(STREAM, 6, 2),
        "an exchange of 17 bytes": b"\1\x11" + b"x" * 17 + b"\1y\0\1",
        "a symbol of 65 bytes": b"\1\1x\x41" + b"y" * 65 + b"\0\1",
        "a text with NUL": changed(STREAM, 2, 0),
        "a text beyond the end": changed(STREAM, 3, 9),
    },
    "epochs": {
        "cause 3": changed(EPOCH, 1, 3),
        "19 price digits": changed(EPOCH, 5, 19),
        "19 quantity digits": changed(EPOCH, 6, 19),
        "a flag of 2": changed(EPOCH, 7, 2),
        "a tick of 0": changed(EPOCH, 8, 0),
        "a lot of 0": changed(EPOCH, 9, 0),
        "a tick of 2^63": EPOCH[:8] + END + b"\1\1",
    },
    "gaps": {
        "cause 11": changed(GAP, 1, 11),
        "open 2": changed(GAP, 2, 2),
        "an epoch of 2^32": GAP[:3] + varint(1 << 32) + GAP[4:],
        "a detail of 129 bytes": GAP[:-1] + varint(129) + b"x" * 129,
    },
    "marks": {
        "clean 2": changed(MARK, 1, 2),
        "removed 2": changed(MARK, 2, 2),
        "gap open 2": changed(MARK, 3, 2),
        "timed 255": changed(MARK, 4, 255),
        "an epoch of 2^32": MARK[:9] + varint(1 << 32) + MARK[10:],
    },
}


def main():
    obdecode.read_frame(frame())
    for table, value in (("streams", STREAM), ("epochs", EPOCH), ("gaps", GAP), ("marks", MARK)):
        obdecode.read_value(table, value)
    tables = {"frames": FRAMES, **RECORDS}
    rows = [
        (table, why, value, False) for table, part in tables.items() for why, value in part.items()
    ]
    rows += [("frames", why, value, True) for why, value in NEWER.items()]
    for table, why, value, newer in rows:
        print(
            json.dumps(
                {"table": table, "newer": newer, "why": why, "value": value.hex()},
                separators=(",", ":"),
            )
        )


if __name__ == "__main__":
    sys.exit(main())
