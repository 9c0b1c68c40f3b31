"""Coinbase, recorded by the real program over TLS: every message and every book is exact, order by
order where there is a key, by price where there is none, and together with Binance."""

import bisect
import decimal
import functools
import json
import pathlib
import re

import pytest

import harness
import reference
import reference_coinbase as coinbase
import reference_orders as orders
from reference_orders import parse_time, shortest

BOOKS_AT_ONCE = 25  # whole books of orders are large
# a client's own id is kept if it is 16 bytes, written with dashes or without
CLIENT_ID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


# ---- what is recorded ----


def play(directory, names, *options, speed="max", symbols=None, done=None, wait=0, **settings):
    """Record captures to their end and stop in order, once done(events by symbol and kind), or
    after so long a wait and once the store does not grow any more."""
    directory = pathlib.Path(directory)
    lab = harness.Lab(directory, names, *options, speed=speed)
    try:
        wanted = symbols or [symbol for name in names for symbol in harness.SYMBOLS.get(name, [])]
        logger = harness.Logger(directory, lab, wanted, directory / "store", **settings)
        try:
            lab.wait_end(120)
            harness.time.sleep(wait)
            settle(logger.store, done)
        finally:
            assert logger.end() == 0, logger.text()[-3000:]
        journal = list(lab.journal())
    finally:
        lab.end()
    return {"store": logger.store, "log": logger.text(), "journal": journal, "names": names}


def settle(store, done=None):
    """Until the store has what is awaited, else until it does not grow any more."""
    before = None
    for _ in range(20):
        now = {key: row["events"] for key, row in harness.recorded(store).items()}
        if now and (done(now) if done else now == before):
            return
        before = now
        harness.time.sleep(0.3 if done else 1.2)
    assert not done, f"this is all that was recorded: {before}"


def emitted(journal, channel, symbol):
    """Messages of a channel that the exchange put out, in order, each once: (time, message)."""
    return [
        (line["ns"], json.loads(line["raw"]))
        for line in journal
        if line["t"] == "emit" and line["stream"] == f"{channel}:{symbol}"
    ]


def coverage(store, *words):
    return {
        (row["exchange"], row["symbol"], row["kind"]): row
        for row in harness.rows(store, "coverage", *words, expect=None)
    }


def check_complete_and_sound(store):
    for key, row in coverage(store).items():
        assert row["gaps"] == [], key
        assert row["covered_ns"] == row["to_ns"] - row["from_ns"], key
    for row in harness.rows(store, "verify"):
        assert row["problems"] == 0, row


# ---- orders ----


@functools.cache
def captured_orders(name):
    """(image, messages) as they were captured."""
    return coinbase.read_full(harness.capture_path(name))


class Truth:
    """What happened to the orders of a product: each message, and the book after it."""

    def __init__(self, image, messages):
        self.history = orders.History(image, messages)
        self.messages = {message["sequence"]: message for _, message in self.history.messages}
        self.sequences = list(self.messages)
        self.times = [parse_time(message["time"]) for message in self.messages.values()]
        self.digests = self.history.digests()
        # the earliest time from each message on: times can go back
        self.least = list(self.times)
        for index in range(len(self.least) - 2, -1, -1):
            self.least[index] = min(self.least[index], self.least[index + 1])

    def at(self, time_ns):
        """The sequence of the book at that time: of the last message that is no later."""
        return self.sequences[bisect.bisect_right(self.least, time_ns) - 1]


@functools.cache
def captured_truth(name):
    return Truth(*captured_orders(name))


def told(message):
    """The fields of a message as `replay` names them: all that were sent and mean something."""
    if message["type"] not in "received open match done change activate".split():
        return {"type": "other"}
    reasons = {"received": "order_type", "activate": "stop_type"}
    fields = {
        "type": message["type"],
        "side": message["side"],
        "reason": message.get(reasons.get(message["type"], "reason")),
        "funds": message.get("funds"),
        "trade_id": message.get("trade_id"),
    }
    for key in "price new_price old_price stop_price size remaining_size new_size old_size".split():
        fields[key] = None if message.get(key) is None else shortest(orders.number(message[key]))
    for key in ("order_id", "maker_order_id", "taker_order_id"):
        fields[key] = message.get(key)
    if CLIENT_ID.fullmatch(message.get("client_oid") or ""):
        fields["client_oid"] = message["client_oid"]
    return {key: value for key, value in fields.items() if value is not None}


