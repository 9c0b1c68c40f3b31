"""obrebuild on a record of orders: the book with its orders, and every message as it was sent."""

import copy
import csv
import json
import random
from decimal import Decimal

import pytest

from orders import LAG, SECOND, STEP, T, Book, id_of, line_of, plain
from programs import run, write_store
from test_cli import DONE, FAILED, INCOMPLETE, USAGE, check_one_line

NAME = "coinbase:BTC-USD"
STREAM = f"stream exchange=coinbase symbol=BTC-USD price_digits=2 quantity_digits=8 now={T}"
A, B, C, D, E, F, G, H, I = (id_of(letter) for letter in "ABCDEFGHI")
RESTING = [("buy", "100", "1.5", A), ("buy", "100", "0.5", B), ("buy", "99.5", "2", C),
           ("sell", "101", "1", D), ("sell", "101", "3", E), ("sell", "102.25", "0.25", F)]
OWN, PLAIN = id_of("own"), f"{82232173:032}"  # what owners may call an order, seen both

# A message of every type, and of every kind of each.
MESSAGES = [
    {"type": "received", "side": "buy", "reason": "limit", "order_id": G, "client_oid": OWN,
     "price": "100", "size": "1"},
    {"type": "open", "side": "buy", "order_id": G, "price": "100", "remaining_size": "1"},
    {"type": "received", "side": "sell", "reason": "market", "order_id": H, "client_oid": PLAIN,
     "size": "2", "funds": "250.50"},
    {"type": "match", "side": "buy", "maker_order_id": A, "taker_order_id": H, "trade_id": 7,
     "price": "100", "size": "1.5"},
    {"type": "match", "side": "buy", "maker_order_id": B, "taker_order_id": H, "trade_id": 8,
     "price": "100", "size": "0.25"},
    {"type": "done", "side": "sell", "reason": "filled", "order_id": H},
    {"type": "change", "side": "buy", "reason": "STP", "order_id": C, "price": "99.5",
     "new_size": "0.75", "old_size": "2"},
    {"type": "change", "side": "sell", "reason": "modify_order", "order_id": D,
     "new_price": "101.5", "old_price": "101", "new_size": "1", "old_size": "1"},
    {"type": "change", "side": "buy", "reason": "modify_order", "order_id": B, "new_price": "100",
     "old_price": "100", "new_size": "0.4", "old_size": "0.25"},
    {"type": "change", "side": "buy", "order_id": I, "new_funds": "12"},
    {"type": "done", "side": "sell", "reason": "canceled", "order_id": F, "price": "102.25",
     "remaining_size": "0.25"},
    {"type": "activate", "side": "buy", "reason": "entry", "order_id": I, "stop_price": "103",
     "size": "2", "funds": "50"},
    {"type": "activate", "side": "sell", "reason": "loss", "order_id": I, "stop_price": "90"},
    {"type": "other"},
]


class Tape:
    """What is recorded, and the book after each message."""

    def __init__(self, resting, messages, first=11):
        book = Book()
        self.lines = [STREAM + " kind=l3"]
        for side, price, size, order_id in resting:
            book.put(side, Decimal(price), order_id, Decimal(size))
            self.lines.append(f"rest side={int(side == 'sell')} price={price} size={size} "
                              f"id={order_id.replace('-', '')}")
        self.lines.append(f"image kind=l3 id={first - 1} receive={T}")
        self.messages, self.books, self.touched = messages, [], []
        self.image = copy.deepcopy(book)
        for number, message in enumerate(messages):
            touched = book.apply(message)
            levels = {"buy": [], "sell": []}
            for side, price in touched:
                levels[side].append([plain(price), plain(book.quantity(side, price))])
            self.lines.append(line_of(message, first + number, self.time(number)))
            self.touched.append(levels)
            self.books.append(copy.deepcopy(book))
            if number % 100 == 99:
                self.lines.append(f"tick now={self.time(number)}")
        self.first = first

    @staticmethod
    def time(number):
        return T + (1 + number) * STEP

    def line(self, number):
        """What replay says of a message."""
        time_ns, sequence = self.time(number), self.first + number
        return {"event_time_ns": time_ns, "receive_time_ns": time_ns + LAG, "first_id": sequence,
                "last_id": sequence, "epoch": 1, **self.messages[number],
                "bids": self.touched[number]["buy"], "asks": self.touched[number]["sell"]}


