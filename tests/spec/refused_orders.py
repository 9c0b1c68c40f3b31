#!/usr/bin/env python3
"""Makes v3/refused.jsonl: what of messages, of methods 3 and 4 and of epochs every decoder must
refuse."""

import sys

import obdecode
import refused
import refused_dense
from orders import COLUMNS
from refused import frame, signed, summary
from refused_dense import bits, dense
from trades import COLUMNS as TRADE_COLUMNS
from wire import write_varint

RAW, TRADE_RAW = COLUMNS - 1, TRADE_COLUMNS - 1
RECEIVED, OPEN, MATCH, DONE, CHANGE, ACTIVATE, OTHER = range(7)


def block(columns, count=COLUMNS):
    return refused_dense.block(columns, count)


def change(columns, **other):
    """The columns with others in their place: column 5 is c5."""
    return {**columns, **{int(name[1:]): content for name, content in other.items()}}


# ---- method 3 ----

# Bids 1 and 2, 4 x 1 and 4 x 2; ask 3, 6 x 3. The prices are keys, the sizes new values.
IMAGE_COLUMNS = {
    0: b"\x23",
    3: b"\0",
    5: b"\2",
    6: b"\1",
    14: b"\0",
    89: bytes(3),
    95: bytes(3),
    96: b"\1\2\3",
    97: b"\1\0\1",
    98: b"\1\1\1",
    RAW: bits(((1 << 64) - 5, 64), (6, 64)),
}


def image(content=None, **other):
    content = block(change(IMAGE_COLUMNS, **other)) if content is None else content
    return dense(content, kind=1, flags=2, levels=3, method=3)


IMAGE = image()


def orders(columns, **other):
    return dense(columns if isinstance(columns, bytes) else block(columns), method=3, **other)


def head(what, place, time_column):
    """Of a message of that class behind the begin of a block: no levels, no time."""
    return {0: bytes([0x20 + place]), 3: b"\0", 5: b"\0", 6: b"\0", time_column: b"\0", **what}


# Bid 2, the last one of its queue, canceled: price and size as known.
DONE_COLUMNS = head(
    {19: b"\x23", 24: b"\3", 31: b"\0", 38: b"\2", 52: b"\0", 59: b"\0", 66: b"\3"}, 2, 13
)
# Bid 4, unknown, opened as 3 x 1: no level is better than a price one tick below 4.
OPEN_COLUMNS = head(
    {
        18: b"\1",
        22: b"\3",
        29: b"\0",
        36: b"\0",
        64: b"\0",
        72: b"\0",
        74: b"\1",
        75: b"\1",
        89: b"\0",
        95: b"\0",
        96: b"\1",
        98: b"\2",
        99: b"\4",
    },
    1,
    12,
)
# Bid 4 was received as 3 x 1, with funds "1" and without an owner's id.
RECEIVED_COLUMNS = head(
    {
        17: b"\x08",
        21: b"\x13",
        28: b"\0",
        63: b"\0",
        72: b"\0",
        74: b"\1",
        75: b"\1",
        88: b"\0",
        95: b"\0",
        96: b"\1",
        98: b"\1",
        107: b"\x011",
    },
    0,
    11,
)
# Ask 3 was traded with: 6 x 3 with order 5, trade 1.
MATCH_COLUMNS = head(
    {
        20: b"\2",
        23: b"\x23",
        30: b"\1",
        37: b"\2",
        51: b"\0",
        58: b"\0",
        65: b"\3",
        70: b"\0",
        71: b"\0",
        98: b"\2",
        99: b"\5",
    },
    3,
    14,
)
OTHER_COLUMNS = head({20: b"\6", 27: b"\0"}, 3, 14)
BLOCK = block(DONE_COLUMNS)


def done(**columns):
    return orders(change(DONE_COLUMNS, **columns))


def opened(**columns):
    return orders(change(OPEN_COLUMNS, **columns))


def received(**columns):
    return orders(change(RECEIVED_COLUMNS, **columns))


def match(**columns):
    return orders(change(MATCH_COLUMNS, **columns))


