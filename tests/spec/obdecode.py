#!/usr/bin/env python3
"""A second decoder of the record, written from schema/*.md alone: slow, plain, complete.

  obdecode.py records DUMP          every value of a dump, decoded, a JSON object a line
  obdecode.py replay DUMP SYMBOL    every event with a digest, as `obrebuild replay --digest`
  obdecode.py trades DUMP SYMBOL    every trade, as `obrebuild trades`

DUMP is what obdump writes ("-": stdin), its values in the order of the store. Damage ends it with
exit 1 and a line on stderr.

  wire.py      numbers and fields          packing.py   how a block is packed
  book.py      books and digests           texts.py     events as obrebuild prints them
  plain.py, tokens.py, nibbles.py, orders.py, trades.py   a method each
"""

import ctypes
import json
import resource
import sys

from book import LEVELS, MESSAGE, Book, OrderBook
from nibbles import Nibbles
from orders import Orders
from packing import unpack
from plain import Plain
from texts import replay_line, tell_event, trade_line
from tokens import Tokens
from trades import Trades
from wire import I64_MIN, Damage, Newer, Reader, need, wrap

MEMORY_MAX = 3 << 30  # bytes; a hostile dump may ask for more
METHODS = [Plain, Tokens, Nibbles, Orders, Trades]
FLAGS = ["open", "sync", "correction", "bounded_bid", "bounded_ask", "timed", "thinned"]
KINDS = {1: "image", 2: "changes", 3: "headless", 4: "repair"}
CAUSES = [
    "sequence",
    "disconnect",
    "crossed",
    "silent",
    "overflow",
    "stopped",
    "removed",
    "crashed",
    "scale",
    "pruned",
    "missing",
]

xxhash = ctypes.CDLL("libxxhash.so.0")
xxhash.XXH3_64bits.restype = xxhash.XXH3_64bits_withSeed.restype = ctypes.c_uint64
xxhash.XXH3_64bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
xxhash.XXH3_64bits_withSeed.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64]

# ---- frames ----


def checksum_of(data):
    seed = xxhash.XXH3_64bits(data[:16], 16)
    return xxhash.XXH3_64bits_withSeed(data[24:], len(data) - 24, seed)


def read_scale(r):
    price = r.varint(2 * 19)
    scale = [price >> 1, r.varint(19), bool(price & 1), r.varint(1 << 63), r.varint(1 << 63)]
    need(scale[3] and scale[4], "a tick or lot of 0")
    return scale


def read_summary(r, frame):
    u32 = 1 << 32
    bits = r.varint(1 << len(FLAGS))
    frame["flags"] = [name for i, name in enumerate(FLAGS) if bits >> i & 1]
    frame["scale"] = read_scale(r)
    frame["epoch"], frame["segment"] = r.varint(u32), r.varint()
    frame["events"], frame["level_updates"] = r.varint(u32), r.varint(u32)
    frame["first_id"] = r.signed()
    frame["last_id"] = wrap(frame["first_id"] + r.signed())
    first = r.signed()
    last = wrap(first + r.signed())
    frame["first_event_time_ns"], frame["last_event_time_ns"] = first, last
    frame["min_event_time_ns"] = wrap(first + r.signed())
    frame["max_event_time_ns"] = wrap(last + r.signed())
    frame["running_max_ns"] = wrap(first - r.signed()) if "timed" in frame["flags"] else None
    frame["first_receive_time_ns"] = wrap(first + r.signed())
    frame["last_receive_time_ns"] = wrap(frame["first_receive_time_ns"] + r.signed())
    if frame["kind"] not in ("image", "repair"):
        return
    need(frame["events"] == 1, "an image or repair of other than one event")
    frame["corrections"] = r.varint(u32)
    frame["horizon"] = [
        r.signed() if "bounded_" + side in frame["flags"] else None for side in ("bid", "ask")
    ]


def open_frame(data):
    """The head of a frame, and its block unpacked."""
    need(len(data) >= 24 and int.from_bytes(data[8:12], "little") == len(data), "its size is off")
    need(checksum_of(data) == int.from_bytes(data[16:24], "little"), "its checksum is off")
    need(data[:4] == b"OBFR" and data[4], "it is no frame")
    if data[4] > 1 or data[6] >= len(METHODS):
        raise Newer("it is of a newer version or method")
    need(data[5] in KINDS and data[7] < 3, "its kind or packing is none")
    frame = {"kind": KINDS[data[5]], "method": data[6], "packing": data[7]}
    r = Reader(data[24:])
    read_summary(r, frame)
    return frame, unpack(data[7], r.rest(), int.from_bytes(data[12:16], "little"))


