"""CONNECTIONS=2: either of the two connections is cut, again and again, and nothing is missing; of
one connection the same cuts are gaps."""

import json

import pytest

import harness
import reference
import test_coinbase
import test_coinbase_faults as coinbase_faults
import test_faults

# the older one, then the newer one; each while the other stands
CUTS = [
    {"at": {"seconds": 1}, "do": "cut", "websocket": 1},
    {"at": {"seconds": 2.5}, "do": "close", "code": 1001, "websocket": 3},
]


def lines(run):
    return [line for line in run["journal"] if line["t"] == "websocket"]


def trade_ids(journal):
    """symbol -> ids of what was emitted, each once."""
    found = {}
    for line in journal:
        if line["t"] == "emit" and line["stream"].endswith("@aggTrade"):
            data = json.loads(line["raw"])
            data = data.get("data", data)
            found.setdefault(data["s"], []).append(data["a"])
    return found


def binance(tmp_path, monkeypatch, count, faults):
    monkeypatch.setenv("CONNECTIONS", str(count))
    monkeypatch.setenv("BINANCE_TRADES", "aggTrade")
    return test_faults.play(tmp_path, faults)


def test_cuts_of_two_lines_lose_nothing(tmp_path, monkeypatch):
    run = binance(tmp_path, monkeypatch, 2, CUTS)
    assert len(run["faults"]) == 2 and len(lines(run)) >= 4
    lost = test_faults.check(run)
    assert all(gaps == [] for gaps in run["gaps"].values()) and not any(lost.values())
    assert harness.recorded_events(run["store"]) == {
        symbol: len(events) for symbol, events in run["events"].items()
    }
    for symbol, ids in trade_ids(run["journal"]).items():
        rows = harness.rows(run["store"], "trades", f"binance:{symbol}", expect=None)
        assert [row["id"] for row in rows] == ids, symbol
    for row in harness.rows(run["store"], "coverage", expect=None):
        assert row["gaps"] == [], row


def test_the_same_cut_of_one_line_is_a_gap(tmp_path, monkeypatch):
    run = binance(tmp_path, monkeypatch, 1, CUTS[:1])
    test_faults.check(run)
    assert any(run["gaps"].values())


def test_what_one_line_loses_the_other_brings(tmp_path, monkeypatch):
    faults = [
        {"random": {"stream": stream, "p": p}, "do": do, "ms": 200, "websocket": 2}
        for stream in ("ethbtc@depth@100ms", "solusd@depth@100ms")
        for do, p in (("delay", 0.03), ("drop", 0.05), ("duplicate", 0.05))
    ]
    faults += [
        test_faults.at(n, do=do, websocket=line)
        for n, do, line in (
            (300, "drop", 1),
            (350, "truncate", 2),
            (400, "garbage", 1),
            (450, "swap", 2),
            (500, "idjump", 1),
        )
    ]
    run = binance(tmp_path, monkeypatch, 2, faults)
    lost = test_faults.check(run)
    assert len(run["faults"]) > 20 and not any(lost.values()), run["gaps"]


def test_cuts_of_two_lines_lose_no_order(tmp_path):
    run, gaps, trade_gaps, truth = coinbase_faults.play_orders(
        tmp_path, "made", CUTS, speed="8", CONNECTIONS="2"
    )
    assert len(run["faults"]) == 2 and len(lines(run)) >= 4
    assert gaps == trade_gaps == []
    assert harness.recorded(run["store"])["ETH-USD", "l3"]["events"] == len(truth.sequences)


@pytest.mark.full
def test_a_cut_of_one_line_loses_orders(tmp_path):
    _, gaps, _, _ = coinbase_faults.play_orders(
        tmp_path, "made", CUTS[:1], speed="8", CONNECTIONS="1"
    )
    assert [gap["cause"] for gap in gaps] == ["disconnect"]


@pytest.mark.parametrize("line", [1, pytest.param(2, marks=pytest.mark.full)])
def test_a_book_without_ids_pays_for_the_line_in_use_alone(line, tmp_path):
    """The older one is in use: the newer one costs nothing."""
    faults = [{"at": {"seconds": 1.5}, "do": "cut", "websocket": line}]
    run = coinbase_faults.play(tmp_path, "made", faults, speed="8", CONNECTIONS="2")
    gaps = coinbase_faults.check_levels(run, "made")["ETH-USD"]
    assert [gap["cause"] for gap in gaps] == ["disconnect"] * (2 - line)
    for gap in gaps:
        assert (gap["to_time_ns"] - gap["from_time_ns"]) / 1e9 / 8 <= 2
    tape = test_coinbase.coverage(run["store"])["coinbase", "ETH-USD", "trades"]
    assert tape["gaps"] == []
