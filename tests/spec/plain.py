"""Method 0, "plain": schema/frame.md."""

from wire import LEVELS_MAX, UNITS, Reader, divide, fits, need, wrap


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
        bits = heads.varint(1 << 7)
        time_unit, delay_unit = bits >> 3 & 3, bits >> 5
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
            "bids": sides[0],
            "asks": sides[1],
        }
