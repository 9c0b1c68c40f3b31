"""Every fault of the laboratory against Coinbase: afterwards each book and each trade outside the
recorded gaps is the exchange's own, and every loss lies in a gap."""

import base64
import json
import random

import pytest

import harness
import reference_coinbase as coinbase
import test_coinbase
from test_coinbase import Truth, captured_orders, emitted, replay

KILLS = 5


def play(tmp_path, name, faults, *options, speed="5", **settings):
    script = tmp_path / "faults.jsonl"
    script.write_text("".join(json.dumps(fault) + "\n" for fault in faults))
    options = (*options, "--faults", script)
    run = test_coinbase.play(tmp_path, [name], *options, speed=speed, wait=0.5, **settings)
    run["faults"] = [line for line in run["journal"] if line["t"] == "fault"]
    assert run["faults"] or not faults, "the laboratory made no fault"
    return run


def symbols_of(name):
    return [symbol.split(":")[1] for symbol in harness.SYMBOLS[name]]


def gaps_of(run, symbol, kind):
    return test_coinbase.coverage(run["store"])["coinbase", symbol, kind]["gaps"]


def check_sound(run):
    for row in harness.rows(run["store"], "verify"):
        assert row["problems"] == 0, row


def lies_in(id_, gaps):
    return any(
        gap["from_id"] < id_ and (gap["to_id"] is None or id_ < gap["to_id"]) for gap in gaps
    )


def check_losses(have, wanted, gaps):
    """Nothing is there twice or out of order, nothing is lost but in a gap."""
    assert have == sorted(set(have))
    for id_ in set(wanted) - set(have):
        assert id_ < have[0] or lies_in(id_, gaps), f"{id_} is lost without a gap"
    for gap in gaps:
        if gap["to_id"] is not None:
            assert {gap["from_id"], gap["to_id"]} <= set(wanted)


# ---- orders ----


def check_orders(run, symbol, truth, count=40):
    """Every message that is there and every book outside the gaps, exact. The gaps."""
    rows = replay(run["store"], symbol, expect=None)
    test_coinbase.check_messages(rows, truth)
    gaps = gaps_of(run, symbol, "l3")
    have = [row["last_id"] for row in rows]
    check_losses(have, truth.sequences, gaps)
    check_books(run["store"], symbol, truth, rows, gaps, count)
    check_sound(run)
    return gaps


def check_books(store, symbol, truth, rows, gaps, count):
    """At any time the book is that of the last message stored until then; "ok" outside the gaps."""
    stored = [(row["event_time_ns"], row["last_id"]) for row in rows]
    begin = max(time_ns for time_ns, _ in stored[:50])
    times = [time_ns for time_ns in truth.times if begin <= time_ns <= stored[-1][0]]
    times += [gap["from_time_ns"] + 1 for gap in gaps]
    for time_ns, book in test_coinbase.whole_books(
        store, symbol, test_coinbase.spread(sorted(set(times)), count), expect=None
    ):
        last_id = [id_ for at_ns, id_ in stored if at_ns <= time_ns][-1]
        in_gap = any(
            gap["from_id"] == last_id
            and gap["from_time_ns"] < time_ns
            and (gap["to_time_ns"] is None or time_ns < gap["to_time_ns"])
            for gap in gaps
        )
        assert book["status"] == ("gap" if in_gap else "ok"), time_ns
        assert book["last_id"] == last_id, time_ns
        want = truth.history.book(last_id)
        assert (book["bids"], book["asks"]) == (want["bids"], want["asks"]), last_id


def check_trades(run, symbol, tape, stopped=False):
    """Each trade as it was, but for those of a gap. The gaps."""
    rows = harness.rows(run["store"], "trades", f"coinbase:{symbol}", expect=None)
    truth = {trade["id"]: coinbase.row_of(trade) for trade in tape}
    for row in rows:
        assert {**row, "receive_time_ns": 0} == {**truth[row["id"]], "receive_time_ns": 0}
    gaps = gaps_of(run, symbol, "trades")
    have = [row["id"] for row in rows]
    check_losses(have, [id_ for id_ in truth if not stopped or id_ <= have[-1]], gaps)
    return gaps


