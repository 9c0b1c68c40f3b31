#!/usr/bin/env python3
"""Turns recorded captures into plain binary event files, one a symbol, for the codec's bench.

  bench/events.py [--data DIR] OUT    writes OUT/<name>.<SYMBOL>.obev and prints a line for each:
                                      name, events, levels of the events

Without --data the bundled captures are taken. A capture whose files are not in DIR is skipped.

A file is little-endian int64 only:

  head    "OBEV1" and three zero bytes, price_digits, quantity_digits, fixed, tick, lot,
          event_count, level_count (of the events)
  image   id, receive_time_ns, bids, asks (counts), then price, quantity for each level
  events  event_time_ns, receive_time_ns, first_id, last_id, bids, asks (counts), then price,
          quantity for each level as sent, bids first

Prices and quantities are integers of 10^-digits, digits being the most decimals that the symbol's
capture writes; fixed says that it always writes all of them. tick and lot are the greatest common
divisors of what occurs. Receive times are cut to microseconds, or with --ns kept. Futures give an
event's predecessor too (pu): it is checked to be the last_id before and not stored. Coinbase has
no ids: there the events are counted from 1, after image 0."""

import argparse
import array
import datetime
import gzip
import json
import math
import pathlib
import re
import subprocess
import sys

MAGIC = int.from_bytes(b"OBEV1", "little")
DATA = pathlib.Path(__file__).resolve().parents[1] / "tests" / "data"
RECEIVE_UNIT_NS = 1000  # 1: as far as the capture tells
DECIMAL = re.compile(r"\d+(?:\.(\d+))?", re.ASCII)
TIME = re.compile(r"(\d+)(?:\.(\d+))?", re.ASCII)
EPOCH = datetime.datetime(1970, 1, 1)


class Symbol:
    """What a capture says of one symbol: an image and events, levels as pairs of texts."""

    def __init__(self):
        self.image = None  # id, receive time, bids, asks
        self.events = []  # event time, receive time, first id, last id, bids, asks
        self.before = []  # pu of each event; None where the exchange sends none


def lines_of(path):
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes()).decode().splitlines()
    command = ["zstd", "-dcq", str(path)]
    return subprocess.run(command, capture_output=True, check=True).stdout.decode().splitlines()


def ns_cut_to_us(text):
    """Seconds with a fraction, as text."""
    whole, fraction = TIME.fullmatch(text).groups(default="")
    return int(whole) * 10**9 + int(fraction.ljust(6, "0")[:6]) * 1000


def ns_of_utc(text):
    """2021-04-17T16:43:37.075687Z"""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    seconds = datetime.datetime.fromisoformat(whole) - EPOCH
    return (seconds.days * 86400 + seconds.seconds) * 10**9 + int(fraction.ljust(9, "0")[:9])


def hftbacktest_lines(lines):
    """(receive time, symbol of a REST answer or None, text) of "<ns> <text>"."""
    for line in lines:
        time, _, text = line.partition(" ")
        yield int(time) // RECEIVE_UNIT_NS * RECEIVE_UNIT_NS, None, text


def cryptofeed_lines(lines):
    """Likewise of "<seconds>: <text>" and "<url> -> <seconds>: <text>"."""
    for line in lines:
        head, _, text = line.partition(": ")
        if TIME.fullmatch(head):
            yield ns_cut_to_us(head), None, text
        elif " -> " in head and "/depth?" in head:
            url, _, time = head.partition(" -> ")
            yield ns_cut_to_us(time), re.search(r"symbol=(\w+)", url).group(1), text


def object_lines(lines):
    """Likewise of {"t":"recv","ts":<seconds>,"data":"<text>"}; ts is kept as text, not rounded."""
    for line in lines:
        if line.startswith('{"t":"recv"'):
            entry = json.loads(line, parse_float=str, parse_int=str)
            yield ns_cut_to_us(entry["ts"]), None, entry["data"]


def read_binance(lines):
    symbols, images = {}, {}
    for time, asked, text in lines:
        if text.startswith('{"lastUpdateId"'):
            body = json.loads(text)
            images[asked] = (body["lastUpdateId"], time, body["bids"], body["asks"])
        elif '"depthUpdate"' in text[:100]:
            data = json.loads(text)["data"]
            symbol = symbols.setdefault(data["s"], Symbol())
            head = (data["E"] * 10**6, time, data["U"], data["u"])
            symbol.events.append((*head, data["b"], data["a"]))
            symbol.before.append(data.get("pu"))
    for name, symbol in symbols.items():
        symbol.image = images.get(name, images.get(None))
        if symbol.image is None:
            raise ValueError(f"{name}: the capture has no image")
        drop_early(name, symbol)
    return symbols


def drop_early(name, symbol):
    """Leaves the events that the book of the image takes, and checks that none is missing."""
    last = symbol.image[0]
    first = sum(event[3] <= last for event in symbol.events)
    del symbol.events[:first], symbol.before[:first]
    for index, (event, before) in enumerate(zip(symbol.events, symbol.before)):
        if index == 0:
            follows = event[2] <= last + 1 if before is None else before <= last
        else:
            follows = event[2] == last + 1 if before is None else before == last
        if not follows:
            raise ValueError(f"{name}: {event[2]}..{event[3]} does not follow {last}")
        last = event[3]


def add_event(symbol, event_time, receive_time, bids, asks):
    number = len(symbol.events) + 1
    symbol.events.append((event_time, receive_time, number, number, bids, asks))