EMPTY = {"c52": b"", "c59": b"", "c31": b""}
LARGE = {"c95": b"\0", "c96": b"\x7d"}  # 2^63 - 1 as a new value, its 61 bits 1
LARGE_BITS = bits(((1 << 61) - 1, 61))
IMAGES = {
    "an image of 108 columns": image(block(IMAGE_COLUMNS, COLUMNS - 1)),
    "an image with flags": image(c0=b"\x2b", c1=b"\1"),
    "an image with an order too few": image(c6=b"\0"),
    "an image with an order too many": image(c6=b"\2"),
    "an image with a size of 0": image(c96=b"\1\0\3"),
    "an image with a size below 0": image(
        c96=b"\1\x7e\3", c108=bits(((1 << 64) - 5, 64), (0, 62), (6, 64))
    ),
    "an image with an id twice": image(c98=b"\1\1\2", c99=b"\2"),
    "an image with a rank that the list does not have": image(c89=b"\0\0\3", c95=bytes(2)),
    "an image with a price cut": image(c108=bits(((1 << 64) - 5, 64), (6, 56))),
    "an image with naming 3": image(c98=b"\1\1\3"),
    "an image whose level is above 2^63 - 1": image(
        c96=b"\1\x7d\3", c108=bits(((1 << 64) - 5, 64), ((1 << 61) - 1, 61), (6, 64))
    ),
}
MESSAGES = {
    "108 columns": orders(block(DONE_COLUMNS, COLUMNS - 1)),
    "110 columns": orders(block(DONE_COLUMNS, COLUMNS + 1)),
    "sizes that are cut": orders(BLOCK[:80]),
    "a column that is cut": orders(BLOCK[:-1]),
    "bytes behind the columns": orders(BLOCK + b"\0"),
    "no event": orders({}, events=0, levels=0),
    "fewer events than the head says": orders(DONE_COLUMNS, events=2, levels=2),
    "a head with a bid": done(c5=b"\1"),
    "a head with an ask": done(c6=b"\1"),
    "a head without a time": done(c13=b""),
    "a time in the column of another class": done(c13=b"", c14=b"\0"),
    "a receipt beyond i64": done(c0=b"\xa2", c1=b"\0", c3=bytes([108 + 114]), c16=bytes(7)),
    "a type of 7": match(c20=b"\7"),
    "a type of another class": done(c19=b"\1"),
    "a reason of 10": done(c19=b"\x53"),
    "a field that is none": done(c24=b"\x83"),
    "the form of an id that is absent": received(c21=b"\x53"),
    "a field of a message that says nothing": orders(change(OTHER_COLUMNS, c27=b"\1")),
    "a side of 2": done(c31=b"\2"),
    "a side of 2 of an order received": received(c28=b"\2"),
    "a place called 3": done(c38=b"\3"),
    "nobody waits": done(c38=b"\1", c45=b"\0", **EMPTY),
    "a taker that does not wait": match(c70=b"\1", c98=b"", c99=b""),
    "a level that is not there": done(c52=b"\1"),
    "a level of a side that is empty of it": done(c31=b"\1", c52=b"\1"),
    "a place behind the queue": done(c59=b"\2"),
    "a number of 242": done(c52=b"\xf2"),
    "a number without its bits": done(c52=b"\x80"),
    "naming 3": opened(c98=b"\3"),
    "an id that is cut": opened(c98=b"\0", c99=b"", c100=bytes(13), c101=b"\0", c102=b"\0"),
    "an id without its number": opened(c99=b""),
    "the size of a taker that is not there": match(c65=b"\x11"),
    "the size of a taker, of a message without one": done(c66=b"\x13"),
    "two levels before a price": opened(c74=b"\2"),
    "no level where one stands": opened(c72=b"\1", c73=b"\1", c74=b"", c75=b""),
    "a key without its bits": opened(c75=b"\0"),
    "a gap of another class": opened(c75=b"", c87=b"\1"),
    "a rank that the list does not have": opened(c89=b"\1", c95=b"", c96=b""),
    "a bucket of 128": opened(c89=b"\x80", c95=b"", c96=b""),
    "20 zeros": opened(c95=b"\x14"),
    "a value of bucket 128": opened(c96=b"\x80", c108=bytes(8)),
    "funds of 40 bytes": received(c107=b"\x28" + b"1" * 40),
    "funds with a byte 0": received(c107=b"\1\0"),
    "funds that are cut": received(c107=b"\2" + b"1"),
    "a level above 2^63 - 1": opened(
        c72=b"\1", c73=b"\0", c74=b"", c75=b"", c108=LARGE_BITS, **LARGE
    ),
    "an owner's id that is cut": received(c21=b"\x33", c103=bytes(13), c104=b"\0", c105=b"\0"),
    "an owner's count that is missing": received(c21=b"\x73", c106=b"\1"),
    "an old price that is missing": done(c24=b"\7"),
    "8 bits left": done(c108=b"\0"),
    "8 bits left behind the head": done(c16=b"\0"),
    "another segment": orders(DONE_COLUMNS, segment=2),
    "headless messages": orders(DONE_COLUMNS, kind=3),
    "a repair": orders(DONE_COLUMNS, kind=4, flags=2),
    "no image": (b"", orders(DONE_COLUMNS)),
    "an image of levels": (refused_dense.IMAGE, orders(DONE_COLUMNS)),
    "levels behind an image of orders": refused_dense.ask(),
}
LEFT = (2, 4, 20, 25, 32, 39, 46, 53, 60, 67, 70, 71, 72, 73, 74, 87, 91, 95, 96, 97, 98, 99)
MESSAGES.update((f"a byte left in column {i}", done(**{f"c{i}": b"\0"})) for i in LEFT)
MESSAGES.update((f"a byte left in column {i}", done(**{f"c{i}": b"\0"})) for i in range(100, 108))
GIVEN = (19, 24, 31, 38, 52, 59, 66)
MESSAGES.update((f"nothing in column {i}", done(**{f"c{i}": b""})) for i in GIVEN)