class Facts:
    """What the summary must say of the events."""

    def __init__(self):
        self.facts = {"events": 0, "level_updates": 0}

    def add(self, event):
        facts, time = self.facts, event["event_time_ns"]
        facts.setdefault("first_id", event["first_id"])
        facts.setdefault("first_event_time_ns", time)
        facts.setdefault("first_receive_time_ns", event["receive_time_ns"])
        facts["last_id"], facts["last_event_time_ns"] = event["last_id"], time
        facts["last_receive_time_ns"] = event["receive_time_ns"]
        facts["min_event_time_ns"] = min(time, facts.get("min_event_time_ns", time))
        facts["max_event_time_ns"] = max(time, facts.get("max_event_time_ns", time))
        facts["events"] += 1
        count = len(event["bids"]) + len(event["asks"])
        facts["level_updates"] += 1 if event["type"] == MESSAGE else count

    def check(self, frame):
        for key, value in self.facts.items():
            need(frame[key] == value, f"its {key} is not that of its events")


def check_image(frame, event, segment):
    """An image or repair is one event at the running maximum, sorted, without a price twice."""
    time = frame["first_receive_time_ns"]
    time = time if frame["running_max_ns"] is None else frame["running_max_ns"]
    need(event["event_time_ns"] == time, "an image or repair of another time")
    need(event["flags"] == 0 and event["first_id"] == event["last_id"], "an image of many ids")
    need(segment is None or event["last_id"] == segment.id, "a repair of another id")
    least = 0 if METHODS[frame["method"]] is Orders else 1  # how far apart prices are
    for side, sign in (("bids", -1), ("asks", 1)):
        keys = [sign * level[0] for level in event[side]]
        apart = [b - a for a, b in zip(keys, keys[1:])]
        need(not apart or min(apart) >= least, "an image or repair that is not sorted")
        zeros = [level for level in event[side] if not level[1]]
        need(frame["kind"] == "repair" or not zeros, "an image with a quantity of 0")


def make_book(frame):
    """The book, still empty, that an image fills."""
    return (OrderBook if METHODS[frame["method"]] is Orders else Book)(frame["scale"])


class Segment:
    """An image and what was read behind it: the book, and what its method carries."""

    def __init__(self, position, place, frame):
        self.position, self.next, self.place = position, position + 1, place
        self.epoch, self.scale, self.method = frame["epoch"], frame["scale"], frame["method"]
        self.book = make_book(frame)
        self.carried = METHODS[self.method](frame["scale"])
        self.id = frame["last_id"]

    def check(self, position, place, frame):
        """Is the frame the next one of this segment?"""
        need(position == self.next + ("thinned" in frame["flags"]), "a frame before it is missing")
        own = (frame["segment"], place, frame["epoch"], frame["scale"])
        image = (self.position, self.place, self.epoch, self.scale)
        need(own == image, "it is not behind its image")
        need(frame["method"] in (0, self.method), "its method is not that of its image")


class Frames:
    """Reads the frames of a stream, in the order of their positions."""

    def __init__(self):
        self.segment = None

    def read(self, position, place, data):
        """The head of a frame, its events, to be read before the next frame, and their segment."""
        frame, block = open_frame(data)
        segment, self.segment = self.segment, None
        if frame["kind"] == "headless":
            need(frame["method"] == 0, "headless events need a method without a book")
            segment = None
        elif frame["kind"] == "image":
            segment = Segment(position, place, frame)
        elif frame["method"]:
            need(segment, "the book that it needs is not there")
            segment.check(position, place, frame)
        elif segment:
            try:
                segment.check(position, place, frame)
            except Damage:
                segment = None
        return frame, self.events(frame, block, segment), segment

    def events(self, frame, block, segment):
        method = METHODS[frame["method"]](frame["scale"])
        if segment and frame["method"] and frame["kind"] != "image":
            method = segment.carried
        facts = Facts()
        for event in method.events(block, frame, segment and segment.book):
            need(facts.facts["events"] < frame["events"], "more events than its head says")
            facts.add(event)
            if frame["kind"] in ("image", "repair"):
                need(event["type"] == LEVELS, "an image or repair that is a message or trade")
                check_image(frame, event, segment)
            if segment:
                segment.id = event["last_id"]
            yield event
        need(facts.facts["events"], "it holds no event")
        facts.check(frame)
        if segment and frame["kind"] != "image":
            segment.next += ("thinned" in frame["flags"]) + (
                1 if frame["kind"] == "repair" else frame["events"]
            )
        self.segment = segment


