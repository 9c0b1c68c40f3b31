"""A client of the laboratory's Coinbase, and its captures as plain Python has them."""
import base64
import hashlib
import hmac
import json
import time
from decimal import Decimal

from lab_captures import ADVANCED, FULL, LEVEL2, find_data, read_lines
from lab_client import TEXT, WebSocket

KEY, PASSPHRASE = "KEY", "PASS"
SECRET = base64.b64encode(b"a" * 64).decode()
KEYED = ["--coinbase-key", KEY, "--coinbase-secret", SECRET, "--coinbase-passphrase", PASSPHRASE]
AGENT = {"User-Agent": "test"}
NEEDS_KEY = ("level2, level3, and full channels now require authentication. "
             "https://docs.cloud.coinbase.com/exchange/docs/websocket-auth")
BTC = "BTC-USD"


def need(names):
    for name in names:
        assert find_data(name), f"{name} belongs into tests/data"


def read_level2():
    """The raw messages of the exchange feed, in order."""
    need(LEVEL2)
    return [raw for _, _, raw in (line.partition(b" ") for line in read_lines(LEVEL2))
            if raw.startswith(b'{"type"')]


def read_full():
    """The rows of the image, parsed, and the raw messages."""
    need(FULL)
    rows, messages = [], []
    for line in read_lines(FULL):
        raw = line[24:]
        if b'"time": ""' in raw:
            rows.append(json.loads(raw))
        elif raw:
            messages.append(raw)
    return rows, messages


def image_of(rows):
    """The rows of the image as REST answers it."""
    image = {"sequence": rows[0]["sequence"], "bids": [], "asks": []}
    for row in rows:
        image["bids" if row["side"] == "buy" else "asks"].append(
            [row["price"], row["remaining_size"], row["order_id"]])
    return image


def read_advanced():
    need(ADVANCED)
    records = [json.loads(line) for line in read_lines(ADVANCED) if line]
    return [record["data"] for record in records if record["t"] == "recv"]


def sign(text, stamp=None, secret=SECRET):
    """(timestamp, signature)"""
    stamp = stamp or str(time.time())
    digest = hmac.new(base64.b64decode(secret), (stamp + text).encode(), hashlib.sha256).digest()
    return stamp, base64.b64encode(digest).decode()


def signed(message, **other):
    stamp, signature = sign("GET/users/self/verify", other.pop("stamp", None))
    return {**message, "key": KEY, "passphrase": PASSPHRASE, "timestamp": stamp,
            "signature": signature, **other}


class Feed(WebSocket):
    """A connection to the feeds of Coinbase."""

    def __init__(self, lab, **more):
        super().__init__(lab, "/", **more)

    def say(self, message):
        self.send(TEXT, json.dumps(message).encode())

    def subscribe(self, channels, products=(BTC,), with_key=False, **more):
        """What the exchange answers to it."""
        message = {"type": "subscribe", "product_ids": list(products), "channels": channels, **more}
        self.say(signed(message) if with_key else message)
        return self.json()

    def take(self, count):
        return [self.text() for _ in range(count)]

    def advanced(self, channel, products):
        self.say({"type": "subscribe", "channel": channel, "product_ids": list(products)})


class Levels:
    """A book by price, of either feed."""

    def __init__(self, snapshot):
        self.sides = {"buy": {}, "sell": {}}
        if "updates" in snapshot:
            self.update(snapshot)
        else:
            for side, key in (("buy", "bids"), ("sell", "asks")):
                self.sides[side] = {price: size for price, size, *_ in snapshot[key]}

    def apply(self, message):
        for side, price, size in message["changes"]:
            self.set(side, price, size)

    def update(self, event):
        for one in event["updates"]:
            side = {"bid": "buy", "offer": "sell"}[one["side"]]
            self.set(side, one["price_level"], one["new_quantity"])

    def set(self, side, price, size):
        if Decimal(size) == 0:
            self.sides[side].pop(price, None)
        else:
            self.sides[side][price] = size

    def best(self, side):
        return (max if side == "buy" else min)(map(Decimal, self.sides[side]))


class Orders:
    """A book by order: id to [side, price, size], in the order of arrival."""

    def __init__(self, image):
        self.sequence = image["sequence"]
        self.orders = {}
        for side, key in (("buy", "bids"), ("sell", "asks")):
            for price, size, order in image[key]:
                self.orders[order] = [side, Decimal(price), Decimal(size)]

    def apply(self, message):
        if message["sequence"] <= self.sequence:
            return
        assert message["sequence"] == self.sequence + 1, "a gap"
        self.sequence = message["sequence"]
        order = self.orders.get(message.get("order_id"))
        if message["type"] == "open":
            self.orders[message["order_id"]] = [
                message["side"], Decimal(message["price"]), Decimal(message["remaining_size"])]
        elif message["type"] == "done" and order:
            del self.orders[message["order_id"]]
        elif message["type"] == "match" and message["maker_order_id"] in self.orders:
            self.orders[message["maker_order_id"]][2] -= Decimal(message["size"])

    def side(self, side):
        """[price, size, order] best first, and in queue order."""
        rows = [(price, size, order) for order, (of, price, size) in self.orders.items()
                if of == side and size]
        return sorted(rows, key=lambda row: -row[0] if side == "buy" else row[0])

    def equals(self, image):
        return self.sequence == image["sequence"] and all(
            self.side(side) == [(Decimal(price), Decimal(size), order)
                                for price, size, order in image[key]]
            for side, key in (("buy", "bids"), ("sell", "asks")))

    def levels(self, side):
        sums = {}
        for price, size, _ in self.side(side):
            sums[price] = sums.get(price, 0) + size
        return sums


def book(lab, product=BTC, level=3):
    status, _, body = lab.get(f"/products/{product}/book?level={level}", headers=AGENT)
    assert status == 200, body[:200]
    return json.loads(body)