def chance(seed, count):
    """Messages of a market that never crosses, some of them about orders that are not there."""
    generator = random.Random(seed)
    book, messages, sent, trade = Book(), [], [], 0

    def price_of(side):
        return plain(Decimal(generator.randrange(9900, 10000) if side == "buy"
                             else generator.randrange(10001, 10100)) / 100)

    while len(messages) < count:
        side = generator.choice(["buy", "sell"])
        found = book.find(generator.choice(sent)) if sent and generator.random() < 0.9 else None
        size = plain(Decimal(generator.randrange(1, 500)) / 100)
        kind = generator.choice(["open", "open", "open", "match", "done", "change", "move"])
        if kind == "open" or not sent:
            sent.append(id_of((seed, len(messages))))
            message = {"type": "open", "side": side, "order_id": sent[-1],
                       "price": price_of(side), "remaining_size": size}
        elif not found:
            message = {"type": "done", "side": side, "reason": "canceled",
                       "order_id": id_of("unknown"), "price": "1", "remaining_size": "2"}
        else:
            side, price, (order_id, rest) = found
            if kind == "match":
                trade += 1
                message = {"type": "match", "side": side, "maker_order_id": order_id,
                           "taker_order_id": id_of(("taker", trade)), "trade_id": trade,
                           "price": plain(price), "size": plain(min(rest, Decimal(size)))}
            elif kind == "done":
                message = {"type": "done", "side": side, "reason": "canceled",
                           "order_id": order_id, "price": plain(price),
                           "remaining_size": plain(rest)}
            elif kind == "change":
                message = {"type": "change", "side": side, "reason": "STP", "order_id": order_id,
                           "price": plain(price), "new_size": plain(rest / 2 if rest > 1 else rest),
                           "old_size": plain(rest)}
            else:
                message = {"type": "change", "side": side, "reason": "modify_order",
                           "order_id": order_id, "new_price": price_of(side),
                           "old_price": plain(price), "new_size": size, "old_size": plain(rest)}
        book.apply(message)
        messages.append(message)
    return messages


@pytest.fixture(scope="module")
def tape():
    return Tape(RESTING, MESSAGES)


@pytest.fixture(scope="module")
def store(tape, tmp_path_factory):
    return write_store(tmp_path_factory.mktemp("orders") / "store", tape.lines)


@pytest.fixture(scope="module")
def long_tape():
    return Tape(RESTING, chance(1, 3000))


@pytest.fixture(scope="module")
def long_store(long_tape, tmp_path_factory):
    return write_store(tmp_path_factory.mktemp("orders") / "store", long_tape.lines)


def obrebuild(store, *words, code=DONE, stdin=""):
    done = run("obrebuild", "--store", store, *words, stdin=stdin)
    assert done.returncode == code, done.stderr
    return done.stdout


def rows(store, *words, code=DONE, stdin=""):
    text = obrebuild(store, *words, "--output", "json", code=code, stdin=stdin)
    return [json.loads(line) for line in text.splitlines()]


# ---- the book ----


def test_a_book_of_orders_gives_each_order_in_the_order_of_the_queue(store, tape):
    number = len(MESSAGES) - 1
    [book] = rows(store, NAME)
    assert book == {
        "exchange": "coinbase", "symbol": "BTC-USD", "kind": "l3", "at": tape.time(number),
        "event_time_ns": tape.time(number), "receive_time_ns": tape.time(number) + LAG,
        "last_id": 11 + number, "epoch": 1, "status": "ok", "proof": "sequence",
        "horizon": {"bid": None, "ask": None},
        "bids": [["100", "1", G], ["100", "0.4", B], ["99.5", "0.75", C]],
        "asks": [["101", "3", E], ["101.5", "1", D]],
    }  # fmt: skip


def test_at_every_moment_it_is_the_book_that_the_messages_make(long_store, long_tape):
    numbers = range(0, len(long_tape.messages), 7)
    times = "".join(f"{long_tape.time(number)}\n" for number in numbers)
    books = rows(long_store, NAME, "--at", "-", stdin=times)
    assert len(books) == len(numbers)
    for book, number in zip(books, numbers):
        expected = long_tape.books[number]
        assert (book["bids"], book["asks"]) == (expected.orders("buy"), expected.orders("sell"))
        assert book["last_id"] == long_tape.first + number


