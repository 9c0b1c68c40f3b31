"""The references for Coinbase and trades are right: against what the exchange's captures say of
themselves, against books worked out elsewhere, and by cases small enough to check by hand."""

import decimal
import json

import pytest

import reference
import reference_coinbase as coinbase
from reference_orders import Gap, History, Orders, number, parse_time, shortest

FULL = "coinbase_full_btcusd_20160312_part1.txt.zst"
FULL_IMAGE = "coinbase_full_btcusd_20160312_part1.level3_at_760636963.json.zst"
FULL_EXPECTED = "coinbase_full_btcusd_20160312_part1.expected_at_{}.json"
REST_LEVEL3 = "coinbase_rest_level3_btcusd_20260807.json.gz"
LEVEL2 = "coinbase_level2_20210417_10prod.txt.zst"
ADVANCED = "coinbase_advanced_20260809_btc_eth.jsonl.zst"
BINANCE = ["binance_spot_btcusdt_20240808.gz", "binance_spot_btcusdt_20240809.gz"]


def need(name):
    path = coinbase.find_capture(name)
    assert path or name in (FULL_IMAGE, REST_LEVEL3), f"{name} belongs into tests/data"
    if not path:
        pytest.skip(f"{name} is not bundled, and no folder beside has it")
    return path


def digest_of(levels):
    """Of a whole book by levels, from nothing."""
    return (
        sum(
            reference.digest_level(side, price, quantity)
            for side, key in (("b", "bids"), ("a", "asks"))
            for price, quantity in levels[key]
        )
        & reference.MASK
    )


# ---- numbers and times ----


def test_decimals_are_exact_and_short():
    for text, short in (
        ("0.00001234000", "0.00001234"),
        ("1000000000", "1000000000"),
        ("61837.63000000", "61837.63"),
        ("0.000000", "0"),
        ("00012.50", "12.5"),
        ("1234567890123456789.123456789012345678", "1234567890123456789.123456789012345678"),
    ):
        assert shortest(number(text)) == short
    for text in ("NaN", "-1", "1e-8", "", "1.", ".5", "+1", "1,5", "Infinity", " 1", None, 1.5):
        with pytest.raises(ValueError):
            number(text)


def test_times_have_up_to_nine_decimals():
    assert parse_time("2016-03-12T05:08:36.83234Z") == 1457759316832340000
    assert parse_time("2026-06-19T16:43:31.844642586Z") == 1781887411844642586
    assert parse_time("2026-06-19T16:43:33Z") == 1781887413000000000
    for text in (
        "0001-01-01T00:00:00.000000Z",
        "1970-01-01T00:00:00Z",
        "2008-12-31T23:59:59Z",
        "2101-01-01T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-06-19 16:43:33Z",
        "",
        None,
        5,
    ):
        assert parse_time(text) is None


# ---- order by order, by hand ----

IMAGE = {
    "sequence": 100,
    "bids": [["10.00", "1.0", "b1"], ["10.00", "2.0", "b2"], ["9.5", "3", "b3"]],
    "asks": [["10.5", "4", "a1"], ["10.50", "5", "a2"], ["11", "6", "a3"]],
}
BIDS = [["10", "1", "b1"], ["10", "2", "b2"], ["9.5", "3", "b3"]]
ASKS = [["10.5", "4", "a1"], ["10.5", "5", "a2"], ["11", "6", "a3"]]


def after(*messages, image=None):
    """The orders behind @messages, numbered from 101 unless they say otherwise."""
    orders = Orders(image or IMAGE)
    for sequence, message in enumerate(messages, orders.sequence + 1):
        orders.apply({"sequence": sequence, "product_id": "BTC-USD", **message})
    assert orders.digest == digest_of(orders.levels())
    return orders


def book(bids=None, asks=None):
    return {"bids": BIDS if bids is None else bids, "asks": ASKS if asks is None else asks}


def received(order_id, side="buy", **more):
    return {"type": "received", "order_id": order_id, "side": side, "order_type": "limit", **more}


def opened(order_id, side, price, size):
    return {
        "type": "open",
        "order_id": order_id,
        "side": side,
        "price": price,
        "remaining_size": size,
    }