def read_frame(data, behind=()):
    """A frame that needs only those in `behind`: the image of position 1 and what follows."""
    frames, position, place = Frames(), 1, None
    for before in behind:
        frame, events, _ = frames.read(position, place, before)
        position += len(list(events))
    frame, events, _ = frames.read(position, place, data)
    return frame, list(events)


# ---- records ----


def read_record_scale(r):
    scale = [r.byte(19), r.byte(19), r.flag(), r.varint(1 << 63), r.varint(1 << 63)]
    need(scale[3] and scale[4], "a tick or lot of 0")
    return scale


FORMS = {
    "flag": Reader.flag,
    "varint": Reader.varint,
    "signed": Reader.signed,
    "u32": lambda r: r.varint(1 << 32),
    "scale": read_record_scale,
    "text16": lambda r: r.text(16),
    "text23": lambda r: r.text(23),
    "text24": lambda r: r.text(24),
    "text47": lambda r: r.text(47),
    "text64": lambda r: r.text(64),
    "text128": lambda r: r.text(128),
    "kind": lambda r: ["l2", "l3", "trades"][r.byte(3)],
    "gap_cause": lambda r: CAUSES[r.byte(len(CAUSES))],
    "epoch_cause": lambda r: ["first", "gap", "scale"][r.byte(3)],
}
GAP = (
    "gap_cause cause, flag open, u32 epoch, signed from_id from_time_ns from_receive_ns, "
    "varint from_position, signed to_id to_time_ns to_receive_ns, varint to_position, "
    "text128 detail"
)
RECORDS = {
    "streams": "text16 exchange, text64 symbol, kind kind, flag sequenced",
    "epochs": "epoch_cause cause, varint position, signed image_id receive_time_ns, scale scale",
    "gaps": GAP,
    "pruned": GAP,
    "marks": "flag clean removed gap_open timed, varint first_position next_position gap_position "
    "last_position, u32 epoch, signed last_id first_event_time_ns last_event_time_ns "
    "last_receive_ns running_max_ns fall_back_ns recorded_until_ns "
    "recorded_until_receive_ns, varint events level_updates images gaps image_bytes "
    "change_bytes",
    "archive": "signed images image_bytes change_bytes",
    "epochs 2": "text24 feed, text128 note",  # behind what version 1 has
    "symbols": "signed valid_from_ns, text16 exchange, text64 symbol, text23 base quote, "
    "text47 tick lot min_quantity min_notional, text23 status, flag trading auction",
}


def read_record(table, data):
    r, value = Reader(data), {}
    version = r.byte()
    need(version, "a version of 0")
    if version > 1 and f"{table} {version}" not in RECORDS:
        raise Newer("it is of a newer version")
    for fields in [table] + [f"{table} {later}" for later in range(2, version + 1)]:
        for part in RECORDS[fields].split(", "):
            form, *names = part.split()
            value.update((name, FORMS[form](r)) for name in names)
    need(not r.left(), "bytes behind the last field")
    return value


def read_value(table, data, major=0, behind=()):
    """A value by itself, a frame behind others."""
    if table == "frames":
        return read_frame(data, behind)
    if table == "marks":
        need(major in (0, 1), "a mark that is none")
        table = ["marks", "archive"][major]
    if table in ("days", "times"):
        need(not data, "a value that should be empty")
        return {}
    if table in ("info", "notes"):
        try:
            return {"text": data.decode()}
        except UnicodeDecodeError as error:
            raise Damage("a text is not UTF-8") from error
    if table not in RECORDS:
        return {"hex": data.hex()}
    return read_record(table, data)


KEY = {"place": str, "table": str, "stream": int, "major": int, "minor": int}


def name_row(row):
    return " ".join(str(row[key]) for key in KEY)


