"""obrebuild trades: each trade of a range, and whose side its taker was on."""

import csv
import json

import pytest

from orders import LAG, SECOND, STEP, T
from programs import run, write_store
from test_cli import DONE, FAILED, INCOMPLETE, USAGE, check_one_line

FIELDS = "exchange symbol id event_time_ns receive_time_ns price quantity taker_side".split()
STREAM = f"stream exchange=binance symbol=BTCUSDT kind=trades now={T}"
BOOK = (f"stream exchange=binance symbol=ETHUSDT kind=l2 price_digits=2 quantity_digits=2 now={T}\n"
        f"rest side=0 price=5 size=1\nimage kind=l2 id=1 receive={T}\n"
        f"level id=2 time={T + STEP} receive={T + STEP} side=1 price=6 size=2")  # fmt: skip
# side of the maker, price, quantity as the exchange writes them
TRADES = [(1, "61837.63000000", "0.00100000"), (0, "61837.62000000", "1.54698000"),
          (0, "61837.62000000", "0.00001000"), (1, "61840.00000000", "12.00000000"),
          (1, "0.00000001", "92233720368.00000000"), (0, "61837.50000000", "3.00000000")]


def line_of(number):
    side, price, size = TRADES[number]
    return (f"trade id={100 + number} time={T + number * STEP} receive={T + number * STEP + LAG} "
            f"side={side} price={price} size={size}")


def row_of(number):
    side, price, size = TRADES[number]
    return {"exchange": "binance", "symbol": "BTCUSDT", "id": 100 + number,
            "event_time_ns": T + number * STEP, "receive_time_ns": T + number * STEP + LAG,
            "price": price, "quantity": size, "taker_side": ["sell", "buy"][side]}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    lines = [f"{STREAM} price_digits=8 quantity_digits=8 fixed=1",
             f"image kind=trades id=99 receive={T}", *map(line_of, range(len(TRADES))), BOOK]
    return write_store(tmp_path_factory.mktemp("trades") / "store", lines)


def trades(store, *words, symbol="BTCUSDT", **options):
    return run("obrebuild", "trades", symbol, "--store", store, *words, **options)


def rows(store, *words, code=DONE):
    done = trades(store, *words, "--output", "json")
    assert done.returncode == code, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_trade_with_the_texts_of_the_exchange_and_the_takers_side(store):
    found = rows(store)
    assert found == [row_of(number) for number in range(len(TRADES))]
    assert [list(row) for row in found] == [FIELDS] * len(TRADES)


@pytest.mark.parametrize("clock, lag", [("exchange", 0), ("receive", LAG)])
def test_a_range_has_its_begin_and_not_its_end(store, clock, lag):
    words = ("--from", T + STEP + lag, "--to", T + 4 * STEP + lag, "--clock", clock)
    assert rows(store, *words) == [row_of(number) for number in (1, 2, 3)]
    words = ("--from", T + STEP + lag + 1, "--to", T + 4 * STEP + lag + 1, "--clock", clock)
    assert rows(store, *words) == [row_of(number) for number in (2, 3, 4)]
    assert rows(store, "--to", T, "--clock", clock) == []
    assert rows(store, "--from", T + SECOND, "--clock", clock) == []


def test_csv_tells_what_json_tells(store):
    done = trades(store, "--output", "csv")
    assert done.returncode == DONE
    found = list(csv.DictReader(done.stdout.splitlines()))
    assert found == [{**{name: str(value) for name, value in row_of(number).items()},
                      "first_trade": "", "last_trade": ""} for number in range(len(TRADES))]
    assert len(trades(store, "--output", "csv", "--to", T).stdout.splitlines()) == 1


def test_a_table_has_its_columns_in_line(store):
    heading, *lines = trades(store).stdout.splitlines()
    assert len(lines) == len(TRADES)
    for name, texts in {"time": ["2026-05-28T20:26:40Z", "2026-05-28T20:26:40.010Z"],
                        "taker": ["buy", "sell"]}.items():
        at = heading.index(name)
        assert [line[at:].split()[0] for line in lines[:2]] == texts
    for name, texts in {"id": ["100", "101"], "price": [price for _, price, _ in TRADES],
                        "quantity": [size for _, _, size in TRADES]}.items():
        end = heading.index(name) + len(name)
        for line, text in zip(lines, texts):
            assert line[:end].endswith(f" {text}") or len(text) > 18