def match(maker, size, side="sell", price="10.5", trade_id=1):
    return {
        "type": "match",
        "maker_order_id": maker,
        "taker_order_id": "t",
        "size": size,
        "side": side,
        "price": price,
        "trade_id": trade_id,
        "time": "2026-11-21T00:00:00.000001Z",
    }


def done(order_id, side="buy", **more):
    return {"type": "done", "order_id": order_id, "side": side, "reason": "canceled", **more}


def change(order_id, **more):
    return {"type": "change", "order_id": order_id, "side": "buy", **more}


def stp(order_id, old_size, new_size, price="10.00"):
    return change(order_id, reason="STP", old_size=old_size, new_size=new_size, price=price)


def modified(order_id, old_price, new_price, old_size, new_size):
    return change(
        order_id,
        reason="modify_order",
        old_price=old_price,
        new_price=new_price,
        old_size=old_size,
        new_size=new_size,
    )


def test_an_image_is_the_book():
    orders = after()
    assert orders.book() == book() and orders.sequence == 100
    assert orders.levels() == {
        "bids": [["10", "3"], ["9.5", "3"]],
        "asks": [["10.5", "9"], ["11", "6"]],
    }


def test_open_queues_at_the_end_of_its_price():
    orders = after(
        received("b4", price="10.0", size="7"),
        opened("b4", "buy", "10.0", "7.50"),
        opened("a0", "sell", "10.25", "0.00000001"),
    )
    bids = [BIDS[0], BIDS[1], ["10", "7.5", "b4"], BIDS[2]]
    assert orders.book() == book(bids, [["10.25", "0.00000001", "a0"], *ASKS])
    assert orders.levels()["bids"] == [["10", "10.5"], ["9.5", "3"]]


def test_open_of_an_open_order_does_nothing():
    orders = after(opened("b1", "buy", "9", "8"), opened("a1", "sell", "10.5", "4"))
    assert orders.book() == book() and orders.sequence == 102


def test_open_with_nothing_left_is_no_order():
    assert after(opened("b4", "buy", "10", "0.000")).book() == book()


def test_a_match_in_part_keeps_the_place():
    assert after(match("a1", "1.5")).book() == book(asks=[["10.5", "2.5", "a1"], *ASKS[1:]])


def test_a_match_of_all_removes_before_done():
    assert after(match("a1", "4.000")).book() == book(asks=ASKS[1:])
    assert after(match("a1", "4"), done("a1", "sell", price="10.5")).book() == book(asks=ASKS[1:])
    # more than there was, too
    assert after(match("a1", "4.5")).book() == book(asks=ASKS[1:])


def test_done_removes_whatever_price_it_states():
    assert after(done("b2", price="11", remaining_size="77")).book() == book([BIDS[0], BIDS[2]])
    assert after(done("b3", "sell")).book() == book(BIDS[:2])


def test_a_market_order_never_rests():
    orders = after(
        received("m", order_type="market", funds="49.3", size="4.5", price=None),
        match("a1", "4"),
        match("a2", "0.5"),
        done("m", reason="filled"),
    )
    assert orders.book() == book(asks=[["10.5", "4.5", "a2"], ASKS[2]])
    assert orders.sequence == 104


def test_a_change_of_a_market_order_does_nothing():
    assert after(
        received("m", order_type="market", funds="49.3", price=None),
        change("m", reason="STP", price=None, old_funds="49.3", new_funds="20"),
        change("b1", reason="STP", price=None, old_funds="49.3", new_funds="20"),
    ).book() == book()


def test_what_is_unknown_does_nothing():
    assert after(
        done("x", price="10"),
        match("x", "1"),
        stp("x", "5", "4"),
        modified("x", "10", "9", "5", "5"),
    ).book() == book()


def test_self_trade_prevention_takes_size_and_keeps_the_place():
    assert after(stp("b1", "1.0", "0.4")).book() == book([["10", "0.4", "b1"], *BIDS[1:]])
    # never moves: not for a larger size, not for another price
    orders = after(stp("b1", "1.0", "1.5", price="9.00"))
    assert orders.book() == book([["10", "1.5", "b1"], *BIDS[1:]])
    assert after(stp("b1", "1.0", "0.00")).book() == book(BIDS[1:])


