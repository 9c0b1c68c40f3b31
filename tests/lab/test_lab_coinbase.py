"""Checks the laboratory's Coinbase: what it plays, answers, refuses and journals."""
import collections
import json
import subprocess
import time
from decimal import Decimal

import pytest

from lab_captures import PROGRAM, find_data
from lab_client import CLOSE, WebSocket
from lab_coinbase import (AGENT, BTC, KEY, KEYED, NEEDS_KEY, PASSPHRASE, Feed, Levels, Orders,
                          book, image_of, read_advanced, read_full, read_level2, sign, signed)

LEVEL2_PRODUCTS = "SKL-USD SKL-BTC BAND-GBP NMR-EUR BAND-BTC YFI-BTC DASH-BTC NU-GBP CRV-EUR " \
                  "SKL-GBP".split()


# --- the captures, message by message -----------------------------------------------------------

def of_type(messages, *types):
    return [raw for raw in messages if json.loads(raw)["type"] in types]


def test_level2_ticker_and_matches_arrive_byte_for_byte(lab):
    messages = read_level2()
    exchange = lab("level2", "--speed", "max", *KEYED)
    feed = Feed(exchange)
    answer = feed.subscribe(["level2", "ticker", "matches"], LEVEL2_PRODUCTS, with_key=True)
    assert answer["type"] == "subscriptions"
    first = feed.take(20)
    assert sorted(of_type(first, "snapshot")) == sorted(of_type(messages, "snapshot"))
    assert set(of_type(first, "last_match")) == set(of_type(messages, "last_match"))
    want = of_type(messages, "l2update", "ticker", "match")
    assert feed.take(len(want)) == want
    exchange.wait_for("end")
    emitted = exchange.journal("emit")
    assert [line["raw"].encode() for line in emitted] == want
    match = [line for line in emitted if line["stream"] == "matches:SKL-BTC"][0]
    assert match["sequence"] == json.loads(match["raw"])["sequence"]


def test_full_arrives_byte_for_byte_and_the_book_is_that_of_rest(lab):
    rows, messages = read_full()
    exchange = lab("full", "--speed", "max", *KEYED)
    feed = Feed(exchange)
    assert feed.subscribe(["full"], with_key=True)["channels"][0]["name"] == "full"
    kept = feed.take(5)
    image = book(exchange)
    assert image["sequence"] > rows[0]["sequence"]
    orders = Orders(image)
    kept += feed.take(len(messages) - 5)
    assert kept == messages
    for raw in kept:
        orders.apply(json.loads(raw))
    assert orders.equals(book(exchange)) and orders.sequence == 760640753


@pytest.mark.parametrize("sequence", [760639339, 760640753])
def test_the_book_by_price_is_what_another_recorder_found(lab, sequence):
    path = find_data(f"coinbase_full_btcusd_20160312_part1.expected_at_{sequence}.json")
    assert path, f"the expected book at {sequence} belongs into tests/data"
    with open(path, encoding="utf-8") as file:
        want = json.load(file, parse_float=Decimal, parse_int=Decimal)
    stale = {"at": {"depth": BTC}, "do": "stale", "behind": 760640753 - sequence}
    exchange = lab("full", "--speed", "max", "--expect", "0", "--expect-timeout", "0",
                   faults=[stale])
    exchange.wait_for("end")
    got = book(exchange, level=2)
    assert got["sequence"] == want["sequence"]
    for key in ("bids", "asks"):
        assert [[Decimal(price), Decimal(size)] for price, size, _ in got[key][:50]] == want[key]


def test_before_play_the_book_is_the_captured_image_in_queue_order(lab):
    rows, _ = read_full()
    exchange = lab("full", *KEYED)
    image = book(exchange)
    assert image["sequence"] == 760636963 and image["time"].endswith("Z")
    for key, side in (("bids", "buy"), ("asks", "sell")):
        want = [[row["price"], row["remaining_size"], row["order_id"]]
                for row in rows if row["side"] == side]
        assert image[key] == want
    sums = collections.OrderedDict()
    for price, size, _ in image["bids"]:
        total, count = sums.get(price, (Decimal(0), 0))
        sums[price] = total + Decimal(size), count + 1
    bids = book(exchange, level=2)["bids"]
    assert [(price, Decimal(size), count) for price, size, count in bids] == [
        (price, total, count) for price, (total, count) in sums.items()]
    best = book(exchange, level=1)
    assert best["bids"] == bids[:1] and len(best["asks"]) == 1