def read_coinbase(lines):
    symbols = {}
    for time, _, text in lines:
        if text.startswith('{"type":"snapshot"'):
            body = json.loads(text)
            symbol = symbols.setdefault(body["product_id"], Symbol())
            symbol.image = (0, time, body["bids"], body["asks"])
        elif text.startswith('{"type":"l2update"'):
            body = json.loads(text)
            sides = {"buy": [], "sell": []}
            for side, price, quantity in body["changes"]:
                sides[side].append((price, quantity))
            symbol = symbols[body["product_id"]]
            add_event(symbol, ns_of_utc(body["time"]), time, sides["buy"], sides["sell"])
    return symbols


def read_advanced(lines):
    symbols = {}
    for time, _, text in lines:
        if not text.startswith('{"channel":"l2_data"'):
            continue
        for event in json.loads(text)["events"]:
            sides = {"bid": [], "offer": []}
            for update in event["updates"]:
                sides[update["side"]].append((update["price_level"], update["new_quantity"]))
            symbol = symbols.setdefault(event["product_id"], Symbol())
            if event["type"] == "snapshot":
                symbol.image = (0, time, sides["bid"], sides["offer"])
            else:
                event_time = max(ns_of_utc(update["event_time"]) for update in event["updates"])
                add_event(symbol, event_time, time, sides["bid"], sides["offer"])
    return symbols


CAPTURES = {  # name: files, lines, messages
    "spot_btcusdt": (
        ["binance_spot_btcusdt_20240808.gz", "binance_spot_btcusdt_20240809.gz"],
        hftbacktest_lines,
        read_binance,
    ),
    "spot_2021_10sym": (["binance_spot_20210405_10sym.txt.zst"], cryptofeed_lines, read_binance),
    "spot_2021_4sym": (
        ["binance_spot_20210814_4sym.ws.txt.zst", "binance_spot_20210814_4sym.http.txt.zst"],
        cryptofeed_lines,
        read_binance,
    ),
    "us_2021_10sym": (["binance_us_20210405_10sym.txt.zst"], cryptofeed_lines, read_binance),
    "usdm_btcusdt": (["binance_usdm_btcusdt_20240808.gz"], hftbacktest_lines, read_binance),
    "coinm_btcusd": (
        ["binance_coinm_btcusd_perp_20240808.gz", "binance_coinm_btcusd_perp_20240809.gz"],
        hftbacktest_lines,
        read_binance,
    ),
    "usdm_2021_5sym": (["binance_usdm_20210405_5sym.txt.zst"], cryptofeed_lines, read_binance),
    "coinbase_level2": (
        ["coinbase_level2_20210417_10prod.txt.zst"],
        cryptofeed_lines,
        read_coinbase,
    ),
    "coinbase_advanced": (
        ["coinbase_advanced_20260809_btc_eth.jsonl.zst"],
        object_lines,
        read_advanced,
    ),
}


def level_lists(symbol):
    yield from symbol.image[2:]
    for event in symbol.events:
        yield from event[4:]


def integers_of(texts):
    """Each text as an integer of 10^-digits; digits; whether all texts have so many."""
    decimals = {text: len(DECIMAL.fullmatch(text).group(1) or "") for text in texts}
    digits = max(decimals.values())
    integers = {
        text: int(text.replace(".", "")) * 10 ** (digits - count)
        for text, count in decimals.items()
    }
    return integers, digits, min(decimals.values()) == digits


def check_image(name, bids, asks):
    for prices in ([-price for price in bids], asks):
        if any(a >= b for a, b in zip(prices, prices[1:])):
            raise ValueError(f"{name}: the image is not sorted, best first")


def values_of(name, symbol):
    """All of a file's numbers."""
    prices, price_digits, prices_fixed = integers_of(
        {price for levels in level_lists(symbol) for price, _ in levels}
    )
    quantities, quantity_digits, quantities_fixed = integers_of(
        {quantity for levels in level_lists(symbol) for _, quantity in levels}
    )
    check_image(name, *([prices[price] for price, _ in side] for side in symbol.image[2:]))
    level_count = sum(len(bids) + len(asks) for *_, bids, asks in symbol.events)
    values = array.array("q", [MAGIC, price_digits, quantity_digits])
    values.append(prices_fixed and quantities_fixed)
    values.append(math.gcd(*prices.values()) or 1)
    values.append(math.gcd(*quantities.values()) or 1)
    values.extend((len(symbol.events), level_count))
    for *head, bids, asks in [symbol.image, *symbol.events]:
        values.extend((*head, len(bids), len(asks)))
        for price, quantity in (*bids, *asks):
            values.append(prices[price])
            values.append(quantities[quantity])
    return values, level_count


def write_symbol(path, symbol):
    values, level_count = values_of(path.name, symbol)
    if sys.byteorder == "big":
        values.byteswap()
    path.write_bytes(values.tobytes())
    print(f"{path.stem:32} {len(symbol.events):>6} {level_count:>7}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=pathlib.Path, default=DATA, metavar="DIR")
    parser.add_argument("out", type=pathlib.Path, metavar="OUT")
    parser.add_argument("--ns", action="store_true")
    options = parser.parse_args()
    global RECEIVE_UNIT_NS
    RECEIVE_UNIT_NS = 1 if options.ns else 1000
    options.out.mkdir(parents=True, exist_ok=True)
    for name, (files, split, read) in CAPTURES.items():
        paths = [options.data / file for file in files]
        missing = [path.name for path in paths if not path.exists()]
        if missing:
            print(f"{name}: skipped, {', '.join(missing)} is not there", file=sys.stderr)
            continue
        symbols = read(split(line for path in paths for line in lines_of(path)))
        for symbol in sorted(symbols):
            write_symbol(options.out / f"{name}.{symbol}.obev", symbols[symbol])


if __name__ == "__main__":
    main()