def test_a_smaller_size_keeps_the_place():
    orders = after(modified("b1", "10.00", "10.0", "1.0", "0.5"))
    assert orders.book() == book([["10", "0.5", "b1"], *BIDS[1:]])
    # as the exchange wrote it before it knew modify_order
    orders = after(change("b1", price="10.00", old_size="1.0", new_size="0.5"))
    assert orders.book() == book([["10", "0.5", "b1"], *BIDS[1:]])
    assert after(modified("b1", "10", "10", "1", "1")).book() == book()


def test_a_larger_size_goes_to_the_back():
    orders = after(modified("b1", "10.00", "10.00", "1.0", "1.5"))
    assert orders.book() == book([BIDS[1], ["10", "1.5", "b1"], BIDS[2]])
    orders = after(change("b1", price="10.00", old_size="1.0", new_size="1.5"))
    assert orders.book() == book([BIDS[1], ["10", "1.5", "b1"], BIDS[2]])
    # what counts is the size that rests, not the one that the message remembers
    orders = after(
        stp("b1", "1.0", "0.5"), modified("b1", "10.00", "10.00", "1.0", "0.75")
    )
    assert orders.book() == book([BIDS[1], ["10", "0.75", "b1"], BIDS[2]])


def test_a_new_price_goes_to_the_back_of_its_queue():
    orders = after(modified("b1", "10", "9.50", "1", "0.25"))
    assert orders.book() == book([BIDS[1], BIDS[2], ["9.5", "0.25", "b1"]])
    # to a price where nobody was, from one that is empty then
    orders = after(modified("b3", "9.5", "10.1", "3", "3"))
    assert orders.book() == book([["10.1", "3", "b3"], *BIDS[:2]])
    assert orders.levels()["bids"] == [["10.1", "3"], ["10", "3"]]
    # there and back again: behind
    orders = after(modified("b1", "10", "9", "1", "1"), modified("b1", "9", "10", "1", "1"))
    assert orders.book() == book([BIDS[1], BIDS[0], BIDS[2]])
    assert after(modified("b1", "10", "9", "1", "0")).book() == book(BIDS[1:])
    # what is not said stays
    orders = after(modified("b1", "10", "9", "1", None), modified("b2", "10", None, "2", "1"))
    assert orders.book() == book([["10", "1", "b2"], BIDS[2], ["9", "1", "b1"]])


def test_activate_and_the_unknown_take_a_number_and_do_nothing():
    orders = after(
        {"type": "activate", "order_id": "b1", "stop_type": "entry", "size": "2", "funds": "50"},
        {"type": "of_tomorrow", "order_id": "b1", "price": "1", "new_size": "2"},
        opened("b4", "buy", "9.4", "1"),
    )
    assert orders.book() == book([*BIDS, ["9.4", "1", "b4"]])
    assert orders.sequence == 103


def test_what_has_no_number_is_not_counted():
    orders = after({"type": "activate", "order_id": "b1", "sequence": None, "private": True})
    assert orders.book() == book() and orders.sequence == 100


def test_late_messages_do_nothing_and_missing_ones_are_a_gap():
    orders = after(done("b1"), {**done("b2"), "sequence": 101}, {**done("b3"), "sequence": 100})
    assert orders.book() == book(BIDS[1:])
    with pytest.raises(Gap, match="102 to 102"):
        orders.apply({**done("b2"), "sequence": 103})
    assert orders.book() == book(BIDS[1:]) and orders.sequence == 101