# ---- method 4 ----


def trades(columns, **other):
    content = columns if isinstance(columns, bytes) else block(columns, TRADE_COLUMNS)
    return dense(content, method=4, **other)


TRADE_IMAGE_COLUMNS = {0: b"\x20", 2: b"\0", 3: b"\0", 5: b"\0", 6: b"\0", 17: b"\0"}
# An aggregate trade with a bid, 4 x 5, of the fills 1 and 2.
TRADE_EVENT = {
    0: b"\x20",
    2: b"\0",
    3: b"\0",
    5: b"\1",
    6: b"\0",
    17: b"\3",
    18: b"\x08",
    26: b"\0",
    27: b"\0",
    29: b"\0",
    30: b"\4",
    31: b"\0",
    32: b"\2",
    TRADE_RAW: b"\1",
}
TRADE_BLOCK = block(TRADE_EVENT, TRADE_COLUMNS)


def tape(**columns):
    return trades(change(TRADE_IMAGE_COLUMNS, **columns), kind=1, flags=2, levels=0)


def trade(**columns):
    return trades(change(TRADE_EVENT, **columns))


TAPE = tape()
TAPES = {
    "an image with a trade": trades(TRADE_EVENT, kind=1, flags=2),
    "an image with a level": trades(
        change(TRADE_IMAGE_COLUMNS, c5=b"\1"), kind=1, flags=2, levels=1
    ),
    "an image of type 1": tape(c17=b"\1"),
    "an image of 33 columns": trades(
        block(TRADE_IMAGE_COLUMNS, TRADE_COLUMNS - 1), kind=1, flags=2, levels=0
    ),
}
TRADES = {
    "a trade in 33 columns": trades(block(TRADE_EVENT, TRADE_COLUMNS - 1)),
    "a trade in 35 columns": trades(block(TRADE_EVENT, TRADE_COLUMNS + 1)),
    "a trade whose columns are cut": trades(TRADE_BLOCK[:-1]),
    "a byte behind a trade": trades(TRADE_BLOCK + b"\0"),
    "no trade": trades({}, events=0, levels=0),
    "one trade in place of two": trades(TRADE_EVENT, events=2, levels=2),
    "a trade of type 1": trade(c17=b"\1"),
    "a trade of type 4": trade(c17=b"\4"),
    "a trade without a type": trade(c17=b""),
    "an event of nothing with a level": trade(
        c17=b"\0", c18=b"", c26=b"", c27=b"", c29=b"", c30=b"", c31=b"", c32=b"", c33=b""
    ),
    "a trade without a level": trade(c5=b"\0"),
    "a trade with two levels": trade(c6=b"\1"),
    "a trade with two bids": trade(c5=b"\2"),
    "a price in the column of another side": trade(c18=b"", c22=b"\x08"),
    "a price in the column of those together": trade(c18=b"", c19=b"\x08"),
    "a price of 242": trade(c18=b"\xf2"),
    "a trade without a grid": trade(c26=b""),
    "a quantity in the column of those together": trade(c27=b"", c28=b"\0"),
    "a quantity of a rank that is not there": trade(c27=b"\1", c29=b"", c30=b"", c33=b""),
    "a quantity of bucket 128": trade(c27=b"\x80"),
    "a quantity with 20 zeros": trade(c29=b"\x14"),
    "a quantity whose value is of bucket 128": trade(c30=b"\x80", c33=bytes(8)),
    "a quantity without its bits": trade(c33=b""),
    "a first fill that is missing": trade(c31=b""),
    "fills that are missing": trade(c32=b""),
    "the fills of a trade that has none": trade(c17=b"\2"),
    "8 bits left behind a trade": trade(c33=b"\1\0"),
    "a trade of another segment": trades(TRADE_EVENT, segment=2),
    "headless trades": trades(TRADE_EVENT, kind=3),
    "a repair with a trade": trades(TRADE_EVENT, kind=4, flags=2),
    "a trade behind no image": (b"", trades(TRADE_EVENT)),
    "a trade behind an image of orders": (IMAGE, trades(TRADE_EVENT)),
}