def play_orders(tmp_path, name, faults, *options, **settings):
    """The run, its gaps of orders and of trades, and what was sent."""
    [symbol] = symbols_of(name)
    run = play(tmp_path, name, faults, *harness.KEYED, *options, **harness.KEYS, **settings)
    sent = emitted(run["journal"], "full", symbol)
    truth = Truth(captured_orders(name)[0], sent)
    gaps = check_orders(run, symbol, truth)
    return run, gaps, check_trades(run, symbol, coinbase.tape(sent)), truth


def full_at(name, n, **action):
    return {"at": {"stream": f"full:{symbols_of(name)[0]}", "n": n}, **action}


def sequence_of(name, n):
    return captured_orders(name)[1][n - 1][1]["sequence"]


@pytest.mark.parametrize("name", ["made", pytest.param("full", marks=pytest.mark.full)])
def test_what_costs_nothing(name, tmp_path):
    """What comes twice or unasked for, what is late, and first answers of REST that fail."""
    [symbol] = symbols_of(name)
    faults = [
        {"at": {"rest": "product", "n": 1}, "do": "http", "status": 503},
        {"at": {"depth": symbol, "n": 1}, "do": "http", "status": 500},
        {"at": {"depth": symbol, "n": 2}, "do": "http_truncated"},
        full_at(name, 100, do="duplicate"),
        full_at(name, 150, do="garbage", extra=True),
        full_at(name, 200, do="garbage", extra=True, binary=True),
        full_at(name, 250, do="oversized", bytes=5000000),
        full_at(name, 350, do="oversized", bytes=5000000, pad=True),
        full_at(name, 400, do="stall", seconds=1, lossless=True),
        {"random": {"stream": f"full:{symbol}", "p": 0.05}, "do": "duplicate"},
    ]
    run, gaps, trade_gaps, truth = play_orders(tmp_path, name, faults)
    assert gaps == trade_gaps == []
    assert {line["do"] for line in run["faults"]} == {fault["do"] for fault in faults}
    listed = harness.recorded(run["store"])
    assert listed[symbol, "l3"]["events"] == len(truth.sequences)


NO_IMAGE = {
    "banned": ({"do": "http", "status": 429, "retry_after": 2}, 1.9),
    "forbidden": ({"do": "http", "status": 403}, 0.1),
    "no-json": ({"do": "http_garbage"}, 0.1),
    "crossed": ({"do": "crossed_snapshot"}, 0.1),
}


@pytest.mark.parametrize("fault", NO_IMAGE)
def test_an_image_that_cannot_be_used_is_asked_for_again_and_not_at_once(fault, tmp_path):
    action, seconds = NO_IMAGE[fault]
    faults = [{"at": {"depth": "ETH-USD", "n": 1}, **action}]
    run, gaps, _, _ = play_orders(tmp_path, "made", faults, speed="20")
    assert gaps == []
    asked = [line["ns"] for line in run["journal"] if line["t"] == "book"]
    assert len(asked) == 2 and asked[1] - asked[0] >= seconds * 1e9


def test_an_image_that_is_older_than_what_is_missing_is_fetched_again(tmp_path):
    faults = [
        full_at("made", 200, do="drop"),
        {"at": {"depth": "ETH-USD", "n": 2}, "do": "stale", "behind": 60},
        {"at": {"depth": "ETH-USD", "n": 3}, "do": "stale", "behind": 250},
    ]
    run, [gap], _, truth = play_orders(tmp_path, "made", faults)
    books = [line for line in run["journal"] if line["t"] == "book"]
    assert len(books) == 4 and books[1]["fault"] == books[2]["fault"] == "stale"
    assert gap["from_id"] == sequence_of("made", 199)
    assert replay(run["store"], "ETH-USD", expect=3)[-1]["last_id"] == truth.sequences[-1]


