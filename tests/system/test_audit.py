"""obaudit beside the real logger: a good recording scores 100, each damage is found with its place,
the exchange is hardly asked, and people are told once."""

import contextlib
import html.parser
import http.server
import json
import os
import pathlib
import re
import shutil
import subprocess
import threading
import zlib

import pytest

import harness

NAME = "us10"
SECRET_PATH = "/hooks/T0/very-secret-token"
TENTH = 600  # of the weight that Binance allows in a minute
FAULTS = [
    {"at": {"stream": "btcusd@depth@100ms", "n": 40}, "do": "drop"},
    {"at": {"depth": "SOLUSD", "n": 2}, "do": "crossed_snapshot"},
    {"at": {"depth": "HNTUSD", "n": 2}, "do": "stale", "behind": 5},
    {"at": {"depth": "MKRUSD", "n": 2}, "do": "http", "status": 500},
    {"at": {"depth": "VTHOUSD", "n": 2}, "do": "http", "status": 429, "retry_after": 500},
]


def obaudit(store, *words, expect=0, env=None):
    """Its answer; the exit code must be the one expected."""
    done = subprocess.run(
        [str(harness.BUILD / "obaudit"), *map(str, words), "--store", str(store)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **(env or {})},
    )
    assert done.returncode == expect, f"exit {done.returncode}: {done.stdout}{done.stderr}"
    return done


def results(store, *words, expect=0, env=None):
    """By (symbol, kind)."""
    done = obaudit(store, *words, "--output", "json", expect=expect, env=env)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {(row["symbol"], row["kind"]): row for row in rows}


def outcome(row, check):
    return row["checks"][check]["outcome"]


def only_finding(row, check):
    """The one finding that there is."""
    assert [finding["check"] for finding in row["findings"]] == [check], row["findings"]
    assert outcome(row, check) == "found"
    return row["findings"][0]


def all_is_recorded(lab, store):
    """Has the logger stored the last message of each book?"""
    last = {}
    for line in lab.journal():
        if line["t"] == "emit" and "@depth" in line["stream"]:
            last[line["stream"].split("@")[0].upper()] = line["u"]
    listed = harness.obrebuild(store, "list", "--output", "json", expect=None).stdout
    known = {row["symbol"] for row in map(json.loads, listed.splitlines()) if row["kind"] == "l2"}
    rows = harness.rows(store, *map("binance:{}".format, sorted(known)), "--kind", "l2",
                        "--depth", "1", expect=None) if known else []  # fmt: skip
    return {row["symbol"]: row["last_id"] for row in rows} == last


@contextlib.contextmanager
def recording(directory, name=NAME, *options, speed=40, faults=(), **env):
    """A laboratory that has played everything, and the logger that has it, still there."""
    script = directory / "faults.jsonl"
    script.write_text("".join(json.dumps(fault) + "\n" for fault in faults))
    lab = harness.Lab(directory, [name], "--faults", script, *options, speed=speed)
    try:
        store = directory / "store"
        logger = harness.Logger(directory, lab, harness.SYMBOLS[name], store, **env)
        try:
            lab.wait_end(60)
            if name == NAME:
                harness.wait_until(
                    lambda: all_is_recorded(lab, store), 20, "everything is recorded"
                )
            yield lab, logger
        finally:
            logger.end()
    finally:
        lab.end()


def weights(lab):
    """What was asked for by the depth of audits, by minute."""
    found = {}
    for line in lab.journal():
        if line["t"] == "depth" and line["limit"] == 1000:
            minute = line["ns"] // 60_000_000_000
            found[minute] = found.get(minute, 0) + 50
    return found


# ---- a good recording ----


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    with recording(
        tmp_path_factory.mktemp("good"), speed="max", BINANCE_TRADES="aggTrade"
    ) as parts:
        yield parts