@pytest.mark.parametrize("depth", [0, 1, 2, 3, 50])
def test_depth_counts_prices_and_gives_all_their_orders(long_store, long_tape, depth):
    [book] = rows(long_store, NAME, "--depth", depth)
    expected = long_tape.books[-1]
    assert (book["bids"], book["asks"]) == (
        expected.orders("buy", depth), expected.orders("sell", depth))
    [book] = rows(long_store, NAME, "--levels", "--depth", depth)
    assert (book["bids"], book["asks"]) == (
        expected.levels("buy", depth), expected.levels("sell", depth))


def test_levels_gives_what_the_orders_add_up_to(long_store, long_tape):
    [book] = rows(long_store, NAME, "--levels")
    expected = long_tape.books[-1]
    assert (book["bids"], book["asks"]) == (expected.levels("buy"), expected.levels("sell"))
    assert book["kind"] == "l3"


def csv_rows(text):
    return list(csv.DictReader(text.splitlines()))


def test_csv_has_the_order_behind_each_row(store, tape):
    found = csv_rows(obrebuild(store, NAME, "--output", "csv"))
    assert [(row["side"], row["level"], row["price"], row["quantity"], row["order_id"])
            for row in found] == [
        ("bid", "1", "100", "1", G), ("bid", "1", "100", "0.4", B), ("bid", "2", "99.5", "0.75", C),
        ("ask", "1", "101", "3", E), ("ask", "2", "101.5", "1", D)]  # fmt: skip
    assert list(found[0])[-1] == "order_id"
    found = csv_rows(obrebuild(store, NAME, "--output", "csv", "--levels"))
    assert [(row["side"], row["level"], row["price"], row["quantity"], row["order_id"])
            for row in found] == [
        ("bid", "1", "100", "1.4", ""), ("bid", "2", "99.5", "0.75", ""),
        ("ask", "1", "101", "3", ""), ("ask", "2", "101.5", "1", "")]  # fmt: skip


def test_a_table_has_both_sides_beside_each_other(store):
    title, heading, *lines = obrebuild(store, NAME).splitlines()
    assert "2 bids, 2 asks, 5 orders" in title
    assert heading.split("|")[0].split() == ["bid", "order", "bid", "size", "bid", "price"]
    assert [line.split() for line in lines if line] == [
        [G, "1", "100", "|", "101", "3", E], [B, "0.4", "100", "|", "101.5", "1", D],
        [C, "0.75", "99.5", "|"]]  # fmt: skip
    lines = obrebuild(store, NAME, "--levels").splitlines()[2:]
    assert [line.split() for line in lines if line] == [
        ["1.4", "100", "|", "101", "3"], ["0.75", "99.5", "|", "101.5", "1"]]


def test_orders_without_ids_are_numbered(tmp_path):
    tape = Tape([("buy", "100", "1", f"{1:032x}"), ("sell", "101", "2", f"{2**63 + 5:032x}")],
                [{"type": "open", "side": "buy", "order_id": f"{3:032x}", "price": "100",
                  "remaining_size": "4"},
                 {"type": "match", "side": "buy", "maker_order_id": f"{1:032x}",
                  "taker_order_id": f"{4:032x}", "trade_id": 9, "price": "100", "size": "0.5"}])
    store = write_store(tmp_path / "store", tape.lines)
    [book] = rows(store, NAME)
    assert book["bids"] == [["100", "0.5", "#1"], ["100", "4", "#3"]]
    assert book["asks"] == [["101", "2", f"#{2**63 + 5}"]]
    lines = rows(store, "replay", NAME)
    assert lines[0]["order_id"] == "#3"
    assert (lines[1]["maker_order_id"], lines[1]["taker_order_id"]) == ("#1", "#4")


def test_before_the_first_image_there_is_none(store):
    for words in ([], ["--levels"]):
        [book] = rows(store, NAME, "--at", T - SECOND, *words, code=INCOMPLETE)
        assert (book["status"], book["bids"], book["asks"]) == ("empty", [], [])


