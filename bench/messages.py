"""Turns recorded captures into files of one symbol's messages, as bench_messages reads them.

A line is "<receive time, ns> <message>"; of orders the first one is the book that REST answers."""

import gzip
import json
import pathlib
import re
import subprocess

import events

LOCAL_TIME_BEHIND_NS = 5 * 3600 * 10**9  # of the recorder of the orders
ORDER_IDS = re.compile(r'"(?:\w*order_id|client_oid)":"[^"]*",?')
REST_BOOK = "coinbase_rest_level3_btcusd_20260807.json.gz"  # 110,606 orders; not bundled

CAPTURES = {  # name: exchange, feed, kind, what marks a message of the kind, file lines
    "trades_spot_btcusdt": (
        ("binance", "spot", "trades", '"e":"trade"'),
        ["binance_spot_btcusdt_20240808.gz", "binance_spot_btcusdt_20240809.gz"],
        events.hftbacktest_lines,
    ),
    "trades_spot_2021_10sym_aggregate": (
        ("binance", "spot", "trades", '"e":"aggTrade"'),
        ["binance_spot_20210405_10sym.txt.zst"],
        events.cryptofeed_lines,
    ),
    "levels_coinbase_level2": (
        ("coinbase", "exchange", "l2", '"type":"snapshot"|"type":"l2update"'),
        ["coinbase_level2_20210417_10prod.txt.zst"],
        events.cryptofeed_lines,
    ),
    "levels_coinbase_advanced": (
        ("coinbase", "advanced", "l2", '"channel":"l2_data"'),
        ["coinbase_advanced_20260809_btc_eth.jsonl.zst"],
        events.object_lines,
    ),
}
ORDERS = "coinbase_full_btcusd_20160312_part1.txt.zst"
SYMBOL = re.compile(r'"(?:s|product_id)":"([^"]+)"')


def capture(name):
    """Lines of a capture by symbol; a message that tells of several is in each one's."""
    (_, _, _, mark), files, split = CAPTURES[name]
    wanted, lines = re.compile(mark), {}
    for time, _, text in split(
        line for file in files for line in events.lines_of(events.DATA / file)
    ):
        if wanted.search(text[:100]):
            for symbol in set(SYMBOL.findall(text)):
                lines.setdefault(symbol, []).append(f"{time} {text}")
    return lines


def orders():
    """The rows that the recorder wrote of its image, in the order of the queues, as REST answers
    them; then the messages as they came."""
    image, lines = {"bids": [], "asks": []}, []
    for line in events.lines_of(events.DATA / ORDERS):
        date, clock, text = line.split(" ", 2)
        time = events.ns_of_utc(f"{date}T{clock.replace(',', '.')}Z") + LOCAL_TIME_BEHIND_NS
        if '"time": ""' not in text:
            lines.append(f"{time} {text}")
            continue
        row = json.loads(text)
        image["sequence"], side = row["sequence"], "bids" if row["side"] == "buy" else "asks"
        image[side].append([row["price"], row["remaining_size"], row["order_id"]])
        taken = time
    return [f"{taken} {json.dumps(image, separators=(',', ':'))}", *lines]


def rest_book(folder):
    """One whole book without messages, or None where the file is not at hand."""
    path = pathlib.Path(folder) / REST_BOOK
    if not path.exists():
        return None
    return ["0 " + gzip.decompress(path.read_bytes()).decode().strip()]


def write(path, lines):
    path.write_text("\n".join(lines) + "\n")
    return path


def packed_json_size(lines, pattern=None):
    """Of the messages alone, by zstd at level 19; without what the pattern matches."""
    text = "\n".join(line.partition(" ")[2] for line in lines)
    text = pattern.sub("", text) if pattern else text
    words = ["zstd", "-19", "-qc"]
    return len(subprocess.run(words, input=text.encode(), capture_output=True, check=True).stdout)
