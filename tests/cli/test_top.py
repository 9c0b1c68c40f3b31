"""obmanage top, drawn on a terminal and printed elsewhere; and the line that add shows on one."""
import json
import os
import re
import signal
import subprocess
import time

import pytest

from control_server import END, HANG_UP, SILENCE, ControlServer
from programs import BUILD, environment, run
from terminals import Terminal

DONE, FAILED = 0, 1
BOOKS = {  # events and trades a second, gaps
    "AAAUSDT": (10, 0, 7), "BTCUSDT": (2000, 100, 0), "ZZZUSDT": (400, 5, 1)}
NAMES = {"ping": {"recorder": "east", "version": "9.9", "pid": 1},
         "uptime": {"recorder": "east", "started_ns": 1, "uptime_s": 90061}}


def status(symbol, seconds, events, trades, gaps, **others):
    row = {"exchange": "binance", "symbol": symbol, "kind": "l2", "state": "live", "note": "",
           "bid": ["61837.63", "1"], "ask": ["61837.64", "1"], "spread": "0.01",
           "levels": [5012, 4998], "events": 1000 + int(seconds * events),
           "trades": int(seconds * trades), "gaps": gaps, "lag_ns": 85000000}
    return {**row, **others}


class Market:
    """Books whose counts grow with time, or a thousand quiet ones."""

    def __init__(self, quiet=0):
        self.began, self.quiet = time.monotonic(), quiet
        self.asked = 0

    def __call__(self, request):
        if request["command"] != "status":
            return [NAMES[request["command"]], END]
        self.asked += 1
        seconds = time.monotonic() - self.began
        rows = [status(symbol, seconds, *counts) for symbol, counts in BOOKS.items()]
        quiet = [status(f"Q{i:04}USDT", 0, 0, 0, 0, state="buffering", bid=None, ask=None,
                        spread=None, lag_ns=None) for i in range(self.quiet)]
        return [*rows, *quiet, END]


@pytest.fixture(name="door")
def make_door(tmp_path):
    with ControlServer(Market(), tmp_path / "s") as server:
        yield server


def top(server, *words, **others):
    return Terminal([BUILD / "obmanage", "top", *words],
                    environment(MANAGER_SOCKET=str(server.path)), **others)


def symbols_of(screen):
    return [line.split()[0].removeprefix("binance:") for line in screen.lines
            if line.startswith("binance:")]


def has_rates(screen):
    return any(re.search(r"[0-9] events/s", line) for line in screen.lines)


def row_of(lines, symbol):
    """The cells of a symbol by the titles over them."""
    titles = lines[1]
    line = next(line for line in lines if line.startswith(f"binance:{symbol}"))
    cells, at = {}, 0
    for match in re.finditer(r"\S+", titles):
        end = match.end() if match.group() not in ("symbol", "state") else None
        if end is None:
            cells[match.group()] = line[match.start():].split()[0]
        else:
            cells[match.group()] = re.split(r"  +", line[at:end])[-1].strip()
        at = match.end()
    return cells


def number_of(text):
    return float(text.replace(",", ""))


def shows_the_rates(screen):
    """Of one book and of all, as they are; a busy machine may need a second more for it."""
    head = re.search(r" ([0-9.,]+) events/s  ([0-9.,]+) trades/s", screen.lines[0])
    if not head or len(symbols_of(screen)) < 3:
        return False
    row = row_of(screen.lines, "BTCUSDT")
    shown = [*head.groups(), row["events/s"], row["trades/s"]]
    return all(right * 0.9 < number_of(text) < right * 1.1
               for text, right in zip(shown, (2410, 105, 2000, 100)))


def test_the_table_is_drawn_with_rates_and_gives_the_terminal_back(door):
    with top(door, columns=120) as terminal:
        lines = terminal.until(shows_the_rates)
        assert terminal.screen.other_page and not terminal.screen.cursor_shown
        assert not terminal.is_as_before()
        assert re.fullmatch(r"east  3 of 3 live  \S+ events/s  \S+ trades/s  "
                            r"up 1 d 01:01:\d\d  oblogger 9.9", lines[0])
        assert lines[1].split() == ["symbol", "state", "bid", "ask", "spread", "events/s",
                                    "trades/s", "lag", "gaps", "levels"]
        assert symbols_of(terminal.screen) == ["BTCUSDT", "ZZZUSDT", "AAAUSDT"]
        row = row_of(lines, "BTCUSDT")
        del row["events/s"], row["trades/s"]
        assert row == {"symbol": "binance:BTCUSDT", "state": "live", "bid": "61837.63",
                       "ask": "61837.64", "spread": "0.01", "lag": "85 ms", "gaps": "0",
                       "levels": "5,012 / 4,998"}
        terminal.keys("q")
        assert terminal.wait() == DONE
        screen = terminal.screen
        assert (screen.other_page, screen.cursor_shown, screen.wraps) == (False, True, True)
        assert screen.text() == "" and terminal.is_as_before()