COMMON = {"event_time_ns", "receive_time_ns", "first_id", "last_id", "epoch", "digest"}
LEVELS = {"bids", "asks"}
IDS = {"order_id", "maker_order_id", "taker_order_id", "client_oid"}


def replay(store, symbol, *words, expect=0):
    return harness.rows(store, "replay", f"coinbase:{symbol}", "--digest", *words, expect=expect)


def check_message(row, message, ids=True):
    fields = {key: row[key] for key in row.keys() - COMMON - LEVELS}
    want = told(message)
    if not ids:
        fields, want = ({k: v for k, v in one.items() if k not in IDS} for one in (fields, want))
    assert fields == want, f"message {message['sequence']}"
    assert row["event_time_ns"] == parse_time(message["time"])
    assert row["first_id"] == row["last_id"] == message["sequence"]


def check_messages(rows, truth, ids=True):
    """Each message as it was sent, the levels that it changed, and the digest of the book."""
    levels, epoch = None, None
    for row in rows:
        sequence = row["last_id"]
        check_message(row, truth.messages[sequence], ids)
        if row["epoch"] != epoch:
            epoch, before = row["epoch"], truth.history.levels(sequence - 1)
            levels = coinbase.Levels(before["bids"], before["asks"])
        levels.apply(row["bids"], row["asks"])
        assert int(row["digest"], 16) == truth.digests[sequence], f"book after {sequence}"
        assert levels.digest == truth.digests[sequence], f"levels that {sequence} changed"


def whole_books(store, symbol, times, *words, expect=0):
    """Books at those times: (time, book)."""
    for begin in range(0, len(times), BOOKS_AT_ONCE):
        some = times[begin : begin + BOOKS_AT_ONCE]
        stdin = "".join(f"{time_ns}\n" for time_ns in some)
        books = harness.rows(
            store, "--at", "-", f"coinbase:{symbol}", *words, stdin=stdin, expect=expect
        )
        assert len(books) == len(some)
        yield from zip(some, books)