def test_play_of_full_waits_until_the_image_was_asked_for(lab):
    _, messages = read_full()
    exchange = lab("full", "--speed", "max", *KEYED)
    book(exchange)  # before the subscription: does not count
    feed = Feed(exchange)
    feed.subscribe(["full"], with_key=True)
    assert feed.take(8) == messages[:8]
    feed.set_timeout(0.4)
    with pytest.raises(TimeoutError):
        feed.text()
    feed.set_timeout(20)
    assert book(exchange)["sequence"] == json.loads(messages[7])["sequence"]
    assert feed.take(100) == messages[8:108]
    assert [line["symbol"] for line in exchange.journal("hold")] == [BTC]
    assert len(exchange.journal("hold-end")) == 1


def test_of_full_level2_and_matches_are_made_for_those_without_a_key(lab):
    rows, messages = read_full()
    exchange = lab("full", "--speed", "max")
    feed = Feed(exchange)
    answer = feed.subscribe(["level2_batch", "matches"])
    assert [one["name"] for one in answer["channels"]] == ["level2_50", "matches"]
    levels = Levels(feed.json())
    orders = Orders(image_of(rows))
    exchange.wait_for("end")
    for line in exchange.journal("sent"):
        if line["stream"] not in ("level2:BTC-USD", "matches:BTC-USD"):
            continue
        message = feed.json()
        if message["type"] == "match":
            assert json.dumps(message).replace(" ", "").encode() in messages
        else:
            levels.apply(message)
    for raw in messages:
        orders.apply(json.loads(raw))
    for side in ("buy", "sell"):
        assert {Decimal(price): Decimal(size) for price, size in levels.sides[side].items()} == \
            orders.levels(side)


def test_the_book_by_price_follows_every_message_of_full(lab):
    rows, messages = read_full()
    exchange = lab("full", "--speed", "max", "--no-hold", *KEYED)
    feed = Feed(exchange)
    feed.subscribe(["level2", "full"], with_key=True)
    levels = Levels(feed.json())
    orders = Orders(image_of(rows))
    seen = 0
    while seen < 400:
        message = feed.json()
        if message["type"] == "l2update":
            levels.apply(message)
            for side, price, size in message["changes"]:
                assert Decimal(size) == orders.levels(side).get(Decimal(price), 0)
                assert message["time"]
            assert levels.best("buy") < levels.best("sell")
        else:
            assert json.dumps(message, separators=(",", ":")).encode() == messages[seen]
            orders.apply(message)
            seen += 1


def test_a_match_comes_once_a_channel(lab):
    _, messages = read_full()
    match = of_type(messages, "match")
    exchange = lab("full", "--speed", "max", "--no-hold", *KEYED)
    feed = Feed(exchange)
    feed.subscribe(["full", "matches"], with_key=True)
    got = feed.take(len(messages) + 1)
    assert [raw for raw in got if raw == match[0]] == match * 2
    late = Feed(exchange)
    late.subscribe(["matches"])
    last = late.text()
    assert last == match[0].replace(b'"match"', b'"last_match"')
    assert late.at == len(late.buffer)


def test_a_snapshot_in_the_middle_is_the_book_of_that_moment(lab):
    messages = read_level2()
    exchange = lab("level2", "--speed", "10", "--expect", "1", *KEYED)
    first = Feed(exchange)
    first.subscribe(["level2"], ["SKL-USD"], with_key=True)
    levels = Levels(first.json())
    for _ in range(500):
        levels.apply(first.json())
    second = Feed(exchange)
    second.subscribe(["level2_batch"], ["SKL-USD"])
    later = Levels(second.json())
    after = second.text()
    while True:
        raw = first.text()
        if raw == after:
            break
        levels.apply(json.loads(raw))
    assert later.sides == levels.sides
    assert after in messages


# --- subscriptions ------------------------------------------------------------------------------