def test_keys_sort_at_once(door):
    with top(door) as terminal:
        terminal.until(has_rates)
        for key, order in (("s", ["AAAUSDT", "BTCUSDT", "ZZZUSDT"]),
                           ("g", ["AAAUSDT", "ZZZUSDT", "BTCUSDT"]),
                           ("r", ["BTCUSDT", "ZZZUSDT", "AAAUSDT"])):
            assert symbols_of(terminal.screen) != order or key == "r"
            terminal.keys(f"x{key}")  # any other key does nothing
            terminal.until(lambda screen, wanted=order: symbols_of(screen) == wanted, 5)
        assert terminal.screen.text().count("binance:") == 3
        terminal.keys("q")
        assert terminal.wait() == DONE


def test_it_is_renewed_each_second(door):
    with top(door) as terminal:
        terminal.until(has_rates)
        began, asked = time.monotonic(), door.script.asked
        terminal.until(lambda _: door.script.asked >= asked + 3)
        assert 1.5 < time.monotonic() - began < 15
        terminal.keys("q")
        assert terminal.wait() == DONE


def test_it_fits_the_terminal_and_follows_its_size(tmp_path):
    with ControlServer(Market(quiet=1000), tmp_path / "s") as door:
        with top(door, rows=12, columns=60) as terminal:
            lines = terminal.until(has_rates)
            assert len(terminal.screen.text().splitlines()) == 12
            assert lines[1].split()[:2] == ["symbol", "state"] and "events/s" in lines[1]
            assert "levels" not in lines[1]
            assert lines[11] == "994 more"
            assert symbols_of(terminal.screen)[:4] == ["BTCUSDT", "ZZZUSDT", "AAAUSDT", "Q0000USDT"]
            for rows, columns in ((40, 140), (5, 24), (2, 10), (1, 1), (24, 80)):
                resize(terminal, rows, columns)
                drawn = terminal.screen.text().splitlines()
                assert len(drawn) == rows
                assert all(len(line) <= columns for line in drawn)
                assert not terminal.screen.cut or columns < 24
                assert rows < 2 or ("levels" in drawn[1]) == (columns >= 100)
            terminal.keys("q")
            assert terminal.wait() == DONE


def resize(terminal, rows, columns):
    """Until two pictures of the new size were drawn; what was on its way may not fit."""
    terminal.size(rows, columns)
    screen = terminal.screen
    screen.rows, past = 1000, screen.pictures
    terminal.until(lambda _: screen.pictures > past)
    screen.rows, screen.cut, past = rows, 0, screen.pictures
    terminal.until(lambda _: screen.pictures > past)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_signals_end_it_in_order(door, number):
    with top(door) as terminal:
        terminal.until(lambda screen: symbols_of(screen))
        terminal.signal(number)
        assert terminal.wait() == DONE
        assert not terminal.screen.other_page and terminal.is_as_before()


def test_ctrl_c_and_ctrl_z_are_keys_that_signal(door):
    with top(door) as terminal:
        terminal.until(lambda screen: symbols_of(screen))
        terminal.keys("\x1a")  # nobody to hand the terminal to: it goes on
        seen = ""
        end = time.monotonic() + 15
        while "\x1b[?1049h" not in seen and time.monotonic() < end:
            seen += terminal.read()
        assert "\x1b[?1049l" in seen.split("\x1b[?1049h")[0]
        terminal.until(lambda screen: symbols_of(screen))
        terminal.keys("\x03")
        assert terminal.wait() == DONE
        assert terminal.is_as_before()


@pytest.mark.parametrize("last", [[HANG_UP], [b"garbage\n"]], ids=["gone", "garbage"])
def test_an_error_is_said_on_the_page_that_stays(tmp_path, last):
    market = Market()

    def script(request):
        return last if market.asked == 2 else market(request)
    with ControlServer(script, tmp_path / "s") as door, top(door) as terminal:
        assert terminal.wait() == FAILED
        assert terminal.is_as_before() and not terminal.screen.other_page
        assert len(terminal.screen.text().splitlines()) == 1
        assert terminal.screen.text().startswith("obmanage: ")


def test_q_ends_it_while_the_logger_is_silent(tmp_path):
    market = Market()

    def script(request):
        return [SILENCE] if market.asked == 1 else market(request)
    with ControlServer(script, tmp_path / "s") as door, top(door) as terminal:
        terminal.until(lambda screen: symbols_of(screen))
        terminal.keys("q")
        assert terminal.wait() == DONE


def test_a_logger_that_is_not_there_draws_nothing(tmp_path):
    with Terminal([BUILD / "obmanage", "top"],
                  environment(MANAGER_SOCKET=str(tmp_path / "none"))) as terminal:
        assert terminal.wait() == FAILED
        assert str(tmp_path) in terminal.screen.text()
        assert terminal.screen.pictures == 0


