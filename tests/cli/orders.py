"""Messages of an order-by-order feed, and the book that they make, the naive way.

A message is the fields that the exchange would send, under its names, as a dict."""

import uuid
from decimal import Decimal

SECOND = 1_000_000_000
T = 1_780_000_000 * SECOND  # 2026-05-28T20:26:40Z
STEP = 10_000_000  # from one message to the next
LAG = 2_500_000  # of our clock behind the exchange's

TYPES = ["received", "open", "match", "done", "change", "activate", "other"]
REASONS = [None, "limit", "market", "filled", "canceled", "STP", "modify_order", "entry", "loss"]
SIDES = ["buy", "sell"]
# where write.c takes a field, and its bit in enum order_field
PLACES = {
    "order_id": ("order", 0), "maker_order_id": ("order", 0), "taker_order_id": ("other", 32),
    "client_oid": ("other", 32), "trade_id": ("trade", 0), "price": ("price", 1),
    "new_price": ("price", 1), "stop_price": ("price", 1), "size": ("size", 2),
    "remaining_size": ("size", 2), "new_size": ("size", 2), "old_price": ("old_price", 4),
    "old_size": ("old_size", 8), "funds": ("funds", 16), "new_funds": ("funds", 16),
}  # fmt: skip


def id_of(number):
    """An id with letters in it, another one for each number."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, str(number)))


def plain(value):
    """The shortest text of a decimal."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def line_of(message, sequence, time_ns):
    """The message as write.c reads it."""
    words = [f"order id={sequence} time={time_ns} receive={time_ns + LAG}",
             f"type={TYPES.index(message['type'])}"]
    has = 0
    if "side" in message:
        words.append(f"side={SIDES.index(message['side'])}")
    if "reason" in message:
        words.append(f"reason={REASONS.index(message['reason'])}")
    for name, value in message.items():
        if name not in PLACES:
            continue
        place, bit = PLACES[name]
        has |= bit
        if name == "client_oid" and "-" not in value:
            has |= 64
        words.append(f"{place}={str(value).replace('-', '')}")
    return " ".join(words + [f"has={has}"])


class Book:
    """Orders in their queues: side -> price -> [[id, size], ...], the oldest first."""

    def __init__(self):
        self.sides = {side: {} for side in SIDES}

    def find(self, order_id):
        for side, prices in self.sides.items():
            for price, queue in prices.items():
                for entry in queue:
                    if entry[0] == order_id:
                        return side, price, entry
        return None

    def put(self, side, price, order_id, size):
        self.sides[side].setdefault(price, []).append([order_id, size])

    def take(self, side, price, entry):
        queue = self.sides[side][price]
        queue.remove(entry)
        if not queue:
            del self.sides[side][price]

    def quantity(self, side, price):
        return sum((size for _, size in self.sides[side].get(price, [])), Decimal(0))

    def apply(self, message):
        """The prices that the message touched, as [side, price]."""
        found = self.find(message.get("order_id", message.get("maker_order_id")))
        kind = message["type"]
        if kind == "open" and not found:
            price = Decimal(message["price"])
            self.put(message["side"], price, message["order_id"],
                     Decimal(message["remaining_size"]))
            return [[message["side"], price]]
        if not found or kind not in ("match", "done", "change"):
            return []
        side, price, entry = found
        touched = [[side, price]]
        if kind == "done":
            self.take(side, price, entry)
        elif kind == "match":
            entry[1] -= Decimal(message["size"])
            if entry[1] <= 0:
                self.take(side, price, entry)
        else:
            size = Decimal(message.get("new_size", entry[1]))
            target = Decimal(message.get("new_price", price))
            if target != price or size > entry[1]:
                self.take(side, price, entry)
                self.put(side, target, entry[0], size)
                if target != price:
                    touched.append([side, target])
            else:
                entry[1] = size
                if not size:
                    self.take(side, price, entry)
        return touched

    def prices(self, side):
        return sorted(self.sides[side], reverse=side == "buy")

    def orders(self, side, depth=None):
        return [[plain(price), plain(size), order_id] for price in self.prices(side)[:depth]
                for order_id, size in self.sides[side][price]]

    def levels(self, side, depth=None):
        return [[plain(price), plain(self.quantity(side, price))]
                for price in self.prices(side)[:depth]]

    def digest(self):
        """FNV-1a, 64 bits, of each level's texts, added up."""
        total = 0
        for side in SIDES:
            for price, quantity in self.levels(side):
                value = 0xCBF29CE484222325
                for byte in f"{'b' if side == 'buy' else 'a'}{price} {quantity}".encode():
                    value = (value ^ byte) * 0x100000001B3 % 2**64
                total += value
        return f"{total % 2**64:016x}"
