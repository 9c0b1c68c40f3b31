"""Method 0, "plain": schema/frame.md."""

from book import (
    AGGREGATE,
    HAS_FUNDS,
    HAS_OLD_PRICE,
    HAS_OLD_SIZE,
    HAS_OTHER,
    HAS_PRICE,
    HAS_SIZE,
    LEVELS,
    MATCH,
    MESSAGE,
    OTHER,
    OTHER_PLAIN,
    message,
)
from wire import LEVELS_MAX, UNITS, Reader, divide, fits, need, wrap

FUNDS_MAX = 39


class Plain:
    """Nothing is carried from block to block."""

    def __init__(self, scale):
        self.scale = scale

    def events(self, block, frame, book):
        """Each event of the block, applied to the book where there is one."""
        del frame
        r = Reader(block)
        heads_size, prices_size = r.varint(), r.varint()
        heads, prices = Reader(r.take(heads_size)), Reader(r.take(prices_size))
        quantities = Reader(r.rest())
        state = {"time": 0, "delay": 0, "last_id": 0, "price": [0, 0]}
        while heads.left():
            event = self.event(heads, prices, quantities, state)
            if book:
                book.apply(event)
            yield event
        need(not prices.left() and not quantities.left(), "levels behind the last event")

    def event(self, heads, prices, quantities, state):
        bits = heads.varint(1 << 9)
        time_unit, delay_unit, what = bits >> 3 & 3, bits >> 5 & 3, bits >> 7
        need(time_unit < 3 and delay_unit < 3, "a unit of time that is none")
        flags = heads.varint(1 << 32) if bits & 1 else 0
        jump = heads.signed() if bits & 4 else 0
        first_id = wrap(state["last_id"] + 1 + jump)
        last_id = wrap(first_id + heads.signed())
        times = []
        for before, unit in (
            (state["time"], UNITS[time_unit]),
            (state["delay"], UNITS[delay_unit]),
        ):
            times.append(fits(wrap(divide(before, unit) + heads.signed()) * unit))
        counts = [heads.varint(), heads.varint()]
        need(sum(counts) <= prices.left(), "more levels than there are")
        need(max(counts) <= LEVELS_MAX, "more levels than an event may have")
        need(what == LEVELS or sum(counts) == (what != MESSAGE), "another count of levels")
        more = {}
        if what == MESSAGE:
            more["order"] = read_message(heads)
        elif what == AGGREGATE:
            first = wrap(last_id + heads.signed())
            more["fills"] = [first, wrap(first + heads.signed())]
        tick, lot = (1, 1) if bits & 2 else self.scale[3:]
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
        return {
            "event_time_ns": times[0],
            "receive_time_ns": wrap(times[0] + times[1]),
            "first_id": first_id,
            "last_id": last_id,
            "flags": flags,
            "type": what,
            "bids": sides[0],
            "asks": sides[1],
            **more,
        }


def read_message(r):
    what = r.byte()
    m = message(what & 7, side=what >> 3 & 1, reason=what >> 4)
    m["has"] = has = r.byte(128)
    need(m["type"] <= OTHER and m["reason"] < 10, "a type or reason that is none")
    need(has & HAS_OTHER or not has & OTHER_PLAIN, "the form of an id that is absent")
    need(m["type"] != OTHER or not has, "a message that says nothing has a field")
    m["id"] = r.take(16)
    m["other"] = r.take(16) if has & HAS_OTHER else m["other"]
    fields = zip(
        ("price", "size", "old_price", "old_size"),
        (HAS_PRICE, HAS_SIZE, HAS_OLD_PRICE, HAS_OLD_SIZE),
    )
    m.update((name, r.signed()) for name, bit in fields if has & bit)
    if has & HAS_FUNDS:
        funds = r.take(r.varint(FUNDS_MAX + 1))
        need(0 not in funds, "funds with a byte 0")
        m["funds"] = funds.decode("latin-1")
    m["trade"] = r.signed() if m["type"] == MATCH else 0
    return m
