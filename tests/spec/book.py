"""A book, of levels or orders (schema/frame.md), and the digest that schema/record.md defines."""

import bisect

from wire import I64_MAX, LEVELS_MAX, ORDERS_MAX, need

LEVELS, MESSAGE, TRADE, AGGREGATE = range(4)  # what an event is
RECEIVED, OPEN, MATCH, DONE, CHANGE, ACTIVATE, OTHER = range(7)  # what a message is
SELF_TRADE, MODIFIED = 5, 6  # reasons of a change
HAS_PRICE, HAS_SIZE, HAS_OLD_PRICE, HAS_OLD_SIZE, HAS_FUNDS, HAS_OTHER, OTHER_PLAIN = (
    1 << i for i in range(7)
)
SIDES = ("bids", "asks")


def message(what, **fields):
    """An order message; what was not sent is 0, or an empty text."""
    absent = {"side": 0, "reason": 0, "has": 0, "id": bytes(16), "other": bytes(16)}
    absent.update(price=0, size=0, old_price=0, old_size=0, funds="", trade=0)
    return {"type": what, **absent, **fields}


def decimal(value, digits, fixed):
    text = str(abs(value)).rjust(digits + 1, "0")
    whole, part = text[: len(text) - digits], text[len(text) - digits :]
    if not fixed:
        part = part.rstrip("0")
    return ("-" if value < 0 else "") + whole + ("." + part if part else "")


def fnv(text):
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 % (1 << 64)
    return value


class Book:
    """Levels by key: of an ask its price, of a bid -1 - price, so that keys ascend outward."""

    def __init__(self, scale):
        self.scale, self.sum = scale, 0
        self.keys, self.quantities = [[], []], [{}, {}]

    @staticmethod
    def key(side, price):
        return price if side else -1 - price

    price = key  # the same way back

    def quantity(self, side, price):
        return self.quantities[side][price]

    def texts(self, price, quantity):
        digits = self.scale
        return [decimal(price, digits[0], digits[2]), decimal(quantity, digits[1], digits[2])]

    def set(self, side, price, quantity):
        before = self.quantities[side].pop(price, 0)
        for value, sign in ((before, -1), (quantity, 1)):
            if value:
                self.sum += sign * fnv("ba"[side] + " ".join(self.texts(price, value)))
        if quantity:
            self.quantities[side][price] = quantity
        key, keys = self.key(side, price), self.keys[side]
        at = bisect.bisect_left(keys, key)
        if quantity and not before:
            keys.insert(at, key)
        elif before and not quantity:
            keys.pop(at)

    def check_room(self, side, count):
        need(len(self.keys[side]) + count <= LEVELS_MAX, "more levels than a side may have")

    def apply(self, event):
        need(event["type"] != MESSAGE, "an order message to a book of levels")
        for side, name in enumerate(SIDES if event["type"] == LEVELS else ()):
            self.check_room(side, len(event[name]))
            for price, quantity in event[name]:
                self.set(side, price, quantity)

    def levels(self, side):
        """Price and quantity of each level, best first."""
        prices = [self.price(side, key) for key in self.keys[side]]
        return [[price, self.quantities[side][price]] for price in prices]

    def digest(self):
        return f"{self.sum % (1 << 64):016x}"


class OrderBook(Book):
    """Levels that are queues of orders: who stands in front is traded with first."""

    def __init__(self, scale):
        super().__init__(scale)
        self.orders, self.queues = {}, [{}, {}]  # side, price and size by id; ids by price
        self.touched = [{}, {}]  # by the newest message, changed or not: quantities by price

    def add(self, side, price, amount):
        self.touched[side][price] = self.quantities[side].get(price, 0) + amount
        self.set(side, price, self.touched[side][price])

    def put(self, order_id, side, price, size):
        """At the end of the queue of its price."""
        self.check_order(side, price, size)
        self.orders[order_id] = (side, price, size)
        self.queues[side].setdefault(price, []).append(order_id)
        self.add(side, price, size)

    def check_order(self, side, price, size):
        need(len(self.orders) < ORDERS_MAX, "more orders than a book may have")
        self.check_room(side, 1)
        need(self.quantities[side].get(price, 0) + size <= I64_MAX, "a level that is too large")

    def remove(self, order_id):
        side, price, size = self.orders.pop(order_id)
        self.queues[side][price].remove(order_id)
        if not self.queues[side][price]:
            del self.queues[side][price]
        self.add(side, price, -size)

    def resize(self, order_id, size):
        """It keeps its place, unless nothing is left of it."""
        side, price, before = self.orders[order_id]
        if size <= 0:
            self.remove(order_id)
            return
        self.orders[order_id] = (side, price, size)
        self.add(side, price, size - before)

    def apply(self, event):
        need(event["type"] != LEVELS, "an event of levels to a book of orders")
        if event["type"] == MESSAGE:
            self.touched = [{}, {}]
            self.take(event["order"])
            event.update(zip(SIDES, [[list(level) for level in s.items()] for s in self.touched]))

    def take(self, m):
        """What a message does to the book."""
        what, known = m["type"], m["id"] in self.orders
        if known and what in (MATCH, DONE, CHANGE):
            side, price, _ = self.orders[m["id"]]
            self.add(side, price, 0)
        if what == OPEN and not known:
            if m["has"] & HAS_PRICE and m["has"] & HAS_SIZE and m["size"] > 0:
                self.put(m["id"], m["side"], m["price"], m["size"])
        elif what == MATCH and known and m["size"] > 0:
            self.resize(m["id"], self.orders[m["id"]][2] - m["size"])
        elif what == DONE and known:
            self.remove(m["id"])
        elif what == CHANGE and known:
            self.change(m)

    def change(self, m):
        side, price, size = self.orders[m["id"]]
        new_size = max(0, m["size"]) if m["has"] & HAS_SIZE else size
        moved = m["reason"] == MODIFIED and m["has"] & HAS_PRICE
        new_price = m["price"] if moved else price
        if new_size:
            self.check_order(side, new_price, new_size)
        if new_size and (new_price != price or (new_size > size and m["reason"] != SELF_TRADE)):
            self.remove(m["id"])
            self.put(m["id"], side, new_price, new_size)
        else:
            self.resize(m["id"], new_size)
        self.add(side, new_price, 0)

    def rows(self, side):
        """Price, size and id of each order, from the best price outward, as they queue."""
        for price, _ in self.levels(side):
            for order_id in self.queues[side][price]:
                yield [price, self.orders[order_id][2], order_id]
