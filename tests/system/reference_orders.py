"""Coinbase order by order: the book that the channel `full` describes, in plain Python.

Written from the exchange's documentation alone. Prices and sizes are Decimals that never round;
orders are kept by id, and each price has its queue, oldest first."""

import calendar
import decimal
import re
import time

from reference import MASK, digest_level

EXACT = decimal.Context(
    prec=100, traps=[decimal.Inexact, decimal.InvalidOperation, decimal.Overflow]
)
PLAIN = re.compile(r"[0-9]{1,40}(\.[0-9]{1,40})?")
MOMENT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8})(?:\.([0-9]{1,9}))?Z")
YEARS = range(2009, 2101)
SIDES = {"bids": "b", "asks": "a", "buy": "b", "sell": "a", "bid": "b", "offer": "a"}


class Gap(Exception):
    """Messages are missing."""


def number(text):
    """A plain decimal, as both exchanges write them; ValueError for anything else."""
    if not isinstance(text, str) or not PLAIN.fullmatch(text):
        raise ValueError(f"{text!r} is no plain decimal")
    return EXACT.create_decimal(text)


def shortest(value):
    """No exponent, no zeros that say nothing."""
    return format(value.normalize(EXACT), "f") if value else "0"


def parse_time(text):
    """Nanoseconds since 1970 of an RFC 3339 time in UTC; None if it is none, or not plausible."""
    match = MOMENT.fullmatch(text) if isinstance(text, str) else None
    if not match or int(text[:4]) not in YEARS:
        return None
    try:
        seconds = calendar.timegm(time.strptime(match[1], "%Y-%m-%dT%H:%M:%S"))
    except ValueError:
        return None
    return seconds * 10**9 + int((match[2] or "").ljust(9, "0"))


class Order:
    """One that rests: @side is "b" or "a"."""

    def __init__(self, side, price, size):
        self.side, self.price, self.size = side, price, size


class Orders:
    """One product's book. `apply` takes messages as they follow; `Gap` if one is missing."""

    def __init__(self, image):
        """@image as REST answers it: its order within a price is the queue's."""
        self.sequence = image["sequence"]
        self.orders = {}
        self.queues = {"b": {}, "a": {}}  # price -> {order id: None}, oldest first
        self.sums = {"b": {}, "a": {}}  # price -> size of all its orders
        self.digest = 0  # of the book by levels
        for key in ("bids", "asks"):
            for price, size, order_id in image[key]:
                self.add(order_id, SIDES[key], number(price), number(size))

    # ---- single changes ----

    def add(self, order_id, side, price, size):
        """At the end of the queue."""
        if order_id in self.orders or size <= 0:
            return
        self.orders[order_id] = Order(side, price, size)
        self.queues[side].setdefault(price, {})[order_id] = None
        self.count(side, price, size)

    def remove(self, order_id):
        order = self.orders.pop(order_id, None)
        if order:
            queue = self.queues[order.side][order.price]
            del queue[order_id]
            if not queue:
                del self.queues[order.side][order.price]
            self.count(order.side, order.price, order.size.copy_negate())

    def resize(self, order_id, size):
        """Where it stands; with nothing left it is gone."""
        order = self.orders[order_id]
        if size <= 0:
            self.remove(order_id)
            return
        self.count(order.side, order.price, EXACT.subtract(size, order.size))
        order.size = size

    def count(self, side, price, change):
        """A level's size has changed."""
        before = self.sums[side].get(price)
        after = EXACT.add(before or decimal.Decimal(0), change)
        if before:
            self.digest -= digest_level(side, shortest(price), shortest(before))
        if after:
            self.sums[side][price] = after
            self.digest += digest_level(side, shortest(price), shortest(after))
        else:
            del self.sums[side][price]
        self.digest &= MASK

    # ---- messages ----

    def apply(self, message):
        """Late ones, and those that the exchange does not count, do nothing."""
        sequence = message.get("sequence")
        if sequence is None or sequence <= self.sequence:
            return
        if sequence != self.sequence + 1:
            raise Gap(f"{self.sequence + 1} to {sequence - 1}")
        self.sequence = sequence
        kind = message["type"]
        if kind == "open":
            self.add(
                message["order_id"],
                SIDES[message["side"]],
                number(message["price"]),
                number(message["remaining_size"]),
            )
        elif kind == "match":
            self.match(message)
        elif kind == "change":
            self.change(message)
        elif kind == "done":
            self.remove(message["order_id"])

    def match(self, message):
        order = self.orders.get(message["maker_order_id"])
        if order:
            left = EXACT.subtract(order.size, number(message["size"]))
            self.resize(message["maker_order_id"], left)

    def change(self, message):
        """What is smaller keeps its place, unless its price is a new one. Self-trade prevention
        ("STP") only ever changes the size. What is not said stays."""
        order_id = message["order_id"]
        order = self.orders.get(order_id)
        if not order:
            return
        size, price = order.size, order.price
        if message.get("new_size") is not None:
            size = number(message["new_size"])
        if message.get("reason") != "STP":
            if message.get("new_price") is not None:
                price = number(message["new_price"])
            if price != order.price or size > order.size:
                self.remove(order_id)
                self.add(order_id, order.side, price, size)
                return
        self.resize(order_id, size)

    # ---- what it is ----

    def prices(self, side):
        """Best first."""
        return sorted(self.queues[side], reverse=side == "b")

    def best(self, side):
        queues = self.queues[side]
        return (max if side == "b" else min)(queues) if queues else None

    def is_crossed(self):
        bid, ask = self.best("b"), self.best("a")
        return bid is not None and ask is not None and bid >= ask

    def book(self):
        """As obrebuild prints it: [price, size, order id], best first, oldest first."""
        return {
            key: [
                [shortest(price), shortest(self.orders[order_id].size), order_id]
                for price in self.prices(SIDES[key])
                for order_id in self.queues[SIDES[key]][price]
            ]
            for key in ("bids", "asks")
        }

    def levels(self):
        """By price: [price, size], best first."""
        return {
            key: [
                [shortest(price), shortest(self.sums[SIDES[key]][price])]
                for price in self.prices(SIDES[key])
            ]
            for key in ("bids", "asks")
        }