def test_the_answer_lists_everything_by_its_internal_name(lab):
    exchange = lab("level2", "--expect-timeout", "100", *KEYED)
    feed = Feed(exchange)
    feed.say(signed({"type": "subscribe", "product_ids": ["SKL-USD"], "channels": [
        "level2_batch", {"name": "full", "product_ids": ["NU-GBP"]}]}))
    raw = feed.text()
    assert raw == (b'{"type":"subscriptions","channels":['
                   b'{"name":"level2_50","product_ids":["SKL-USD"],"account_ids":null},'
                   b'{"name":"full","product_ids":["SKL-USD","NU-GBP"],"account_ids":null}]}')
    assert feed.json()["type"] == "snapshot"
    answer = feed.subscribe(["heartbeat"], ["CRV-EUR"])
    assert {one["name"]: one["product_ids"] for one in answer["channels"]} == {
        "heartbeat": ["CRV-EUR"], "level2_50": ["SKL-USD"], "full": ["SKL-USD", "NU-GBP"]}
    feed.say({"type": "unsubscribe", "channels": ["heartbeat"]})
    assert len(feed.json()["channels"]) == 2
    feed.say({"type": "unsubscribe", "product_ids": ["SKL-USD"], "channels": ["full"]})
    assert feed.json()["channels"][1]["product_ids"] == ["NU-GBP"]


@pytest.mark.parametrize("channels, products, reason", [
    (["matches"], ["SKL-USD", "NO-SUCH"], "NO-SUCH is not a valid product"),
    (["matches", "nothing"], ["SKL-USD"], "nothing is not a valid channel"),
    (["matches"], [], " is not a valid product"),
    ([], ["SKL-USD"], "No channels provided"),
])
def test_one_error_refuses_it_all(lab, channels, products, reason):
    exchange = lab("level2", "--expect-timeout", "100")
    feed = Feed(exchange)
    assert feed.subscribe(channels, products) == {
        "type": "error", "message": "Failed to subscribe", "reason": reason}
    answer = feed.subscribe(["ticker"], ["NU-GBP"])
    assert [one["name"] for one in answer["channels"]] == ["ticker"]


def test_a_delisted_product_is_not_valid(lab):
    exchange = lab("level2", "--expect-timeout", "100", "--product-status", "SKL-USD=delisted")
    assert Feed(exchange).subscribe(["matches"], ["SKL-USD"])["reason"] == \
        "SKL-USD is not a valid product"
    assert json.loads(exchange.get("/products/SKL-USD", headers=AGENT)[2])["status"] == "delisted"


def test_the_first_message_is_a_subscription_within_five_seconds(lab):
    exchange = lab("level2", "--expect-timeout", "100")
    feed = Feed(exchange)
    feed.say({"type": "unsubscribe", "channels": ["heartbeat"]})
    start = time.monotonic()
    while True:
        code, payload = feed.next()
        if code == CLOSE:
            break
    assert payload[:2] == b"\x03\xf0"
    assert 4.5 < time.monotonic() - start < 6.5


def test_heartbeats_repeat_the_last_sequence_and_trade(lab):
    exchange = lab("full", "--expect-timeout", "100", "--expect", "1")
    feed = Feed(exchange)
    feed.subscribe(["heartbeat"])
    start = time.monotonic()
    beats = [feed.json() for _ in range(3)]
    assert 2.5 < time.monotonic() - start < 3.6
    assert {(beat["type"], beat["sequence"], beat["last_trade_id"], beat["product_id"])
            for beat in beats} == {("heartbeat", 760636963, 7260712, BTC)}
    assert all(abs(time.mktime(time.strptime(beat["time"][:19], "%Y-%m-%dT%H:%M:%S"))
                   - time.timezone - time.time()) < 10 for beat in beats)
    sent = [line for line in exchange.journal("sent") if line["stream"] == "heartbeat:BTC-USD"]
    assert [json.loads(line["raw"]) for line in sent] == beats
    feed.subscribe(["matches", "level2_batch"])
    exchange.wait_for("play")


def test_heartbeats_go_on_after_the_end(lab):
    _, messages = read_full()
    exchange = lab("full", "--speed", "max", "--no-hold")
    feed = Feed(exchange)
    feed.subscribe(["heartbeat", "level2_batch"])
    exchange.wait_for("end")
    while True:
        message = feed.json()
        if message["type"] == "heartbeat" and message["sequence"] == 760640753:
            break
    assert message["last_trade_id"] == json.loads(of_type(messages, "match")[0])["trade_id"]


# --- signatures ---------------------------------------------------------------------------------

def test_signatures_are_those_of_the_documents():
    path = "GET/users/self/verify"
    assert sign(path, "1700000000")[1] == "l4fKgUFocXpz3QFwS3Ovh9LhW5B5qO+ZQcySYDMgK4Y="
    assert sign(path, "1493343391.076892")[1] == "Gt5TiJQH8Z1/D5L/nu4kxTFOIbT49iONuH36/rKLsHM="