def test_history_gives_every_book_in_any_order():
    messages = [done("b1"), match("a1", "4"), modified("b2", "10", "9", "2", "2")]
    messages = [{**message, "sequence": 101 + i} for i, message in enumerate(messages)]
    for second, message in enumerate(messages):
        message["time"] = f"2026-11-21T00:00:0{second}Z"
    early = {**done("b3"), "sequence": 100}
    arrived = [messages[2], early, messages[0], messages[1], messages[0]]
    history = History(IMAGE, [(5, message) for message in arrived])
    moved = [["9.5", "3", "b3"], ["9", "2", "b2"]]
    assert history.book(103) == book(moved, ASKS[1:])
    assert history.book(101) == book(BIDS[1:])
    assert history.book(100) == book()
    assert history.book(102) == book(BIDS[1:], ASKS[1:])
    assert history.levels(103)["bids"] == [["9.5", "3"], ["9", "2"]]
    assert history.digests() == {
        sequence: digest_of(history.levels(sequence)) for sequence in (101, 102, 103)
    }
    began = parse_time("2026-11-21T00:00:00Z")
    assert history.sequence_at(began - 1) is None
    assert history.sequence_at(began) == 101
    assert history.sequence_at(began + 10**9 - 1) == 101
    assert history.sequence_at(began + 10**9) == 102
    assert history.sequence_at(began + 10**12) == 103
    assert history.sequence_at(5, "receive") == 103 and history.sequence_at(4, "receive") is None
    with pytest.raises(Gap, match="102 to 102"):
        History(IMAGE, [(5, messages[0]), (5, messages[2])])


# ---- order by order, captured ----


@pytest.fixture(scope="module", name="full")
def full_fixture():
    return coinbase.read_full(need(FULL))


def test_full_capture_is_what_is_said_of_it(full):
    image, messages = full
    assert (len(image["bids"]), len(image["asks"])) == (3055, 4054)
    assert [message["sequence"] for _, message in messages] == list(range(760636964, 760640754))
    kinds = [message["type"] for _, message in messages]
    counts = {kind: kinds.count(kind) for kind in set(kinds)}
    assert counts == {"received": 1266, "open": 1265, "done": 1258, "match": 1}
    # written at 2016-03-12 00:08:51,403, five hours behind
    assert messages[0][0] == parse_time("2016-03-12T05:08:51.403Z")
    assert image == json.loads("".join(coinbase.lines_of(need(FULL_IMAGE))))


@pytest.mark.parametrize("sequence", [760639339, 760640753])
def test_full_capture_equals_a_book_worked_out_elsewhere(full, sequence):
    path = need(FULL_EXPECTED.format(sequence))
    expected = json.loads(path.read_text(), parse_float=str, parse_int=str)
    assert expected["sequence"] == str(sequence)
    levels = History(*full).levels(sequence)
    for key in ("bids", "asks"):
        assert len(expected[key]) == 50
        rows = [[shortest(number(word)) for word in row] for row in expected[key]]
        assert levels[key][:50] == rows


def test_full_capture_adds_up_after_every_message(full):
    history = History(*full)
    for index, (_, _, orders) in enumerate(history.books()):
        assert not orders.is_crossed()
        if index % 200:
            continue
        levels, sums = orders.levels(), {"bids": {}, "asks": {}}
        for key, rows in orders.book().items():
            for price, size, _ in rows:
                sums[key][price] = sums[key].get(price, 0) + decimal.Decimal(size)
            assert [[price, shortest(size)] for price, size in sums[key].items()] == levels[key]
        assert orders.digest == digest_of(levels)
    # 3,055 + 4,054, and 1,265 opened, less 1,257 that a done took: one was of a market order
    book_ = history.book(760640753)
    assert len(book_["bids"]) + len(book_["asks"]) == 7109 + 1265 - 1257


def test_an_order_by_order_image_of_today():
    image = json.loads("".join(coinbase.lines_of(need(REST_LEVEL3))))
    orders = Orders(image)
    rows, levels = orders.book(), orders.levels()
    assert (len(rows["bids"]), len(rows["asks"])) == (57419, 53187)
    assert (len(levels["bids"]), len(levels["asks"])) == (18395, 27019)
    assert rows == {
        key: [[shortest(number(p)), shortest(number(s)), i] for p, s, i in image[key]]
        for key in ("bids", "asks")
    }
    assert not orders.is_crossed() and orders.digest == digest_of(levels)


# ---- by price ----


def snapshot(bids, asks, product="A-B"):
    return {"type": "snapshot", "product_id": product, "bids": bids, "asks": asks}


def l2update(changes, product="A-B", time="2026-11-21T00:00:01.5Z"):
    return {"type": "l2update", "product_id": product, "changes": changes, "time": time}