class History:
    """Every book that a product has had: an image, and the messages behind it."""

    def __init__(self, image, messages):
        """@messages: (receive time, message), in any order, repeated or not. `Gap` where one behind
        the image is missing."""
        self.image = image
        by_sequence = {}
        for receive_ns, message in messages:
            if (message.get("sequence") or 0) > image["sequence"]:
                by_sequence.setdefault(message["sequence"], (receive_ns, message))
        self.messages = [by_sequence[sequence] for sequence in sorted(by_sequence)]
        for expected, (_, message) in enumerate(self.messages, image["sequence"] + 1):
            if message["sequence"] != expected:
                raise Gap(f"{expected} to {message['sequence'] - 1}")
        self.now = Orders(image)

    def books(self):
        """After each message: (receive time, message, the book; it goes on changing)."""
        orders = Orders(self.image)
        for receive_ns, message in self.messages:
            orders.apply(message)
            yield receive_ns, message, orders

    def at(self, sequence):
        """The orders after that message; valid until the next call."""
        if sequence < self.now.sequence:
            self.now = Orders(self.image)
        begin = self.now.sequence - self.image["sequence"]
        for _, message in self.messages[begin : sequence - self.image["sequence"]]:
            self.now.apply(message)
        assert self.now.sequence == sequence, f"no book at {sequence}"
        return self.now

    def book(self, sequence):
        return self.at(sequence).book()

    def levels(self, sequence):
        return self.at(sequence).levels()

    def digests(self):
        """By sequence: of the book by levels, after that message."""
        return {orders.sequence: orders.digest for _, _, orders in self.books()}

    def sequence_at(self, time_ns, clock="exchange"):
        """Of the last message, in their order, at or before that time; None before the first."""
        for receive_ns, message in reversed(self.messages):
            at_ns = receive_ns if clock == "receive" else event_time(message, receive_ns)
            if at_ns <= time_ns:
                return message["sequence"]
        return None


def event_time(message, receive_ns):
    """The exchange's own time, or ours where it tells none."""
    found = parse_time(message.get("time"))
    return receive_ns if found is None else found