@pytest.mark.parametrize("channel", ["level2", "level3", "full"])
def test_signed_channels_need_a_signature(lab, channel):
    exchange = lab("level2", "--expect-timeout", "100", *KEYED)
    feed = Feed(exchange)
    assert feed.subscribe(["heartbeat", channel], ["SKL-USD"]) == {
        "type": "error", "message": "Failed to subscribe", "reason": NEEDS_KEY}
    assert feed.subscribe([channel], ["SKL-USD"], with_key=True)["channels"][0]["name"] == channel


@pytest.mark.parametrize("change, reason", [
    ({"signature": "l4fKgUFocXpz3QFwS3Ovh9LhW5B5qO+ZQcySYDMgK4Y="}, "invalid signature"),
    ({"key": "OTHER"}, "invalid api key"),
    ({"passphrase": "OTHER"}, "invalid passphrase"),
    ({"stamp": "1700000000"}, "request timestamp expired"),
    ({"timestamp": "soon"}, "request timestamp expired"),
    ({"key": ""}, NEEDS_KEY),
])
def test_wrong_signatures_are_refused(lab, change, reason):
    exchange = lab("full", "--expect-timeout", "100", *KEYED)
    feed = Feed(exchange)
    feed.say(signed({"type": "subscribe", "product_ids": [BTC], "channels": ["full"]}, **change))
    assert feed.json() == {"type": "error", "message": "Failed to subscribe", "reason": reason}


def test_a_stamp_may_be_off_by_less_than_thirty_seconds(lab):
    exchange = lab("full", "--expect-timeout", "100", *KEYED)
    for off, good in ((-25, True), (25, True), (-35, False), (35, False)):
        feed = Feed(exchange)
        feed.say(signed({"type": "subscribe", "product_ids": [BTC], "channels": ["full"]},
                        stamp=str(time.time() + off)))
        assert (feed.json()["type"] == "subscriptions") == good, off
        feed.close()


def test_without_a_known_key_nothing_signed_is_accepted(lab):
    exchange = lab("full", "--expect-timeout", "100")
    assert Feed(exchange).subscribe(["full"], with_key=True)["reason"] == "invalid api key"


def test_books_by_order_may_need_the_key(lab):
    exchange = lab("full", "--coinbase-book-auth", *KEYED)
    target = f"/products/{BTC}/book?level=3"
    status, _, body = exchange.get(target, headers=AGENT)
    assert (status, json.loads(body)) == (401, {"message": "invalid signature"})
    stamp, signature = sign("GET" + target)
    access = {"CB-ACCESS-KEY": KEY, "CB-ACCESS-SIGN": signature, "CB-ACCESS-TIMESTAMP": stamp,
              "CB-ACCESS-PASSPHRASE": PASSPHRASE, **AGENT}
    assert exchange.get(target, headers=access)[0] == 200
    other = f"/products/{BTC}/book?level=3&x=1"
    assert exchange.get(other, headers=access)[0] == 401
    assert exchange.get(f"/products/{BTC}/book?level=2", headers=AGENT)[0] == 200


# --- REST ---------------------------------------------------------------------------------------

def test_rest_needs_a_user_agent_and_a_known_product(lab):
    exchange = lab("full")
    status, _, body = exchange.get("/products")
    assert (status, json.loads(body)) == (400, {"message": "User-Agent header is required."})
    for path in ("/products/NO-SUCH", "/products/NO-SUCH/book"):
        status, _, body = exchange.get(path, headers=AGENT)
        assert (status, json.loads(body)) == (404, {"message": "NotFound"})
    status, _, body = exchange.get(f"/products/{BTC}/book?level=4", headers=AGENT)
    assert (status, json.loads(body)) == (400, {"message": "unexpected level: _"})
    clock = json.loads(exchange.get("/time", headers=AGENT)[2])
    assert abs(clock["epoch"] - time.time()) < 5 and clock["iso"].endswith("Z")


def test_products_are_made_from_the_digits_of_the_capture(lab):
    exchange = lab("full")
    product = json.loads(exchange.get(f"/products/{BTC}", headers=AGENT)[2])
    assert (product["id"], product["base_currency"], product["quote_currency"]) == (
        BTC, "BTC", "USD")
    assert (product["quote_increment"], product["base_increment"], product["status"]) == (
        "0.01", "0.00000001", "online")
    assert json.loads(exchange.get("/products", headers=AGENT)[2]) == [product]


