"""Checks that the laboratory's faults meet Coinbase's messages and requests too."""
import json
import time
from decimal import Decimal

import pytest

from lab_captures import stream_of
from lab_client import CLOSE, Closed, WebSocket
from lab_coinbase import (AGENT, BTC, KEYED, Feed, Levels, Orders, book, image_of, read_advanced,
                          read_full, read_level2)

FULL_STREAM = "full:BTC-USD"


def spoiled(lab, fault, count, *options):
    """Plays full with one fault: the exchange, what comes, what was captured."""
    _, messages = read_full()
    exchange = lab("full", "--speed", "max", "--no-hold", *KEYED, *options, faults=[fault])
    feed = Feed(exchange)
    feed.subscribe(["full"], with_key=True)
    return exchange, feed.take(count), messages


def at(n=20, stream=FULL_STREAM):
    return {"stream": stream, "n": n}


def test_drop_swap_and_duplicate(lab):
    exchange, got, want = spoiled(lab, {"at": at(), "do": "drop"}, 59)
    assert got == want[:19] + want[20:60]
    line = exchange.journal("fault")[0]
    assert (line["do"], line["stream"], line["seq"]) == ("drop", FULL_STREAM, 20)
    assert 20 not in [sent["seq"] for sent in exchange.journal("sent")]
    assert [line["sequence"] for line in exchange.journal("emit")
            if line["stream"] == FULL_STREAM][19] == json.loads(want[19])["sequence"]
    got = spoiled(lab, {"at": at(), "do": "swap"}, 60)[1]
    assert got == want[:19] + [want[20], want[19]] + want[21:60]
    got = spoiled(lab, {"at": at(), "do": "duplicate"}, 60)[1]
    assert got == want[:20] + want[19:59]
    got = spoiled(lab, {"at": at(), "do": "idjump", "k": 7}, 50)[1]
    assert got == want[:19] + want[26:57]


def test_a_sequence_triggers_and_a_star_is_any_book_stream(lab):
    _, got, want = spoiled(
        lab, {"at": {"stream": FULL_STREAM, "sequence": 760636983}, "do": "drop"}, 59)
    assert got == want[:19] + want[20:60]
    got = spoiled(lab, {"at": {"n": 20}, "do": "drop"}, 59)[1]
    assert got == want[:19] + want[20:60]


