"""The bundled captures as plain Python has them, and the plainest book."""
import gzip
import json
import os
import subprocess
from decimal import Decimal

from lab_client import WebSocket

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "..", "data")
PROGRAM = os.path.abspath(os.environ.get("OBLAB", os.path.join(HERE, "..", "..", "build", "oblab")))

BTC = ["binance_spot_btcusdt_20240808.gz", "binance_spot_btcusdt_20240809.gz"]
TEN = ["binance_spot_20210405_10sym.txt.zst"]
FOUR = ["binance_spot_20210814_4sym.ws.txt.zst", "binance_spot_20210814_4sym.http.txt.zst"]
US = ["binance_us_20210405_10sym.txt.zst"]


LEVEL2 = ["coinbase_level2_20210417_10prod.txt.zst"]
ADVANCED = ["coinbase_advanced_20260809_btc_eth.jsonl.zst"]
FULL = ["coinbase_full_btcusd_20160312_part1.txt.zst"]
PRODUCTS = ["coinbase_products_20210417.txt.zst"]


def find_data(name):
    """A bundled file, or one in a folder of captures beside the checkout; None without it."""
    beside = os.path.abspath(os.path.join(HERE, "..", "..", ".."))
    folders = [os.path.join(beside, one, "data") for one in sorted(os.listdir(beside))]
    for folder in [DATA, *folders]:
        if os.path.exists(os.path.join(folder, name)):
            return os.path.join(folder, name)
    return None


def capture(names):
    """The argument for the laboratory; None if a file is not there."""
    paths = [find_data(name) for name in names]
    return None if None in paths else "+".join(paths)


def read_lines(names):
    for name in names:
        path = find_data(name)
        if name.endswith(".gz"):
            with gzip.open(path) as file:
                yield from (line.rstrip(b"\n") for line in file)
        else:
            text = subprocess.run(["zstd", "-dcq", path], check=True, capture_output=True).stdout
            yield from text.split(b"\n")


def read_capture(names):
    """The raw stream messages in order, and the images by symbol."""
    messages, images = [], {}
    for line in read_lines(names):
        if line.startswith(b"http") and b" -> " in line:
            url, _, body = line.partition(b" -> ")
            symbol = url.split(b"symbol=")[1].split(b"&")[0].decode()
            images[symbol] = json.loads(body.split(b": ", 1)[1])
            continue
        raw = line.partition(b" ")[2]
        if raw.startswith(b'{"stream"'):
            messages.append(raw)
        elif raw.startswith(b'{"lastUpdateId"'):
            images["BTCUSDT"] = json.loads(raw)
    return messages, images


def stream_of(raw):
    return raw[11:raw.index(b'"', 11)].decode()


DEPTH = "btcusdt@depth@100ms"
FILES = {"btc": BTC, "ten": TEN, "four": FOUR, "us": US, "level2": LEVEL2, "advanced": ADVANCED,
         "full": FULL, "products": PRODUCTS}


def subscribe(lab, messages, path="/stream"):
    """A connection that has every stream of @messages, and has asked for each depth."""
    streams = sorted({stream_of(raw) for raw in messages})
    ws = WebSocket(lab, path)
    ws.command("SUBSCRIBE", streams)
    while True:
        text = ws.text()
        if text == b'{"result":null,"id":1}':
            break
        raise AssertionError(f"data before the acknowledgement: {text[:100]}")
    for symbol in sorted({name.split("@")[0].upper() for name in streams if "@depth" in name}):
        lab.depth(symbol, 5)
    return ws


class Book:
    """The plainest book: price text to quantity text."""

    def __init__(self, image):
        self.last = image["lastUpdateId"]
        self.bids = dict(image["bids"])
        self.asks = dict(image["asks"])

    def apply(self, event):
        if event["u"] <= self.last:
            return
        assert event["U"] <= self.last + 1, "a gap"
        for side, levels in ((self.bids, event["b"]), (self.asks, event["a"])):
            for price, quantity in levels:
                if Decimal(quantity) == 0:
                    side.pop(price, None)
                else:
                    side[price] = quantity
        self.last = event["u"]

    def side(self, name):
        levels = getattr(self, name)
        return [[price, levels[price]]
                for price in sorted(levels, key=Decimal, reverse=name == "bids")]

    def equals(self, image, limit=5000):
        return (self.last == image["lastUpdateId"] and self.side("bids")[:limit] == image["bids"]
                and self.side("asks")[:limit] == image["asks"])


def events_until(ws, last_id, symbol="BTCUSDT"):
    """Depth events off a combined connection, until update id @last_id is there."""
    while True:
        data = json.loads(ws.text())["data"]
        if data.get("e") == "depthUpdate" and data["s"] == symbol:
            yield data
            if data["u"] >= last_id:
                return