def test_products_are_those_of_a_captured_answer(lab):
    exchange = lab("level2 products", "--expect-timeout", "100")
    snapshot = json.loads(of_type(read_level2(), "snapshot")[0])
    levels = book(exchange, snapshot["product_id"], 2)
    assert [levels[key] for key in ("bids", "asks")] == [
        [[price, size, 1] for price, size in snapshot[key]] for key in ("bids", "asks")]
    target = f"/products/{snapshot['product_id']}/book?level=3"
    assert exchange.get(target, headers=AGENT)[0] == 404  # a capture by price knows no orders
    products = json.loads(exchange.get("/products", headers=AGENT)[2])
    assert len(products) > 100
    by_id = {product["id"]: product for product in products}
    assert set(LEVEL2_PRODUCTS) <= set(by_id)
    assert by_id["SKL-EUR"]["base_increment"] == "0.1"
    assert json.loads(exchange.get("/products/SKL-EUR", headers=AGENT)[2]) == by_id["SKL-EUR"]
    answer = Feed(exchange).subscribe(["matches"], ["SKL-EUR"])
    assert answer["channels"][0]["product_ids"] == ["SKL-EUR"]


# --- Advanced Trade -----------------------------------------------------------------------------

def take_advanced(feed, count):
    messages = [feed.text() for _ in range(count)]
    return messages, [json.loads(raw) for raw in messages]


def renumbered(raw, number):
    message = json.loads(raw)
    old = f'"sequence_num":{message["sequence_num"]},'
    assert raw.count(old) == 1
    return raw.replace(old, f'"sequence_num":{number},').encode()


def test_advanced_arrives_whole_with_numbers_of_its_own(lab):
    captured = read_advanced()
    exchange = lab("advanced", "--speed", "max")
    feed = Feed(exchange)
    products = ["BTC-USD", "ETH-USD"]
    numbers, first = [], []
    for channel in ("market_trades", "ticker", "candles"):
        feed.advanced(channel, products)
        first += feed.take(3)
    feed.advanced("level2", products)
    first += feed.take(3)
    snapshots = [raw for raw in captured if '"type":"snapshot"' in raw]
    want = [(json.loads(raw)["channel"], json.loads(raw)["events"]) for raw in snapshots]
    got = [json.loads(raw) for raw in first]
    assert sorted(map(repr, want)) == sorted(
        repr((one["channel"], one["events"])) for one in got if one["channel"] != "subscriptions")
    answers = [one["events"][0]["subscriptions"] for one in got
               if one["channel"] == "subscriptions"]
    assert answers[-1] == {channel: products
                           for channel in ("candles", "level2", "market_trades", "ticker")}
    numbers = [one["sequence_num"] for one in got]
    updates = [raw for raw in captured if json.loads(raw)["events"][0].get("type") == "update"]
    texts, messages = take_advanced(feed, len(updates))
    numbers += [message["sequence_num"] for message in messages]
    assert numbers == list(range(len(numbers)))
    assert texts == [renumbered(raw, number)
                     for raw, number in zip(updates, range(12, 12 + len(updates)))]
    exchange.wait_for("end")
    sent = [line["sequence_num"] for line in exchange.journal("sent") if line["seq"]]
    assert sent == numbers[12:]


def test_advanced_snapshots_in_the_middle_are_of_that_moment(lab):
    exchange = lab("advanced", "--speed", "20", "--expect", "2")
    first = Feed(exchange)
    first.advanced("level2", ["BTC-USD", "ETH-USD"])
    books = {}
    for _ in range(3):
        message = first.json()
        if message["channel"] == "l2_data":
            event = message["events"][0]
            books[event["product_id"]] = Levels(event)
    assert [len(books[one].sides["buy"]) + len(books[one].sides["sell"])
            for one in ("BTC-USD", "ETH-USD")] == [46000, 23334]
    for _ in range(300):
        event = first.json()["events"][0]
        books[event["product_id"]].update(event)
    second = Feed(exchange)
    second.advanced("level2", ["BTC-USD"])
    later = Levels(second.json()["events"][0])
    assert second.json()["channel"] == "subscriptions"
    after = second.json()
    assert after["sequence_num"] == 2
    while True:
        message = first.json()
        if (message["timestamp"], message["events"]) == (after["timestamp"], after["events"]):
            break
        event = message["events"][0]
        books[event["product_id"]].update(event)
    assert later.sides == books["BTC-USD"].sides


