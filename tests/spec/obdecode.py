#!/usr/bin/env python3
"""A second decoder of the record, written from schema/*.md alone: slow, plain, complete.

  obdecode.py records DUMP          every value of a dump, decoded, a JSON object a line
  obdecode.py replay DUMP SYMBOL    every event with a digest, as `obrebuild replay --digest` prints

DUMP is what obdump writes ("-": stdin). Damage ends it with exit 1 and a line on stderr.
"""
import ctypes
import json
import sys

I64_MIN, I64_MAX = -(1 << 63), (1 << 63) - 1
BLOCK_MAX, LEVELS_MAX = 32 << 20, 1 << 19
FLAGS = ["open", "sync", "correction", "bounded_bid", "bounded_ask", "timed"]
KINDS = {1: "image", 2: "changes", 3: "headless"}
CAUSES = ["sequence", "disconnect", "crossed", "silent", "overflow", "stopped", "removed",
          "crashed", "scale", "pruned", "missing"]
UNITS = [1_000_000, 1_000, 1]

xxhash = ctypes.CDLL("libxxhash.so.0")
xxhash.XXH3_64bits.restype = xxhash.XXH3_64bits_withSeed.restype = ctypes.c_uint64
xxhash.XXH3_64bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
xxhash.XXH3_64bits_withSeed.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64]
zstd = ctypes.CDLL("libzstd.so.1")
zstd.ZSTD_getFrameContentSize.restype = ctypes.c_uint64
zstd.ZSTD_getFrameContentSize.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
for name in ("ZSTD_decompress", "ZSTD_findFrameCompressedSize"):
    getattr(zstd, name).restype = ctypes.c_size_t
zstd.ZSTD_decompress.argtypes = [ctypes.c_char_p, ctypes.c_size_t] * 2
zstd.ZSTD_findFrameCompressedSize.argtypes = [ctypes.c_char_p, ctypes.c_size_t]


class Damage(Exception):
    pass


class Newer(Damage):
    pass


def need(condition, what):
    if not condition:
        raise Damage(what)


# ---- numbers ----

def wrap(value):
    return (value - I64_MIN) % (1 << 64) + I64_MIN


def divide(a, n):
    return a // n if a >= 0 else -(-a // n)


def fits(value):
    need(I64_MIN <= value <= I64_MAX, "a product leaves 64 bits")
    return value


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def left(self):
        return len(self.data) - self.at

    def take(self, size):
        need(size <= self.left(), "it ends early")
        self.at += size
        return self.data[self.at - size:self.at]

    def byte(self, count=256):
        value = self.take(1)[0]
        need(value < count, "a byte is out of range")
        return value

    def flag(self):
        return bool(self.byte(2))

    def varint(self, limit=1 << 64):
        value = 0
        for shift in range(0, 70, 7):
            byte = self.byte()
            value |= (byte & 0x7f) << shift
            if byte < 0x80:
                need(value < 1 << 64 and value < limit, "a number is out of range")
                return value
        raise Damage("a number of more than ten bytes")

    def signed(self):
        value = self.varint()
        return value >> 1 if value % 2 == 0 else -(value >> 1) - 1

    def text(self, size_max):
        data = self.take(self.varint(size_max + 1))
        need(0 not in data, "a text holds NUL")
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise Damage("a text is not UTF-8") from error


# ---- frames ----

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
    if frame["kind"] != "image":
        return
    frame["corrections"] = r.varint(u32)
    frame["horizon"] = [r.signed() if "bounded_" + side in frame["flags"] else None
                        for side in ("bid", "ask")]


def unpack(packing, packed, size):
    need(size <= BLOCK_MAX, "a block above the limit")
    if packing == 1:
        need(zstd.ZSTD_getFrameContentSize(packed, len(packed)) == size, "the content size is off")
        need(zstd.ZSTD_findFrameCompressedSize(packed, len(packed)) == len(packed),
             "not one zstd frame")
        room = ctypes.create_string_buffer(size + 1)
        need(zstd.ZSTD_decompress(room, size, packed, len(packed)) == size, "zstd refuses it")
        packed = room.raw[:size]
    need(len(packed) == size, "the block is not as long as the head says")
    return packed


def read_frame(data):
    need(len(data) >= 24 and int.from_bytes(data[8:12], "little") == len(data), "its size is off")
    seed = xxhash.XXH3_64bits(data[:16], 16)
    checksum = xxhash.XXH3_64bits_withSeed(data[24:], len(data) - 24, seed)
    need(checksum == int.from_bytes(data[16:24], "little"), "its checksum is off")
    need(data[:4] == b"OBFR" and data[4], "it is no frame")
    if data[4] > 1 or data[6] > 0:
        raise Newer("it is of a newer version or method")
    need(data[5] in KINDS and data[7] < 2, "its kind or packing is none")
    frame = {"kind": KINDS[data[5]], "method": data[6], "packing": data[7]}
    r = Reader(data[24:])
    read_summary(r, frame)
    block = unpack(data[7], r.take(r.left()), int.from_bytes(data[12:16], "little"))
    events = read_block(block, frame["scale"])
    check_frame(frame, events)
    return frame, events


