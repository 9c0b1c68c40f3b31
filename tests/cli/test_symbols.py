"""obrebuild symbols: what each symbol was, and when."""

import csv
import json

import pytest

from programs import run
from test_cli import DONE, FAILED, INCOMPLETE, USAGE, check_one_line

SECOND = 1_000_000_000
T = 1_780_000_000 * SECOND  # 2026-05-28T20:26:40Z
FIELDS = (
    "exchange symbol base quote tick lot min_quantity min_notional status trading auction "
    "from_ns to_ns"
).split()
BTC = "binance,BTCUSDT,BTC,USDT,0.01000000,0.00001000,0.00001000,5.00000000"
LINES = [
    f"{T},{BTC},TRADING,1,0",
    f"{T + SECOND},coinbase,BTC-USD,BTC,USD,0.01,0.00000001,,1,online,1,1",
    f"{T + 2 * SECOND},{BTC},TRADING,1,0",
    f"{T + 10 * SECOND},{BTC},BREAK,0,0",
    f"{T + 20 * SECOND},{BTC.replace('0.01000000', '0.10000000')},TRADING,1,0",
]
BITCOIN = {
    "exchange": "binance",
    "symbol": "BTCUSDT",
    "base": "BTC",
    "quote": "USDT",
    "tick": "0.01000000",
    "lot": "0.00001000",
    "min_quantity": "0.00001000",
    "min_notional": "5.00000000",
    "status": "TRADING",
    "trading": True,
    "auction": False,
    "from_ns": T,
    "to_ns": T + 10 * SECOND,
}
EXPECTED = [
    BITCOIN,
    {
        **BITCOIN,
        "status": "BREAK",
        "trading": False,
        "from_ns": T + 10 * SECOND,
        "to_ns": T + 20 * SECOND,
    },
    {**BITCOIN, "tick": "0.10000000", "from_ns": T + 20 * SECOND, "to_ns": None},
    {
        "exchange": "coinbase",
        "symbol": "BTC-USD",
        "base": "BTC",
        "quote": "USD",
        "tick": "0.01",
        "lot": "0.00000001",
        "min_quantity": None,
        "min_notional": "1",
        "status": "online",
        "trading": True,
        "auction": True,
        "from_ns": T + SECOND,
        "to_ns": None,
    },
]


def record(store, lines):
    done = run("obsymbols", store, stdin="".join(line + "\n" for line in lines))
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    store = tmp_path_factory.mktemp("symbols") / "store"
    assert record(store, []) == []
    return store


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    store = tmp_path_factory.mktemp("symbols") / "store"
    assert record(store, LINES) == ["1", "1", "0", "1", "1"]
    return store


def symbols(store, *words):
    return run("obrebuild", "symbols", "--store", store, *words)


def rows(store, *words, code=DONE):
    done = symbols(store, *words, "--output", "json")
    assert done.returncode == code, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_all_versions_of_all_symbols_in_the_order_of_names_and_times(known):
    assert rows(known) == EXPECTED
    assert [list(row) for row in rows(known)] == [FIELDS] * 4


def test_those_that_are_named_in_the_order_of_the_words(known):
    assert rows(known, "coinbase:BTC-USD", "BTCUSDT") == EXPECTED[3:] + EXPECTED[:3]
    assert rows(known, "binance:BTCUSDT") == EXPECTED[:3]


@pytest.mark.parametrize(
    "at, indices",
    [
        (T, [0]),
        (T + SECOND - 1, [0]),
        (T + SECOND, [0, 3]),
        (T + 10 * SECOND - 1, [0, 3]),
        (T + 10 * SECOND, [1, 3]),
        ("2026-05-28T20:27:00Z", [2, 3]),
        ("2100-01-01T00:00:00Z", [2, 3]),
        (T - 1, []),
    ],
)
def test_at_a_time_each_symbol_is_what_it_was_then(known, at, indices):
    assert rows(known, "--at", at) == [EXPECTED[index] for index in indices]