def test_a_good_recording_scores_100(good):
    lab, logger = good
    found = results(logger.store, "run", env=lab.env)
    assert {key for key in found if key[1] == "l2"} == {(s, "l2") for s in harness.SYMBOLS[NAME]}
    assert any(kind == "trades" for _, kind in found)
    for (_, kind), row in found.items():
        checks = row["checks"]
        assert (row["score"], row["finding_count"], row["network"]) == (100, 0, True)
        assert {outcome(row, check) for check in ("coverage", "fresh", "frames", "ids")} == {"good"}
        assert checks["ids"]["examined"] == checks["frames"]["examined"] > 0
        if kind == "l2":
            assert outcome(row, "image") == "good" and checks["image"]["examined"] > 200
            assert outcome(row, "crossed") == "good"
    tapes = [row for (_, kind), row in found.items() if kind == "trades"]
    assert sum(row["checks"]["tape"]["examined"] for row in tapes) > 100
    assert sum(weights(lab).values()) <= TENTH


def test_without_the_network_nobody_is_asked(good):
    lab, logger = good
    before = sum(weights(lab).values())
    found = results(logger.store, "run", "--no-network", "BTCUSD", env=lab.env)
    row = found["BTCUSD", "l2"]
    assert (row["score"], row["network"]) == (100, False)
    assert (outcome(row, "image"), outcome(row, "fresh")) == ("not done", "good")
    assert "--no-network" in row["checks"]["image"]["note"]
    assert sum(weights(lab).values()) == before


def test_a_copy_is_audited_without_its_logger(good, tmp_path):
    lab, logger = good
    harness.obrebuild(logger.store, "backup", tmp_path / "copy")
    found = results(tmp_path / "copy", "run", "--no-network", env=lab.env)
    assert {row["score"] for row in found.values()} == {100}
    assert {outcome(row, "fresh") for row in found.values()} == {"not done"}


def test_the_same_is_found_from_the_store_later(good):
    lab, logger = good
    made = results(logger.store, "run", "--no-network", "ETHBTC", env=lab.env)
    assert results(logger.store, "report", "ETHBTC") == made
    text = obaudit(logger.store, "report", "ETHBTC").stdout
    assert re.search(r"^binance:ETHBTC l2  score 100  audited ", text, re.M)


def test_a_minute_of_the_exchange_is_not_used_up(tmp_path):
    """More books than a tenth of its weight is enough for: the rest wait for the next minute."""
    lab = harness.Lab(tmp_path, ["spot10", "spot4"], speed="max")
    symbols = harness.SYMBOLS["spot10"] + harness.SYMBOLS["spot4"]
    try:
        logger = harness.Logger(
            tmp_path, lab, symbols, tmp_path / "store", TRADES="off", IMAGE_DEPTH="500"
        )
        try:
            lab.wait_end(60)
            harness.wait_until(
                lambda: len(harness.recorded_events(logger.store)) == len(symbols), 20, "all books"
            )
            left = 60 - harness.time.time() % 60
            harness.time.sleep(left if left < 8 else 0)  # the run is to begin and wait in one
            run = harness.Process(
                [harness.BUILD / "obaudit", "run", "--store", logger.store,
                 "--stale-after", "1s"],
                tmp_path / "run.log", lab.env)  # fmt: skip
            try:
                harness.wait_until(lambda: sum(weights(lab).values()) >= TENTH, 30, "a tenth")
                harness.time.sleep(1.5)
                assert run.running()  # it waits
            finally:
                run.kill()
            assert max(weights(lab).values()) <= TENTH
        finally:
            logger.end()
    finally:
        lab.end()


# ---- damage by the exchange ----


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    directory = tmp_path_factory.mktemp("damaged")
    with recording(directory, faults=FAULTS) as (lab, logger):
        found = results(logger.store, "run", expect=3, env=lab.env)
        yield lab, logger, found


