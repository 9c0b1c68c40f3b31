"""Raw capture, and the store made again of it: every row is the same, whatever happened."""

import collections
import json
import os
import random
import signal
import socket
import subprocess

import pytest

import harness
import manage
import test_coinbase_faults as coinbase_faults
import test_faults
from test_clock import Clock

HOUR = 3_600_000_000_000
KINDS_WITH_TEXT = b"SRcgnmrxa"


class Recording:
    """A laboratory, and loggers one after the other that capture into one folder."""

    def __init__(self, directory, names, *options, speed="max", faults=()):
        self.directory, self.names = directory, names
        self.store, self.raw = directory / "store", directory / "raw"
        script = directory / "faults.jsonl"
        script.write_text("".join(json.dumps(fault) + "\n" for fault in faults))
        self.lab = harness.Lab(directory, names, "--faults", script, *options, speed=speed)
        self.logger, self.count = None, 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.logger and self.logger.running():
            self.logger.kill()
        self.lab.end()

    def begin(self, symbols=None, **settings):
        wanted = symbols or [one for name in self.names for one in harness.SYMBOLS.get(name, [])]
        self.count += 1
        self.logger = harness.Logger(
            self.directory, self.lab, wanted, self.store, log=f"oblogger.{self.count}.log",
            RAW_CAPTURE=str(self.raw), **settings,
        )  # fmt: skip
        return self.logger

    def settle(self, seconds=120):
        """Until all is played and the store does not grow any more."""
        self.lab.wait_end(seconds)
        before = None
        for _ in range(20):
            now = {key: row["events"] for key, row in harness.recorded(self.store).items()}
            if now and now == before:
                return
            before = now
            harness.time.sleep(1.2)

    def stop(self):
        assert self.logger.end() == 0, self.logger.text()[-3000:]

    def events(self):
        return sum(row["events"] for row in harness.recorded(self.store).values())

    def wait_events(self, count):
        harness.wait_until(lambda: self.events() >= count, 30, f"{count} events are stored")

    def faults(self):
        return {line["do"] for line in self.lab.journal() if line["t"] == "fault"}


