"""Method 3, "orders": schema/orders.md, and the heads of messages of schema/tokens.md."""

import tokens
from book import (
    ACTIVATE,
    CHANGE,
    DONE,
    HAS_FUNDS,
    HAS_OLD_PRICE,
    HAS_OLD_SIZE,
    HAS_OTHER,
    HAS_PRICE,
    HAS_SIZE,
    LEVELS,
    MATCH,
    MESSAGE,
    OPEN,
    OTHER,
    OTHER_PLAIN,
    RECEIVED,
    SIDES,
    message,
)
from wire import ORDERS_MAX, need, wrap

COLUMNS = 109
WHAT, HAS, SIDE, WHERE, WAITING, LEVEL, PLACE, SAME = 17, 21, 28, 35, 42, 49, 56, 63
TAKER, TRADE, STANDS, RANK_OLD, RANK_NEW, GAP = 70, 71, 72, 73, 74, 75
SIZES, ZEROS, VALUES = 88, 95, 96
QUEUES, NAMING, NUMBERS, ID, OWNER_ID, COUNTER, FUNDS = 97, 98, 99, 100, 103, 106, 107
FOLLOWING = [[1, 0, 2, 3], [2, 1, 0, 3], [0, 2, 1, 3], [0, 1, 2, 3]]  # classes, by the one before
CLASSES = {RECEIVED: 0, OPEN: 1, DONE: 2}  # of all others 3
UNKNOWN, KNOWN_TO_WAIT, RESTING = 0, 1, 2  # where an order is
SAME_TAKER = 16
WAITING_MAX, FUNDS_MAX, WORDS = 1024, 39, 1 << 64


def digits(number):
    return number.bit_length()


class Columns(tokens.Columns):
    count = COLUMNS


class Heads(tokens.Heads):
    """As those of tokens.py, but for the times and the class."""

    def __init__(self, columns, frame):
        super().__init__(columns, frame)
        self.receive_time = frame["first_receive_time_ns"]
        self.delay_unit, self.message_class = 0, 3

    def times(self, bits):
        c = self.columns
        self.message_class = FOLLOWING[self.message_class][bits & 3]
        step = c.number(11 + self.message_class)
        step = -step if bits & 64 else step
        self.event_time = tokens.step_time(self.event_time, step, self.time_unit)
        self.receive_time = tokens.step_time(self.receive_time, c.signed(3), self.delay_unit)
        return self.receive_time


class Waiting:
    """Orders that were heard of and do not rest in the book, the newest one last."""

    def __init__(self):
        self.row = []

    def at(self, rank):
        need(rank < len(self.row), "the rank of an order that does not wait")
        return self.row[-1 - rank]

    def add(self, order_id, side, price, size):
        if len(self.row) == WAITING_MAX:
            del self.row[0]
        self.row.append({"id": order_id, "side": side, "price": price, "size": size})

    def remove(self, order):
        self.row = [other for other in self.row if other is not order]