def test_advanced_heartbeats_and_aliases(lab):
    exchange = lab("advanced", "--expect-timeout", "100", "--expect", "2")
    feed = Feed(exchange)
    feed.say({"type": "subscribe", "channel": "heartbeats"})
    answer = feed.json()
    assert answer["sequence_num"] == 0
    assert answer["events"][0]["subscriptions"] == {"heartbeats": ["heartbeats"]}
    beats = [feed.json() for _ in range(2)]
    assert [beat["sequence_num"] for beat in beats] == [1, 2]
    assert [beat["events"][0]["heartbeat_counter"] for beat in beats] == [1, 2]
    feed.advanced("ticker", ["BTC-USDC"])
    assert feed.json()["events"][0]["tickers"][0]["product_id"] == "BTC-USD"
    assert feed.json()["events"][0]["subscriptions"]["ticker"] == ["BTC-USD"]
    feed.advanced("level2", ["NO-SUCH"])
    assert feed.json()["type"] == "error"
    feed.advanced("user", ["BTC-USD"])
    assert feed.json() == {"type": "error", "message": "authentication failure"}
    feed.say({"type": "unsubscribe", "channel": "ticker"})
    assert feed.json()["events"][0]["subscriptions"] == {"heartbeats": ["heartbeats"]}


def test_advanced_trades_that_were_missed_are_in_the_snapshot(lab):
    captured = [json.loads(raw) for raw in read_advanced()]
    trades = [trade for message in captured if message["channel"] == "market_trades"
              for trade in message["events"][0]["trades"] if trade["product_id"] == BTC]
    exchange = lab("advanced", "--speed", "max", "--expect", "0")
    first = Feed(exchange)
    first.advanced("market_trades", [BTC])
    exchange.wait_for("end")
    late = Feed(exchange)
    late.advanced("market_trades", [BTC])
    got = late.json()["events"][0]["trades"]
    want = sorted(trades, key=lambda trade: -int(trade["trade_id"]))[:100]
    assert got == want


# --- several passes -----------------------------------------------------------------------------

def played(exchange, streams):
    """What was emitted on these streams, to the end."""
    exchange.wait_for("end", 60)
    return [line for line in exchange.journal("emit") if line["stream"].split(":")[0] in streams]


def test_passes_of_full_follow_each_other_in_queue_order_and_without_a_gap(lab):
    _, messages = read_full()
    exchange = lab("full", "--speed", "40", "--loop", "3", *KEYED)
    feed = Feed(exchange)
    feed.subscribe(["full", "matches", "level2"], with_key=True)
    levels = Levels(feed.json())
    first = book(exchange)
    orders = Orders(first)
    lines = played(exchange, {"full", "matches", "level2"})
    trades, time_before = [], ""
    for line in lines:
        raw = feed.text()
        assert raw == line["raw"].encode()
        message = json.loads(raw)
        if message["type"] == "l2update":
            levels.apply(message)
            assert levels.best("buy") < levels.best("sell")
        elif line["stream"] == f"matches:{BTC}":
            trades.append(message["trade_id"])
        else:
            orders.apply(message)
            assert message["time"][:19] >= time_before
            time_before = message["time"][:19]
    assert orders.equals(book(exchange)) and trades == [7260713, 7260714, 7260715]
    for side in ("buy", "sell"):
        assert {Decimal(price): Decimal(size) for price, size in levels.sides[side].items()} == \
            orders.levels(side)
    assert orders.sequence > 760636963 + 3 * len(messages)
    assert len(exchange.journal("pass")) == 2


def test_a_seam_leads_back_to_the_image(lab):
    rows, _ = read_full()
    exchange = lab("full", "--speed", "40", "--loop", "2", *KEYED)
    feed = Feed(exchange)
    feed.subscribe(["full"], with_key=True)
    orders = Orders(book(exchange))
    lines = played(exchange, {"full"})
    start = exchange.journal("pass")[0]["ns"]
    for line in lines:
        if line["ns"] > start:
            break
        orders.apply(feed.json())
    image = Orders(image_of(rows))
    assert [orders.side(side) for side in ("buy", "sell")] == [
        image.side(side) for side in ("buy", "sell")]


