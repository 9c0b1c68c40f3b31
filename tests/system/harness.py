"""Starts and stops the real programs for the system tests: laboratory, logger, obrebuild."""

import base64
import json
import os
import pathlib
import signal
import subprocess
import time


from reference_coinbase import find_capture

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("OBLOGGER_BUILD", ROOT / "build" / "release"))
DATA = ROOT / "tests" / "data"

CAPTURES = {
    "btcusdt": "binance_spot_btcusdt_20240808.gz+binance_spot_btcusdt_20240809.gz",
    "spot10": "binance_spot_20210405_10sym.txt.zst",
    "spot4": "binance_spot_20210814_4sym.ws.txt.zst+binance_spot_20210814_4sym.http.txt.zst",
    "us10": "binance_us_20210405_10sym.txt.zst",
}
COINBASE = {
    "made": "coinbase_full_made.txt.zst",
    "full": "coinbase_full_btcusd_20160312_part1.txt.zst",
    "level2": "coinbase_level2_20210417_10prod.txt.zst",
    "advanced": "coinbase_advanced_20260809_btc_eth.jsonl.zst",
    "products": "coinbase_products_20210417.txt.zst",
}
# depthUpdate messages in each capture, as counted where the data comes from
DEPTH_MESSAGES = {"btcusdt": 6495, "spot10": 4709, "spot4": 546, "us10": 3196}
SYMBOLS = {
    "btcusdt": ["BTCUSDT"],
    "spot10": "ZILUSDT MANAUSDT DENTUSDT AXSBNB ETHBRL BTCSTUSDT QTUMETH BTCAUD RENBTCETH "
    "NEOUSDC".split(),
    "spot4": "XMRBTC FTMUSDT SXPBTC BADGERBTC".split(),
    "us10": "MANAUSD BTCUSD BCHBTC HNTUSD ETHBTC QTUMUSDT MKRUSD VTHOUSD SOLUSD DOGEUSD".split(),
    "made": ["coinbase:ETH-USD"],
    "full": ["coinbase:BTC-USD"],
    "level2": [
        f"coinbase:{product}"
        for product in "SKL-USD SKL-BTC BAND-GBP NMR-EUR BAND-BTC YFI-BTC DASH-BTC NU-GBP CRV-EUR "
        "SKL-GBP".split()
    ],
    "advanced": ["coinbase:BTC-USD", "coinbase:ETH-USD"],
}

# the key of the laboratory's Coinbase: as it is told of it, and as the logger is
KEY, PASSPHRASE = "5f0c6e1d9b7a43e8", "words-that-pass-1f7a"
SECRET = base64.b64encode(b"a secret of sixty-four bytes".ljust(64)).decode()
KEYED = ["--coinbase-key", KEY, "--coinbase-secret", SECRET, "--coinbase-passphrase", PASSPHRASE]
KEYS = {
    "COINBASE_API_KEY": KEY,
    "COINBASE_API_SECRET": SECRET,
    "COINBASE_API_PASSPHRASE": PASSPHRASE,
}


def capture_path(name):
    if name in COINBASE:
        path = find_capture(COINBASE[name])
        assert path, f"{COINBASE[name]} belongs into tests/data"
        return str(path)
    return "+".join(str(DATA / part) for part in CAPTURES[name].split("+"))