def l2_data(kind, updates, product="A-B"):
    """@updates: (side, second, price, quantity)"""
    updates = [
        {
            "side": side,
            "event_time": f"2026-11-21T00:00:{second:02}.25Z" if second else "1970-01-01T00:00:00Z",
            "price_level": price,
            "new_quantity": quantity,
        }
        for side, second, price, quantity in updates
    ]
    event = {"type": kind, "product_id": product, "updates": updates}
    return {"channel": "l2_data", "sequence_num": 0, "events": [event]}


def play(*messages):
    books, events = coinbase.Books(), []
    for receive_ns, message in enumerate(messages, 7):
        events += [event for event, _ in books.take(receive_ns, message)]
    for levels in books.books.values():
        assert levels.digest == digest_of(levels.book())
    return books, events


def test_prices_are_compared_by_value_and_zero_has_many_spellings():
    books, events = play(
        snapshot([["1310.79", "1.0"], ["1310", "2"], ["9", "3"]], [["1311.0", "4"], ["1320", "0"]]),
        l2update([["buy", "1310.7900", "5.50"], ["buy", "1310.00", "0.000000"]]),
        l2update([["sell", "1311", "0"], ["sell", "1312", "0.0"], ["sell", "1313.10", "6"]]),
        l2update([["buy", "9", "0.00"], ["buy", "9.0", "1"], ["buy", "9.00", "2"]]),
    )
    levels = books.books["A-B"]
    assert levels.book() == {"bids": [["1310.79", "5.5"], ["9", "2"]], "asks": [["1313.1", "6"]]}
    assert events[1]["bids"] == [["1310.79", "5.5"], ["1310", "0"]] and events[1]["asks"] == []
    assert levels.unknown == 2 and not levels.is_crossed()
    assert levels.best("b") == decimal.Decimal("1310.79")


def test_an_image_replaces_and_nothing_comes_before_one():
    books, events = play(
        l2update([["buy", "1", "1"]]),
        snapshot([["1", "1"], ["2", "2"]], [["3", "3"]]),
        snapshot([["1.5", "1"]], []),
        snapshot([], [["7", "7"]], product="C-D"),
        l2update([["sell", "8", "8"]], product="C-D"),
    )
    assert books.dropped == 1 and [event["image"] for event in events] == [True, True, True, False]
    assert books.books["A-B"].book() == {"bids": [["1.5", "1"]], "asks": []}
    assert books.books["C-D"].book() == {"bids": [], "asks": [["7", "7"], ["8", "8"]]}


def test_advanced_levels_and_the_newest_of_their_times():
    books, events = play(
        l2_data("snapshot", [("bid", 0, "5", "1"), ("offer", 0, "6.00", "2")]),
        l2_data("update", [("offer", 3, "6", "0.0"), ("bid", 9, "5.0", "4"), ("bid", 1, "4", "0")]),
    )
    levels = books.books["A-B"]
    assert levels.book() == {"bids": [["5", "4"]], "asks": []} and levels.unknown == 1
    assert events[0]["event_time_ns"] == 7, "no time is plausible: ours"
    assert events[1]["event_time_ns"] == parse_time("2026-11-21T00:00:09.25Z")
    assert events[1]["receive_time_ns"] == 8


def test_levels_that_are_no_numbers_are_left_out():
    books, events = play(
        snapshot([["1", "NaN"], ["2", "2"], ["3", "-1"]], [["x", "1"]]),
        l2update([["buy", "2", "1e2"]], time="0001-01-01T00:00:00.000000Z"),
    )
    assert books.books["A-B"].book() == {"bids": [["2", "2"]], "asks": []}
    assert [event["odd"] for event in events] == [3, 1]
    assert events[1]["event_time_ns"] == 8


@pytest.fixture(scope="module", name="level2")
def level2_fixture():
    return list(coinbase.read_f2(need(LEVEL2)))


@pytest.fixture(scope="module", name="advanced")
def advanced_fixture():
    return list(coinbase.read_f3(need(ADVANCED)))