# each a loss of its own, far enough from the one before for the book to be whole again; no more of
# them than there may be images within a minute
LOSSES = {
    "lost": [
        (150, {"do": "drop"}, "sequence"),
        (300, {"do": "swap"}, "sequence"),
        (450, {"do": "idjump", "k": 5}, "sequence"),
        (600, {"do": "delay", "ms": 150}, "sequence"),
    ],
    "wrong": [
        (200, {"do": "truncate"}, "sequence"),
        (400, {"do": "garbage"}, "sequence"),
        (600, {"do": "crossed"}, "crossed"),
    ],
}


@pytest.mark.parametrize("losses", LOSSES)
@pytest.mark.parametrize("name", ["made", pytest.param("full", marks=pytest.mark.full)])
def test_each_loss_is_a_short_gap(name, losses, tmp_path):
    losses = LOSSES[losses]
    faults = [full_at(name, n, **action) for n, action, _ in losses]
    speed = {"made": "5", "full": "2"}[name]
    _, gaps, trade_gaps, truth = play_orders(tmp_path, name, faults, speed=speed)
    assert [gap["cause"] for gap in gaps] == [cause for _, _, cause in losses], gaps
    for gap, (n, action, _) in zip(gaps, losses):
        assert gap["from_id"] == truth_before(truth, sequence_of(name, n), action["do"])
        assert gap["to_id"] > gap["from_id"] + 1
        assert (gap["to_time_ns"] - gap["from_time_ns"]) / 1e9 / float(speed) <= 3
    check_trade_gaps(trade_gaps, truth, gaps)


def truth_before(truth, sequence, action):
    """The last good message before a fault at that one; crossed is the next order to buy."""
    while action == "crossed":
        message = truth.messages[sequence]
        if message["type"] == "open" and message["side"] == "buy":
            break
        sequence += 1
    return sequence - 1


def check_trade_gaps(trade_gaps, truth, gaps):
    """Trades are lost only with a match of which nothing came."""
    lost = {
        message["trade_id"]: message["sequence"]
        for message in truth.messages.values()
        if message["type"] == "match"
    }
    for gap in trade_gaps:
        assert gap["cause"] == "sequence"
        for trade in range(gap["from_id"] + 1, gap["to_id"]):
            assert any(one["from_id"] < lost[trade] < one["to_id"] for one in gaps), trade


def test_a_match_that_is_lost_is_a_gap_of_both(tmp_path):
    messages = captured_orders("made")[1]
    n = [i for i, (_, m) in enumerate(messages, 1) if m["type"] == "match" and i > 300][0]
    lost = messages[n - 1][1]
    _, gaps, trade_gaps, _ = play_orders(
        tmp_path, "made", [full_at("made", n, do="drop")], speed="10"
    )
    assert [(gap["cause"], gap["from_id"]) for gap in gaps] == [("sequence", lost["sequence"] - 1)]
    assert [(gap["cause"], gap["from_id"], gap["to_id"]) for gap in trade_gaps] == [
        ("sequence", lost["trade_id"] - 1, lost["trade_id"] + 1)
    ]


ENDS = {
    "cut-and-stall": [({"do": "cut"}, "disconnect"), ({"do": "stall", "seconds": 0.7}, "sequence")],
    "close-and-life": [
        ({"do": "close", "code": 1001}, "disconnect"),
        ({"do": "life"}, "disconnect"),
    ],
}


@pytest.mark.parametrize("ends", ENDS)
def test_the_end_of_a_connection_is_a_gap_of_seconds(ends, tmp_path):
    places = (150, 500)
    faults = [full_at("made", n, **action) for n, (action, _) in zip(places, ENDS[ends])]
    _, gaps, trade_gaps, _ = play_orders(tmp_path, "made", faults)
    assert [gap["cause"] for gap in gaps] == [cause for _, cause in ENDS[ends]], gaps
    for gap, n in zip(gaps, places):
        # a reset loses what was on its way
        assert sequence_of("made", n - 90) < gap["from_id"] <= sequence_of("made", n)
        assert (gap["to_time_ns"] - gap["from_time_ns"]) / 1e9 / 5 <= 3
    assert len(trade_gaps) <= len(gaps)