def read_block(block, scale):
    r = Reader(block)
    heads_size, prices_size = r.varint(), r.varint()
    heads, prices = Reader(r.take(heads_size)), Reader(r.take(prices_size))
    quantities = Reader(r.take(r.left()))
    state = {"time": 0, "delay": 0, "last_id": 0, "price": [0, 0]}
    events = []
    while heads.left():
        events.append(read_event(heads, prices, quantities, state, scale))
    need(not prices.left() and not quantities.left(), "levels behind the last event")
    return events


def read_event(heads, prices, quantities, state, scale):
    bits = heads.varint(1 << 7)
    time_unit, delay_unit = bits >> 3 & 3, bits >> 5
    need(time_unit < 3 and delay_unit < 3, "a unit of time that is none")
    flags = heads.varint(1 << 32) if bits & 1 else 0
    jump = heads.signed() if bits & 4 else 0
    first_id = wrap(state["last_id"] + 1 + jump)
    last_id = wrap(first_id + heads.signed())
    times = []
    for before, unit in ((state["time"], UNITS[time_unit]), (state["delay"], UNITS[delay_unit])):
        times.append(fits(wrap(divide(before, unit) + heads.signed()) * unit))
    counts = [heads.varint(), heads.varint()]
    need(sum(counts) <= prices.left() and max(counts) <= LEVELS_MAX, "more levels than there are")
    tick, lot = (1, 1) if bits & 2 else scale[3:]
    sides = []
    for side in (0, 1):
        q = divide(state["price"][side], tick)
        levels = []
        for _ in range(counts[side]):
            q = wrap(q + prices.signed())
            levels.append([fits(q * tick), fits(quantities.signed() * lot)])
        sides.append(levels)
    state.update(time=times[0], delay=times[1], last_id=last_id)
    state["price"] = [s[0][0] if s else p for s, p in zip(sides, state["price"])]
    return {"event_time_ns": times[0], "receive_time_ns": wrap(times[0] + times[1]),
            "first_id": first_id, "last_id": last_id, "flags": flags,
            "bids": sides[0], "asks": sides[1]}


def check_frame(frame, events):
    need(events, "it holds no event")
    first, last, times = events[0], events[-1], [e["event_time_ns"] for e in events]
    facts = {"events": len(events), "first_id": first["first_id"], "last_id": last["last_id"],
             "level_updates": sum(len(e["bids"]) + len(e["asks"]) for e in events),
             "first_event_time_ns": times[0], "last_event_time_ns": times[-1],
             "min_event_time_ns": min(times), "max_event_time_ns": max(times),
             "first_receive_time_ns": first["receive_time_ns"],
             "last_receive_time_ns": last["receive_time_ns"]}
    for key, value in facts.items():
        need(frame[key] == value, f"its {key} is not that of its events")
    if frame["kind"] == "image":
        need(len(events) == 1 and events[0]["flags"] == 0, "an image is one event")
        for side, sign in (("bids", -1), ("asks", 1)):
            keys = [sign * price for price, _ in events[0][side]]
            need(all(a < b for a, b in zip(keys, keys[1:])), "an image that is not sorted")
            need(all(quantity for _, quantity in events[0][side]), "an image with a quantity of 0")


# ---- records ----

def read_record_scale(r):
    scale = [r.byte(19), r.byte(19), r.flag(), r.varint(1 << 63), r.varint(1 << 63)]
    need(scale[3] and scale[4], "a tick or lot of 0")
    return scale


FORMS = {
    "flag": Reader.flag, "varint": Reader.varint, "signed": Reader.signed,
    "u32": lambda r: r.varint(1 << 32), "scale": read_record_scale,
    "text16": lambda r: r.text(16), "text64": lambda r: r.text(64),
    "text128": lambda r: r.text(128),
    "kind": lambda r: ["l2", "l3", "trades"][r.byte(3)],
    "gap_cause": lambda r: CAUSES[r.byte(len(CAUSES))],
    "epoch_cause": lambda r: ["first", "gap", "scale"][r.byte(3)],
}
GAP = ("gap_cause cause, flag open, u32 epoch, signed from_id from_time_ns from_receive_ns, "
       "varint from_position, signed to_id to_time_ns to_receive_ns, varint to_position, "
       "text128 detail")
RECORDS = {
    "streams": "text16 exchange, text64 symbol, kind kind, flag sequenced",
    "epochs": "epoch_cause cause, varint position, signed image_id receive_time_ns, scale scale",
    "gaps": GAP, "pruned": GAP,
    "marks": "flag clean removed gap_open timed, varint first_position next_position gap_position "
             "last_position, u32 epoch, signed last_id first_event_time_ns last_event_time_ns "
             "last_receive_ns running_max_ns fall_back_ns recorded_until_ns "
             "recorded_until_receive_ns, varint events level_updates images gaps image_bytes "
             "change_bytes",
}


