"""The truth, from what the laboratory sent: shares nothing with the programs under test.

Books are kept as the exchange documents it, from texts; the digest is the documented one."""

import bisect
import gzip
import json
import subprocess

MASK = (1 << 64) - 1


def digest_level(side, price, quantity, cache={}):
    key = (side, price, quantity)
    value = cache.get(key)
    if value is None:
        value = 0xCBF29CE484222325
        for byte in f"{side}{price} {quantity}".encode():
            value = ((value ^ byte) * 0x100000001B3) & MASK
        cache[key] = value
    return value


def number(text):
    """A price as an integer of 10^-8, for comparing only."""
    whole, _, fraction = text.partition(".")
    return int(whole + fraction.ljust(8, "0"))


class Book:
    """One symbol's book: price text -> quantity text, a side each."""

    def __init__(self):
        self.sides = {"b": {}, "a": {}}
        self.prices = {"b": [], "a": []}
        self.digest = 0

    def set(self, side, price, quantity):
        levels = self.sides[side]
        before = levels.get(price)
        if before is not None:
            self.digest -= digest_level(side, price, before)
        if float(quantity) == 0:
            if before is not None:
                del levels[price]
                prices = self.prices[side]
                del prices[bisect.bisect_left(prices, (number(price), price))]
        else:
            if before is None:
                bisect.insort(self.prices[side], (number(price), price))
            levels[price] = quantity
            self.digest += digest_level(side, price, quantity)
        self.digest &= MASK

    def apply(self, bids, asks):
        for price, quantity in bids:
            self.set("b", price, quantity)
        for price, quantity in asks:
            self.set("a", price, quantity)

    def levels(self):
        """Both sides, best first, as obrebuild prints them."""
        bids = [[price, self.sides["b"][price]] for _, price in reversed(self.prices["b"])]
        asks = [[price, self.sides["a"][price]] for _, price in self.prices["a"]]
        return bids, asks

    def best(self):
        bid = self.prices["b"][-1][1] if self.prices["b"] else None
        ask = self.prices["a"][0][1] if self.prices["a"] else None
        return (bid, self.sides["b"].get(bid)), (ask, self.sides["a"].get(ask))


def capture_lines(path):
    """Raw texts of a capture, in order, REST answers included: (symbol or None, text)."""
    for part in str(path).split("+"):
        if part.endswith(".gz"):
            with gzip.open(part, "rt") as file:
                for line in file:
                    yield None, line.split(" ", 1)[1].strip()
            continue
        text = subprocess.run(
            ["zstd", "-dc", part], capture_output=True, check=True
        ).stdout.decode()
        for line in text.splitlines():
            head, _, rest = line.partition(": ")
            if "/depth?" in head:
                yield head.split("symbol=")[1].split("&")[0], rest
            elif rest.startswith("{"):
                yield None, rest


def snapshots(path):
    """The captured images by symbol."""
    found, single = {}, None
    for symbol, text in capture_lines(path):
        if text.startswith('{"lastUpdateId"'):
            if symbol:
                found[symbol] = json.loads(text)
            else:
                single = json.loads(text)
        elif single and '"s":' in text:
            data = json.loads(text)
            found.setdefault(data.get("data", data)["s"], single)
    return found


def emitted(journal):
    """What the laboratory put out: every depthUpdate by symbol, in order, each once."""
    events = {}
    for line in journal:
        if line["t"] != "emit" or "@depth" not in line["stream"]:
            continue
        data = json.loads(line["raw"])
        data = data.get("data", data)
        events.setdefault(data["s"], []).append(data)
    return events


class Truth:
    """A symbol's book after each emitted event: digests for all, whole books on demand."""

    def __init__(self, snapshot, events):
        self.snapshot = snapshot
        self.events = [event for event in events if event["u"] > snapshot["lastUpdateId"]]
        self.early = len(events) - len(self.events)
        self.digests = {}
        for event, book in self.books():
            self.digests[event["u"]] = book.digest

    def books(self):
        book = Book()
        book.apply(self.snapshot["bids"], self.snapshot["asks"])
        for event in self.events:
            book.apply(event["b"], event["a"])
            yield event, book