def test_a_gap_is_found_where_a_message_was_lost(damaged):
    lab, _, found = damaged
    [lost] = [line for line in lab.journal() if line["t"] == "fault" and line["do"] == "drop"]
    row = found["BTCUSD", "l2"]
    finding = only_finding(row, "coverage")
    assert finding["id"] == lost["U"] - 1
    assert finding["text"].startswith("sequence, ")
    assert finding["from_ns"] < finding["to_ns"]
    checks = row["checks"]["coverage"]
    assert checks["wrong"] == finding["to_ns"] - finding["from_ns"]
    assert row["score"] == 100 - checks["penalty"] < 100
    assert outcome(row, "image") == "good"  # it was mended since


def test_a_level_that_differs_is_found(damaged):
    row = damaged[2]["SOLUSD", "l2"]
    finding = row["findings"][0]
    assert (finding["check"], outcome(row, "image")) == ("image", "found")
    assert re.fullmatch(
        r"bid \d+\.\d+: recorded 0\.0+, the exchange has \d+\.\d+", finding["text"]
    )
    assert f"id {finding['id']}" in row["checks"]["image"]["note"]
    assert row["score"] <= 80


def test_an_image_of_the_past_is_compared_with_the_book_of_then(damaged):
    row = damaged[2]["HNTUSD", "l2"]
    newest = harness.rows(damaged[1].store, "binance:HNTUSD", "--depth", "1", expect=None)[0]
    [at] = re.findall(r"at id (\d+)", row["checks"]["image"]["note"])
    assert int(at) < newest["last_id"]
    assert (outcome(row, "image"), row["score"]) == ("good", 100)


def test_an_exchange_that_fails_is_no_finding(damaged):
    row = damaged[2]["MKRUSD", "l2"]
    assert (outcome(row, "image"), row["score"]) == ("not done", 100)
    assert "HTTP 500" in row["checks"]["image"]["note"]


def test_an_exchange_that_asks_to_be_left_alone_is(damaged):
    lab, logger, found = damaged
    assert "429" in found["VTHOUSD", "l2"]["checks"]["image"]["note"]
    asked = [line for line in lab.journal() if line["t"] == "depth" and line["limit"] == 1000]
    assert len([line for line in asked if line["symbol"] == "VTHOUSD"]) == 1
    assert "is left alone" not in logger.text() and logger.running()


def test_a_dead_logger_is_found(damaged):
    lab, logger, _ = damaged
    logger.kill()
    harness.time.sleep(1.1)
    found = results(logger.store, "run", "--stale-after", "1s", "ETHBTC", expect=3, env=lab.env)
    finding = only_finding(found["ETHBTC", "l2"], "fresh")
    assert "no logger writes to this store" in finding["text"]
    assert found["ETHBTC", "l2"]["score"] == 90


def test_an_exchange_that_is_ahead_is_found(tmp_path):
    """A connection that brings nothing any more, and is not known to be dead yet."""
    stall = {"at": {"stream": "btcusd@depth@100ms", "n": 100}, "do": "stall", "seconds": 50}
    lab = harness.Lab(tmp_path, [NAME], "--faults", script_of(tmp_path, [stall]), speed=40)
    try:
        logger = harness.Logger(
            tmp_path, lab, harness.SYMBOLS[NAME], tmp_path / "store", TRADES="off"
        )
        try:
            lab.wait_end(60)
            found = results(logger.store, "run", "--stale-after", "7s", "BTCUSD", expect=3,
                            env=lab.env)  # fmt: skip
        finally:
            logger.end()
    finally:
        lab.end()
    finding = only_finding(found["BTCUSD", "l2"], "fresh")
    assert re.search(r"the exchange was at id \d+ 7 s ago, the record is at \d+", finding["text"])
    assert outcome(found["BTCUSD", "l2"], "image") == "not done"


def script_of(directory, faults):
    path = directory / "script.jsonl"
    path.write_text("".join(json.dumps(fault) + "\n" for fault in faults))
    return path


