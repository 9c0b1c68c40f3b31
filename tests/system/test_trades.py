"""Trades of both exchanges, recorded by the real program: every one comes back as it was sent, and
the book that was recorded beside them contradicts none of them."""

import decimal
import itertools

import pytest

import harness
import reference_coinbase as coinbase
import test_coinbase
from reference_orders import parse_time, shortest

AGGREGATES = {"BINANCE_TRADES": "aggTrade"}
ADVANCED = {"COINBASE_FEED": "advanced"}
# what is played, how it is read here, and how it is recorded; with how many trades there are
RUNS = {
    "made-full": ("made", coinbase.read_full, harness.KEYED, harness.KEYS, 98),
    "made-matches": ("made", coinbase.read_full, [], {}, 98),
    "full": ("full", coinbase.read_full, harness.KEYED, harness.KEYS, 1),
    "level2": ("level2", coinbase.read_f2, [], {}, 107),
    "advanced": ("advanced", coinbase.read_f3, [], ADVANCED, 279),
    "btcusdt": ("btcusdt", coinbase.read_f1, [], {}, 19904),
    "spot10": ("spot10", coinbase.read_f2, [], AGGREGATES, 1240),
    "spot4": ("spot4", coinbase.read_f2, [], AGGREGATES, 28),
    "us10": ("us10", coinbase.read_f2, [], AGGREGATES, 188),
}


def messages_of(name, read):
    if read is coinbase.read_full:
        return test_coinbase.captured_orders(name)[1]
    parts = harness.capture_path(name).split("+")
    return list(itertools.chain.from_iterable(map(read, parts)))


def by_symbol(messages):
    """symbol -> its trades, as they were sent; with the fills of aggregates."""
    found = {}
    fills = {
        (data["s"], data["a"]): {"first_trade": data["f"], "last_trade": data["l"]}
        for data in (message.get("data", message) for _, message in messages)
        if data.get("e") == "aggTrade"
    }
    for trade in coinbase.tape(messages):
        key = trade["symbol"], trade["id"]
        row = {**coinbase.row_of(trade), **fills.get(key, {})}
        found.setdefault(trade["symbol"], []).append(row)
    return found


@pytest.fixture(scope="module", params=list(RUNS))
def recording(request, tmp_path_factory):
    name, read, options, settings, count = RUNS[request.param]
    messages = messages_of(name, read)
    truth = by_symbol(messages)
    run = test_coinbase.play(
        tmp_path_factory.mktemp(request.param),
        [name],
        *options,
        done=lambda now: all(
            now.get((symbol, "trades"), 0) >= len(trades) for symbol, trades in truth.items()
        ),
        **settings,
    )
    exchange = "coinbase" if name in harness.COINBASE else "binance"
    return {**run, "truth": truth, "count": count, "exchange": exchange}


def trades(run, symbol, expect=0):
    return harness.rows(run["store"], "trades", f"{run['exchange']}:{symbol}", expect=expect)


def without_receive_time(rows):
    return [{key: row[key] for key in row if key != "receive_time_ns"} for row in rows]


def test_every_trade_comes_back(recording):
    compared = 0
    for symbol, sent in recording["truth"].items():
        rows = trades(recording, symbol)
        assert without_receive_time(rows) == without_receive_time(sent)
        assert {row["taker_side"] for row in rows} <= {"buy", "sell"}
        received = [row["receive_time_ns"] for row in rows]
        assert received == sorted(received)
        compared += len(rows)
    print(f"{recording['names']}: {compared} trades compared")
    assert compared >= recording["count"]


def test_the_tape_is_complete_and_sound(recording):
    rows = {key[1]: row for key, row in test_coinbase.coverage(recording["store"]).items()
            if key[2] == "trades"}  # fmt: skip
    assert set(rows) == set(recording["truth"])
    assert all(row["gaps"] == [] and row["proof"] == "sequence" for row in rows.values())
    test_coinbase.check_complete_and_sound(recording["store"])
    assert "gap" not in recording["log"], recording["log"]