def test_level2_capture(level2):
    """Never crossed, every deletion is of a known level, and the best prices are the ticker's."""
    assert len(level2) == 9946 and level2[0][0] == 1618677817061845000
    books, counts, equal, tickers = coinbase.Books(), [0, 0], 0, 0
    for receive_ns, message in level2:
        for event, levels in books.take(receive_ns, message):
            counts[event["image"]] += 1
            assert not levels.is_crossed() and not event["odd"]
        if message["type"] == "ticker":
            levels = books.books[message["product_id"]]
            best = [number(message["best_bid"]), number(message["best_ask"])]
            tickers += 1
            equal += best == [levels.best("b"), levels.best("a")]
    assert counts == [9719, 10] and books.dropped == 0
    for levels in books.books.values():
        assert levels.unknown == 0 and levels.digest == digest_of(levels.book())
    assert (equal, tickers) == (100, 107)


def test_advanced_capture(advanced):
    assert [message["sequence_num"] for _, message in advanced] == list(range(1030))
    assert advanced[0][0] == 1786309548629007800
    books, counts, sizes = coinbase.Books(), [0, 0], {}
    for receive_ns, message in advanced:
        for event, levels in books.take(receive_ns, message):
            counts[event["image"]] += 1
            assert not levels.is_crossed() and not event["odd"]
            assert abs(event["event_time_ns"] - receive_ns) < 2 * 10**9
            if event["image"]:
                sizes[event["symbol"]] = len(event["bids"]) + len(event["asks"])
    assert counts == [773, 2] and sizes == {"BTC-USD": 46000, "ETH-USD": 23334}
    for levels in books.books.values():
        assert levels.digest == digest_of(levels.book())


# ---- trades ----


def test_the_side_of_a_trade_is_the_takers():
    pair = {"type": "match", "product_id": "A-B", "trade_id": 8, "price": "10.50", "size": "2.0"}
    pair.update(side="sell", time="2026-11-21T00:00:01.5Z", maker_order_id="m", sequence=9)
    batch = {
        "channel": "market_trades",
        "events": [
            {
                "type": "update",
                "trades": [
                    {**pair, "trade_id": "10", "side": "BUY", "time": "1970-01-01T00:00:00Z"},
                    {**pair, "trade_id": "9", "side": "SELL"},
                ],
            }
        ],
    }
    found = coinbase.tape([(1, pair), (2, {**pair, "type": "last_match"}), (3, batch)])
    first = {
        "exchange": "coinbase",
        "symbol": "A-B",
        "id": 8,
        "event_time_ns": parse_time("2026-11-21T00:00:01.5Z"),
        "receive_time_ns": 1,
        "price": "10.5",
        "quantity": "2",
        "taker_side": "buy",
    }
    assert [coinbase.row_of(trade) for trade in found] == [
        first,
        {**first, "id": 9, "receive_time_ns": 3},
        {**first, "id": 10, "receive_time_ns": 3, "event_time_ns": 3, "taker_side": "sell"},
    ]
    assert (found[0]["maker_order_id"], found[0]["sequence"]) == ("m", 9)
    rfq = {**pair, "type": "rfq_match", "side": "BUY"}
    ticker = {**pair, "type": "ticker"}
    assert coinbase.tape([(1, rfq), (1, ticker)]) == []


def test_trades_of_binance():
    trade = {"e": "trade", "E": 1672515782137, "s": "AB", "t": 5, "p": "0.00100000", "q": "100.0"}
    trade.update(T=1672515782136, m=True, M=True)
    merged = {**trade, "e": "aggTrade", "a": 6, "f": 5, "l": 5, "m": False}
    merged["T"] = 1672515782136001
    block = {**trade, "e": "blockTrade", "t": 7}
    pairs = [(1, trade), (2, {"stream": "ab@aggTrade", "data": merged}), (3, trade), (4, block)]
    first = {
        "exchange": "binance",
        "symbol": "AB",
        "id": 5,
        "event_time_ns": 1672515782136000000,
        "receive_time_ns": 1,
        "price": "0.00100000",
        "quantity": "100.0",
        "taker_side": "sell",
    }
    second = {**first, "id": 6, "event_time_ns": 1672515782136001000, "receive_time_ns": 2}
    assert coinbase.tape(pairs) == [first, {**second, "taker_side": "buy"}]