class Orders:
    """What is carried from block to block: list, waiting orders and what came last."""

    def __init__(self, scale):
        self.tick = scale[3]
        self.sizes, self.waiting = tokens.List(ZEROS, VALUES), Waiting()
        self.last_number, self.last_plain, self.last_trade = 0, bytes(16), 0

    def events(self, block, frame, book):
        """Each event of the block, applied to the book."""
        need(frame["kind"] != "repair", "a repair of orders")
        self.columns, self.orders = Columns(block), book
        heads = Heads(self.columns, frame)
        while self.columns.more():
            _, counts, event = heads.event()
            if frame["kind"] == "image":
                need(event["flags"] == 0, "an image with flags")
                event["type"] = LEVELS
                event.update(zip(SIDES, [self.image(side, counts[side]) for side in (0, 1)]))
            else:
                need(counts == [0, 0], "a message with levels")
                event.update(type=MESSAGE, bids=[], asks=[])
                event["order"] = self.message(heads.message_class)
                book.apply(event)
            yield event
        self.columns.check_end()

    # ---- an image ----

    def image(self, side, count):
        """The orders of a side, put into the book."""
        need(count <= ORDERS_MAX, "more orders than a book may have")
        key, rows = 0, []
        for _ in range(count):
            n = self.columns.number(QUEUES)
            if n == 1:
                key = wrap(self.columns.raw(64))
            elif n:
                key = wrap(key + (n - 1) * self.tick)
            price = self.orders.price(side, key)
            size = self.sizes.quantity(self.columns, self.columns.byte(SIZES + 1))
            order_id = self.id()
            need(size > 0, "an order without a size")
            need(order_id not in self.orders.orders, "an order that is there already")
            self.orders.put(order_id, side, price, size)
            rows.append([price, size, order_id])
        return rows

    # ---- a message ----

    def message(self, message_class):
        """The next message; what waits is changed, the book not yet."""
        c = self.columns
        reason, what = divmod(c.byte(WHAT + message_class), 8)
        need(what <= OTHER and reason < 10, "a type or reason that is none")
        need(CLASSES.get(what, 3) == message_class, "a type of another class")
        has = c.byte(HAS + what, 128)
        need(has & HAS_OTHER or not has & OTHER_PLAIN, "the form of an id that is absent")
        m = message(what, reason=reason, has=has)
        if what == OTHER:
            need(not has, "a message that says nothing has a field")
            return m
        where, known = self.which(m)
        taker = self.match(m) if what == MATCH else None
        if what != MATCH and has & HAS_OTHER:
            m["other"] = self.owner_id(has & OTHER_PLAIN)
        self.fields(m, known, taker)
        self.wait(m, where, known, taker)
        return m

    def which(self, m):
        """Id and side into the message; where the order is, and what is known of it."""
        c, what = self.columns, m["type"]
        known = {"price": 0, "size": 0}
        where = UNKNOWN if what in (RECEIVED, ACTIVATE) else c.byte(WHERE + what, 3)
        if where == KNOWN_TO_WAIT:
            known = self.waiting.at(c.number(WAITING + what))
            m.update(id=known["id"], side=known["side"])
            return where, known
        m["side"] = c.byte(SIDE + what, 2)
        if where == UNKNOWN:
            m["id"] = self.id()
            return where, known
        m["id"] = self.resting_id(what, m["side"])
        _, price, size = self.orders.orders[m["id"]]
        return where, {"price": price, "size": size}

    def resting_id(self, what, side):
        level = self.columns.number(LEVEL + what)
        need(level < len(self.orders.keys[side]), "a level that is not there")
        price = self.orders.price(side, self.orders.keys[side][level])
        queue = self.orders.queues[side][price]
        place = self.columns.number(PLACE + what)
        need(place < len(queue), "a place behind the queue")
        return queue[place if what == MATCH else -1 - place]

    def id(self):
        c = self.columns
        naming = c.byte(NAMING, 3)
        if naming == 0:
            return self.bytes(ID)
        number = (self.last_number + 1) % WORDS if naming == 1 else c.number(NUMBERS)
        self.last_number = max(self.last_number, number)
        return bytes(8) + number.to_bytes(8, "big")

    def bytes(self, column):
        """16 of them, the seventh and ninth in columns of their own."""
        c = self.columns
        parts = [column + 1 if i == 6 else column + 2 if i == 8 else column for i in range(16)]
        return bytes(c.byte(part) for part in parts)

    def owner_id(self, plain):
        if not plain:
            return self.bytes(OWNER_ID)
        if self.columns.byte(COUNTER) == 0:
            self.last_plain = self.bytes(OWNER_ID)
        else:
            half = int.from_bytes(self.last_plain[8:], "big") + self.columns.signed(COUNTER)
            self.last_plain = self.last_plain[:8] + (half % WORDS).to_bytes(8, "big")
        return self.last_plain

    def match(self, m):
        """Its trade and the other id; the waiting order that it is of, if any."""
        m["trade"] = self.last_trade = wrap(self.last_trade + 1 + self.columns.signed(TRADE))
        if not m["has"] & HAS_OTHER:
            return None
        n = self.columns.number(TAKER)
        if n == 0:
            m["other"] = self.id()
            return None
        taker = self.waiting.at(n - 1)
        m["other"] = taker["id"]
        return taker

    def fields(self, m, known, taker):
        c, has = self.columns, m["has"]
        same = c.byte(SAME + m["type"])
        need(taker or not same & SAME_TAKER, "the size of a taker that is not there")
        if has & HAS_PRICE:
            m["price"] = known["price"] if same & HAS_PRICE else self.price(m["side"])
        if has & HAS_SIZE:
            if same & HAS_SIZE:
                m["size"] = known["size"]
            elif same & SAME_TAKER:
                m["size"] = taker["size"]
            else:
                m["size"] = self.sizes.quantity(c, c.byte(SIZES + m["type"]))
        if has & HAS_OLD_PRICE:
            m["old_price"] = known["price"] if same & HAS_OLD_PRICE else c.signed(NUMBERS)
        if has & HAS_OLD_SIZE:
            m["old_size"] = known["size"] if same & HAS_OLD_SIZE else c.signed(NUMBERS)
        if has & HAS_FUNDS:
            m["funds"] = self.funds()

    def price(self, side):
        c, keys = self.columns, self.orders.keys[side]
        stands = c.byte(STANDS) != 0
        rank = c.number(RANK_OLD if stands else RANK_NEW)
        need(rank <= len(keys), "more levels before a price than there are")
        following = keys[rank] if rank < len(keys) else None
        previous = keys[rank - 1] if rank else None
        if stands:
            need(following is not None, "no level stands where one should")
            return self.orders.price(side, following)
        return self.orders.price(side, self.new_key(previous, following))

    def new_key(self, previous, following):
        gap = 12
        if previous is not None:
            between = 0 if following is None else (following - previous) // self.tick
            gap = min(11, digits(between))
        t = self.columns.number(GAP + gap)
        if t == 0:
            return wrap(self.columns.raw(64))
        if previous is None and following is not None:
            return wrap(following - t * self.tick)
        return wrap((previous or 0) + t * self.tick)

    def funds(self):
        size = self.columns.byte(FUNDS, FUNDS_MAX + 1)
        text = bytes(self.columns.byte(FUNDS) for _ in range(size))
        need(0 not in text, "funds with a byte 0")
        return text.decode("latin-1")

    def wait(self, m, where, known, taker):
        """Who waits behind the message."""
        what = m["type"]
        if what == RECEIVED:
            self.waiting.add(m["id"], m["side"], m["price"], m["size"])
        elif what in (OPEN, DONE) and where == KNOWN_TO_WAIT:
            self.waiting.remove(known)
        elif what == MATCH:
            if taker:
                taker["size"] = wrap(taker["size"] - m["size"])
            if where == RESTING and m["size"] >= known["size"]:
                self.waiting.add(m["id"], m["side"], known["price"], 0)
        elif what == CHANGE and where == KNOWN_TO_WAIT:
            known.update(price=m["price"], size=m["size"])