@pytest.mark.parametrize("seed", [1, 2])
def test_everything_at_once(seed, tmp_path):
    chances = {"drop": 0.0004, "duplicate": 0.02, "swap": 0.0003, "delay": 0.0003,
               "truncate": 0.0003}  # fmt: skip
    faults = [
        {"random": {"stream": "full:BTC-USD", "p": p}, "do": do, "ms": 60}
        for do, p in chances.items()
    ]
    faults += [{"at": {"seconds": 2}, "do": "cut"}]
    faults += [{"at": {"depth": "BTC-USD", "n": 2}, "do": "stale", "behind": 30}]
    options = ("--seed", str(seed))
    run, gaps, _, _ = play_orders(tmp_path, "full", faults, *options, speed="5")
    print(f"{len(run['faults'])} faults, {len(gaps)} gaps")
    assert len(run["faults"]) > 40 and len(gaps) >= 3
    assert len(replay(run["store"], "BTC-USD", expect=None)) > 500


# ---- levels ----


def level_truth(run, name):
    """symbol -> (image, events), each with the digest of the exchange's own book after it."""
    found = {}
    for symbol in symbols_of(name):
        if name == "made":
            image, messages = captured_orders(name)
            before = test_coinbase.captured_truth(name).history.levels(image["sequence"])
            channel = "level2"
        else:
            feed, channel = {
                "level2": (coinbase.read_f2, "level2"),
                "advanced": (coinbase.read_f3, "l2_data"),
            }[name]
            before = test_coinbase.captured_levels(name, feed)[symbol][0]
        book, events = coinbase.Levels(before["bids"], before["asks"]), []
        for receive_ns, message in emitted(run["journal"], channel, symbol):
            for event in coinbase.level_events(receive_ns, message):
                book.apply(event["bids"], event["asks"])
                events.append({**event, "digest": book.digest})
        found[symbol] = (events, book.book())
    return found


def check_levels(run, name):
    """Each stored event is one that was sent, in their order, and the book after it the exchange's.
    What is missing lies in a gap. The gaps by symbol."""
    gaps = {}
    for symbol, (events, last) in level_truth(run, name).items():
        gaps[symbol] = gaps_of(run, symbol, "l2")
        rows = replay(run["store"], symbol, expect=None)
        ids = [row["last_id"] for row in rows]
        check_losses(ids, range(1, ids[-1] + 1), gaps[symbol])
        at = 0
        for before, row in zip([0, *ids], rows):
            begin = at
            while not is_that(row, events[at]):
                at += 1
                assert at < len(events), f"{symbol}: book after {row['last_id']}"
            assert at == begin or is_gap(before, row["last_id"], gaps[symbol]), f"{symbol}: {row}"
            at += 1
        assert at == len(events) or is_gap(ids[-1], None, gaps[symbol]), f"{symbol}: the last"
        if at == len(events):
            [book] = harness.rows(run["store"], f"coinbase:{symbol}", expect=None)
            assert (book["bids"], book["asks"]) == (last["bids"], last["asks"])
    check_sound(run)
    return gaps


def is_gap(before, after, gaps):
    """Is there a gap between these two?"""
    return any(
        gap["from_id"] == before and (gap["to_id"] is None or gap["to_id"] == after) for gap in gaps
    )


def is_that(row, event):
    return (
        row["event_time_ns"] == event["event_time_ns"]
        and (row["bids"], row["asks"]) == (event["bids"], event["asks"])
        and int(row["digest"], 16) == event["digest"]
    )


# what happens to a product, far enough apart for a new snapshot, which is not asked for at once
# again and again; what it costs the product, and the others
LEVEL_LOSSES = [
    ({"do": "crossed"}, "crossed", None),
    ({"do": "garbage"}, "sequence", "sequence"),
    ({"do": "cut"}, "disconnect", "disconnect"),
]
# a hole in the numbers of a connection
NUMBERED_LOSSES = [
    ({"do": "drop"}, "sequence", "sequence"),
    ({"do": "swap"}, "sequence", "sequence"),
]
LEVEL_RUNS = {
    "made": ("level2:ETH-USD", (40, 110, 250), "3", LEVEL_LOSSES, {}),
    "level2": ("level2:SKL-USD", (300, 900, 1900), "6", LEVEL_LOSSES, {}),
    "advanced": (
        "l2_data:BTC-USD",
        (40, 130, 310),
        "5",
        LEVEL_LOSSES,
        {"COINBASE_FEED": "advanced"},
    ),
    "numbers": (
        "l2_data:ETH-USD",
        (80, 240),
        "6",
        NUMBERED_LOSSES,
        {"COINBASE_FEED": "advanced"},
    ),
}