def test_truncate_garbage_and_oversized(lab):
    _, got, want = spoiled(lab, {"at": at(), "do": "truncate"}, 60)
    assert got == want[:19] + [want[19][:len(want[19]) // 2]] + want[20:60]
    got = spoiled(lab, {"at": at(), "do": "garbage"}, 60)[1]
    assert got[:19] + got[20:] == want[:19] + want[20:60]
    with pytest.raises(ValueError):
        json.loads(got[19])
    got = spoiled(lab, {"at": at(), "do": "oversized", "bytes": 5000000}, 61)[1]
    assert got[:19] + got[20:] == want[:60] and len(got[19]) > 5000000
    got = spoiled(lab, {"at": at(), "do": "oversized", "bytes": 300000, "pad": True}, 60)[1]
    padded = json.loads(got[19])
    assert len(padded.pop("pad")) == 300000 and padded == json.loads(want[19])


def test_crossed_raises_the_price_of_the_next_order_to_buy(lab):
    exchange, got, want = spoiled(lab, {"at": at(), "do": "crossed"}, 100)
    changed = [index for index in range(100) if got[index] != want[index]]
    assert len(changed) == 1 and changed[0] >= 19
    now, before = json.loads(got[changed[0]]), json.loads(want[changed[0]])
    orders = Orders(image_of(read_full()[0]))
    for raw in want[:changed[0]]:
        orders.apply(json.loads(raw))
    assert Decimal(now.pop("price")) > orders.side("sell")[0][0] > Decimal(before.pop("price"))
    assert now == before and now["type"] == "open" and now["side"] == "buy"
    assert exchange.journal("fault")[0]["do"] == "crossed"


@pytest.mark.parametrize("venue", ["level2", "advanced"])
def test_crossed_books_by_price(lab, venue):
    product, stream = (BTC, "l2_data") if venue == "advanced" else ("SKL-USD", "level2")
    exchange = lab(venue, "--speed", "max", "--expect", "1", *KEYED,
                   faults=[{"at": at(5, f"{stream}:{product}"), "do": "crossed"}])
    feed = Feed(exchange)
    if venue == "advanced":
        feed.advanced("level2", [product])
        levels = Levels(feed.json()["events"][0])
        feed.json()
        apply = lambda: levels.update(feed.json()["events"][0])
    else:
        feed.subscribe(["level2"], [product], with_key=True)
        levels = Levels(feed.json())
        apply = lambda: levels.apply(feed.json())
    for _ in range(4):
        apply()
        assert levels.best("buy") < levels.best("sell")
    apply()
    assert levels.best("buy") > levels.best("sell")


def test_close_cut_and_stall(lab):
    _, want = read_full()
    exchange = lab("full", "--speed", "max", "--no-hold", *KEYED,
                   faults=[{"at": at(), "do": "close", "code": 1012}])
    feed = Feed(exchange)
    feed.subscribe(["full"], with_key=True)
    assert feed.take(20) == want[:20]
    code, payload = feed.next()
    assert code == CLOSE and payload[:2] == b"\x03\xf4"
    exchange = lab("full", "--speed", "1", "--no-hold", *KEYED,
                   faults=[{"at": {"seconds": 0.5}, "do": "cut"}])
    feed = Feed(exchange)
    feed.subscribe(["full"], with_key=True)
    with pytest.raises(Closed) as closed:
        while True:
            feed.text()
    assert closed.value.reset
    exchange = lab("full", "--speed", "2", "--no-hold", *KEYED,
                   faults=[{"at": at(), "do": "stall", "seconds": 0.7}])
    feed = Feed(exchange)
    feed.subscribe(["full"], with_key=True)
    sequences = [feed.json()["sequence"] for _ in range(60)]
    gaps = [b - a for a, b in zip(sequences, sequences[1:])]
    assert gaps[:19] == [1] * 19 and gaps[19] > 20 and set(gaps[20:]) == {1}


def test_a_lost_message_of_advanced_leaves_a_hole_in_its_numbers(lab):
    captured = [json.loads(raw) for raw in read_advanced()]
    want = [message["events"] for message in captured if message["channel"] == "l2_data"
            and message["events"][0]["product_id"] == BTC][1:41]
    for fault, numbers in (
            ({"do": "drop"}, [n for n in range(2, 42) if n != 11]),
            ({"do": "swap"}, [*range(2, 11), 12, 11, *range(13, 42)]),
            ({"do": "duplicate"}, [*range(2, 12), *range(11, 41)])):
        exchange = lab("advanced", "--speed", "max", "--expect", "1",
                       faults=[{"at": at(10, "l2_data:BTC-USD"), **fault}])
        feed = Feed(exchange)
        feed.advanced("level2", [BTC])
        feed.take(2)
        got = [feed.json() for _ in numbers]
        assert [message["sequence_num"] for message in got] == numbers
        assert [message["events"] for message in got] == [want[n - 2] for n in numbers]


def test_delayed_numbers_of_advanced_come_late(lab):
    exchange = lab("advanced", "--speed", "10", "--expect", "1",
                   faults=[{"at": at(10, "l2_data:BTC-USD"), "do": "delay", "ms": 300}])
    feed = Feed(exchange)
    feed.advanced("level2", [BTC])
    feed.take(2)
    numbers = [feed.json()["sequence_num"] for _ in range(200)]
    place = numbers.index(11)
    assert 15 < place < 150
    assert numbers[:place] + numbers[place + 1:] == [n for n in range(2, 202) if n != 11]


def test_made_messages_can_be_lost_spoiled_and_late(lab):
    exchange = lab("level2", "--expect-timeout", "100", *KEYED, faults=[
        {"at": at(2, "heartbeat:SKL-USD"), "do": "drop"},
        {"at": at(1, "snapshot:level2_50:SKL-USD"), "do": "truncate"},
        {"at": at(1, "last_match:SKL-USD"), "do": "delay", "ms": 2500},
        {"at": at(2, "subscriptions"), "do": "close", "code": 1001}])
    feed = Feed(exchange)
    feed.subscribe(["heartbeat", "matches", "level2_batch"], ["SKL-USD"])
    with pytest.raises(ValueError):
        json.loads(feed.text())
    got = []
    for _ in range(3):
        got.append((feed.json()["type"], time.monotonic()))
    assert [kind for kind, _ in got] == ["heartbeat", "last_match", "heartbeat"]
    assert 1.5 < got[2][1] - got[0][1] < 2.5
    sent = [line for line in exchange.journal("sent") if line.get("fault") == "truncate"]
    assert [line["stream"] for line in sent] == ["snapshot:level2_50:SKL-USD"]
    feed.say({"type": "unsubscribe", "product_ids": ["SKL-USD"], "channels": ["matches"]})
    while True:
        code, _ = feed.next()
        if code == CLOSE:
            break


# --- requests -----------------------------------------------------------------------------------

def test_stale_and_crossed_books(lab):
    rows, messages = read_full()
    exchange = lab("full", "--speed", "max", "--expect", "0", "--expect-timeout", "0", faults=[
        {"at": {"depth": BTC, "n": 1}, "do": "stale", "behind": 100},
        {"at": {"depth": BTC, "n": 2}, "do": "crossed_snapshot"}])
    exchange.wait_for("end")
    old = book(exchange)
    orders = Orders(image_of(rows))
    for raw in messages[:-100]:
        orders.apply(json.loads(raw))
    assert orders.equals(old)
    crossed = book(exchange)
    assert Decimal(crossed["bids"][0][0]) > Decimal(crossed["asks"][0][0])
    for raw in messages[-100:]:
        orders.apply(json.loads(raw))
    del crossed["bids"][0]
    assert orders.equals(crossed) and orders.equals(book(exchange))
    assert [line["fault"] for line in exchange.journal("book")] == ["stale", "crossed_snapshot", ""]


def test_http_faults_of_books(lab):
    target = f"/products/{BTC}/book?level=3"
    exchange = lab("full", faults=[
        {"at": {"depth": BTC, "n": 1}, "do": "http", "status": 429, "retry_after": 3},
        {"at": {"depth": BTC, "n": 2}, "do": "http_garbage"},
        {"at": {"depth": BTC, "n": 3}, "do": "http_slow", "ms": 600},
        {"at": {"rest": "products", "n": 1}, "do": "http", "status": 503}])
    status, headers, body = exchange.get(target, headers=AGENT)
    assert (status, headers["Retry-After"]) == (429, "3")
    assert json.loads(body) == {"message": "Too many requests."}
    with pytest.raises(ValueError):
        json.loads(exchange.get(target, headers=AGENT)[2])
    start = time.monotonic()
    assert len(book(exchange)["bids"]) == 3055
    assert time.monotonic() - start > 0.5
    assert exchange.get("/products", headers=AGENT)[0] == 503
    assert exchange.get("/products", headers=AGENT)[0] == 200


def test_a_failed_book_does_not_let_play_go_on(lab):
    _, messages = read_full()
    exchange = lab("full", "--speed", "max", *KEYED,
                   faults=[{"at": {"depth": BTC}, "do": "http", "status": 500}])
    feed = Feed(exchange)
    feed.subscribe(["full"], with_key=True)
    feed.take(8)
    assert exchange.get(f"/products/{BTC}/book?level=3", headers=AGENT)[0] == 500
    feed.set_timeout(0.4)
    with pytest.raises(TimeoutError):
        feed.text()
    feed.set_timeout(20)
    book(exchange)
    assert feed.take(3) == messages[8:11]


# --- facts that change --------------------------------------------------------------------------

def test_facts_of_a_product_change_at_a_moment_of_play(lab):
    change = {"do": "product", "symbol": BTC,
              "set": {"status": "offline", "quote_increment": "0.1", "post_only": True}}
    exchange = lab("full", "--speed", "max", *KEYED, faults=[{"at": at(8), **change}])
    before = json.loads(exchange.get(f"/products/{BTC}", headers=AGENT)[2])
    feed = Feed(exchange)
    feed.subscribe(["full"], with_key=True)
    feed.take(8)
    after = json.loads(exchange.get(f"/products/{BTC}", headers=AGENT)[2])
    assert after == {**before, **change["set"]} and before["status"] == "online"
    assert json.loads(exchange.get("/products", headers=AGENT)[2]) == [after]
    assert exchange.journal("product")[0]["set"] == change["set"]


def test_facts_of_a_symbol_change_with_time(lab):
    exchange = lab("four", "--speed", "1", "--expect", "0", "--product-status", "SXPBTC=BREAK",
                   faults=[{"at": {"seconds": 0.5}, "do": "product", "symbol": "XMRBTC",
                            "set": {"status": "HALT", "tickSize": "0.10"}}])

    def facts(symbol):
        one = exchange.get_json(f"/api/v3/exchangeInfo?symbol={symbol}")["symbols"][0]
        return one["status"], one["filters"][0]["tickSize"]

    assert facts("XMRBTC")[0] == "TRADING" and facts("SXPBTC")[0] == "BREAK"
    exchange.wait_for("product")
    assert facts("XMRBTC") == ("HALT", "0.10") and facts("FTMUSDT")[0] == "TRADING"


# --- trades of Binance --------------------------------------------------------------------------

@pytest.mark.parametrize("name, stream", [("btc", "btcusdt@trade"), ("four", "ftmusdt@aggTrade")])
def test_trades_of_binance_are_played_and_can_be_lost(lab, captures, name, stream):
    want = [raw for raw in captures[name][0] if stream_of(raw) == stream]
    exchange = lab(name, "--speed", "max", "--no-hold", "--expect", "0",
                   faults=[{"at": at(3, stream), "do": "drop"}])
    trades = WebSocket(exchange, f"/stream?streams={stream}")
    assert [trades.text() for _ in want[1:]] == want[:2] + want[3:]
    emitted = [line for line in exchange.journal("emit") if line["stream"] == stream]
    assert [line["raw"].encode() for line in emitted] == [
        raw[raw.index(b'"data":') + 7:-1] for raw in want]


def test_level2_updates_can_be_lost_too(lab):
    want = [raw for raw in read_level2() if b'"l2update","product_id":"SKL-USD"' in raw]
    exchange = lab("level2", "--speed", "max", "--expect", "1",
                   faults=[{"at": at(3, "level2:SKL-USD"), "do": "drop"}])
    feed = Feed(exchange)
    feed.subscribe(["level2_batch"], ["SKL-USD"])
    feed.text()
    assert feed.take(20) == want[:2] + want[3:21]
    sent = [line for line in exchange.journal("sent") if line["seq"]]
    assert {line["as"] for line in sent} == {"level2_50:SKL-USD"}