def test_a_time_before_it_was_known_is_incomplete(known):
    done = symbols(known, "BTCUSDT", "--at", T - 1)
    check_one_line(done, "obrebuild", INCOMPLETE, "binance:BTCUSDT", "2026-05-28T20:26:40Z")
    done = symbols(known, "BTCUSDT", "coinbase:BTC-USD", "--at", T, "--output", "json")
    assert done.returncode == INCOMPLETE
    assert [json.loads(line) for line in done.stdout.splitlines()] == EXPECTED[:1]


def test_csv_tells_what_json_tells(known):
    done = symbols(known, "--output", "csv")
    assert done.returncode == DONE
    texts = {"True": "true", "False": "false", "None": ""}
    expected = [
        {name: texts.get(str(value), str(value)) for name, value in row.items()}
        for row in EXPECTED
    ]
    assert list(csv.DictReader(done.stdout.splitlines())) == expected


def test_a_table_has_one_heading_and_its_columns_in_line(known):
    done = symbols(known, "BTCUSDT", "coinbase:BTC-USD")
    heading, *lines = done.stdout.splitlines()
    assert done.returncode == DONE and len(lines) == 4
    for name, texts in {
        "status": ["TRADING", "BREAK", "TRADING", "online"],
        "tick": ["0.01000000", "0.01000000", "0.10000000", "0.01"],
        "min quantity": ["0.00001000"] * 3 + ["-"],
        "trading": ["yes", "no", "yes", "yes"],
        "to": ["2026-05-28T20:26:50Z", "2026-05-28T20:27:00Z", "now", "now"],
    }.items():
        at = heading.rindex(name) if name == "to" else heading.index(name)
        assert [line[at:].split()[0] for line in lines] == texts, name


def test_an_empty_store_knows_no_symbol(empty):
    assert rows(empty) == []
    assert rows(empty, "--at", T) == []
    assert len(symbols(empty).stdout.splitlines()) == 1


@pytest.mark.parametrize("word", ["ETHUSDT", "coinbase:BTCUSDT", "BTC-USD", "binance:"])
def test_a_symbol_that_is_not_known_is_named(known, word):
    name = word if ":" in word else f"binance:{word}"
    check_one_line(symbols(known, word), "obrebuild", FAILED, name)
    check_one_line(symbols(known, word, "--at", T), "obrebuild", FAILED, name)


@pytest.mark.parametrize("text", ["-", "yesterday", "", "1e99"])
def test_a_time_that_is_none_is_said(known, text):
    done = symbols(known, "--at", text)
    check_one_line(done, "obrebuild", USAGE, f"--at {text}")


def test_a_missing_store_is_named(tmp_path):
    check_one_line(symbols(tmp_path / "none"), "obrebuild", FAILED, "none", "no store")


def test_verify_names_the_place_of_a_damaged_record(known, tmp_path):
    store = tmp_path / "store"
    record(store, LINES)
    assert run("obrebuild", "--store", store, "verify").returncode == DONE
    assert run("obsymbols", store, 1, T + 10 * SECOND, "01ff").returncode == 0
    done = run("obrebuild", "--store", store, "verify", "--output", "json")
    assert done.returncode == FAILED
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {
            "problem": "the record is damaged",
            "table": "symbols",
            "number": 1,
            "from_ns": T + 10 * SECOND,
        }
    ]
    done = run("obrebuild", "--store", store, "verify")
    assert (done.returncode, done.stdout) == (
        FAILED,
        "symbols number 1 from 2026-05-28T20:26:50Z: the record is damaged\n",
    )
    check_one_line(symbols(store), "obrebuild", FAILED, "number 1", "2026-05-28T20:26:50Z")


def test_a_backup_has_them_too(known, tmp_path):
    assert run("obrebuild", "--store", known, "backup", tmp_path / "copy").returncode == DONE
    assert rows(tmp_path / "copy") == EXPECTED