# ---- orders ----


def test_orders_are_compared_with_the_levels_of_the_exchange(tmp_path):
    faults = [{"at": {"depth": "ETH-USD", "n": 3}, "do": "crossed_snapshot"}]
    with recording(
        tmp_path, "made", *harness.KEYED, speed="max", faults=faults, **harness.KEYS
    ) as (lab, logger):
        harness.wait_until(
            lambda: harness.recorded(logger.store).get(("ETH-USD", "l3"), {}).get("events", 0)
            > 900, 20, "orders are recorded")  # fmt: skip
        first = results(logger.store, "run", env=lab.env)
        second = results(logger.store, "run", expect=3, env=lab.env)
    row = first["ETH-USD", "l3"]
    assert (row["score"], outcome(row, "levels"), outcome(row, "image")) == (
        100, "good", "not done")  # fmt: skip
    assert row["checks"]["levels"]["examined"] > 20
    assert first["ETH-USD", "trades"]["checks"]["tape"]["examined"] > 50
    assert outcome(second["ETH-USD", "l3"], "levels") == "found"
    assert "the exchange has" in second["ETH-USD", "l3"]["findings"][0]["text"]


# ---- damage in the record ----

BEGIN = 1_700_000_000_000_000_000
SECOND = 1_000_000_000