# ---- method 0 ----


def plain(bids=0, message=b"", what=1, prices=b"", quantities=b"", more=0, asks=0, kind=2):
    whole = kind in (1, 4)  # received when it happened, and id 1
    heads = refused.head(what << 7 | more, bids=bids, asks=asks, delay=not whole) + message
    fields = {"flags": 2, "times": signed(1_000_000) + bytes(5)} if whole else {}
    content = refused.block(heads, prices, quantities)
    return frame(summary(**fields) + bytes(whole), content=content, kind=kind)


def message(what=DONE, side=0, reason=4, has=0, order_id=bytes(16), fields=b""):
    return bytes([what + 8 * side + 16 * reason, has]) + order_id + fields


def plain_trade(what=2, **other):
    given = {"bids": 1, "prices": b"\2", "quantities": b"\2", **other}
    return plain(what=what, **given)


PLAIN = {
    "bits above bit 8": plain(message=message(), more=1 << 9),
    "a message with a bid": plain_trade(what=1, message=message()),
    "a message with an ask": plain(message=message(), asks=1, prices=b"\2", quantities=b"\2"),
    "a message of type 7": plain(message=message(what=7)),
    "a message with a reason of 10": plain(message=message(reason=10)),
    "a message with bit 7 of has": plain(message=message(has=128)),
    "a message with the form of an id that is absent": plain(message=message(has=64)),
    "a message that says nothing with a price": plain(
        message=message(OTHER, 0, 0, 1, fields=b"\2")
    ),
    "a message that is missing": plain(),
    "a message without has": plain(message=message()[:1]),
    "a message whose id is cut": plain(message=message()[:-1]),
    "a message whose other id is cut": plain(message=message(has=32, fields=bytes(15))),
    "a message without its price": plain(message=message(has=1)),
    "a message without its trade": plain(message=message(MATCH, 0, 0)),
    "a message with funds of 40 bytes": plain(
        message=message(RECEIVED, has=16, fields=b"\x28" + b"1" * 40)
    ),
    "a message with funds that hold a 0": plain(
        message=message(RECEIVED, has=16, fields=b"\x021\0")
    ),
    "a message whose funds are cut": plain(message=message(RECEIVED, has=16, fields=b"\x021")),
    "a byte behind a message": plain(message=message() + b"\0"),
    "a trade of no level": plain(what=2),
    "a trade of two levels": plain_trade(bids=2, prices=b"\2\2", quantities=b"\2\2"),
    "a trade of a bid and an ask": plain_trade(asks=1, prices=b"\2\2", quantities=b"\2\2"),
    "an aggregate trade of no level": plain(what=3, message=b"\0\0"),
    "an aggregate trade without its fills": plain_trade(what=3),
    "an aggregate trade without its last fill": plain_trade(what=3, message=b"\0"),
    "an image that is a message": plain(message=message(), kind=1),
    "an image that is a trade": plain_trade(kind=1),
    "a repair that is a trade": (TAPE, plain_trade(kind=4)),
}
BEHIND = {
    "a message to a book of levels": (refused_dense.IMAGE, plain(message=message())),
    "levels to a book of orders": (IMAGE, plain_trade(what=0)),
    "a message for which there is no room": (
        IMAGE,
        plain(message=message(OPEN, 0, 0, 3, bytes(15) + b"\4", signed(4) + signed((1 << 63) - 1))),
    ),
}