# ---- where stdout is no terminal ----


def piped(server, *words):
    return subprocess.Popen([BUILD / "obmanage", "top", *words], stdout=subprocess.PIPE, text=True,
                            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                            env=environment(MANAGER_SOCKET=str(server.path)))


def test_elsewhere_it_is_a_table_a_second_without_escapes(door):
    with piped(door) as child:
        tables = [[child.stdout.readline() for _ in range(6)] for _ in range(2)]
        child.send_signal(signal.SIGINT)
        rest = child.stdout.read()
        assert (child.wait(10), child.stderr.read()) == (DONE, "")
    for table in tables:
        assert table[0].startswith("east  3 of 3 live") and table[5] == "\n"
        assert table[1].split()[0] == "symbol" and table[1].split()[-1] == "levels"
    assert [line.split()[0] for line in tables[1][2:5]] == [
        "binance:BTCUSDT", "binance:ZZZUSDT", "binance:AAAUSDT"]
    assert "- events/s" in tables[0][0] and "- events/s" not in tables[1][0]
    assert "\x1b" not in "".join(map("".join, tables)) + rest


def test_as_json_it_gives_the_rows_of_status_each_second(door):
    with piped(door, "--json") as child:
        rows = [json.loads(child.stdout.readline()) for _ in range(6)]
        child.send_signal(signal.SIGINT)
        child.stdout.read()
        assert (child.wait(10), child.stderr.read()) == (DONE, "")
    assert [row["symbol"] for row in rows] == [*BOOKS] * 2
    assert rows[4]["events"] > rows[1]["events"] + 100
    assert {request["command"] for request in door.requests} == {"status"}


@pytest.mark.parametrize("words", [[], ["--json"]], ids=["table", "json"])
def test_it_ends_when_nobody_reads_on(door, words):
    with piped(door, *words) as child:
        child.stdout.readline()
        child.stdout.close()
        assert (child.wait(10), child.stderr.read()) == (DONE, "")


def test_counts_that_fall_and_books_that_come_have_no_rate(tmp_path):
    answers = [[{**status("A", 0, 0, 0, 0), "events": 5000, "trades": 9}],
               [status("A", 0, 0, 0, 0), status("B", 0, 0, 0, 0)]]

    def script(request):
        if request["command"] != "status":
            return [NAMES[request["command"]], END]
        return [*answers.pop(0), END] if answers else [HANG_UP]
    with ControlServer(script, tmp_path / "s") as door:
        done = run("obmanage", "top", MANAGER_SOCKET=str(door.path))
    assert done.returncode == FAILED
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith("binance:")]
    assert [(row[0], row[5], row[6]) for row in rows] == [
        ("binance:A", "-", "-"), ("binance:A", "-", "-"), ("binance:B", "-", "-")]


# ---- add on a terminal ----


def test_add_shows_how_far_it_is_on_a_terminal(tmp_path):
    row = {"exchange": "binance", "state": "live", "seconds": 0.5}

    def script(_):
        yield {"exchange": "binance", "pattern": "*", "matches": 3}
        yield {**row, "symbol": "A"}
        time.sleep(0.7)
        yield {**row, "symbol": "B", "state": "refused", "error": "no"}
        time.sleep(0.7)
        yield {**row, "symbol": "C"}
        yield END
    with ControlServer(script, tmp_path / "s") as door:
        with Terminal([BUILD / "obmanage", "add", "binance:*"],
                      environment(MANAGER_SOCKET=str(door.path))) as terminal:
            terminal.until(lambda screen: "1 of 3 live" in screen.text())
            terminal.until(lambda screen: "1 of 3 live, 1 refused" in screen.text())
            assert terminal.wait() == DONE
            assert [line.split()[:2] for line in terminal.screen.text().splitlines()] == [
                ["binance:*", "pattern"], ["binance:A", "live"], ["binance:B", "refused"],
                ["binance:C", "live"]]


def test_add_shows_it_on_stderr_alone(tmp_path):
    rows = [{"exchange": "binance", "symbol": "A", "state": "live", "seconds": 1}, END]
    read_end, write_end = os.pipe()

    def script(_):
        time.sleep(0.5)
        return rows
    with ControlServer(script, tmp_path / "s") as door, os.fdopen(read_end) as out:
        with Terminal([BUILD / "obmanage", "add", "A", "--json"],
                      environment(MANAGER_SOCKET=str(door.path)), stdout=write_end) as terminal:
            os.close(write_end)
            terminal.until(lambda screen: "0 of 1 live" in screen.text())
            assert terminal.wait() == DONE
            assert out.read() == json.dumps(rows[0], separators=(",", ":")) + "\n"
            assert terminal.screen.text() == ""
