"""A book: its levels, and the digest that schema/record.md defines."""

import bisect

from wire import LEVELS_MAX, need


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
        for side, name in enumerate(("bids", "asks")):
            self.check_room(side, len(event[name]))
            for price, quantity in event[name]:
                self.set(side, price, quantity)

    def digest(self):
        return f"{self.sum % (1 << 64):016x}"