# ---- records ----

EPOCH = b"\2" + refused.EPOCH[1:] + b"\4full" + b"\0"
EPOCHS = {
    "a feed of 25 bytes": EPOCH[:10] + b"\x19" + b"f" * 25 + b"\0",
    "a feed with NUL": EPOCH[:10] + b"\2f\0\0",
    "a feed that is cut": EPOCH[:-2],
    "a note of 129 bytes": EPOCH[:-1] + write_varint(129) + b"n" * 129,
    "no note": EPOCH[:-1],
    "a byte behind the note": EPOCH + b"\0",
    "a feed in version 1": b"\1" + EPOCH[1:],
}


def rows():
    for behind, part in ((b"", IMAGES), (IMAGE, MESSAGES), (b"", TAPES), (TAPE, TRADES)):
        for why, value in part.items():
            before, value = value if isinstance(value, tuple) else (behind, value)
            yield {"table": "frames", "why": why, "value": value, "behind": before}
    for why, value in {**PLAIN, **BEHIND}.items():
        before, value = value if isinstance(value, tuple) else (b"", value)
        yield {"table": "frames", "why": why, "value": value, "behind": before}
    for why, value in EPOCHS.items():
        yield {"table": "epochs", "why": why, "value": value}
    yield {"table": "epochs", "why": "version 3", "value": b"\3" + EPOCH[1:], "newer": True}


def read_order(*frames):
    return obdecode.read_frame(frames[-1], frames[:-1])[1][0]["order"]


def check_neighbours():
    """What the values above differ from is taken, and so they are refused for their reason."""
    number = lambda n: n.to_bytes(16, "big")
    taken = obdecode.read_frame(IMAGE)[1][0]
    assert taken["bids"] == [[4, 1, number(1)], [4, 2, number(2)]]
    assert taken["asks"] == [[6, 3, number(3)]]
    order = read_order(IMAGE, done())
    assert (order["id"], order["price"], order["size"]) == (number(2), 4, 2)
    order = read_order(IMAGE, opened())
    assert (order["id"], order["price"], order["size"]) == (number(4), 3, 1)
    order = read_order(IMAGE, received())
    assert (order["id"], order["funds"], order["reason"]) == (number(1), "1", 1)
    order = read_order(IMAGE, match())
    assert (order["id"], order["other"], order["trade"]) == (number(3), number(5), 1)
    read_order(IMAGE, orders(OTHER_COLUMNS))
    read_order(IMAGE, received(c21=b"\x33", c103=bytes(14), c104=b"\0", c105=b"\0"))
    read_order(IMAGE, received(c107=b"\x27" + b"1" * 39))
    large = obdecode.read_frame(opened(c108=LARGE_BITS, **LARGE), [IMAGE])[1][0]
    assert large["bids"] == [[3, (1 << 63) - 1]]
    assert obdecode.read_frame(TAPE)[1][0]["bids"] == []
    taken = obdecode.read_frame(trade(), [TAPE])[1][0]
    assert (taken["bids"], taken["fills"]) == ([[4, 5]], [1, 2])
    for taken in (
        plain(message=message()),
        plain(message=message(reason=9, has=32, fields=bytes(16))),
        plain(message=message(MATCH, 0, 0, fields=b"\0")),
        plain(message=message(RECEIVED, has=16, fields=b"\x27" + b"1" * 39)),
        plain(message=message(OTHER, 0, 0)),
        plain_trade(),
        plain_trade(what=3, message=b"\0\0"),
        plain_trade(what=0, kind=1),
    ):
        obdecode.read_frame(taken)
    assert obdecode.read_value("epochs", EPOCH)["feed"] == "full"


def main():
    check_neighbours()
    refused_dense.write(rows())


if __name__ == "__main__":
    sys.exit(main())