def test_a_range_of_trades_is_half_open(recording):
    symbol, sent = max(recording["truth"].items(), key=lambda pair: len(pair[1]))
    times = sorted(trade["event_time_ns"] for trade in sent)
    begin, end = times[len(times) // 4], times[3 * len(times) // 4]
    words = (f"{recording['exchange']}:{symbol}", "--from", begin, "--to", end)
    rows = harness.rows(recording["store"], "trades", *words)
    want = [trade for trade in sent if begin <= trade["event_time_ns"] < end]
    assert without_receive_time(rows) == without_receive_time(want)


# ---- the book and the tape, one against the other, as they come out of the store ----


def recorded_book(run, symbol):
    """An image and what follows it."""
    name = f"{run['exchange']}:{symbol}"
    events = harness.rows(run["store"], "replay", name)
    [book] = harness.rows(run["store"], name, "--at", events[0]["event_time_ns"])
    image = {"sequence": book["last_id"], "bids": book["bids"], "asks": book["asks"]}
    later = [event for event in events if event["last_id"] > book["last_id"]]
    if book["kind"] == "l3":
        later = [
            {**event, "sequence": event["last_id"], "time": time_text(event["event_time_ns"])}
            for event in later
        ]
    return [image, *later]


def time_text(time_ns):
    """As the exchange writes it."""
    seconds, rest = divmod(time_ns, 10**9)
    text = harness.time.strftime("%Y-%m-%dT%H:%M:%S", harness.time.gmtime(seconds))
    text = f"{text}.{rest:09}Z"
    assert parse_time(text) == time_ns
    return text


def shifted(trade, factor):
    price = decimal.Decimal(trade["price"]) * decimal.Decimal(factor)
    return {**trade, "price": shortest(price)}


def judged(rows, book):
    """Trades that the events span."""
    times = [event["event_time_ns"] for event in book[1:]]
    return [
        index
        for index, row in enumerate(rows)
        if times
        and min(times) < row["event_time_ns"] < max(times) - coinbase.SETTLED_NS
        and row["event_time_ns"] >= times[0]
    ]


def test_the_book_contradicts_a_falsified_trade_only(recording):
    total = 0
    for symbol in recording["truth"]:
        rows, book = trades(recording, symbol), recorded_book(recording, symbol)
        assert coinbase.contradictions(rows, book) == []
        inside = judged(rows, book)
        total += len(inside)
        if inside:
            lies = {inside[len(inside) // 2]: "1.05", inside[-1]: "0.95"}
            copy = [
                shifted(row, lies[index]) if index in lies else row
                for index, row in enumerate(rows)
            ]
            assert coinbase.contradictions(copy, book) == [copy[index] for index in lies], symbol
    print(f"{recording['names']}: {total} trades judged")
    assert total >= min(recording["count"], 1000) / 20


# ---- settings ----


def test_without_trades_none_are_recorded(tmp_path):
    run = test_coinbase.play(tmp_path, ["made"], *harness.KEYED, **harness.KEYS, TRADES="off")
    assert set(harness.recorded(run["store"])) == {("ETH-USD", "l3")}
    done = harness.obrebuild(run["store"], "trades", "coinbase:ETH-USD", expect=1)
    assert len(done.stderr.splitlines()) == 1 and "TRADES=on" in done.stderr


def test_trades_go_on_where_they_ended(tmp_path):
    """A restart: what was recorded is known, what was missed is a gap, nothing is there twice."""
    lab = harness.Lab(tmp_path, ["btcusdt"], speed="60")
    store = tmp_path / "store"
    try:
        for number in range(3):
            log = f"oblogger.{number}.log"
            logger = harness.Logger(tmp_path, lab, ["BTCUSDT"], store, log=log)
            logger.wait_text("trades: recorded from")
            harness.time.sleep(1.2)
            assert logger.end() == 0
        journal = list(lab.journal())
    finally:
        lab.end()
    sent = [
        (line["ns"], harness.json.loads(line["raw"]))
        for line in journal
        if line["t"] == "emit" and line["stream"] == "btcusdt@trade"
    ]
    truth = {trade["id"]: coinbase.row_of(trade) for trade in coinbase.tape(sent)}
    run = {"store": store, "exchange": "binance"}
    rows = trades(run, "BTCUSDT", expect=3)
    for row in rows:
        assert without_receive_time([row]) == without_receive_time([truth[row["id"]]])
    ids = [row["id"] for row in rows]
    assert ids == sorted(set(ids)) and len(ids) > 1000
    gaps = test_coinbase.coverage(store)["binance", "BTCUSDT", "trades"]["gaps"]
    assert [gap["cause"] for gap in gaps] == ["stopped", "stopped"]
    missing = set(range(ids[0], ids[-1] + 1)) - set(ids)
    assert missing == {
        id_ for gap in gaps for id_ in range(gap["from_id"] + 1, gap["to_id"])
    }
