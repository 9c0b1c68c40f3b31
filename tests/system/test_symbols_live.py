"""What each symbol is, as the exchanges say it while they are recorded: shown, followed through its
changes, and refused where it is not traded any more."""

import json
import re
import ssl
import urllib.request

import harness
import reference
import reference_coinbase as coinbase
import test_coinbase
from test_coinbase import Truth, captured_orders, emitted, replay

FACTS = "base quote tick lot min_quantity min_notional status trading auction".split()


def versions(store, symbol, *words, expect=0):
    return harness.rows(store, "symbols", symbol, *words, expect=expect)


def facts(row):
    return {key: row[key] for key in FACTS}


def ask(lab, path):
    """What the exchange answers."""
    request = urllib.request.Request(lab.urls["rest_url"] + path, headers={"User-Agent": "test"})
    context = ssl.create_default_context(cafile=str(lab.ca))
    with urllib.request.urlopen(request, context=context, timeout=10) as answer:
        return json.load(answer)


def coinbase_facts(product):
    trading = product["status"] == "online" and not (
        product.get("trading_disabled") or product.get("cancel_only")
    )
    return {
        "base": product["base_currency"],
        "quote": product["quote_currency"],
        "tick": product["quote_increment"],
        "lot": product["base_increment"],
        "min_quantity": product.get("base_min_size"),
        "min_notional": product.get("min_market_funds"),
        "status": product["status"],
        "trading": trading,
        "auction": product.get("auction_mode", False),
    }


def binance_facts(symbol):
    filters = {one["filterType"]: one for one in symbol["filters"]}
    notional = filters.get("NOTIONAL", filters.get("MIN_NOTIONAL", {}))
    return {
        "base": symbol["baseAsset"],
        "quote": symbol["quoteAsset"],
        "tick": filters["PRICE_FILTER"]["tickSize"],
        "lot": filters["LOT_SIZE"]["stepSize"],
        "min_quantity": filters["LOT_SIZE"].get("minQty"),
        "min_notional": notional.get("minNotional"),
        "status": symbol["status"],
        "trading": symbol["status"] == "TRADING",
        "auction": False,
    }


def captured_products():
    """What the exchange really said of its products, by their names."""
    for line in coinbase.lines_of(harness.capture_path("products")):
        url, arrow, rest = line.partition(" -> ")
        if arrow and url.endswith("/products"):
            return {one["id"]: one for one in json.loads(rest.partition(": ")[2])}
    raise AssertionError("no products in that capture")


def test_the_facts_of_both_exchanges_are_shown(tmp_path):
    names = ["level2", "products", "spot4"]
    want = {
        f"coinbase:{id_}": coinbase_facts(product) for id_, product in captured_products().items()
    }
    lab = harness.Lab(tmp_path, names, speed="1")
    try:
        for symbol in ask(lab, "/api/v3/exchangeInfo")["symbols"]:
            want[f"binance:{symbol['symbol']}"] = binance_facts(symbol)
        symbols = [*harness.SYMBOLS["level2"], *(f"binance:{s}" for s in harness.SYMBOLS["spot4"])]
        logger = harness.Logger(tmp_path, lab, symbols, tmp_path / "store")
        for symbol in symbols:
            logger.wait_text(f"{symbol}: live")
        assert logger.end() == 0
    finally:
        lab.end()
    shown = harness.rows(logger.store, "symbols")
    assert {f"{row['exchange']}:{row['symbol']}" for row in shown} == set(symbols)
    for row in shown:
        assert facts(row) == want[f"{row['exchange']}:{row['symbol']}"]
        assert row["to_ns"] is None
    for symbol in symbols:
        assert [facts(row) for row in versions(logger.store, symbol)] == [want[symbol]]


def play_changes(tmp_path, name, symbol, changes, *options, **settings):
    """Record while facts change at those seconds; the run, and when they did."""
    script = tmp_path / "faults.jsonl"
    faults = [
        {"at": {"seconds": seconds}, "do": "product", "symbol": symbol, "set": facts_}
        for seconds, facts_ in changes
    ]
    script.write_text("".join(json.dumps(fault) + "\n" for fault in faults))
    run = test_coinbase.play(
        tmp_path,
        [name],
        *options,
        "--faults",
        script,
        speed=str(settings.pop("speed")),
        wait=1.5,
        SYMBOLS_EVERY="1s",
        **settings,
    )
    run["changed"] = [line["ns"] for line in run["journal"] if line["t"] == "product"]
    assert len(run["changed"]) == len(changes)
    return run


def check_versions(run, symbol, wanted):
    """The versions follow each other; each begins within the period after its change."""
    rows = versions(run["store"], symbol)
    assert len(rows) == len(wanted) == len(run["changed"]) + 1, rows
    for row, facts_ in zip(rows, wanted):
        assert {key: row[key] for key in facts_} == facts_
    assert [row["to_ns"] for row in rows] == [row["from_ns"] for row in rows[1:]] + [None]
    for row, changed_ns in zip(rows[1:], run["changed"]):
        assert 0 < row["from_ns"] - changed_ns < 2.0e9
    for row in rows:
        assert versions(run["store"], symbol, "--at", row["from_ns"]) == [row]
        if row["to_ns"]:
            assert versions(run["store"], symbol, "--at", row["to_ns"] - 1) == [row]
    versions(run["store"], symbol, "--at", rows[0]["from_ns"] - 1, expect=3)
    return rows