def test_the_ticker_of_the_exchange_names_the_same_takers(level2):
    """`ticker` states the taker's side, and shares its numbers with the trades."""
    found = coinbase.tape(level2)
    assert len(found) == 107
    sides = {(trade["symbol"], trade["id"]): trade["taker_side"] for trade in found}
    compared = 0
    for _, message in level2:
        if message["type"] == "ticker":
            key = (message["product_id"], message["trade_id"])
            compared += key in sides
            assert sides.get(key, message["side"]) == message["side"]
    assert compared == 107
    for symbol in {trade["symbol"] for trade in found}:
        ids = [trade["id"] for trade in found if trade["symbol"] == symbol]
        assert ids == list(range(ids[0], ids[0] + len(ids)))


def test_trades_of_the_advanced_feed_follow_each_other(advanced):
    found = coinbase.tape(advanced)
    for symbol, last in (("BTC-USD", 1068572137), ("ETH-USD", 833140810)):
        ids = [trade["id"] for trade in found if trade["symbol"] == symbol]
        assert ids == list(range(ids[0], last + 1)) and len(ids) > 100


# ---- trades against the book ----


def told(message, receive_ns=0):
    message = {"product_id": "BTC-USD", "sequence": 101, **message}
    return coinbase.coinbase_trade(receive_ns, message)


def test_a_trade_needs_an_order_that_rested_there():
    messages = [done("b1"), match("a1", "4"), match("a1", "1", trade_id=2), match("x", "1")]
    messages[3]["trade_id"] = 3
    messages = [{**message, "sequence": 101 + i} for i, message in enumerate(messages)]
    true, gone, nobody = (told(message) for message in messages[1:])
    made_up = {**true, "id": 99}
    assert coinbase.contradictions([true], [IMAGE, *messages]) == []
    assert coinbase.contradictions([true, gone, nobody, made_up], [IMAGE, *messages]) == [
        gone,
        nobody,
        made_up,
    ]
    before = {**made_up, "event_time_ns": true["event_time_ns"] - 1}
    assert coinbase.contradictions([before], [IMAGE, *messages]) == []
    for lie in (
        {"price": "10.51"},
        {"quantity": "4.00000001"},
        {"taker_side": "sell"},
        {"maker_order_id": "a2"},
    ):
        assert coinbase.contradictions([{**true, **lie}], [IMAGE, *messages]) == [{**true, **lie}]
    lie = {**true, "price": "10.51", "event_time_ns": 0}
    assert coinbase.contradictions([lie], [IMAGE, *messages]) == [lie]
    row = coinbase.row_of(true)
    assert coinbase.contradictions([row], [IMAGE, *messages]) == []


def l2_event(millisecond, bids=(), asks=()):
    return {"event_time_ns": millisecond * 10**6, "bids": bids, "asks": asks}


def l2_trade(millisecond, price, taker_side):
    trade = {"id": 1, "price": price, "quantity": "1", "taker_side": taker_side}
    return {**trade, "event_time_ns": millisecond * 10**6}


def test_a_trade_lies_within_the_best_prices_around_it():
    events = [
        {"bids": [["10", "1"]], "asks": [["12", "1"]]},
        l2_event(1000, bids=[["9", "5"]]),
        l2_event(1200, asks=[["12", "0"], ["13", "1"], ["15", "0"]]),
        l2_event(2000, bids=[["10", "2"]]),
        l2_event(3000, bids=[["10", "3"]]),
        l2_event(4000, asks=[["11", "1"]]),
        l2_event(5000, bids=[["10", "1"]]),
        l2_event(6000, bids=[["9", "0"]]),
    ]
    for millisecond, price, taker_side, true in (
        (1100, "12", "buy", True),
        (1100, "13", "buy", True),
        (1100, "13.01", "buy", False),
        (1100, "15.0", "buy", True),  # somebody stood there within the event
        (1100, "15", "sell", False),
        (1100, "10", "sell", True),
        (1100, "9.99", "sell", False),
        (1100, "10", "buy", False),  # who sold at the best bid of all that time?
        (1100, "10.01", "buy", True),
        (1100, "12.5", "buy", True),  # in what the spread was after
        (1100, "11.5", "sell", True),  # in what it was before
        (1100, "12.5", "sell", True),
        (2100, "12.99", "sell", True),
        (2100, "13", "sell", False),
        (2500, "12", "buy", True),  # in the spread: it came and went
        (2500, "13.5", "buy", False),
        (999, "50", "buy", True),  # not judged: before the first
        (3500, "12", "buy", True),  # below the best ask before, if not after
        (4500, "12", "buy", False),
        (5901, "50", "buy", True),  # not judged: what it did is not there yet
    ):
        one = l2_trade(millisecond, price, taker_side)
        assert coinbase.contradictions([one], events) == ([] if true else [one]), one