def spread(list_, count):
    """So many of them, evenly, with the last."""
    step = max(1, len(list_) // count)
    return list(reversed(list_[::-step]))


def check_orders(store, symbol, truth, first, count):
    """Whole books, order by order in the order of the queues. How many there were."""
    times = sorted({time_ns for time_ns in truth.times if truth.at(time_ns) >= first})
    compared = 0
    for time_ns, book in whole_books(store, symbol, spread(times, count)):
        sequence = truth.at(time_ns)
        want = truth.history.book(sequence)
        assert (book["status"], book["kind"], book["last_id"]) == ("ok", "l3", sequence)
        assert book["event_time_ns"] == parse_time(truth.messages[sequence]["time"])
        assert book["proof"] == "sequence" and book["horizon"] == {"bid": None, "ask": None}
        assert book["bids"] == want["bids"], f"bids after {sequence}"
        assert book["asks"] == want["asks"], f"asks after {sequence}"
        compared += 1
    assert sequence == truth.sequences[-1]
    return compared


def check_levels(store, symbol, truth, first, count):
    """The same books by price, with --levels."""
    times = sorted({time_ns for time_ns in truth.times if truth.at(time_ns) >= first})
    for time_ns, book in whole_books(store, symbol, spread(times, count), "--levels"):
        want = truth.history.levels(truth.at(time_ns))
        assert (book["kind"], book["bids"], book["asks"]) == ("l3", want["bids"], want["asks"])


def record_orders(directory, name, *options, speed="max", **settings):
    """A whole capture of `full`, and what was sent in truth."""
    messages = len(captured_orders(name)[1])
    symbol = harness.SYMBOLS[name][0].split(":")[1]
    loops = int(options[options.index("--loop") + 1]) if "--loop" in options else 1
    run = play(
        directory,
        [name],
        *harness.KEYED,
        *options,
        speed=speed,
        done=(lambda now: now.get((symbol, "l3"), 0) >= messages) if loops == 1 else None,
        wait=0 if loops == 1 else 1,
        **harness.KEYS,
        **settings,
    )
    run["symbol"] = symbol
    if loops == 1:
        run["truth"] = captured_truth(name)
    else:
        run["truth"] = Truth(
            captured_orders(name)[0], emitted(run["journal"], "full", symbol)
        )
    return run


@pytest.fixture(scope="module", params=["made", "full"])
def recording(request, tmp_path_factory):
    directory = tmp_path_factory.mktemp(request.param)
    return record_orders(directory, request.param, speed="20")


def test_every_message_is_exact(recording):
    truth = recording["truth"]
    rows = replay(recording["store"], recording["symbol"])
    check_messages(rows, truth)
    first = rows[0]["last_id"]
    assert [row["last_id"] for row in rows] == list(range(first, truth.sequences[-1] + 1))
    assert {row["epoch"] for row in rows} == {1}
    headless = first - truth.sequences[0]
    assert headless <= 20, "the image came late"
    listed = harness.recorded(recording["store"])[recording["symbol"], "l3"]
    assert listed["events"] == len(truth.messages)
    print(f"{recording['names']}: {len(rows)} messages compared, {headless} before the image")


def test_every_book_is_exact_order_by_order(recording):
    first = replay(recording["store"], recording["symbol"])[0]["last_id"]
    truth = recording["truth"]
    compared = check_orders(recording["store"], recording["symbol"], truth, first, 310)
    assert compared >= 300
    check_levels(recording["store"], recording["symbol"], truth, first, 30)


def test_the_record_is_complete_and_sound(recording):
    check_complete_and_sound(recording["store"])
    [row] = [row for key, row in coverage(recording["store"]).items() if key[2] == "l3"]
    assert row["proof"] == "sequence" and row["corrections"] == 0
    assert [(source["feed"], source["note"]) for source in row["sources"]] == [("full", None)]
    truth = recording["truth"]
    assert row["to_ns"] >= max(truth.times)
    assert "gap" not in recording["log"] and "warning" not in recording["log"], recording["log"]


@pytest.mark.parametrize("recording", ["full"], indirect=True)
@pytest.mark.parametrize("sequence", [760639339, 760640753])
def test_the_books_that_another_recorder_found(recording, sequence):
    path = coinbase.find_capture(
        f"coinbase_full_btcusd_20160312_part1.expected_at_{sequence}.json"
    )
    assert path, f"the expected book at {sequence} belongs into tests/data"
    want = json.loads(path.read_text(), parse_float=decimal.Decimal, parse_int=decimal.Decimal)
    truth = recording["truth"]
    at_ns = parse_time(truth.messages[sequence]["time"])
    assert truth.at(at_ns) == sequence
    [book] = harness.rows(
        recording["store"], "--at", at_ns, "coinbase:BTC-USD", "--levels", "--depth", 50
    )
    assert book["last_id"] == sequence
    for key in ("bids", "asks"):
        got = [[decimal.Decimal(price), decimal.Decimal(size)] for price, size in book[key]]
        assert got == want[key] and len(got) == 50


@pytest.mark.parametrize("name", ["made", "full"])
def test_at_full_speed_nothing_is_lost(name, tmp_path):
    run = record_orders(tmp_path, name)
    rows = replay(run["store"], run["symbol"])
    check_messages(rows, run["truth"])
    assert rows[-1]["last_id"] == run["truth"].sequences[-1]
    check_complete_and_sound(run["store"])
    listed = harness.recorded(run["store"])[run["symbol"], "l3"]
    assert listed["events"] == len(run["truth"].messages)


# ---- places in a queue ----


def with_messages(path, extra):
    """The made capture, and these messages behind it."""
    lines = list(coinbase.lines_of(harness.capture_path("made")))
    sequence = captured_truth("made").sequences[-1]
    for number, message in enumerate(extra, 1):
        message = {
            **message,
            "product_id": "ETH-USD",
            "time": f"2023-03-10T00:05:46.{number:06}Z",
            "sequence": sequence + number,
        }
        lines.append("2023-03-09 19:05:46,000 " + json.dumps(message))
    path.write_text("\n".join(lines) + "\n")


def queue_of(ids):
    for number, order_id in enumerate(ids):
        yield {
            "type": "open",
            "side": "buy",
            "order_id": order_id,
            "price": "1000.10",
            "remaining_size": f"{number + 1}.50",
        }


def change(order_id, reason, **sizes):
    return {"type": "change", "side": "buy", "order_id": order_id, "reason": reason, **sizes}


def test_who_keeps_a_place_in_the_queue_and_who_loses_it(tmp_path):
    one, two, three, four = ids = [f"{n}{'0' * 7}-0000-4000-8000-{'0' * 12}" for n in (1, 2, 3, 4)]
    modify = {"old_price": "1000.1", "new_price": "1000.10"}
    match = {"type": "match", "side": "buy", "taker_order_id": four, "price": "1000.1"}
    with_messages(
        tmp_path / "capture.txt",
        [
            *queue_of(ids),
            change(one, "STP", old_size="1.5", new_size="1", price="1000.1"),
            change(two, "modify_order", old_size="2.5", new_size="2", **modify),
            change(three, "modify_order", old_size="3.5", new_size="9", **modify),
            {**match, "trade_id": 428981255, "maker_order_id": one, "size": "0.25"},
            {**match, "trade_id": 428981256, "maker_order_id": two, "size": "2"},
            change(four, "modify_order", old_size="4.5", new_size="5", old_price="1000.1",
                   new_price="1000.2"),
            change(four, "modify_order", old_size="5", new_size="5", old_price="1000.2",
                   new_price="1000.1"),
        ],
    )  # fmt: skip
    run = play(tmp_path, [tmp_path / "capture.txt"], *harness.KEYED, symbols=["coinbase:ETH-USD"],
               speed="20", **harness.KEYS)  # fmt: skip
    [book] = harness.rows(run["store"], "coinbase:ETH-USD")
    queue = [row for row in book["bids"] if row[0] == "1000.1"]
    assert queue == [
        ["1000.1", "0.75", one],
        ["1000.1", "9", three],
        ["1000.1", "5", four],
    ]
    sent = emitted(run["journal"], "full", "ETH-USD")
    truth = Truth(captured_orders("made")[0], sent)
    check_messages(replay(run["store"], "ETH-USD"), truth)
    assert book["bids"] == truth.history.book(truth.sequences[-1])["bids"]


# ---- ids that are not kept ----


class Numbers:
    """Which number stands for which order, and the other way."""

    def __init__(self):
        self.by_id, self.by_number = {}, {}

    def check(self, order_id, number):
        assert re.fullmatch(r"#[0-9]+", number), number
        assert self.by_id.setdefault(order_id, number) == number, order_id
        assert self.by_number.setdefault(number, order_id) == order_id, number


def check_numbered_books(store, symbol, truth, first, numbers, count):
    times = sorted({time_ns for time_ns in truth.times if truth.at(time_ns) >= first})
    for time_ns, book in whole_books(store, symbol, spread(times, count)):
        want = truth.history.book(truth.at(time_ns))
        for side in ("bids", "asks"):
            assert [row[:2] for row in book[side]] == [row[:2] for row in want[side]]
            for row, order in zip(book[side], want[side]):
                numbers.check(order[2], row[2])


def check_numbered_messages(rows, truth, numbers):
    check_messages(rows, truth, ids=False)
    for row in rows:
        message = truth.messages[row["last_id"]]
        assert row.keys() & IDS == told(message).keys() & IDS - {"client_oid"}
        for key in row.keys() & IDS:
            numbers.check(message[key], row[key])


@pytest.mark.parametrize("name", ["made", "full"])
def test_without_ids_the_same_books_in_less_room(name, tmp_path):
    sizes = {}
    for ids in ("on", "off"):
        directory = tmp_path / ids
        directory.mkdir()
        run = record_orders(directory, name, speed="20", L3_IDS=ids)
        row = harness.recorded(run["store"])[run["symbol"], "l3"]
        sizes[ids] = row["image_bytes"] + row["change_bytes"]
    rows = replay(run["store"], run["symbol"])
    numbers = Numbers()
    check_numbered_books(
        run["store"], run["symbol"], run["truth"], rows[0]["last_id"], numbers, 60
    )
    check_numbered_messages(rows, run["truth"], numbers)
    check_complete_and_sound(run["store"])
    print(f"{name}: {sizes['on']} bytes with ids, {sizes['off']} without")
    assert sizes["off"] < sizes["on"] * 0.5
    [source] = coverage(run["store"])["coinbase", run["symbol"], "l3"]["sources"]
    assert "L3_IDS=off" in source["note"]


# ---- many blocks and images ----


@pytest.mark.parametrize("name, loops, speed", [("made", 5, "25"), ("full", 3, "18")])
def test_many_blocks_and_images(name, loops, speed, tmp_path):
    settings = {"SEAL_AFTER": "1s", "IMAGE_MIN": "1s", "IMAGE_FACTOR": "1"}
    run = record_orders(tmp_path, name, "--loop", str(loops), speed=speed, **settings)
    truth, store, symbol = run["truth"], run["store"], run["symbol"]
    rows = replay(store, symbol)
    check_messages(rows, truth)
    assert rows[-1]["last_id"] == truth.sequences[-1]
    assert len(truth.sequences) > loops * len(captured_orders(name)[1])
    check_orders(store, symbol, truth, rows[0]["last_id"], 60)
    check_complete_and_sound(store)
    verified = {row["kind"]: row for row in harness.rows(store, "verify")}["l3"]
    print(f"{name}: {verified['frames']} frames, {verified['images']} images")
    assert verified["images"] >= 2 and verified["frames"] - verified["images"] >= 4


# ---- levels ----


def captured_levels(name, feed):
    """symbol -> events by price of a capture in their order, each with the digest after it."""
    found = {}
    books = coinbase.Books()
    for receive_ns, message in feed(harness.capture_path(name)):
        for event, book in books.take(receive_ns, message):
            event.update(digest=book.digest)
            found.setdefault(event["symbol"], []).append(event)
    assert not books.dropped
    return found


LEVEL_FEEDS = {
    "level2": (coinbase.read_f2, "level2_batch", "none", {}),
    "advanced": (coinbase.read_f3, "advanced", "sequence", {"COINBASE_FEED": "advanced"}),
}


@pytest.fixture(scope="module", params=list(LEVEL_FEEDS))
def levels_recording(request, tmp_path_factory):
    name = request.param
    read, feed, proof, settings = LEVEL_FEEDS[name]
    truth = captured_levels(name, read)
    run = play(
        tmp_path_factory.mktemp(name),
        [name],
        speed="max",
        done=lambda now: all(
            now.get((symbol, "l2"), 0) >= len(events) - 1 for symbol, events in truth.items()
        ),
        **settings,
    )
    return {**run, "truth": truth, "feed": feed, "proof": proof}


def test_every_event_by_price_is_exact(levels_recording):
    run, compared = levels_recording, 0
    for symbol, (image, *events) in run["truth"].items():
        rows = replay(run["store"], symbol)
        assert len(rows) == len(events)
        for number, (row, event) in enumerate(zip(rows, events), 1):
            assert row["first_id"] == row["last_id"] == number
            assert (row["bids"], row["asks"]) == (event["bids"], event["asks"])
            assert row["event_time_ns"] == event["event_time_ns"]
            assert int(row["digest"], 16) == event["digest"], f"{symbol}: book after {number}"
            compared += 1
        check_whole_levels(run, symbol, image, events)
    print(f"{run['names']}: {compared} events compared")
    assert compared >= {"level2": 9719, "advanced": 773}[run["names"][0]]


def check_whole_levels(run, symbol, image, events):
    """The whole book at the last event of every 40th time and at the end."""
    last = {}
    for number, event in enumerate(events, 1):
        last[event["event_time_ns"]] = number
    newest = 0
    for time_ns in sorted(last):  # by the exchange's clock, which may go back
        newest = last[time_ns] = max(newest, last[time_ns])
    times = spread(sorted(last), 1 + len(last) // 40)
    books = dict(whole_books(run["store"], symbol, times))
    levels, wanted = coinbase.Levels(image["bids"], image["asks"]), set(map(last.get, times))
    truth = {}
    for number, event in enumerate(events, 1):
        levels.apply(event["bids"], event["asks"])
        if number in wanted:
            truth[number] = levels.book()
    for time_ns, book in books.items():
        want = truth[last[time_ns]]
        assert (book["status"], book["kind"], book["proof"]) == ("ok", "l2", run["proof"])
        assert book["last_id"] == last[time_ns]
        assert book["bids"] == want["bids"], f"{symbol}: bids at {time_ns}"
        assert book["asks"] == want["asks"], f"{symbol}: asks at {time_ns}"


def test_the_record_by_price_is_complete_and_sound(levels_recording):
    run = levels_recording
    check_complete_and_sound(run["store"])
    rows = [row for key, row in coverage(run["store"]).items() if key[2] == "l2"]
    assert len(rows) == len(run["truth"])
    for row in rows:
        assert row["proof"] == run["proof"]
        assert [source["feed"] for source in row["sources"]] == [run["feed"]]
    assert "gap" not in run["log"], run["log"]


def test_orders_by_price_where_there_is_no_key(tmp_path):
    run = play(tmp_path, ["made"], speed="20", wait=1)
    sent = emitted(run["journal"], "level2", "ETH-USD")
    updates = [coinbase.exchange_event(*one) for one in sent]
    truth = captured_truth("made").history
    book = coinbase.Levels(*truth.levels(truth.image["sequence"]).values())
    rows = replay(run["store"], "ETH-USD")
    assert len(rows) == len(updates) > 300
    for number, (row, update) in enumerate(zip(rows, updates), 1):
        book.apply(update["bids"], update["asks"])
        assert row["last_id"] == number
        assert (row["bids"], row["asks"]) == (update["bids"], update["asks"])
        assert int(row["digest"], 16) == book.digest
    assert book.book() == truth.levels(captured_truth("made").sequences[-1])
    check_complete_and_sound(run["store"])


# ---- two exchanges ----


def test_both_exchanges_at_once(tmp_path):
    btcusdt, full = len(list(binance_events())), len(captured_orders("full")[1])
    run = play(
        tmp_path,
        ["btcusdt", "full"],
        *harness.KEYED,
        symbols=["BTCUSDT", "coinbase:BTC-USD"],
        done=lambda now: now.get(("BTCUSDT", "l2"), 0) >= btcusdt
        and now.get(("BTC-USD", "l3"), 0) >= full,
        **harness.KEYS,
    )
    rows = replay(run["store"], "BTC-USD")
    truth = captured_truth("full")
    check_messages(rows, truth)
    assert rows[-1]["last_id"] == truth.sequences[-1]
    check_binance(run)
    check_complete_and_sound(run["store"])


def binance_events():
    for _, text in reference.capture_lines(harness.capture_path("btcusdt")):
        if "@depth" in text[:60]:
            yield json.loads(text)


def check_binance(run):
    snapshot = reference.snapshots(harness.capture_path("btcusdt"))["BTCUSDT"]
    events = reference.emitted(run["journal"])["BTCUSDT"]
    truth = reference.Truth(snapshot, events)
    rows = harness.rows(run["store"], "replay", "binance:BTCUSDT", "--digest")
    by_id = {event["u"]: event for event in truth.events}
    for row in rows:
        event = by_id[row["last_id"]]
        assert (row["bids"], row["asks"]) == (event["b"], event["a"])
        assert int(row["digest"], 16) == truth.digests[row["last_id"]]
    assert [row["last_id"] for row in rows] == list(by_id)[-len(rows) :]
    assert len(rows) > 6000