@pytest.mark.parametrize("kind", LEVEL_RUNS)
def test_what_is_lost_of_levels_is_a_gap_of_all_products(kind, tmp_path):
    stream, places, speed, losses, settings = LEVEL_RUNS[kind]
    name = "advanced" if kind == "numbers" else kind
    faults = [
        {"at": {"stream": stream, "n": n}, **action} for n, (action, _, _) in zip(places, losses)
    ]
    run = play(tmp_path, name, faults, speed=speed, **settings)
    gaps = check_levels(run, name)
    its_own = [gap["cause"] for gap in gaps.pop(stream.split(":")[1])]
    assert its_own == [cause for _, cause, _ in losses], its_own
    others = [cause for _, _, cause in losses if cause]
    for symbol, list_ in gaps.items():
        assert [gap["cause"] for gap in list_] == others, symbol


# ---- trades alone ----


def test_a_lost_trade_is_a_gap_of_the_trades_alone(tmp_path):
    faults = [{"at": {"stream": "matches:ETH-USD", "n": n}, "do": "drop"} for n in (20, 50, 51)]
    run = play(tmp_path, "made", faults, speed="10")
    assert check_levels(run, "made") == {"ETH-USD": []}
    tape = coinbase.tape(emitted(run["journal"], "matches", "ETH-USD"))
    first = tape[0]["id"]
    gaps = check_trades(run, "ETH-USD", tape)
    assert [(gap["cause"], gap["from_id"], gap["to_id"]) for gap in gaps] == [
        ("sequence", first + 18, first + 20),
        ("sequence", first + 48, first + 51),
    ]


def test_the_last_trade_that_is_lost_is_told_by_the_heartbeat(tmp_path):
    count = len(coinbase.tape(captured_orders("made")[1]))
    faults = [{"at": {"stream": "matches:ETH-USD", "n": count}, "do": "drop"}]
    script = tmp_path / "faults.jsonl"
    script.write_text("".join(json.dumps(fault) + "\n" for fault in faults))
    lab = harness.Lab(tmp_path, ["made"], "--faults", script)
    try:
        logger = harness.Logger(tmp_path, lab, harness.SYMBOLS["made"], tmp_path / "store")
        logger.wait_text("trades: gap (silent)")
        assert logger.end() == 0
        journal = list(lab.journal())
    finally:
        lab.end()
    run = {"store": logger.store}
    [gap] = check_trades(run, "ETH-USD", coinbase.tape(emitted(journal, "matches", "ETH-USD")))
    assert gap["cause"] == "silent" and gap["to_id"] is None


# ---- kill -9 ----


def newest_sent(lab, stream, key, since_ns, until_ns):
    """The newest number of what was on its way between those moments; 0 if there was nothing."""
    newest = 0
    for line in lab.journal():
        if line["t"] == "emit" and line["stream"] == stream and since_ns < line["ns"] < until_ns:
            newest = json.loads(line["raw"])[key]
    return newest


NAMES = ["full", "made"]


def newest_stored(store, symbol):
    rows = replay(store, symbol, expect=None)
    trades = harness.rows(store, "trades", f"coinbase:{symbol}", expect=None)
    return rows[-1]["last_id"] if rows else 0, trades[-1]["id"] if trades else 0


def check_newest(store, lab, since_ns, until_ns):
    """Nothing is missing of what came between those moments, while all was live."""
    for name in NAMES:
        [symbol] = symbols_of(name)
        sequence, trade = newest_stored(store, symbol)
        window = (since_ns, until_ns)
        assert sequence >= newest_sent(lab, f"full:{symbol}", "sequence", *window), symbol
        assert trade >= newest_sent(lab, f"matches:{symbol}", "trade_id", *window), symbol