def test_passes_of_level2_lead_back_to_the_snapshot(lab):
    exchange = lab("level2", "--speed", "40", "--loop", "2", *KEYED)
    feed = Feed(exchange)
    feed.subscribe(["level2", "matches", "ticker"], LEVEL2_PRODUCTS, with_key=True)
    lines = played(exchange, {"level2", "matches", "ticker"})
    start = exchange.journal("pass")[0]["ns"]
    books, images, trades = {}, {}, collections.defaultdict(list)
    for message in map(json.loads, feed.take(20)):
        product = message["product_id"]
        if message["type"] == "snapshot":
            books[product], images[product] = Levels(message), Levels(message)
        else:
            trades[product].append(message["trade_id"])
    back = False
    for line in lines:
        if line["ns"] > start and not back:
            back = True
            assert all(books[one].sides == images[one].sides for one in LEVEL2_PRODUCTS)
        message = feed.json()
        if message["type"] == "l2update":
            books[message["product_id"]].apply(message)
        elif message["type"] == "match":
            trades[message["product_id"]].append(message["trade_id"])
    assert back
    for ids in trades.values():
        assert ids == list(range(ids[0], ids[0] + len(ids)))
    late = Feed(exchange)
    late.subscribe(["level2_batch"], ["SKL-USD"])
    assert Levels(late.json()).sides == books["SKL-USD"].sides


def test_passes_of_advanced_lead_back_to_the_snapshot(lab):
    exchange = lab("advanced", "--speed", "40", "--loop", "2")
    feed = Feed(exchange)
    feed.advanced("level2", [BTC, "ETH-USD"])
    feed.advanced("market_trades", [BTC, "ETH-USD"])
    lines = played(exchange, {"l2_data", "market_trades"})
    start = exchange.journal("pass")[0]["ns"]
    got = [feed.json() for _ in range(6)]
    books = {event["product_id"]: Levels(event) for message in got[:2]
             for event in message["events"]}
    images = {event["product_id"]: Levels(event) for message in got[:2]
              for event in message["events"]}
    back, ids, time_before = False, [], ""
    for number, line in enumerate(lines, len(got)):
        if line["ns"] > start and not back:
            back = True
            assert {one: book.sides for one, book in books.items()} == {
                one: book.sides for one, book in images.items()}
        message = feed.json()
        event = message["events"][0]
        assert message["sequence_num"] == number and message["timestamp"][:19] >= time_before
        time_before = message["timestamp"][:19]
        if message["channel"] == "l2_data":
            books[event["product_id"]].update(event)
        elif event["trades"][0]["product_id"] == BTC:
            ids += [int(trade["trade_id"]) for trade in reversed(event["trades"])]
    assert back and ids == list(range(ids[0], ids[0] + len(ids)))
    late = Feed(exchange)
    late.advanced("market_trades", [BTC])
    trades = [int(trade["trade_id"]) for trade in late.json()["events"][0]["trades"]]
    assert trades == list(range(ids[-1], ids[-1] - 100, -1))


# --- all at once --------------------------------------------------------------------------------

def test_both_exchanges_play_side_by_side_on_one_port(lab):
    rows, messages = read_full()
    exchange = lab("four full advanced level2", "--speed", "20", "--no-hold", "--expect", "3",
                   *KEYED)
    binance = WebSocket(exchange, "/ws/xmrbtc@depth@100ms")
    full = Feed(exchange)
    full.subscribe(["full"], with_key=True)
    advanced = Feed(exchange)
    advanced.advanced("level2", ["BTC-USD"])
    assert full.take(len(messages)) == messages
    assert json.loads(binance.text())["s"] == "XMRBTC"
    assert len(advanced.json()["events"][0]["updates"]) == 46000
    assert {one["symbol"] for one in exchange.get_json("/api/v3/exchangeInfo")["symbols"]} == {
        "XMRBTC", "FTMUSDT", "SXPBTC", "BADGERBTC"}
    orders = Orders(image_of(rows))
    for raw in messages:
        orders.apply(json.loads(raw))
    assert orders.equals(book(exchange))
    assert exchange.get("/api/v3/depth?symbol=BTC-USD")[0] == 400


def test_help_names_every_option():
    text = subprocess.run([PROGRAM, "--help"], capture_output=True, text=True, check=True).stdout
    for option in ("coinbase-key", "coinbase-secret", "coinbase-passphrase", "coinbase-book-auth",
                   "product-status"):
        assert f"--{option} " in text
