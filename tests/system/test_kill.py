"""kill -9 at any moment: the store opens, at most the last second is missing, the restart goes on
in a new epoch with a gap record between."""

import random

import harness
import reference

KILLS = 20
NAME = "us10"


def journal_by_symbol(lab):
    return reference.emitted(lab.journal())


def sent_before(lab, ns):
    """The newest id of each symbol that was on its way before that moment."""
    newest = {}
    for line in lab.journal():
        if line["t"] == "emit" and "@depth" in line["stream"] and line["ns"] < ns:
            newest[line["stream"].split("@")[0].upper()] = line["u"]
    return newest


def check_exact(store, events, snapshots):
    """Every stored event as it was sent, and the book after it. Ids stored, by symbol."""
    stored = {}
    for symbol, list_ in events.items():
        truth = reference.Truth(snapshots[symbol], list_)
        by_id = {event["u"]: event for event in truth.events}
        rows = harness.rows(store, "replay", f"binance:{symbol}", "--digest", expect=None)
        for row in rows:
            event = by_id[row["last_id"]]
            assert (row["bids"], row["asks"]) == (event["b"], event["a"])
            assert (
                int(row["digest"], 16) == truth.digests[row["last_id"]]
            ), f"{symbol}: book after {row['last_id']}"
        stored[symbol] = [row["last_id"] for row in rows]
        assert stored[symbol] == sorted(set(stored[symbol]))
    return stored


def check_losses(store, events, stored):
    """What is not stored lies in a gap that says why."""
    coverage = {
        row["symbol"]: row for row in harness.rows(store, "coverage", "--kind", "l2", expect=None)
    }
    crashed = 0
    for symbol, list_ in events.items():
        ids, gaps = stored[symbol], coverage[symbol]["gaps"]
        have = set(ids)
        crashed += sum(gap["cause"] == "crashed" for gap in gaps)
        for event in list_:
            if event["u"] in have or not ids[0] <= event["u"] <= ids[-1]:
                continue
            assert any(
                gap["from_id"] < event["u"]
                and (gap["to_id"] is None or event["u"] <= gap["to_id"])
                for gap in gaps
            ), f"{symbol}: {event['u']} is lost without a gap"
    return crashed


def test_twenty_kills(tmp_path):
    choice = random.Random(7)
    snapshots = reference.snapshots(harness.capture_path(NAME))
    lab = harness.Lab(tmp_path, [NAME], "--loop", "60", "--rest-weight", "1000000", speed=20)
    store = tmp_path / "store"
    settings = {"SEAL_AFTER": "1s", "IMAGE_MIN": "1s", "IMAGE_FACTOR": "1"}
    try:
        for number in range(KILLS):
            logger = harness.Logger(
                tmp_path,
                lab,
                harness.SYMBOLS[NAME],
                store,
                log=f"oblogger.{number}.log",
                **settings,
            )
            # some while names and images are fetched, some in full run
            moment = choice.choice([0.05, 0.15, 0.3, 1.0, 1.5, 2.2, 3.0])
            if moment >= 1:
                logger.wait_text(": live")
            harness.time.sleep(moment * choice.uniform(0.8, 1.2))
            killed_ns = harness.time.time_ns()
            running = "live" in logger.text()
            logger.kill()
            for row in harness.rows(store, "verify", expect=None) if store.exists() else []:
                assert row.get("problems") == 0, row
            if running:
                newest = sent_before(lab, killed_ns - 1_600_000_000)
                have = {
                    row["symbol"]: row
                    for row in harness.rows(store, "list")
                    if row["kind"] == "l2"
                }
                for symbol in have:
                    last = harness.rows(
                        store, "replay", f"binance:{symbol}", "--digest", expect=None
                    )
                    epoch_log = logger.text()
                    live_at = f"binance:{symbol}: live" in epoch_log
                    if (
                        live_at
                        and last
                        and symbol in newest
                        and newest[symbol] > first_live_id(epoch_log, symbol)
                    ):
                        assert (
                            last[-1]["last_id"] >= newest[symbol]
                        ), f"{symbol}: more than the last second is missing"
        logger = harness.Logger(
            tmp_path, lab, harness.SYMBOLS[NAME], store, log="oblogger.last.log", **settings
        )
        logger.wait_text("VTHOUSD: live")
        harness.time.sleep(4)
        assert logger.end() == 0
        events = journal_by_symbol(lab)
    finally:
        lab.end()
    for row in harness.rows(store, "verify"):
        assert row["problems"] == 0
    stored = check_exact(store, events, snapshots)
    crashed = check_losses(store, events, stored)
    total = sum(len(ids) for ids in stored.values())
    print(f"{KILLS} kills: {total} events compared, {crashed} gaps of crashes")
    assert crashed >= KILLS and total > 3000


def first_live_id(log, symbol):
    """The id of the image that made the book live in this run."""
    for line in log.splitlines():
        if f"binance:{symbol}: live, image " in line:
            return int(line.split("live, image ")[1].split(",")[0])
    return 1 << 62


def test_a_clean_stop_loses_nothing(tmp_path):
    lab = harness.Lab(tmp_path, [NAME], "--loop", "2", "--rest-weight", "1000000", speed=20)
    store = tmp_path / "store"
    try:
        logger = harness.Logger(tmp_path, lab, harness.SYMBOLS[NAME], store)
        logger.wait_text("BTCUSD: live")
        harness.time.sleep(1.5)
        stopped_ns = harness.time.time_ns()
        assert logger.end() == 0
        newest = sent_before(lab, stopped_ns - 200_000_000)
        rows = harness.rows(store, "replay", "binance:BTCUSD")
        assert rows[-1]["last_id"] >= newest["BTCUSD"]
        again = harness.Logger(tmp_path, lab, harness.SYMBOLS[NAME], store, log="again.log")
        again.wait_text("BTCUSD: live")
        lab.wait_end(60)
        harness.time.sleep(1.5)
        assert again.end() == 0
        events = reference.emitted(lab.journal())
    finally:
        lab.end()
    stored = check_exact(store, events, reference.snapshots(harness.capture_path(NAME)))
    check_losses(store, events, stored)
    gaps = {
        row["symbol"]: row["gaps"]
        for row in harness.rows(store, "coverage", "--kind", "l2", expect=None)
    }
    assert {gap["cause"] for gap in gaps["BTCUSD"]} == {"stopped"}
