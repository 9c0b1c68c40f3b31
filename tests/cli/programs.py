"""Runs the programs as a user would: from a shell, with a clean environment."""
import os
import pathlib
import re
import signal
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("OBLOGGER_BUILD", ROOT / "build" / "release")).resolve()
PROGRAMS = ["oblogger", "obrebuild", "obmanage", "obaudit"]

# Nobody listens there: a logger with these starts, opens its store, and keeps trying.
NOWHERE = {"SYMBOLS": "binance:BTCUSDT", "BINANCE_WS_URL": "wss://127.0.0.1:1",
           "BINANCE_REST_URL": "https://127.0.0.1:1", "COINBASE_WS_URL": "wss://127.0.0.1:1",
           "COINBASE_REST_URL": "https://127.0.0.1:1"}


def setting_names():
    return re.findall(r'\{"([A-Z0-9_]+)",\s*SETTING_', (ROOT / "base/settings_table.c").read_text())


def environment(**settings):
    """This environment without settings of the programs, then the given ones."""
    names = setting_names()
    plain = {name: value for name, value in os.environ.items()
             if name not in names and name.removesuffix("_FILE") not in names}
    return {**plain, **settings}


def run(program, *words, cwd=None, stdin="", stdout=subprocess.PIPE, **settings):
    return subprocess.run([BUILD / program, *map(str, words)], cwd=cwd, input=stdin, text=True,
                          stdout=stdout, stderr=subprocess.PIPE, timeout=60, check=False,
                          env=environment(**settings))


class Logger:
    """An oblogger in the background, ended by its own number."""

    def __init__(self, store, **settings):
        self.log = pathlib.Path(f"{store}.log")
        with open(self.log, "wb") as log:
            self.child = subprocess.Popen([BUILD / "oblogger"], stderr=log,
                                          env=environment(**{**NOWHERE, "STORE": str(store)},
                                                          **settings))

    def __enter__(self):
        end = time.monotonic() + 20
        while "records to" not in self.log.read_text():
            if self.child.poll() is not None or time.monotonic() > end:
                self.child.kill()
                self.child.wait()
                raise AssertionError(f"oblogger did not start: {self.log.read_text()}")
            time.sleep(0.02)
        return self

    def stop(self):
        self.child.send_signal(signal.SIGTERM)
        return self.child.wait(30)

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()


def make_store(path, **settings):
    """An empty store, as a logger leaves it."""
    with Logger(path, **settings) as logger:
        assert logger.stop() == 0, logger.log.read_text()
    return path


def write_store(path, lines):
    """A store with what the lines tell (see write.c)."""
    done = subprocess.run([BUILD / "obwrite", path], input="".join(f"{line}\n" for line in lines),
                          text=True, stderr=subprocess.PIPE, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return path