def written(path, lines):
    done = subprocess.run(
        [harness.BUILD / "obwrite", path], input="".join(f"{line}\n" for line in lines),
        text=True, capture_output=True, timeout=60, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return path


def stream(kind):
    return (f"stream exchange=binance symbol=BTCUSDT kind={kind} price_digits=2 quantity_digits=2 "
            f"fixed=1 now={BEGIN}")  # fmt: skip


def book(levels):
    """A book at 99.00 | 101.00, then levels (id, side, price, size), one a second."""
    lines = [stream("l2"), "rest side=0 price=99 size=1", "rest side=1 price=101 size=1",
             f"image kind=l2 id=1 receive={BEGIN} auction=1"]  # an auction: books may cross
    for index, (event, side, price, size) in enumerate(levels, 1):
        at = BEGIN + index * SECOND
        lines.append(f"level id={event} time={at} receive={at} side={side} price={price} "
                     f"size={size}")  # fmt: skip
    return lines


def trades(rows):
    """Trades (id, second, price)."""
    lines = [stream("trades"), f"image kind=trades id={rows[0][0] - 1} receive={BEGIN}"]
    for number, second, price in rows:
        at = BEGIN + second * SECOND
        lines.append(f"trade id={number} time={at} receive={at} side=0 price={price} size=1")
    return lines


def calm(count):
    return [(2 + i, 0, 98, 1 + i) for i in range(count)]


def offline(store, expect):
    return results(store, "run", "--no-network", expect=expect)


def test_a_record_without_a_fault_scores_100(tmp_path):
    tape = [(10 + i, 1 + i, 99 + i % 3) for i in range(18)]
    store = written(tmp_path / "store", book(calm(20)) + trades(tape))
    found = offline(store, 0)
    assert {key: row["score"] for key, row in found.items()} == {
        ("BTCUSDT", "l2"): 100, ("BTCUSDT", "trades"): 100}  # fmt: skip
    assert found["BTCUSDT", "trades"]["checks"]["tape"]["examined"] == 18


def test_a_missing_trade_is_found(tmp_path):
    tape = [(10 + i + (i > 5), 1 + i, 100) for i in range(12)]
    found = offline(written(tmp_path / "store", book(calm(20)) + trades(tape)), 3)
    row = found["BTCUSDT", "trades"]
    finding = next(finding for finding in row["findings"] if finding["check"] == "ids")
    assert (finding["id"], finding["count"]) == (15, 1)
    assert finding["from_ns"] == BEGIN + 7 * SECOND
    assert "trade 15 is followed by 17" in finding["text"]
    assert row["checks"]["ids"]["wrong"] == 1 and row["checks"]["ids"]["penalty"] == 5
    assert found["BTCUSDT", "l2"]["score"] == 100


def test_a_crossed_book_is_found(tmp_path):
    levels = calm(5) + [(7, 0, 102, 1), (8, 0, 97, 1), (9, 0, 102, 0), (10, 0, 97, 2)]
    row = offline(written(tmp_path / "store", book(levels)), 3)["BTCUSDT", "l2"]
    finding = only_finding(row, "crossed")
    assert (finding["id"], finding["count"]) == (7, 2)
    assert (finding["from_ns"], finding["to_ns"]) == (BEGIN + 6 * SECOND, BEGIN + 7 * SECOND)
    assert row["score"] == 30 + 40  # two of nine events: as much as it can cost


def test_trades_outside_the_book_are_found(tmp_path):
    tape = [(10 + i, 1 + i, 105 if 4 <= i < 9 else 100) for i in range(18)]
    row = offline(written(tmp_path / "store", book(calm(20)) + trades(tape)), 3)[
        "BTCUSDT", "trades"]  # fmt: skip
    finding = only_finding(row, "tape")
    assert (finding["id"], finding["count"]) == (14, 5)
    assert "5 of 18 trades" in finding["text"]
    assert row["score"] == 80


def test_a_frame_that_cannot_be_read_is_found(tmp_path):
    store = written(tmp_path / "store", book(calm(200)))
    [day] = [path.name for path in store.iterdir() if re.match(r"\d{4}-\d\d-\d\d", path.name)]
    words = [harness.BUILD / "obdamage", store, day, "binance:BTCUSDT", "flip-byte", "1"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    row = offline(store, 3)["BTCUSDT", "l2"]
    assert {finding["check"] for finding in row["findings"]} == {"coverage", "frames"}
    [finding] = [finding for finding in row["findings"] if finding["check"] == "frames"]
    assert day in finding["text"]
    assert row["score"] <= 40 and outcome(row, "frames") == "found"


# ---- telling people ----


class Hook(http.server.BaseHTTPRequestHandler):
    """Keeps what is posted, and answers as it was told."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posts.append((self.path, self.headers["Content-Type"], json.loads(body)))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def hook():
    server = http.server.HTTPServer(("127.0.0.1", 0), Hook)
    server.posts, server.status = [], 200
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def bad_store(tmp_path):
    return written(tmp_path / "store", book(calm(5) + [(7, 0, 102, 1), (8, 0, 97, 1)]))


def told(server, **settings):
    url = f"http://127.0.0.1:{server.server_address[1]}{SECRET_PATH}"
    return {"ALERT_WEBHOOK": url, **settings}


def test_people_are_told_once(hook, bad_store):
    env = told(hook)
    for _ in range(3):
        done = obaudit(bad_store, "run", "--no-network", expect=3, env=env)
        assert SECRET_PATH not in done.stdout + done.stderr
    [(path, kind, body)] = hook.posts
    assert (path, kind, list(body)) == (SECRET_PATH, "application/json", ["text"])
    assert "1 of 1 streams" in body["text"]
    assert "binance:BTCUSDT l2: score 70; crossed: " in body["text"]
    harness.time.sleep(1.1)
    obaudit(bad_store, "run", "--no-network", expect=3, env={**env, "ALERT_EVERY": "1s"})
    assert "(2 alerts were held back before)" in hook.posts[1][2]["text"]


def test_people_are_told_of_new_gaps_whatever_the_score(hook, tmp_path):
    lines = book(calm(300)) + ["gap cause=0 receive=" + str(BEGIN + 301 * SECOND),
                               "rest side=0 price=99 size=1",
                               f"image kind=l2 id=400 receive={BEGIN + 302 * SECOND}",
                               f"level id=401 time={BEGIN + 302 * SECOND} "
                               f"receive={BEGIN + 302 * SECOND} side=0 price=90 size=1"]
    store = written(tmp_path / "store", lines)
    env = told(hook, ALERT_BELOW="0", ALERT_EVERY="1s")
    obaudit(store, "run", "--no-network", expect=3, env=env)
    assert "1 new gap" in hook.posts[0][2]["text"]
    harness.time.sleep(1.1)
    obaudit(store, "run", "--no-network", expect=3, env=env)  # known by now
    assert len(hook.posts) == 1


def test_nobody_is_told_of_what_is_good(hook, tmp_path):
    store = written(tmp_path / "store", book(calm(5)))
    obaudit(store, "run", "--no-network", env=told(hook, ALERT_BELOW="100"))
    assert hook.posts == []


def test_who_could_not_be_told_is_told_later(hook, bad_store):
    hook.status = 503
    done = obaudit(bad_store, "run", "--no-network", expect=1, env=told(hook))
    assert "HTTP 503" in done.stderr and SECRET_PATH not in done.stderr
    hook.status = 200
    obaudit(bad_store, "run", "--no-network", expect=3, env=told(hook))
    assert len(hook.posts) == 2


def test_the_address_may_come_in_a_file(hook, bad_store, tmp_path):
    path = tmp_path / "secret"
    path.write_text(told(hook)["ALERT_WEBHOOK"] + "\n")
    obaudit(bad_store, "run", "--no-network", expect=3, env={"ALERT_WEBHOOK_FILE": str(path)})
    assert len(hook.posts) == 1


@pytest.mark.parametrize("url, words", [
    ("http://192.0.2.1" + SECRET_PATH, "plain http only to this machine"),
    ("ftp://127.0.0.1" + SECRET_PATH, "no https:// address"),
    ("http://127.0.0.1:1" + SECRET_PATH, "ALERT_WEBHOOK: "),
])  # fmt: skip
def test_an_address_that_cannot_be_used_is_never_printed(url, words, bad_store):
    done = obaudit(bad_store, "run", "--no-network", expect=1, env={"ALERT_WEBHOOK": url})
    assert words in done.stderr
    assert SECRET_PATH not in done.stderr and "192.0.2.1" not in done.stderr


# ---- words ----


@pytest.mark.parametrize("words, code, said", [
    ([], 2, "no command"),
    (["audit"], 2, "allowed is run or report"),
    (["run", "--output", "html"], 2, "table or json"),
    (["report", "--output", "csv"], 2, "table, json or html"),
    (["run", "--stale-after", "soon"], 2, "a length of time"),
    (["report", "--from", "2024", "--to", "2023"], 2, "--from is later"),
    (["run", "--no-network", "DOGEUSDT"], 1, "DOGEUSDT is not recorded"),
    (["report"], 1, "obaudit run makes one"),
])  # fmt: skip
def test_wrong_words_are_told(words, code, said, tmp_path):
    store = written(tmp_path / "store", book(calm(2)))
    done = obaudit(store, *words, expect=code)
    assert said in done.stderr and len(done.stderr.splitlines()) == 1


COMPLETE = """
. "$FILE"
COMP_LINE=$LINE COMP_POINT=${#LINE}
_obaudit
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize("line, words", [
    ("obaudit ", ["run", "report"]),
    ("obaudit rep", ["report"]),
    ("obaudit report --output h", ["html"]),
    ("obaudit run --no", ["--no-network"]),
    ("obaudit run --store STORE ", ["binance:BTCUSDT"]),
])  # fmt: skip
def test_words_are_completed(line, words, tmp_path):
    store = written(tmp_path / "store", book(calm(2)))
    env = {**os.environ, "FILE": str(harness.ROOT / "completions" / "obaudit"),
           "LINE": line.replace("STORE", str(store)),
           "PATH": f"{harness.BUILD}:{os.environ['PATH']}"}  # fmt: skip
    done = subprocess.run(["bash", "--norc", "-c", COMPLETE], env=env, capture_output=True,
                          text=True, timeout=20, check=False)  # fmt: skip
    assert (done.stdout.split(), done.stderr) == (words, "")


def test_a_store_that_is_not_there_is_told(tmp_path):
    assert "there is no store" in obaudit(tmp_path / "none", "run", expect=1).stderr


# ---- the page ----


class Page(html.parser.HTMLParser):
    """Words, and what would be fetched from elsewhere."""

    VOID = {"meta"}

    def __init__(self, text):
        super().__init__()
        self.open, self.seen, self.fetched, self.words = [], [], [], {}
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))
        self.fetched += [value for name, value in attributes if name in {"src", "href", "action"}]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        if self.open and text.strip():
            self.words.setdefault(self.open[-1], []).append(text)

    def count(self, tag):
        return len([name for name, _ in self.seen if name == tag])


def level(number, second, size):
    at = BEGIN + second * SECOND
    return f"level id={number} time={at} receive={at} side=0 price=98 size={size}"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Of the last hour: ten minutes with a book, ten without, ten with one; audited three times."""
    directory = tmp_path_factory.mktemp("page")
    begin = harness.time.time_ns() // SECOND * SECOND - 3600 * SECOND
    lines = book(calm(600)) + [f"gap cause=1 receive={BEGIN + 660 * SECOND}",
                               "rest side=0 price=99 size=1",
                               f"image kind=l2 id=1000 receive={BEGIN + 1200 * SECOND}"]
    lines += [level(1001 + index, 1200 + index, 1 + index) for index in range(600)]
    lines += trades([(10 + index, 1 + index, 99) for index in range(500)])
    shifted = [re.sub(r"\b17\d{17}\b", lambda at: str(int(at[0]) - BEGIN + begin), line)
               for line in lines]  # fmt: skip
    store = written(directory / "store", shifted)
    for _ in range(3):
        obaudit(store, "run", "--no-network", expect=3)
    path = directory / "page.html"
    path.write_text(obaudit(store, "report", "--output", "html", expect=3).stdout)
    return path


def test_the_page_is_whole_and_fetches_nothing(page):
    text = page.read_text()
    seen = Page(text)
    assert seen.fetched == []
    assert not re.search(r"@import|url\(|https?://|<script", text)
    assert ("html", {"lang": "en"}) in seen.seen
    assert seen.count("h1") == 1 and seen.count("table") == 3
    assert "prefers-color-scheme:dark" in text


def test_the_page_tells_gaps_scores_and_findings(page):
    seen = Page(page.read_text())
    titles = "".join(seen.words["title"])
    assert re.search(
        r"binance:BTCUSDT l2: disconnect, \d{4}-\d\d-\d\d [\d:]+ to \d{4}-\d\d-\d\d [\d:]+, "
        r"10 min 0 s", titles)  # fmt: skip
    assert seen.count("polyline") == 2 and seen.count("circle") == 6
    assert any("disconnect" in words for words in seen.words["td"])
    assert "binance:BTCUSDT l2" in "".join(seen.words["th"])
    assert all("aria-label" in attributes or "aria-labelledby" in attributes or
               attributes.get("aria-hidden") == "true"
               for tag, attributes in seen.seen if tag == "svg")  # fmt: skip


def test_names_cannot_break_the_page(tmp_path):
    line = stream("l2").replace("symbol=BTCUSDT", "symbol=<b>&\"x\"")
    store = written(tmp_path / "store", [line] + book(calm(3))[1:])
    obaudit(store, "run", "--no-network")
    text = obaudit(store, "report", "--output", "html").stdout
    assert "<b>" not in text and "&lt;b&gt;&amp;&quot;x&quot;" in text
    Page(text)


def browser():
    names = ("chromium", "chromium-browser", "google-chrome", "chromium-headless-shell")
    found = next(filter(None, map(shutil.which, names)), None)
    if not found:
        pytest.skip("no chromium is installed")
    return found


def chromium(tmp_path, page, *words):
    done = subprocess.run(
        [browser(), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
         f"--user-data-dir={tmp_path / 'profile'}", *words, page.as_uri()],
        capture_output=True, text=True, timeout=60, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def pixels(path):
    """The rows of a PNG of 8 bits a channel, unfiltered."""
    data, at, body = path.read_bytes(), 8, b""
    while at < len(data):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        chunk = data[at + 8 : at + 8 + size]
        if kind == b"IHDR":
            width, height = int.from_bytes(chunk[:4], "big"), int.from_bytes(chunk[4:8], "big")
            step = {2: 3, 6: 4}[chunk[9]]
        body += chunk if kind == b"IDAT" else b""
        at += size + 12
    raw, before, rows = zlib.decompress(body), bytes(width * step), []
    for y in range(height):
        line = bytearray(raw[y * (width * step + 1) :][: width * step + 1])
        rows.append(unfilter(line[0], line[1:], before, step))
        before = rows[-1]
    return rows, step


def unfilter(kind, line, before, step):
    for x in range(len(line)) if kind else ():
        left = line[x - step] if x >= step else 0
        up, corner = before[x], before[x - step] if x >= step else 0
        guess = left + up - corner
        near = min((left, up, corner), key=lambda value: abs(guess - value))
        line[x] = (line[x] + (0, left, up, (left + up) // 2, near)[kind]) & 255
    return bytes(line)


def test_a_browser_shows_the_page(page, tmp_path):
    dom = chromium(tmp_path, page, "--dump-dom")
    assert "<h2>Scores over time</h2>" in dom and "binance:BTCUSDT trades" in dom
    assert len(re.findall(r'class="gap"', dom)) == 1


def test_the_screenshot_is_not_blank(page, tmp_path):
    shot = tmp_path / "page.png"
    chromium(tmp_path, page, f"--screenshot={shot}", "--window-size=800,1000")
    rows, step = pixels(shot)
    assert len(rows) == 1000
    colours = {}
    for row in rows[::5]:
        for x in range(0, len(row), 5 * step):
            colour = row[x : x + 3]
            colours[colour] = colours.get(colour, 0) + 1
    green, orange = bytes((0x2F, 0x9E, 0x6E)), bytes((0xD3, 0x54, 0x00))
    assert len(colours) > 10
    assert colours.get(green, 0) > 100 and colours.get(orange, 0) > 10  # recorded, and the gap


# ---- as a service ----

UNITS = harness.ROOT / "systemd"


def test_systemd_knows_the_units_and_they_are_hardly_exposed(tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is missing")
    for name in ("obaudit.service", "obaudit.timer"):
        text = (UNITS / name).read_text().replace("/usr/bin/obaudit", "/bin/true")
        (tmp_path / name).write_text(re.sub(r"^Documentation=.*\n", "", text, flags=re.M))
    units = [str(tmp_path / name) for name in ("obaudit.service", "obaudit.timer")]
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True,
                          check=False)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", units[0]],
        capture_output=True, text=True, check=False)  # fmt: skip
    assert float(re.search(r"exposure level for \S+: (\d+\.\d)", done.stdout)[1]) <= 1.5


def test_the_unit_writes_where_the_logger_does():
    ours, theirs = ((UNITS / f"{name}.service").read_text() for name in ("obaudit", "oblogger"))
    for line in ("User=oblogger", "Group=oblogger", "Environment=STORE=/var/lib/oblogger"):
        assert f"\n{line}\n" in ours and f"\n{line}\n" in theirs
    assert "SuccessExitStatus=3" in ours and "Nice=19" in ours
    assert pathlib.Path(UNITS / "obaudit.timer").read_text().count("OnCalendar=hourly") == 1