@pytest.mark.parametrize("ids", ["on", pytest.param("off", marks=pytest.mark.full)])
def test_kills_while_orders_and_trades_are_recorded(ids, tmp_path):
    choice = random.Random(11)
    store = tmp_path / "store"
    symbols = [symbol for name in NAMES for symbol in harness.SYMBOLS[name]]
    settings = {**harness.KEYS, "SEAL_AFTER": "1s", "IMAGE_MIN": "1s", "IMAGE_FACTOR": "1",
                "L3_IDS": ids}  # fmt: skip
    lab = harness.Lab(tmp_path, NAMES, *harness.KEYED, "--loop", "40", speed="6")
    try:
        for number in range(KILLS):
            logger = harness.Logger(
                tmp_path, lab, symbols, store, log=f"oblogger.{number}.log", **settings
            )
            live_ns = wait_live(logger)
            harness.time.sleep(choice.uniform(0.1, 2.4))
            killed_ns = harness.time.time_ns()
            logger.kill()
            for row in harness.rows(store, "verify", expect=None):
                assert row.get("problems") == 0, row
            check_newest(store, lab, live_ns, killed_ns - 1_600_000_000)
        logger = harness.Logger(tmp_path, lab, symbols, store, log="oblogger.last.log", **settings)
        live_ns = wait_live(logger)
        harness.time.sleep(1.5)
        stopped_ns = harness.time.time_ns()
        assert logger.end() == 0
        check_newest(store, lab, live_ns, stopped_ns - 200_000_000)
        journal = list(lab.journal())
    finally:
        lab.end()
    check_after_kills({"store": store, "journal": journal}, ids)


def wait_live(logger):
    """When both books were live."""
    for name in NAMES:
        logger.wait_text(f"{symbols_of(name)[0]}: live")
    return harness.time.time_ns()


def check_after_kills(run, ids):
    crashed = {"l3": 0, "trades": 0}
    for name in NAMES:
        [symbol] = symbols_of(name)
        sent = emitted(run["journal"], "full", symbol)
        truth = Truth(captured_orders(name)[0], sent)
        rows = replay(run["store"], symbol, expect=None)
        test_coinbase.check_messages(rows, truth, ids=ids == "on")
        gaps = gaps_of(run, symbol, "l3")
        have = [row["last_id"] for row in rows]
        check_losses(have, [id_ for id_ in truth.sequences if id_ <= have[-1]], gaps)
        if ids == "on":
            check_books(run["store"], symbol, truth, rows, gaps, 15)
        trade_gaps = check_trades(run, symbol, coinbase.tape(sent), stopped=True)
        assert {gap["cause"] for gap in gaps + trade_gaps} == {"crashed"}
        crashed["l3"] += len(gaps)
        crashed["trades"] += len(trade_gaps)
        print(f"{symbol}: {len(rows)} messages compared, {len(gaps)}, {len(trade_gaps)} gaps")
    check_sound(run)
    # one that was killed before it had written anything leaves no trace of its own
    assert KILLS <= crashed["l3"] <= KILLS * len(NAMES), crashed
    assert KILLS <= crashed["trades"] <= KILLS * len(NAMES), crashed


# ---- keys ----


def lines_with(log, word):
    return [line for line in log.splitlines() if f" {word}: " in line]


def feed_of(store, symbol="ETH-USD", kind="l2"):
    [source] = test_coinbase.coverage(store)["coinbase", symbol, kind]["sources"]
    return source["feed"], source["note"]


def test_without_a_key_levels_are_recorded_and_the_loss_is_said_once(tmp_path):
    run = play(tmp_path, "made", [], *harness.KEYED, speed="20")
    said = lines_with(run["log"], "warning") + lines_with(run["log"], "error")
    assert len(said) == 1 and "no key" in said[0], said
    assert feed_of(run["store"]) == ("level2_batch", "no key is set: levels in place of orders")
    assert check_levels(run, "made") == {"ETH-USD": []}
    tape = coinbase.tape(emitted(run["journal"], "matches", "ETH-USD"))
    assert check_trades(run, "ETH-USD", tape) == []