def falsified(trades, index, **lie):
    return [{**trade, **lie} if i == index else trade for i, trade in enumerate(trades)]


@pytest.mark.parametrize(
    "lie",
    [
        {"price": "413.03"},
        {"quantity": "7.25812001"},
        {"taker_side": "sell"},
        {"maker_order_id": "b36e3d6b-74a4-4b0b-9a5c-b2d7ad3e3d6a"},
        {"id": 7260714},
    ],
    ids=lambda lie: next(iter(lie)),
)
def test_the_orders_captured_contradict_a_falsified_trade_only(full, lie):
    image, messages = full
    events = [image] + [message for _, message in messages]
    trades = coinbase.tape(messages)
    assert len(trades) == 1 and trades[0]["id"] == 7260713
    assert trades[0]["taker_side"] == "buy" and trades[0]["price"] == "413.02"
    assert coinbase.contradictions(trades, events) == []
    other = falsified(trades, 0, **lie)
    assert coinbase.contradictions(trades + other, events) == other


def by_symbol(messages):
    """symbol -> (trades, image and events)"""
    books, events = coinbase.Books(), {}
    for receive_ns, message in messages:
        for event, _ in books.take(receive_ns, message):
            events.setdefault(event["symbol"], []).append(event)
    trades = coinbase.tape(messages)
    return {
        symbol: ([trade for trade in trades if trade["symbol"] == symbol], events[symbol])
        for symbol in events
    }


def check_levels(trades, events, judged):
    """None is contradicted, and of some falsified prices exactly those. How many were judged."""
    begin = events[1]["event_time_ns"]
    end = max(event["event_time_ns"] for event in events[1:]) - coinbase.SETTLED_NS
    inside = [i for i, trade in enumerate(trades) if begin <= trade["event_time_ns"] <= end]
    assert len(inside) >= judged
    assert coinbase.contradictions(trades, events) == []
    for index in (inside[0], inside[len(inside) // 2], inside[-1]) if inside else ():
        price = decimal.Decimal(trades[index]["price"])
        for factor in ("1.02", "0.98"):
            lie = falsified(trades, index, price=shortest(price * decimal.Decimal(factor)))
            assert coinbase.contradictions(lie, events) == [lie[index]]
    return len(inside)


def test_the_levels_captured_contradict_a_falsified_trade_only(level2):
    judged = sum(check_levels(*pair, 0) for pair in by_symbol(level2).values())
    assert judged > 90


def test_the_advanced_levels_contradict_a_falsified_trade_only(advanced):
    pairs = by_symbol(advanced)
    assert check_levels(*pairs["BTC-USD"], 40) + check_levels(*pairs["ETH-USD"], 25) > 70


def test_the_levels_of_binance_contradict_a_falsified_trade_only():
    """And one whose taker is the wrong one, wherever the book stood still around it."""
    messages = [pair for name in BINANCE for pair in coinbase.read_f1(need(name))]
    image = next(message for _, message in messages if "lastUpdateId" in message)
    updates = [message.get("data", {}) for _, message in messages]
    updates = [data for data in updates if data.get("e") == "depthUpdate"]
    events = [image] + [
        {"event_time_ns": data["E"] * 10**6, "bids": data["b"], "asks": data["a"]}
        for data in updates
        if data["u"] > image["lastUpdateId"]
    ]
    trades = coinbase.tape(messages)
    assert len(trades) == 19904
    assert coinbase.contradictions(trades, events) == []
    lie = falsified(trades, 10000, price="61000.00000000")
    assert coinbase.contradictions(lie, events) == [lie[10000]]
    turned = [
        {**trade, "taker_side": coinbase.OTHER[trade["taker_side"]]} for trade in trades[::10]
    ]
    assert len(coinbase.contradictions(turned, events)) > len(turned) / 5