def wait_until(condition, seconds, what):
    """The first true value of condition(), or a failure that names what was awaited."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {what}")


class Process:
    """A child that is always ended, by its own number."""

    def __init__(self, command, log, env=None):
        self.log = pathlib.Path(log)
        self.file = open(self.log, "ab")
        self.child = subprocess.Popen(
            [str(part) for part in command],
            stdout=self.file,
            stderr=self.file,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **(env or {})},
        )

    def text(self):
        return self.log.read_text(errors="replace")

    def running(self):
        return self.child.poll() is None

    def send(self, number):
        if self.running():
            self.child.send_signal(number)

    def wait(self, seconds=30):
        return self.child.wait(seconds)

    def end(self, seconds=30):
        self.send(signal.SIGTERM)
        try:
            return self.wait(seconds)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise AssertionError(
                f"did not end within {seconds} s of SIGTERM:\n{self.text()[-3000:]}"
            )
        finally:
            self.file.close()

    def kill(self):
        self.child.kill()
        self.child.wait()
        self.file.close()


class Lab(Process):
    """The laboratory exchange, listening."""

    def __init__(self, directory, captures, *options, speed="max"):
        directory = pathlib.Path(directory)
        self.journal_path = directory / "journal.jsonl"
        self.searched, self.has_ended = 0, False
        self.ca = directory / "ca.pem"
        ready = directory / "ready.json"
        paths = [
            capture_path(name) if name in CAPTURES or name in COINBASE else name
            for name in captures
        ]
        super().__init__(
            [
                BUILD / "oblab",
                "--ca-out",
                self.ca,
                "--ready-out",
                ready,
                "--journal",
                self.journal_path,
                "--speed",
                speed,
                # ten images of full depth nearly fill a minute's budget: a test would wait for it
                "--rest-weight",
                "1000000",
                *options,
                *paths,
            ],
            directory / "lab.log",
        )
        try:
            wait_until(lambda: ready.exists() or not self.running(), 60, "the laboratory listens")
            assert ready.exists(), self.text()
        except AssertionError:
            self.kill()
            raise
        self.urls = json.loads(ready.read_text())
        self.env = {
            "BINANCE_WS_URL": self.urls["ws_url"],
            "BINANCE_REST_URL": self.urls["rest_url"],
            "COINBASE_WS_URL": self.urls["ws_url"],
            "COINBASE_REST_URL": self.urls["rest_url"],
            "CA_FILE": str(self.ca),
        }

    def journal(self):
        """Its lines so far; the last one may be half written."""
        with open(self.journal_path, "rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield json.loads(line)

    def ended(self):
        """Has everything been played?"""
        with open(self.journal_path, "rb") as file:
            file.seek(self.searched)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self.searched += len(line)
                self.has_ended |= line.startswith(b'{"t":"end"')
        return self.has_ended

    def wait_end(self, seconds):
        wait_until(
            lambda: self.ended() or not self.running(),
            seconds,
            "the laboratory has played everything",
        )
        assert self.running(), self.text()[-3000:]


class Logger(Process):
    """oblogger, recording from a laboratory."""

    def __init__(self, directory, lab, symbols, store, log="oblogger.log", **env):
        self.store = pathlib.Path(store)
        settings = {
            **lab.env,
            "SYMBOLS": ",".join(
                symbol if ":" in symbol else "binance:" + symbol for symbol in symbols
            ),
            "STORE": str(store),
            **env,
        }
        super().__init__([BUILD / "oblogger"], pathlib.Path(directory) / log, settings)

    def wait_text(self, text, seconds=30):
        wait_until(
            lambda: text in self.text() or not self.running(), seconds, f"the logger says {text!r}"
        )
        assert text in self.text(), self.text()[-3000:]


def source(store):
    """How a store is named: a folder, or the URI of a database."""
    return ["--mongodb" if str(store).startswith("mongodb") else "--store", str(store)]


def obrebuild(store, *arguments, stdin=None, expect=0):
    """Its answer; the exit code must be the one expected (None: any)."""
    done = subprocess.run(
        [str(BUILD / "obrebuild"), *source(store), *map(str, arguments)],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if expect is not None:
        assert (
            done.returncode == expect
        ), f"exit {done.returncode}, expected {expect}: {done.stderr[-2000:]}"
    return done


def rows(store, *arguments, stdin=None, expect=0):
    """Its answer as JSON objects."""
    text = obrebuild(store, *arguments, "--output", "json", stdin=stdin, expect=expect).stdout
    return [json.loads(line) for line in text.splitlines()]


def recorded_events(store, kind="l2"):
    """Events of that kind in the store, by symbol; only what is committed counts."""
    done = obrebuild(store, "list", "--output", "json", expect=None)
    if done.returncode:
        return {}
    rows = map(json.loads, done.stdout.splitlines())
    return {row["symbol"]: row["events"] for row in rows if row["kind"] == kind}


def recorded(store):
    """What `obrebuild list` says, by (symbol, kind); nothing while there is no store."""
    done = obrebuild(store, "list", "--output", "json", expect=None)
    if done.returncode:
        return {}
    listed = map(json.loads, done.stdout.splitlines())
    return {(row["symbol"], row["kind"]): row for row in listed}