def check_epochs(rows, records, count):
    """A new epoch at each change of the grid, and at nothing else."""
    epochs = sorted({row["epoch"] for row in rows})
    assert epochs == list(range(1, count + 1))
    begins = [
        next(row["receive_time_ns"] for row in rows if row["epoch"] == epoch) for epoch in epochs
    ]
    grids = [
        record["from_ns"]
        for before, record in zip(records, records[1:])
        if (before["tick"], before["lot"]) != (record["tick"], record["lot"])
    ]
    assert len(grids) == count - 1
    for begin_ns, grid_ns in zip(begins[1:], grids):
        assert 0 <= begin_ns - grid_ns < 1e9


def test_a_changed_tick_is_a_new_version_and_a_new_epoch_without_a_gap(tmp_path):
    changes = [
        (0.8, {"quote_increment": "0.1"}),
        (2.2, {"status": "offline"}),
        (3.6, {"status": "online"}),
        (5.0, {"quote_increment": "0.01", "base_increment": "0.0001"}),
    ]
    run = play_changes(
        tmp_path, "made", "ETH-USD", changes, *harness.KEYED, speed=3, **harness.KEYS
    )
    first = {"tick": "0.01", "lot": "0.00000001", "status": "online", "trading": True}
    wanted = [first]
    names = {"quote_increment": "tick", "base_increment": "lot", "status": "status"}
    for _, change in changes:
        after = {**wanted[-1], **{names[key]: value for key, value in change.items()}}
        wanted.append({**after, "trading": after["status"] == "online"})
    records = check_versions(run, "coinbase:ETH-USD", wanted)
    truth = Truth(captured_orders("made")[0], emitted(run["journal"], "full", "ETH-USD"))
    rows = replay(run["store"], "ETH-USD")
    test_coinbase.check_messages(rows, truth)
    assert [row["last_id"] for row in rows] == truth.sequences[-len(rows) :]
    check_epochs(rows, records, 3)
    test_coinbase.check_orders(run["store"], "ETH-USD", truth, rows[0]["last_id"], 60)
    check_tape(run, truth)
    test_coinbase.check_complete_and_sound(run["store"])
    assert "gap" not in run["log"] and "its status is offline" in run["log"], run["log"]


def check_tape(run, truth):
    """The trades go over the same changes."""
    want = [coinbase.row_of(trade) for trade in coinbase.tape(truth.history.messages)]
    rows = harness.rows(run["store"], "trades", "coinbase:ETH-USD")
    assert [{**row, "receive_time_ns": 0} for row in rows] == [
        {**row, "receive_time_ns": 0} for row in want
    ]


def test_a_changed_tick_of_binance_too(tmp_path):
    changes = [
        (0.8, {"tickSize": "0.00001000"}),
        (2.2, {"status": "HALT"}),
        (3.6, {"status": "TRADING", "tickSize": "0.00000100"}),
    ]
    run = play_changes(tmp_path, "us10", "ETHBTC", changes, speed=22)
    assert "gap" not in run["log"], run["log"]
    records = versions(run["store"], "ETHBTC")
    wanted = [{key: records[0][key] for key in ("tick", "status", "trading")}]
    names = {"tickSize": "tick", "status": "status"}
    for _, change in changes:
        after = {**wanted[-1], **{names[key]: value for key, value in change.items()}}
        wanted.append({**after, "trading": after["status"] == "TRADING"})
    check_versions(run, "ETHBTC", wanted)
    snapshot = reference.snapshots(harness.capture_path("us10"))["ETHBTC"]
    truth = reference.Truth(snapshot, reference.emitted(run["journal"])["ETHBTC"])
    rows = harness.rows(run["store"], "replay", "ETHBTC", "--digest")
    by_id = {event["u"]: event for event in truth.events}
    for row in rows:
        event = by_id[row["last_id"]]
        assert (row["bids"], row["asks"]) == (event["b"], event["a"])
        assert int(row["digest"], 16) == truth.digests[row["last_id"]]
    assert [row["last_id"] for row in rows] == list(by_id)[-len(rows) :] and len(rows) > 200
    check_epochs(rows, records, 3)
    for row in harness.rows(run["store"], "symbols"):
        assert row["symbol"] == "ETHBTC" or row["to_ns"] is None, row
    test_coinbase.check_complete_and_sound(run["store"])


def test_what_is_not_traded_any_more_is_refused_and_harms_nobody(tmp_path):
    status = "ETH-USD=delisted,SXPBTC=BREAK"
    symbols = [
        *("coinbase:ETH-USD", "coinbase:NO-SUCH", "coinbase:BTC-USD"),
        *("binance:SXPBTC", "binance:NOSUCH", "binance:FTMUSDT"),
    ]
    captures = ["made", "full", "spot4"]
    options = (*harness.KEYED, "--product-status", status, "--expect", "2")
    run = test_coinbase.play(
        tmp_path, captures, *options, speed="20", symbols=symbols, wait=1, **harness.KEYS
    )
    refused = re.findall(r"error: (\S+): refused: (.*)", run["log"])
    assert sorted(name for name, _ in refused) == sorted(
        [*symbols[:2], *symbols[3:5]]
    ), run["log"]
    reasons = dict(refused)
    assert "not traded any more" in reasons["coinbase:ETH-USD"]
    assert "does not know" in reasons["coinbase:NO-SUCH"]
    recorded = harness.recorded(run["store"])
    assert {symbol for symbol, _ in recorded} == {"BTC-USD", "FTMUSDT"}
    rows = replay(run["store"], "BTC-USD")
    truth = test_coinbase.captured_truth("full")
    test_coinbase.check_messages(rows, truth)
    assert rows[-1]["last_id"] == truth.sequences[-1]
    test_coinbase.check_complete_and_sound(run["store"])
    asked = [json.loads(line["raw"]) for line in run["journal"] if line["t"] == "command"]
    assert not any("ETH-USD" in json.dumps(one) for one in asked), asked