WRONG = {
    "COINBASE_API_KEY": "00000000deadbeef",
    "COINBASE_API_SECRET": base64.b64encode(b"another secret, and not the one".ljust(64)).decode(),
    "COINBASE_API_PASSPHRASE": "words-that-do-not-pass-77",
}


class Refused:
    """A logger with a key of which one part is wrong, and an exchange of its own."""

    def __init__(self, directory, wrong):
        self.logger, self.wrong = None, wrong
        self.lab = harness.Lab(directory, ["made"], *harness.KEYED, speed="2")
        keys = {**harness.KEYS, wrong: WRONG[wrong]}
        self.logger = harness.Logger(
            directory, self.lab, harness.SYMBOLS["made"], directory / "store", **keys
        )

    def end(self):
        for process in (self.logger, self.lab):
            if process and process.running():
                process.kill()


@pytest.fixture(scope="module")
def refused(tmp_path_factory):
    """All three ways of being wrong, beside each other, for they take their time."""
    runs = []
    try:
        for wrong in WRONG:
            runs.append(Refused(tmp_path_factory.mktemp(wrong), wrong))
        yield harness.time.monotonic(), runs
    finally:
        for run in runs:
            run.end()


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_key_is_said_once_and_levels_are_recorded(wrong, refused):
    """For twenty seconds it is not tried again and again."""
    begun, runs = refused
    harness.time.sleep(max(0, begun + 20 - harness.time.monotonic()))
    [run] = [run for run in runs if run.wrong == wrong]
    logger = run.logger
    run.lab.wait_end(60)
    test_coinbase.settle(logger.store)
    assert logger.running(), logger.text()
    check_no_secret(logger)
    assert logger.end() == 0
    check_no_secret(logger)
    journal = list(run.lab.journal())
    said = lines_with(logger.text(), "error")
    assert len(said) == 1 and "key" in said[0], said
    assert 1 <= sum(line["t"] == "websocket" for line in journal) <= 2
    feed, note = feed_of(logger.store)
    assert feed == "level2_batch" and "key" in note
    run = {"store": logger.store, "journal": journal}
    assert check_levels(run, "made") == {"ETH-USD": []}
    assert len(replay(logger.store, "ETH-USD")) > 200


def check_no_secret(logger):
    """No secret, true or wrong, in what anybody can look at."""
    secrets = [text.encode() for text in (*WRONG.values(), *harness.KEYS.values())]
    places = [path for path in logger.store.rglob("*") if path.is_file()] + [logger.log]
    if logger.running():
        places.append(harness.pathlib.Path(f"/proc/{logger.child.pid}/cmdline"))
    for path in places:
        data = path.read_bytes()
        assert not any(secret in data for secret in secrets), path


def test_secrets_come_from_files_and_go_nowhere(tmp_path):
    settings = {}
    for name, value in harness.KEYS.items():
        (tmp_path / name).write_text(value + "\n")
        settings[name + "_FILE"] = str(tmp_path / name)
    lab = harness.Lab(tmp_path, ["made"], *harness.KEYED, speed="20")
    try:
        logger = harness.Logger(
            tmp_path, lab, harness.SYMBOLS["made"], tmp_path / "store", LOGLEVEL="debug", **settings
        )
        lab.wait_end(30)
        harness.wait_until(
            lambda: harness.recorded(logger.store).get(("ETH-USD", "l3")), 10, "orders are there"
        )
        check_no_secret(logger)
        assert logger.end() == 0
        check_no_secret(logger)
    finally:
        lab.end()
    assert feed_of(logger.store, kind="l3") == ("full", None)


@pytest.mark.parametrize("missing", sorted(harness.KEYS))
def test_two_of_three_is_a_wrong_setting(missing, tmp_path):
    keys = {name: value for name, value in harness.KEYS.items() if name != missing}
    done = harness.subprocess.run(
        [str(harness.BUILD / "oblogger"), "--check"],
        env={"SYMBOLS": "coinbase:BTC-USD", "STORE": str(tmp_path / "store"), **keys},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2 and done.stdout == ""
    [line] = done.stderr.splitlines()
    assert missing in line and not any(value in line for value in keys.values()), line