# ---- replay ----


def test_replay_gives_each_message_with_the_fields_that_were_sent(store, tape):
    found = rows(store, "replay", NAME)
    assert found == [tape.line(number) for number in range(len(MESSAGES))]
    assert found[7]["asks"] == [["101", "3"], ["101.5", "1"]]  # an order moved: both its levels
    for line, message in zip(found, MESSAGES):
        assert [name for name in line if name in message or name in ("side", "reason")] == [
            name for name in line if name in message]  # fmt: skip


def test_replay_of_a_range_and_its_digests(long_store, long_tape):
    first, last = 700, 2100
    found = rows(long_store, "replay", NAME, "--digest", "--from", long_tape.time(first), "--to",
                 long_tape.time(last))
    assert len(found) == last - first
    for line, number in zip(found, range(first, last)):
        digest = long_tape.books[number].digest()
        assert line == {**long_tape.line(number), "digest": digest}


def test_replay_by_our_clock(long_store, long_tape):
    found = rows(long_store, "replay", NAME, "--clock", "receive", "--from",
                 long_tape.time(5) + LAG, "--to", long_tape.time(9) + LAG)
    assert found == [long_tape.line(number) for number in range(5, 9)]


def test_replay_as_csv_has_a_column_for_every_field(store, tape):
    text = obrebuild(store, "replay", NAME, "--output", "csv", "--digest")
    found = csv_rows(text)
    assert len(found) == len(MESSAGES)
    for number, row in enumerate(found):
        line = tape.line(number)
        for side in ("bids", "asks"):
            line[side] = " ".join(f"{price}:{size}" for price, size in line[side])
        line["digest"] = tape.books[number].digest()
        assert {name: value for name, value in row.items() if value} == {
            name: str(value) for name, value in line.items() if value != ""}
    assert set(found[0]) == {name for number in range(len(MESSAGES))
                             for name in tape.line(number)} | {"digest"}  # fmt: skip


# ---- a symbol with streams of several kinds ----


@pytest.fixture(scope="module")
def mixed(tape, tmp_path_factory):
    """Levels of the symbol, its orders and its trades; and the trades alone of another one."""
    lines = [
        STREAM + " kind=l2", "rest side=0 price=50 size=1", f"image kind=l2 id=1 receive={T}",
        f"level id=2 time={T + STEP} receive={T + STEP} side=1 price=60 size=2",
        STREAM + " kind=trades", f"image kind=trades id=1 receive={T}",
        f"trade id=2 time={T + STEP} receive={T + STEP} side=1 price=60 size=2",
        STREAM.replace("BTC-USD", "ETH-USD") + " kind=trades",
        f"image kind=trades id=1 receive={T}",
        f"trade id=2 time={T + STEP} receive={T + STEP} side=0 price=7 size=3"]  # fmt: skip
    return write_store(tmp_path_factory.mktemp("orders") / "store", lines + tape.lines)


def test_a_symbol_means_its_orders_and_kind_says_otherwise(mixed):
    assert [book["kind"] for book in rows(mixed, NAME)] == ["l3"]
    assert [book["kind"] for book in rows(mixed, NAME, "--kind", "l3")] == ["l3"]
    [book] = rows(mixed, NAME, "--kind", "l2")
    assert (book["kind"], book["bids"], book["asks"]) == ("l2", [["50", "1"]], [["60", "2"]])
    assert "type" in rows(mixed, "replay", NAME)[0]
    assert rows(mixed, "replay", NAME, "--kind", "l2")[0]["asks"] == [["60", "2"]]


def test_without_a_symbol_every_book_is_given_and_trades_are_passed_over(mixed):
    assert [book["kind"] for book in rows(mixed)] == ["l2", "l3"]
    header, *lines = obrebuild(mixed, "--output", "csv").splitlines()
    assert header.endswith(",price,quantity,order_id") and len(lines) == 2 + 5


@pytest.mark.parametrize("words", [[], [NAME], ["replay", NAME], ["sample", NAME, "--every", "1s"]],
                         ids=" ".join)
def test_trades_have_no_book(mixed, words):
    done = run("obrebuild", "--store", mixed, *words, "--kind", "trades")
    check_one_line(done, "obrebuild", USAGE, "--kind trades", "no book", "obrebuild trades")