def read_dump(path):
    """The rows of a dump, their values as bytes."""
    with sys.stdin if path == "-" else open(path, encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            need(isinstance(row, dict), "a line that is no object")
            for key, kind in {**KEY, "value": str}.items():
                need(isinstance(row.get(key), kind), f"a line without its {key}")
            row["value"] = bytes.fromhex(row["value"])
            yield row


def decode_rows(rows):
    """Every row with its value decoded."""
    streams = {}
    for row in rows:
        try:
            if row["table"] == "frames":
                frames = streams.setdefault(row["stream"], Frames())
                frame, events, _ = frames.read(row["major"], row["place"], row["value"])
                row["value"] = {"frame": frame, "list": [tell_event(e) for e in events]}
            else:
                row["value"] = read_value(row["table"], row["value"], row["major"])
        except Damage as error:
            raise type(error)(f"{name_row(row)}: {error}") from error
        yield row


# ---- replay ----


def find_stream(rows, symbol, kinds):
    """The number of the first of these kinds that the symbol is recorded as."""
    exchange, _, name = symbol.rpartition(":")
    found = {}
    for row in rows:
        if row["table"] == "streams":
            value = read_value("streams", row["value"])
            if (value["exchange"], value["symbol"]) == (exchange or "binance", name):
                found[value["kind"]] = row["stream"]
    known = [found[kind] for kind in kinds if kind in found]
    need(known, f"{symbol} is not recorded")
    return known[0]


def replayed(rows, symbol, kinds):
    """Each event that a book took: the head of its frame, the event, and the book behind it."""
    rows = list(rows)
    stream = find_stream(rows, symbol, kinds)
    rows = [row for row in rows if row["stream"] == stream]
    times = {(r["place"], r["major"], r["minor"]) for r in rows if r["table"] == "times"}
    order = Order(times)
    frames = sorted((r for r in rows if r["table"] == "frames"), key=lambda r: r["major"])
    for row in frames:
        try:
            yield from order.events(row["major"], row["place"], row["value"])
        except Damage as error:
            raise type(error)(f"{name_row(row)}: {error}") from error


def replay(rows, symbol):
    for frame, event, book in replayed(rows, symbol, ("l3", "l2")):
        yield replay_line(frame, event, book)


def trades(rows, symbol):
    exchange, _, name = symbol.rpartition(":")
    for _, event, book in replayed(rows, symbol, ("trades",)):
        yield {"exchange": exchange or "binance", "symbol": name, **trade_line(event, book)}


class Order:
    """Reads the frames of a stream from its first one and checks that each follows."""

    def __init__(self, times):
        self.times, self.frames = times, Frames()
        self.expected, self.running_max = None, None

    def events(self, position, place, data):
        """Head, event and book of each event that a book took."""
        frame, events, segment = self.frames.read(position, place, data)
        self.check(position, place, frame, segment)
        for event in events:
            self.expected += 1
            if frame["kind"] in ("changes", "headless"):
                known = [
                    time for time in (self.running_max, event["event_time_ns"]) if time is not None
                ]
                self.running_max = max(known)
            if frame["kind"] == "changes":
                yield frame, event, segment.book

    def check(self, position, place, frame, segment):
        thinned = "thinned" in frame["flags"]
        need(self.expected in (None, position - thinned), "a frame before it is missing")
        top = frame["running_max_ns"]
        entry = (place, I64_MIN if top is None else top, position)
        need(entry in self.times, "it is not in the time index")
        need(self.running_max in (None, top), "its running maximum is another")
        need(frame["kind"] != "image" or frame["segment"] == position, "its segment is another")
        need(segment or frame["kind"] == "headless", "it is not behind its image")
        self.expected, self.running_max = position, top


COMMANDS = {"records": decode_rows, "replay": replay, "trades": trades}


def main(words):
    command = COMMANDS.get(words[0]) if words else None
    if not command or len(words) != (2 if command is decode_rows else 3):
        print(__doc__, file=sys.stderr)
        return 2
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
    try:
        rows = read_dump(words[1])
        for line in command(rows, *words[2:]):
            print(json.dumps(line, separators=(",", ":")))
    except (Damage, OSError, ValueError, MemoryError, RecursionError) as error:
        print(f"obdecode: {str(error) or type(error).__name__}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
