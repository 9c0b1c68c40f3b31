"""Method 4, "trades": schema/trades.md, on the heads of tokens.py."""

import tokens
from book import AGGREGATE, LEVELS, TRADE
from wire import need, wrap

COLUMNS = 34
TYPE, PRICES, GRID, QUANTITIES, ZEROS, VALUES, FIRST, FILLS = 17, 18, 26, 27, 29, 30, 31, 32


class Columns(tokens.Columns):
    count = COLUMNS


class Trades:
    """What is carried from block to block: the list, and the trade before."""

    def __init__(self, scale):
        self.tick, self.quantities = scale[3], tokens.List(ZEROS, VALUES)
        self.price = self.time = self.side = self.last_fill = 0

    def events(self, block, frame, book):
        del book
        need(frame["kind"] != "repair", "a repair of trades")
        columns = Columns(block)
        heads = tokens.Heads(columns, frame)
        while columns.more():
            _, counts, event = heads.event()
            event.update(type=columns.byte(TYPE), bids=[], asks=[])
            need(event["type"] in (LEVELS, TRADE, AGGREGATE), "a type that is no trade's")
            need(sum(counts) == (event["type"] != LEVELS), "another count of levels")
            if event["type"] != LEVELS:
                side = counts[1]
                event["asks" if side else "bids"] = [self.level(columns, event, side)]
            if event["type"] == AGGREGATE:
                event["fills"] = self.fills(columns)
            yield event
        columns.check_end()

    def level(self, columns, event, side):
        """Price and quantity; both go on from the trade before."""
        together = event["event_time_ns"] == self.time
        unit = 1 if columns.byte(GRID) else self.tick
        step = columns.signed(PRICES + 4 * side + 2 * self.side + together)
        self.price = wrap(self.price + step * unit)
        quantity = self.quantities.quantity(columns, columns.byte(QUANTITIES + together))
        self.time, self.side = event["event_time_ns"], side
        return [self.price, quantity]

    def fills(self, columns):
        first = wrap(self.last_fill + 1 + columns.signed(FIRST))
        self.last_fill = wrap(first + columns.signed(FILLS))
        return [first, self.last_fill]