def test_a_symbol_with_trades_alone_says_what_to_ask_for(mixed):
    for words in (["coinbase:ETH-USD"], ["replay", "coinbase:ETH-USD"]):
        done = run("obrebuild", "--store", mixed, *words)
        check_one_line(done, "obrebuild", FAILED, "obrebuild trades coinbase:ETH-USD")
    for kind in ("l2", "l3"):
        done = run("obrebuild", "--store", mixed, "coinbase:ETH-USD", "--kind", kind)
        check_one_line(done, "obrebuild", FAILED, "coinbase:ETH-USD is not recorded")


# ---- the other commands ----


def test_list_tells_of_each_kind(mixed):
    found = {(row["symbol"], row["kind"]): row for row in rows(mixed, "list")}
    assert list(found) == [("BTC-USD", "l2"), ("BTC-USD", "l3"), ("BTC-USD", "trades"),
                           ("ETH-USD", "trades")]  # fmt: skip
    orders, trades = found["BTC-USD", "l3"], found["BTC-USD", "trades"]
    assert (orders["events"], orders["level_updates"], orders["images"]) == (14, 14, 1)
    assert (trades["events"], trades["level_updates"]) == (1, 1)
    assert orders["last_time_ns"] == Tape.time(13) and orders["first_time_ns"] == Tape.time(0)


def test_proofs_take_every_kind_of_a_symbol(mixed):
    for command in ("coverage", "verify"):
        assert [row["kind"] for row in rows(mixed, command, NAME)] == ["l2", "l3", "trades"]
        assert [row["kind"] for row in rows(mixed, command, NAME, "--kind", "l3")] == ["l3"]
    assert [row["gaps"] for row in rows(mixed, "coverage", NAME)] == [[], [], []]


def test_sample_of_orders_is_that_of_their_levels(store, tape):
    found = rows(store, "sample", NAME, "--every", "10ms", "--depth", "2")
    assert [row["at"] for row in found] == [tape.time(n) for n in range(len(MESSAGES) - 1)]
    for row, book in zip(found, tape.books):
        assert [row["bid"], row["bid_quantity"]] == book.levels("buy")[0]
        assert [row["ask"], row["ask_quantity"]] == book.levels("sell")[0]
        depth = sum(Decimal(quantity) for _, quantity in book.levels("sell", 2))
        assert row["ask_depth"] == plain(depth)


def test_a_copy_has_the_same_orders(mixed, tmp_path):
    obrebuild(mixed, "backup", tmp_path / "copy")
    assert obrebuild(tmp_path / "copy", "replay", NAME) == obrebuild(mixed, "replay", NAME)
    assert obrebuild(tmp_path / "copy", NAME) == obrebuild(mixed, NAME)


def test_archiving_leaves_orders_and_trades_as_they_are(mixed, tmp_path):
    obrebuild(mixed, "backup", tmp_path / "copy")
    before = rows(mixed, "list")
    for words, says in ([], False), ([NAME], False), (["--kind", "l3"], True), (
            ["coinbase:ETH-USD"], True):  # fmt: skip
        done = run("obrebuild", "--store", tmp_path / "copy", "archive", *words)
        assert done.returncode == DONE
        assert ("orders and trades stay" in done.stderr) == says
    after = rows(tmp_path / "copy", "list")
    assert after[1:] == before[1:]
    assert obrebuild(tmp_path / "copy", "replay", NAME) == obrebuild(mixed, "replay", NAME)


def test_a_gap_is_told_of(tape, tmp_path):
    lines = [*tape.lines, f"gap cause=0 receive={tape.time(14)}"]
    store = write_store(tmp_path / "store", lines)
    done = run("obrebuild", "--store", store, "replay", NAME, "--output", "json")
    assert done.returncode == INCOMPLETE
    assert len(done.stdout.splitlines()) == len(MESSAGES)
    assert done.stderr.splitlines() == [
        f"obrebuild: {NAME}: the range has a gap (sequence) after id 24"]
    [book] = rows(store, NAME, "--at", tape.time(20), code=INCOMPLETE)
    assert (book["status"], len(book["bids"])) == ("gap", 3)