def read_record(table, data):
    r, value = Reader(data), {}
    version = r.byte()
    need(version, "a version of 0")
    if version > 1:
        raise Newer("it is of a newer version")
    for part in RECORDS[table].split(", "):
        form, *names = part.split()
        value.update((name, FORMS[form](r)) for name in names)
    need(not r.left(), "bytes behind the last field")
    return value


def read_value(table, data):
    if table == "frames":
        frame, events = read_frame(data)
        return {"frame": frame, "list": events}
    if table in ("days", "times"):
        need(not data, "a value that should be empty")
        return {}
    if table in ("info", "notes"):
        return {"text": data.decode()}
    if table not in RECORDS:
        return {"hex": data.hex()}
    return read_record(table, data)


def read_dump(path):
    with (sys.stdin if path == "-" else open(path, encoding="utf-8")) as lines:
        for line in lines:
            row = json.loads(line)
            try:
                row["value"] = read_value(row["table"], bytes.fromhex(row["value"]))
            except Damage as error:
                key = [row[k] for k in ("place", "table", "stream", "major", "minor")]
                raise type(error)(f"{key}: {error}") from error
            yield row


# ---- replay ----

def decimal(value, digits, fixed):
    text = str(abs(value)).rjust(digits + 1, "0")
    whole, part = text[:len(text) - digits], text[len(text) - digits:]
    if not fixed:
        part = part.rstrip("0")
    return ("-" if value < 0 else "") + whole + ("." + part if part else "")


def fnv(text):
    value = 0xcbf29ce484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001b3 % (1 << 64)
    return value


class Book:
    def __init__(self):
        self.levels, self.sum = [{}, {}], 0
        self.scale = None

    def texts(self, price, quantity):
        digits = self.scale
        return [decimal(price, digits[0], digits[2]), decimal(quantity, digits[1], digits[2])]

    def set(self, side, price, quantity):
        before = self.levels[side].pop(price, 0)
        for value, sign in ((before, -1), (quantity, 1)):
            if value:
                self.sum += sign * fnv("ba"[side] + " ".join(self.texts(price, value)))
        if quantity:
            self.levels[side][price] = quantity

    def apply(self, event):
        for side, key in enumerate(("bids", "asks")):
            for price, quantity in event[key]:
                self.set(side, price, quantity)


def replay(rows, symbol):
    exchange, _, name = symbol.rpartition(":")
    rows = list(rows)
    wanted = {r["stream"] for r in rows if r["table"] == "streams" and r["value"]["symbol"] == name
              and r["value"]["exchange"] == (exchange or "binance") and r["value"]["kind"] == "l2"}
    need(wanted, f"{symbol} is not recorded")
    frames = sorted((r["major"], r["place"], r["value"]["frame"], r["value"]["list"])
                    for r in rows if r["table"] == "frames" and r["stream"] in wanted)
    times = {(r["place"], r["major"], r["minor"]) for r in rows
             if r["table"] == "times" and r["stream"] in wanted}
    book, image, expected, running_max = None, None, frames[0][0] if frames else 0, None
    for position, place, frame, events in frames:
        need(position == expected, f"position {expected} is missing")
        top = I64_MIN if frame["running_max_ns"] is None else frame["running_max_ns"]
        need((place, top, position) in times, f"position {position} is not in the time index")
        need(running_max is None or running_max == top, f"position {position}: running maximum")
        expected += len(events)
        if frame["kind"] == "image":
            book, image = Book(), (position, place, frame["epoch"], frame["scale"])
            book.scale = frame["scale"]
            book.apply(events[0])
            need(frame["segment"] == position, f"position {position}: segment")
            continue
        running_max = max([top] + [e["event_time_ns"] for e in events])
        if frame["kind"] == "headless":
            image = None
            continue
        own = (frame["segment"], place, frame["epoch"], frame["scale"])
        need(own == image, f"position {position}: not behind its image")
        for event in events:
            book.apply(event)
            line = {key: event[key] for key in
                    ("event_time_ns", "receive_time_ns", "first_id", "last_id")}
            line["epoch"] = frame["epoch"]
            for key in ("bids", "asks"):
                line[key] = [book.texts(*level) for level in event[key]]
            line["digest"] = f"{book.sum % (1 << 64):016x}"
            yield line


def main(words):
    if len(words) < 2 or words[0] not in ("records", "replay") or len(words) != 2 + (
            words[0] == "replay"):
        print(__doc__, file=sys.stderr)
        return 2
    rows = read_dump(words[1])
    try:
        for line in rows if words[0] == "records" else replay(rows, words[2]):
            print(json.dumps(line, separators=(",", ":")))
    except (Damage, UnicodeDecodeError, ValueError, KeyError) as error:
        print(f"obdecode: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