def rederive(store, raw, expect=0):
    """What it said; expect None: it may find lines missing.

    The settings are the capture's own, and the environment's are not heard."""
    words = [harness.BUILD / "obrebuild", "--store", store, "rederive", raw]
    wrong = {"SYMBOLS": "binance:NOSUCH", "TRADES": "off", "IMAGE_MIN": "1min", "RECORDER": "other"}
    done = subprocess.run(
        [str(word) for word in words],
        env={**os.environ, **wrong},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if expect is None:
        whole = " 0 missing;" in done.stderr and "; 0 lines of conn" in done.stderr
        expect = 0 if whole else 3
    assert done.returncode == expect, done.stderr[-3000:]
    assert done.stdout == ""
    return done.stderr


def rows(store):
    """Every row of a store, as text: its uuid too."""
    dump = harness.BUILD / "tests" / "spec" / "obdump"
    done = subprocess.run([str(dump), str(store)], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def check_same(recording, runs=1, cut=0, events=1):
    """The store made of the capture has the same rows, all of them; and they are no few."""
    again = recording.directory / "again"
    said = rederive(again, recording.raw)
    assert f"{runs} runs, {cut} that did not end in order" in said, said[-2000:]
    assert " 0 missing; 0 answers that this version asks not for" in said, said[-2000:]
    assert "; 0 lines of connections that nobody has" in said, said[-2000:]
    have, made = rows(recording.store), rows(again)
    for number, (one, other) in enumerate(zip(have, made)):
        assert one == other, f"row {number} of {len(have)} and {len(made)}"
    assert len(have) == len(made)
    assert recording.events() >= events
    for row in harness.rows(again, "verify"):
        assert row["problems"] == 0


def files(raw, exchange, end=".zst"):
    """In the order of their writing."""
    found = [path for path in raw.iterdir() if path.name.endswith(end)]
    order = sorted((path.name.split("-")[2], path.name.split("-")[1], path) for path in found)
    return [path for *_, path in order if path.name.startswith(exchange + "-")]


def unpacked(path):
    done = subprocess.run(["zstdcat", str(path)], capture_output=True, check=False)
    assert done.returncode == 0 or path.suffix == ".part", done.stderr
    return done.stdout


def lines(path):
    """(kind, numbers, text) of each line of a capture's file, but the title."""
    text = unpacked(path)
    at = text.index(b"\n") + 1
    while at < len(text):
        end = text.index(b"\n", at)
        kind, *numbers = text[at:end].split()
        at, body = end + 1, None
        if kind in KINDS_WITH_TEXT:
            size = int(numbers.pop())
            body = text[at : at + size]
            assert text[at + size : at + size + 1] == b"\n"
            at += size + 1
        yield kind.decode(), [int(number) for number in numbers], body


# ---- what is recorded ----


def test_binance_with_trades_and_what_was_kept_is_what_was_sent(tmp_path):
    with Recording(tmp_path, ["us10"]) as recording:
        recording.begin(BINANCE_TRADES="aggTrade")
        recording.settle()
        recording.stop()
        journal = list(recording.lab.journal())
    kinds = {row["kind"] for row in harness.recorded(recording.store).values()}
    assert kinds == {"l2", "trades"}
    check_same(recording, events=harness.DEPTH_MESSAGES["us10"])
    check_messages(recording.raw, "binance", journal)


def sent_messages(journal):
    """conn -> texts that the laboratory sent by streams of it, in order."""
    raws, sent = {}, {}
    for line in journal:
        if line["t"] == "emit":
            raws[line["stream"], line["seq"]] = line["raw"]
        elif line["t"] == "sent":
            name = line["stream"]
            text = '{"stream":"%s","data":%s}' % (name, raws[name, line["seq"]])
            sent.setdefault(line["conn"], []).append(text.encode())
    return sent


def check_messages(raw, exchange, journal):
    """Of each connection every message, byte for byte, and in the file nothing else but what
    answers commands."""
    kept = collections.defaultdict(list)
    for path in files(raw, exchange):
        for kind, numbers, text in lines(path):
            if kind == "m" and not text.startswith(b'{"result"'):
                kept[numbers[3]].append(text)
    sent = sent_messages(journal)
    assert len(sent) >= 1 and sum(map(len, sent.values())) >= 3000
    assert [kept[number] for number in sorted(kept)] == [sent[conn] for conn in sorted(sent)]


@pytest.mark.full
@pytest.mark.parametrize("name, speed", [("spot10", "max"), ("spot4", "1"), ("btcusdt", "max")])
def test_binance_at_any_pace(name, speed, tmp_path):
    with Recording(tmp_path, [name], speed=speed) as recording:
        recording.begin()
        recording.settle(600)
        recording.stop()
    check_same(recording, events=harness.DEPTH_MESSAGES[name] // 2)


AUTHKEY = "a-key-for-obmanage-of-this-test"
SECRETS = [harness.KEY, harness.SECRET, harness.PASSPHRASE, AUTHKEY]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.mark.parametrize(
    "name", ["made", pytest.param("full", marks=pytest.mark.full)], ids=["made", "full"]
)
def test_orders_with_a_key_that_is_kept_nowhere(name, tmp_path):
    with Recording(tmp_path, [name], *harness.KEYED, "--coinbase-book-auth") as recording:
        logger = recording.begin(
            **harness.KEYS, MANAGER_PORT=str(free_port()), MANAGER_AUTHKEY=AUTHKEY, LOGLEVEL="debug"
        )
        recording.settle()
        manage.ask(manage.socket_of(logger), "status")
        recording.stop()
    kinds = {row["kind"] for row in harness.recorded(recording.store).values()}
    assert kinds == {"l3", "trades"}
    check_same(recording, events=500)
    texts = [unpacked(path) for path in recording.raw.iterdir()]
    assert len(texts) == 2 and any(b"COINBASE_API_KEY=(set)\n" in text for text in texts)
    for secret in SECRETS:
        assert not any(secret.encode() in text for text in texts), secret
    assert not any(b"CB-ACCESS" in text or b'"signature"' in text for text in texts)


@pytest.mark.parametrize("name", ["level2", pytest.param("advanced", marks=pytest.mark.full)])
def test_levels_of_coinbase(name, tmp_path):
    feed = {"level2": "exchange", "advanced": "advanced"}[name]
    with Recording(tmp_path, [name]) as recording:
        recording.begin(COINBASE_FEED=feed, RECEIVE_UNIT="ns")
        recording.settle()
        recording.stop()
    check_same(recording, events=300)


@pytest.mark.full
def test_two_exchanges_over_two_connections_each(tmp_path):
    with Recording(tmp_path, ["spot10", "level2"], speed="40") as recording:
        recording.begin(CONNECTIONS="2", IMAGE_MIN="1s", SEAL_AFTER="1s")
        recording.settle()
        recording.stop()
    assert len(files(recording.raw, "coinbase")) == len(files(recording.raw, "loop")) == 1
    check_same(recording, events=4000)


# ---- faults ----

BINANCE_FAULTS = [
    {"random": {"stream": "*", "p": p}, "do": do, "ms": 200}
    for do, p in (
        ("drop", 0.003),
        ("duplicate", 0.01),
        ("swap", 0.002),
        ("delay", 0.002),
        ("truncate", 0.002),
        ("garbage", 0.002),
        ("crossed", 0.001),
    )
] + [
    test_faults.at(100, do="garbage", extra=True, binary=True),
    test_faults.at(150, do="oversized", bytes=5000000),
    test_faults.at(200, do="oversized", bytes=20000000),
    {"at": {"seconds": 1}, "do": "cut"},
    {"at": {"seconds": 2}, "do": "stall", "seconds": 0.7},
    {"at": {"seconds": 3}, "do": "close", "code": 1001},
    # the next image of it is answered before this one
    {"at": {"depth": test_faults.SYMBOL, "n": 1}, "do": "http_slow", "ms": 2500},
    {"at": {"depth": "*", "n": 2}, "do": "stale", "behind": 3},
    {"at": {"depth": "MKRUSD", "n": 1}, "do": "http", "status": 500},
    {"at": {"depth": "SOLUSD", "n": 1}, "do": "http_garbage"},
    {"at": {"depth": "HNTUSD", "n": 1}, "do": "http_truncated"},
    {"at": {"depth": "ETHBTC", "n": 1}, "do": "crossed_snapshot"},
    {"at": {"depth": "BCHBTC", "n": 2}, "do": "http", "status": 429, "retry_after": 1},
    {"at": {"rest": "exchangeInfo", "n": 1}, "do": "http", "status": 503},
]


def full(*values):
    return [pytest.param(*value, marks=pytest.mark.full) for value in values]


@pytest.mark.parametrize("seed, count", [(2, "1"), *full((1, "2"), (3, "1"), (4, "2"), (5, "1"))])
def test_all_faults_of_binance(seed, count, tmp_path):
    options = ("--seed", str(seed), "--no-hold")
    with Recording(tmp_path, ["us10"], *options, speed="60", faults=BINANCE_FAULTS) as recording:
        recording.begin(CONNECTIONS=count)
        recording.settle()
        recording.stop()
        done = recording.faults()
    assert len(done) >= 14, done
    check_same(recording, events=1000)
    kept = collections.Counter(
        kind for path in files(recording.raw, "binance") for kind, *_ in lines(path)
    )
    assert kept["r"] >= 2 and kept["x"] >= 2, kept


COINBASE_FAULTS = [
    {"random": {"stream": "full:BTC-USD", "p": p}, "do": do, "ms": 60}
    for do, p in (("drop", 0.0004), ("duplicate", 0.02), ("swap", 0.0003), ("truncate", 0.0003))
] + [
    {"at": {"seconds": 2}, "do": "cut"},
    {"at": {"depth": "BTC-USD", "n": 1}, "do": "http", "status": 500},
    {"at": {"depth": "BTC-USD", "n": 2}, "do": "stale", "behind": 30},
    {"at": {"rest": "product", "n": 1}, "do": "http", "status": 503},
]


@pytest.mark.full
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_all_faults_of_orders(seed, tmp_path):
    options = (*harness.KEYED, "--seed", str(seed))
    with Recording(tmp_path, ["full"], *options, speed="5", faults=COINBASE_FAULTS) as recording:
        recording.begin(**harness.KEYS)
        recording.settle()
        recording.stop()
        assert len(recording.faults()) >= 6
    check_same(recording, events=500)


@pytest.mark.full
@pytest.mark.parametrize("name", ["level2", "advanced"])
def test_losses_of_levels(name, tmp_path):
    stream, places, speed, losses, settings = coinbase_faults.LEVEL_RUNS[name]
    faults = [
        {"at": {"stream": stream, "n": n}, **action}
        for n, (action, *_) in zip(places, losses)
    ]  # fmt: skip
    with Recording(tmp_path, [name], speed=speed, faults=faults) as recording:
        recording.begin(**settings)
        recording.settle()
        recording.stop()
        assert len(recording.faults()) == len(faults)
    check_same(recording, events=300)


# ---- what obmanage does, and the clock ----

# play begins with the first symbol, and goes on for minutes
ENDLESS = ("--loop", "99", "--no-hold", "--expect", "1")


def test_symbols_that_come_and_go(tmp_path):
    with Recording(tmp_path, ["spot10"], *ENDLESS, speed="20") as recording:
        logger = recording.begin(["ZILUSDT", "MANAUSDT"])
        door = manage.socket_of(logger)
        logger.wait_text("ZILUSDT: live")
        manage.ask(door, "add", "QTUMETH", "NOSUCH", expect=1)
        manage.ask(door, "add", "binance:*BNB")
        manage.ask(door, "snapshot", "all")
        manage.ask(door, "remove", "MANAUSDT")
        manage.ask(door, "reconnect")
        manage.ask(door, "add", "MANAUSDT")
        for words in (["list"], ["status"], ["gaps"], ["book", "ZILUSDT"], ["loglevel", "debug"]):
            manage.ask(door, *words)
        watch = subprocess.Popen(
            [harness.BUILD / "obmanage", "--socket", door, "watch", "ZILUSDT"],
            stdout=subprocess.DEVNULL,
        )
        recording.wait_events(1000)
        watch.kill()
        watch.wait()
        manage.ask(door, "terminate")
        assert logger.wait() == 0
    rules = [text for path in files(recording.raw, "loop") for kind, _, text in lines(path)
             if kind == "c" and b"add" in text]  # fmt: skip
    assert len(rules) == 3
    assert {symbol for symbol, _ in harness.recorded(recording.store)} >= {
        "ZILUSDT", "MANAUSDT", "QTUMETH", "AXSBNB"
    }  # fmt: skip
    check_same(recording, events=1000)


@pytest.mark.parametrize("seed", [1, *full((2,), (3,))])
def test_several_runs_in_one_folder_as_if_there_was_one_store(seed, tmp_path):
    """What obmanage changed in a run holds in the next."""
    choice = random.Random(seed)
    with Recording(tmp_path, ["spot10"], *ENDLESS, speed="20") as recording:
        for symbol in ("MANAUSDT", "QTUMETH", "ETHBRL"):
            logger = recording.begin(["ZILUSDT"])
            logger.wait_text("ZILUSDT: live")
            manage.ask(manage.socket_of(logger), "add", symbol)
            recording.wait_events(recording.events() + choice.randrange(200, 500))
            recording.stop()
    assert len(files(recording.raw, "loop")) == 3
    check_same(recording, runs=3, events=600)
    causes = {
        gap["cause"]
        for row in harness.rows(tmp_path / "again", "coverage", expect=None)
        for gap in row["gaps"]
    }
    assert "stopped" in causes


def test_files_of_an_hour_and_a_clock_that_steps(tmp_path):
    now = harness.time.time_ns()
    clock = Clock(tmp_path)
    clock.set(HOUR - now % HOUR - 3_000_000_000)
    with Recording(tmp_path, ["spot4"], speed="6") as recording:
        logger = recording.begin(**clock.env)
        logger.wait_text("XMRBTC: live")
        harness.wait_until(lambda: len(files(recording.raw, "loop")) >= 1, 10, "the hour is over")
        clock.set(-5_000_000_000)
        logger.wait_text("the wall clock stepped by -")
        recording.settle()
        recording.stop()
    assert len(files(recording.raw, "loop")) >= 2 and len(files(recording.raw, "binance")) >= 2
    check_same(recording, events=400)


# ---- kill -9 ----


def replayed(store, symbol):
    """last_id -> the digest of the book then."""
    found = harness.rows(store, "replay", f"binance:{symbol}", "--digest", expect=None)
    return {row["last_id"]: row["digest"] for row in found}


@pytest.mark.parametrize("seed", [1, *full((2,), (3,), (4,), (5,))])
def test_a_killed_logger_loses_no_more_than_its_store_did(seed, tmp_path):
    """What the store has is in the capture; not the other way round."""
    settings = {"SEAL_AFTER": "1s", "IMAGE_MIN": "1s", "IMAGE_FACTOR": "1"}
    with Recording(tmp_path, ["spot10"], *ENDLESS, speed="20") as recording:
        logger = recording.begin(**settings)
        recording.wait_events(600)
        harness.time.sleep(random.Random(seed).random())
        logger.kill()
        recording.begin(**settings)
        recording.wait_events(recording.events() + 500)
        recording.stop()
    assert len(files(recording.raw, "loop", ".part")) == 1
    again = tmp_path / "again"
    said = rederive(again, recording.raw, expect=None)
    assert "2 runs, 1 that did not end in order" in said
    check_holds_all(recording.store, again)


def check_holds_all(store, again):
    compared = 0
    for symbol in harness.SYMBOLS["spot10"]:
        have, made = replayed(store, symbol), replayed(again, symbol)
        assert have.items() <= made.items(), sorted(set(have) - set(made))
        compared += len(have)
    assert compared >= 1000
    for one in (store, again):
        for row in harness.rows(one, "coverage", "--kind", "l2", expect=3):
            assert [gap["cause"] for gap in row["gaps"]] in (["crashed"], []), row
    assert gap_count(store) == gap_count(again) > 0


def gap_count(store):
    return sum(len(row["gaps"]) for row in harness.rows(store, "coverage", expect=None))


# ---- a capture that is not whole ----


@pytest.fixture(name="captured", scope="module")
def captured_fixture(tmp_path_factory):
    directory = tmp_path_factory.mktemp("captured")
    with Recording(directory, ["spot4", "made"]) as recording:
        recording.begin()
        recording.settle()
        recording.stop()
    return recording


@pytest.fixture(name="copy")
def copy_fixture(captured, tmp_path):
    harness.subprocess.run(["cp", "-r", captured.raw, tmp_path / "raw"], check=True)
    return tmp_path / "raw"


def test_a_damaged_file_is_named_with_the_place(copy, tmp_path):
    [path] = files(copy, "binance")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)
    said = rederive(tmp_path / "again", copy, expect=1)
    assert f"{path}: " in said and "(at byte " in said, said[-2000:]
    for row in harness.rows(tmp_path / "again", "verify", expect=None):
        assert row["problems"] == 0


def test_a_file_that_is_cut_short_is_an_error_too(copy, tmp_path):
    [path] = files(copy, "loop")
    path.write_bytes(path.read_bytes()[:-20])
    said = rederive(tmp_path / "again", copy, expect=1)
    assert f"{path}: is cut short" in said, said[-2000:]


def test_lines_that_are_missing_are_counted(copy, captured, tmp_path):
    [path] = files(copy, "coinbase")
    missing = sum(1 for _ in lines(path))
    path.unlink()
    said = rederive(tmp_path / "again", copy, expect=3)
    told = sum(int(line.split(": ")[-2].split()[0]) for line in said.splitlines()
               if "lines of the capture are missing" in line)  # fmt: skip
    assert told == missing > 0
    assert f" {missing} missing;" in said
    have, made = harness.recorded(captured.store), harness.recorded(tmp_path / "again")
    symbols = harness.SYMBOLS["spot4"]
    assert {key: row["events"] for key, row in have.items() if key[0] in symbols} == {
        key: row["events"] for key, row in made.items()
    }


def drop_lines(path, unwanted):
    """How many lines of a capture's file are gone now; unwanted is asked of each but the title."""
    text = unpacked(path)
    at = text.index(b"\n") + 1
    kept, gone = [text[:at]], 0
    for kind, numbers, body in lines(path):
        end = text.index(b"\n", at) + 1
        end += 0 if body is None else len(body) + 1
        if unwanted(kind, numbers):
            gone += 1
        else:
            kept.append(text[at:end])
        at = end
    done = subprocess.run(["zstd", "-q"], input=b"".join(kept), capture_output=True, check=True)
    path.write_bytes(done.stdout)
    return gone


@pytest.fixture(name="reconnected", scope="module")
def reconnected_fixture(tmp_path_factory):
    """Connections one after the other: two are cut, the third is to be replaced."""
    directory = tmp_path_factory.mktemp("reconnected")
    faults = [{"at": {"seconds": seconds}, "do": "cut"} for seconds in (2, 6)]
    with Recording(directory, ["spot10"], *ENDLESS, speed="20", faults=faults) as recording:
        logger = recording.begin(IMAGE_MIN="1s", SEAL_AFTER="1s")
        harness.wait_until(lambda: logger.text().count("ended: ") == 2, 30, "it was cut twice")
        recording.wait_events(recording.events() + 400)
        manage.ask(manage.socket_of(logger), "reconnect")
        recording.wait_events(recording.events() + 400)
        recording.stop()
    return recording


@pytest.mark.parametrize("kind, which", [("k", 0), ("k", 1), ("k", 2), ("x", 0), ("x", 1)])
def test_a_connection_is_found_again(kind, which, reconnected, tmp_path):
    """Its beginning or its end is missing, and nothing else."""
    raw, again = tmp_path / "raw", tmp_path / "again"
    harness.subprocess.run(["cp", "-r", reconnected.raw, raw], check=True)
    [path] = files(raw, "binance")
    places = [numbers[0] for one, numbers, _ in lines(path) if one == kind]
    assert len(places) >= 2
    assert drop_lines(path, lambda _, numbers: numbers[0] == places[which]) == 1
    said = rederive(again, raw, expect=3)
    assert " 1 missing;" in said and "; 0 lines of connections that nobody has" in said, said
    check_has_events(reconnected.store, again, least=1000)


def check_has_events(store, again, least):
    compared = 0
    for symbol in harness.SYMBOLS["spot10"]:
        have, made = replayed(store, symbol), replayed(again, symbol)
        assert have.items() <= made.items(), (symbol, len(have), sorted(set(have) - set(made)))
        compared += len(have)
    assert compared >= least


def test_an_hour_that_is_missing(reconnected, tmp_path):
    """All of an exchange from before the cut to after it: what came later is made."""
    raw, again = tmp_path / "raw", tmp_path / "again"
    harness.subprocess.run(["cp", "-r", reconnected.raw, raw], check=True)
    [path] = files(raw, "binance")
    begun = [numbers[0] for kind, numbers, _ in lines(path) if kind == "k"][1]
    gone = drop_lines(path, lambda _, numbers: begun - 50 < numbers[0] < begun + 50)
    said = rederive(again, raw, expect=3)
    assert f" {gone} missing;" in said
    assert "; 0 lines of connections that nobody has" in said, said
    for symbol in harness.SYMBOLS["spot10"]:
        have, made = replayed(reconnected.store, symbol), replayed(again, symbol)
        assert made.items() <= have.items()
        assert list(made)[-1] == list(have)[-1], symbol


def test_a_reload_is_an_input_too(tmp_path):
    with Recording(tmp_path, ["spot4"], *ENDLESS, speed="20") as recording:
        settings = {**recording.lab.env, "STORE": recording.store, "RAW_CAPTURE": recording.raw}
        settings["SYMBOLS"] = ",".join("binance:" + one for one in harness.SYMBOLS["spot4"])
        path = tmp_path / "settings"
        path.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        recording.logger = logger = harness.Process(
            [harness.BUILD / "oblogger", "--env-file", path], tmp_path / "oblogger.log", {}
        )
        recording.wait_events(20)
        path.write_text(path.read_text() + "SYMBOLS_EVERY=1s\n")
        logger.send(signal.SIGHUP)
        harness.wait_until(lambda: "reload: SYMBOLS_EVERY=1s" in logger.text(), 10, "it reloads")
        recording.wait_events(recording.events() + 50)
        harness.time.sleep(3)
        recording.stop()
    told = [text for kind, _, text in lines(files(recording.raw, "loop")[0]) if kind == "g"]
    assert told == [b"SYMBOLS_EVERY=1s"]
    asked = [text.split(b"\n")[0] for kind, _, text in lines(files(recording.raw, "binance")[0])
             if kind == "a"]  # fmt: skip
    assert sum(b"exchangeInfo" in url for url in asked) >= 3
    check_same(recording, events=50)


def test_what_cannot_be_rederived_is_refused(captured, copy, tmp_path):
    again = tmp_path / "again"
    assert "there is a store already" in rederive(captured.store, captured.raw, expect=2)
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    for wrong, why in (("file", "cannot read"), ("none", "cannot read"), ("empty", "no capture")):
        assert why in rederive(again, tmp_path / wrong, expect=1)
    assert not again.exists()
    [path] = files(copy, "loop")
    path.unlink()
    assert "the beginning of a run is missing" in rederive(again, copy, expect=3)