def test_an_aggregate_names_its_fills(tmp_path):
    lines = [f"{STREAM} price_digits=2 quantity_digits=3",
             f"image kind=trades id=6 receive={T}",
             f"trade id=7 time={T} receive={T} side=1 price=5 size=1.500 first=40 last=43",
             f"trade id=8 time={T} receive={T} side=0 price=4.5 size=2 first=44 last=44"]
    store = write_store(tmp_path / "store", lines)
    found = rows(store)
    assert [list(row) for row in found] == [FIELDS + ["first_trade", "last_trade"]] * 2
    assert [(row["id"], row["first_trade"], row["last_trade"], row["price"], row["quantity"],
             row["taker_side"]) for row in found] == [
        (7, 40, 43, "5", "1.5", "buy"), (8, 44, 44, "4.5", "2", "sell")]  # fmt: skip
    found = list(csv.DictReader(trades(store, "--output", "csv").stdout.splitlines()))
    fills = [(row["first_trade"], row["last_trade"]) for row in found]
    assert fills == [("40", "43"), ("44", "44")]
    assert "40..43" in trades(store).stdout


def test_a_gap_in_the_range_is_told_of(tmp_path):
    lines = [f"{STREAM} price_digits=8 quantity_digits=8 fixed=1",
             f"image kind=trades id=99 receive={T}", line_of(0), line_of(1),
             f"gap cause=1 receive={T + STEP + LAG + 5}",
             f"image kind=trades id=102 receive={T + 3 * STEP}", line_of(3), line_of(4)]
    store = write_store(tmp_path / "store", lines)
    done = trades(store, "--output", "json")
    assert done.returncode == INCOMPLETE
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        row_of(number) for number in (0, 1, 3, 4)]  # fmt: skip
    assert done.stderr == (
        "obrebuild: binance:BTCUSDT: the range has a gap (disconnect) after id 101\n")
    assert rows(store, "--to", T + STEP) == [row_of(0)]
    assert rows(store, "--from", T + 3 * STEP) == [row_of(3), row_of(4)]
    # by our clock the gap begins later
    words = ("--clock", "receive", "--to", T + STEP + LAG)
    assert rows(store, *words) == [row_of(0)]
    assert rows(store, *words[:3], T + STEP + LAG + 1, code=INCOMPLETE) == [row_of(0), row_of(1)]


@pytest.mark.parametrize("words, parts", [
    (["trades"], ["trades", "one symbol"]),
    (["trades", "BTCUSDT", "ETHUSDT"], ["trades", "one symbol"]),
    (["trades", "BTCUSDT", "--kind", "l2"], ["--kind l2", "trades"]),
    (["trades", "BTCUSDT", "--from", "2", "--to", "1"], ["--from", "later than --to"]),
    (["trades", "BTCUSDT", "--clock", "mine"], ["--clock mine", "exchange or receive"]),
], ids=" ".join)  # fmt: skip
def test_wrong_words_are_named(store, words, parts):
    check_one_line(run("obrebuild", "--store", store, *words), "obrebuild", USAGE, *parts)


@pytest.mark.parametrize("symbol", ["ETHUSDT", "binance:ETHUSDT", "coinbase:BTC-USD"])
def test_where_no_trades_are_recorded_it_says_what_to_do(store, symbol):
    name = symbol if ":" in symbol else f"binance:{symbol}"
    check_one_line(trades(store, symbol=symbol), "obrebuild", FAILED, name, "no trades",
                   "TRADES=on")


def test_kind_trades_is_what_it_means_anyhow(store):
    assert rows(store, "--kind", "trades") == rows(store)


def test_trades_are_proved_like_any_other_stream(store):
    done = run("obrebuild", "--store", store, "verify", "BTCUSDT", "--output", "json")
    assert done.returncode == DONE
    row = json.loads(done.stdout)
    assert (row["kind"], row["events"], row["problems"]) == ("trades", len(TRADES), 0)
    done = run("obrebuild", "--store", store, "coverage", "BTCUSDT", "--output", "json")
    row = json.loads(done.stdout)
    assert (row["kind"], row["proof"], row["gaps"]) == ("trades", "sequence", [])


def test_what_cannot_be_written_is_a_failure(store):
    with open("/dev/full", "w", encoding="ascii") as full:
        done = trades(store, stdout=full)
    assert done.returncode == FAILED
    assert "stdout" in done.stderr


def test_many_trades_come_whole_and_in_order(tmp_path):
    lines = [f"{STREAM} price_digits=8 quantity_digits=8 fixed=1", f"tick now={T}",
             f"image kind=trades id=0 receive={T}", f"many count=200000 begin={T}"]
    store = write_store(tmp_path / "store", lines)
    done = trades(store, "--output", "csv")
    assert done.returncode == DONE
    found = list(csv.DictReader(done.stdout.splitlines()))
    assert [int(row["id"]) for row in found] == list(range(1, 200001))
    for row in found[::997]:
        number = int(row["id"])
        price, size = 6000000000 + number * 7919 % 100000, 1 + number * 104729 % 1000000
        assert row["price"] == f"{price // 10**8}.{price % 10**8:08}"
        assert row["quantity"] == f"{size // 10**8}.{size % 10**8:08}"
        assert row["taker_side"] == ("buy" if number % 3 == 0 else "sell")
