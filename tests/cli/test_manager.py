"""obmanage against a door that answers from a script: every command as table and as JSON, exit
codes, wrong words, and others at the other end than a logger."""
import json
import subprocess
import time

import pytest

from control_server import END, HANG_UP, SILENCE, ControlServer, failed
from programs import BUILD, environment, run

DONE, FAILED, USAGE = 0, 1, 2
NAME = {"exchange": "binance", "symbol": "BTCUSDT"}
NOSUCH = {"exchange": "binance", "symbol": "NOSUCH", "state": "refused",
          "error": "the exchange does not know this symbol"}
LIVE = {**NAME, "state": "live", "seconds": 0.84}
PATTERN = {"exchange": "binance", "pattern": "*USDT"}
STATUS = {
    **NAME, "kind": "l2", "state": "live", "feed": "@depth@100ms", "note": "no trades: TRADES=off",
    "status": "TRADING", "bid": ["61837.63000000", "1.54698000"],
    "ask": ["61837.64000000", "0.00020000"], "spread": "0.01000000", "levels": [5012, 4998],
    "events": 1234567, "trades": 8910, "gaps": 2, "resyncs": 3, "corrections": 4,
    "last_id": 50123456789, "last_event_time_ns": 1723161600500000000,
    "last_receive_time_ns": 1723161600512345000, "lag_ns": 85000000,
    "live_since_ns": 1723161000000000000}
ASKING = {
    "exchange": "coinbase", "symbol": "ETH-USD", "kind": "l3", "state": "asking", "feed": "full",
    "note": "", "status": "", "bid": None, "ask": None, "spread": None, "levels": [0, 0],
    "events": 0, "trades": 0, "gaps": 0, "resyncs": 0, "corrections": 0, "last_id": None,
    "last_event_time_ns": None, "last_receive_time_ns": None, "lag_ns": None,
    "live_since_ns": None}
BOOK = {
    **NAME, "kind": "l2", "at": 1723161600500000000, "event_time_ns": 1723161600400000000,
    "receive_time_ns": 1723161600412000000, "last_id": 50123456789, "epoch": 2, "status": "ok",
    "proof": "sequence", "horizon": {"bid": "61000.00", "ask": None},
    "bids": [["61837.63", "1.54"], ["61837.00", "2"]], "asks": [["61837.64", "0.0002"]]}
ORDERS = {
    **BOOK, "exchange": "coinbase", "symbol": "BTC-USD", "kind": "l3",
    "bids": [["61837.63", "1.54", "d50ec984-77a8-460a-b958-66f114b0de9b"]], "asks": []}
GAP = {**NAME, "kind": "l2", "cause": "disconnect", "from_id": 100,
       "from_time_ns": 1723161600000000000, "to_id": 205, "to_time_ns": 1723161601200000000,
       "detail": "closed by the exchange"}
OPEN = {**GAP, "symbol": "ETHUSDT", "to_id": None, "to_time_ns": None, "detail": ""}
BEST = {**NAME, "time_ns": 1723161600500000000, "bid": ["61837.63", "1.54"], "ask": None}


@pytest.fixture(name="door")
def make_door(tmp_path):
    """door(rows...) is a logger that answers each request with these; door.run(words...) asks."""
    class Door:
        server = None

        def __call__(self, *answer, end=END):
            self.answer = [*answer, end]
            return self

        def run(self, *words, **settings):
            with ControlServer(lambda _: self.answer, tmp_path / "s") as self.server:
                return run("obmanage", *words, MANAGER_SOCKET=str(tmp_path / "s"), **settings)

        def request(self):
            assert len(self.server.requests) == 1
            return self.server.requests[0]
    return Door()


def check_one_line(done, code, *parts):
    assert (done.returncode, done.stdout) == (code, ""), done
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("obmanage: "), done.stderr
    assert all(part in lines[0] for part in parts), (parts, lines[0])


def words_of(text):
    return [line.split() for line in text.splitlines()]


# ---- every command ----

COMMANDS = [
    # words, request, rows, end, table as lines of words
    (["add", "BTCUSDT", "binance:NOSUCH"],
     {"command": "add", "symbols": ["BTCUSDT", "binance:NOSUCH"]},
     [NOSUCH, LIVE], failed("binance:NOSUCH: the exchange does not know this symbol"),
     ["binance:NOSUCH refused the exchange does not know this symbol",
      "binance:BTCUSDT live after 0.84 s"]),
    (["add", "binance:*USDT"], {"command": "add", "symbols": ["binance:*USDT"]},
     [{**PATTERN, "matches": 1412}, {**LIVE, "seconds": 12}], END,
     ["binance:*USDT pattern 1,412 symbols match", "binance:BTCUSDT live after 12 s"]),
    (["remove", "*USDT"], {"command": "remove", "symbols": ["*USDT"]},
     [{**PATTERN, "state": "removed"}, {**NAME, "state": "removed"}], END,
     ["binance:*USDT removed", "binance:BTCUSDT removed"]),
    (["remove", "NOSUCH"], {"command": "remove", "symbols": ["NOSUCH"]}, [],
     failed("binance:NOSUCH is not recorded"), []),
    (["list"], {"command": "list"},
     [{**NAME, "kind": "l2", "state": "live", "origin": "settings"}, {**PATTERN, "matches": 412}],
     END, ["symbol kind state by", "binance:BTCUSDT l2 live settings",
           "binance:*USDT pattern 412 symbols match"]),
    (["status"], {"command": "status"}, [STATUS, ASKING], END,
     ["symbol kind state bid ask spread levels events trades gaps lag",
      "binance:BTCUSDT l2 live 61837.63000000 61837.64000000 0.01000000 5,012 / 4,998 1,234,567 "
      "8,910 2 85 ms",
      "coinbase:ETH-USD l3 asking - - - 0 / 0 0 0 0 -"]),
    (["status", "BTCUSDT"], {"command": "status", "symbol": "BTCUSDT"}, [STATUS], END,
     ["symbol binance:BTCUSDT", "kind l2", "state live", "live since 2024-08-08T23:50:00Z",
      "feed @depth@100ms", "status TRADING", "bid 61837.63000000, quantity 1.54698000",
      "ask 61837.64000000, quantity 0.00020000", "spread 0.01000000", "levels 5,012 / 4,998",
      "events 1,234,567", "trades 8,910", "gaps 2", "resyncs 3", "corrections 4",
      "last id 50123456789", "last event 2024-08-09T00:00:00.500Z",
      "received 2024-08-09T00:00:00.512345Z", "lag 85 ms", "note no trades: TRADES=off"]),
    (["book", "BTCUSDT"], {"command": "book", "symbol": "BTCUSDT"}, [BOOK], END,
     ["binance:BTCUSDT at 2024-08-09T00:00:00.500Z status ok last event 2024-08-09T00:00:00.400Z "
      "id 50123456789 epoch 2 2 bids, 1 asks",
      "bid quantity bid price | ask price ask quantity",
      "1.54 61837.63 | 61837.64 0.0002", "2 61837.00 |"]),
    (["book", "coinbase:BTC-USD", "--depth", "1"],
     {"command": "book", "symbol": "coinbase:BTC-USD", "depth": 1}, [ORDERS], END,
     ["coinbase:BTC-USD at 2024-08-09T00:00:00.500Z status ok last event 2024-08-09T00:00:00.400Z "
      "id 50123456789 epoch 2 1 bids, 0 asks",
      "bid order bid size bid price | ask price ask size ask order",
      "d50ec984-77a8-460a-b958-66f114b0de9b 1.54 61837.63 |"]),
    (["snapshot", "BTCUSDT"], {"command": "snapshot", "symbol": "BTCUSDT"},
     [{**LIVE, "corrections": 3}], END,
     ["binance:BTCUSDT live compared after 0.84 s, 3 corrections since the start"]),
    (["snapshot", "all"], {"command": "snapshot", "symbol": "all"}, [NOSUCH], failed("one of all"),
     ["binance:NOSUCH refused the exchange does not know this symbol"]),
    (["reconnect"], {"command": "reconnect"},
     [{"exchange": "binance", "connections": 2}, {"exchange": "coinbase", "connections": 1}], END,
     ["binance connections being replaced: 2", "coinbase connections being replaced: 1"]),
    (["reconnect", "nyse"], {"command": "reconnect", "exchange": "nyse"}, [],
     failed("nyse: not known", 2), []),
    (["gaps"], {"command": "gaps"}, [GAP, OPEN], END,
     ["symbol kind cause from length from id to id detail",
      "binance:BTCUSDT l2 disconnect 2024-08-09T00:00:00Z 1.2 s 100 205 closed by the exchange",
      "binance:ETHUSDT l2 disconnect 2024-08-09T00:00:00Z open 100 - -"]),
    (["gaps", "BTCUSDT"], {"command": "gaps", "symbol": "BTCUSDT"}, [], END, []),
    (["ping"], {"command": "ping"}, [{"recorder": "east", "version": "0.1.0", "pid": 4242}], END,
     ["east: oblogger 0.1.0, process 4242"]),
    (["uptime"], {"command": "uptime"},
     [{"recorder": "east", "started_ns": 1723161600000000000, "uptime_s": 3 * 86400 + 3725}], END,
     ["east: up 3 d 01:02:05, since 2024-08-09T00:00:00Z"]),
    (["loglevel", "debug"], {"command": "loglevel", "level": "debug"},
     [{"level": "debug", "before": "info"}], END, ["loglevel debug, before info"]),
    (["terminate"], {"command": "terminate"}, [{"state": "stopping"}], END, ["stopping"]),
]


def name_of(case):
    return " ".join(case[0])


@pytest.mark.parametrize("case", COMMANDS, ids=name_of)
def test_a_command_as_a_table(door, case):
    words, request, rows, end, table = case
    done = door(*rows, end=end).run(*words)
    assert door.request() == request
    assert words_of(done.stdout) == words_of("\n".join(table))
    assert not [line for line in done.stdout.splitlines() if line != line.rstrip()]
    assert done.returncode == end["end"]
    talk = f"obmanage: {end['error']}\n" if end["end"] else ""
    if words[0] == "gaps" and not rows:
        talk = "no gaps since the logger's start\n"
    assert done.stderr == talk


@pytest.mark.parametrize("case", COMMANDS, ids=name_of)
def test_a_command_as_json_gives_the_rows_as_they_came(door, case):
    words, request, rows, end, _ = case
    odd = [json.dumps(row).encode() + b"\n" for row in rows]  # with blanks: as they came
    done = door(*odd, end=end).run("--json", *words)
    assert door.request() == request
    assert done.stdout.encode() == b"".join(odd)
    assert done.stderr == (f"obmanage: {end['error']}\n" if end["end"] else "")
    assert done.returncode == end["end"]


def test_columns_stand_below_each_other(door):
    lines = door(STATUS, ASKING).run("status").stdout.splitlines()
    for title in ("kind", "state"):
        at = lines[0].index(title)
        assert all(line[at - 1] == " " and line[at] != " " for line in lines)
    for title in ("bid", "ask", "spread", "levels", "events", "trades", "gaps", "lag"):
        end = lines[0].index(title) + len(title)
        assert all(line[end - 1] != " " and line[end:end + 1] in ("", " ") for line in lines)


def test_a_ladder_is_that_of_obrebuild(door):
    lines = door(BOOK).run("book", "BTCUSDT").stdout.splitlines()
    assert lines[1:] == [
        f"{'bid quantity':>22} {'bid price':>22}  | {'ask price':<22} ask quantity",
        f"{'1.54':>22} {'61837.63':>22}  | {'61837.64':<22} 0.0002",
        f"{'2':>22} {'61837.00':>22}  |"]


def test_rows_come_as_soon_as_they_are_known(tmp_path):
    wait = []

    def script(_):
        yield LIVE
        while not wait:
            time.sleep(0.01)
        yield {**LIVE, "symbol": "ETHUSDT"}
        yield END
    with ControlServer(script, tmp_path / "s"):
        with subprocess.Popen([BUILD / "obmanage", "add", "BTCUSDT", "ETHUSDT"], text=True,
                              stdout=subprocess.PIPE,
                              env=environment(MANAGER_SOCKET=str(tmp_path / "s"))) as child:
            assert "binance:BTCUSDT" in child.stdout.readline()
            wait.append(True)
            assert "binance:ETHUSDT" in child.stdout.readline()
            assert child.wait(10) == DONE


def test_more_symbols_than_a_request_holds_are_more_requests(door):
    symbols = [f"binance:{'A' * 40}{i:04}" for i in range(2000)]
    assert door(LIVE).run("add", *symbols).returncode == DONE
    requests = door.server.requests
    assert len(requests) > 1
    assert [symbol for request in requests for symbol in request["symbols"]] == symbols
    assert all(len(json.dumps(request, separators=(",", ":"))) < 65536 for request in requests)


def test_a_failure_in_the_middle_of_many_is_the_exit_code(tmp_path):
    ends = [failed("one is wrong"), END]
    with ControlServer(lambda _: [ends.pop(0)], tmp_path / "s") as server:
        done = run("obmanage", "remove", *["A" * 60] * 1100, MANAGER_SOCKET=str(tmp_path / "s"))
        assert len(server.requests) == 2
    assert (done.returncode, done.stderr) == (FAILED, "obmanage: one is wrong\n")


@pytest.mark.parametrize("symbol", ['binance:"\\', "币安人生USDT", "a\nb"])
def test_words_arrive_as_they_are(door, symbol):
    assert door(STATUS).run("status", symbol).returncode == DONE
    assert door.request() == {"command": "status", "symbol": symbol}


def test_names_of_two_columns_a_character_keep_the_table_straight(door):
    lines = door(STATUS, {**STATUS, "symbol": "币安人生USDT"}).run("status").stdout.splitlines()
    assert lines[2].index(" l2 ") + 4 == lines[1].index(" l2 ")  # four wide characters


# ---- wrong words ----


@pytest.mark.parametrize("words, parts", [
    ([], ["no command"]),
    (["fly"], ["fly", "no such command"]),
    (["add"], ["usage: obmanage add SYM..."]),
    (["remove"], ["usage: obmanage remove SYM..."]),
    (["add", ""], ["empty"]),
    (["book"], ["usage: obmanage book SYM"]),
    (["book", "A", "B"], ["usage: obmanage book SYM"]),
    (["status", "A", "B"], ["usage: obmanage status"]),
    (["list", "A"], ["usage: obmanage list"]),
    (["watch"], ["usage: obmanage watch SYM"]),
    (["snapshot"], ["usage: obmanage snapshot SYM|all"]),
    (["top", "A"], ["usage: obmanage top"]),
    (["reconnect", "a", "b"], ["usage: obmanage reconnect"]),
    (["loglevel"], ["usage: obmanage loglevel"]),
    (["loglevel", "loud"], ["loglevel loud", "debug, info"]),
    (["ping", "--bogus"], ["--bogus", "no such option"]),
    (["--json=1", "ping"], ["--json", "takes no value"]),
    (["book", "A", "--depth"], ["--depth", "needs a value"]),
    (["book", "A", "--depth", "0"], ["--depth 0", "from 1"]),
    (["book", "A", "--depth", "-1"], ["--depth -1", "from 1"]),
    (["book", "A", "--depth", "1.5"], ["--depth 1.5", "from 1"]),
    (["book", "A", "--depth", "99999999999999999999"], ["--depth 99999999999999999999"]),
    (["status", "--depth", "5"], ["--depth", "not for status"]),
    (["--port", "0", "ping"], ["--port 0", "1 to 65535"]),
    (["--port", "x", "ping"], ["--port x", "1 to 65535"]),
    (["--host", "", "ping"], ["--host", "address"]),
    (["--socket", "", "ping"], ["--socket", "path"]),
    (["--socket", "/" + "x" * 107, "ping"], ["--socket", "107 bytes"]),
    (["--socket", "a", "--host", "b", "ping"], ["--socket", "--host", "allowed is one"]),
    (["--socket", "a", "--port", "1", "ping"], ["--socket", "--port", "allowed is one"]),
], ids=str)
def test_wrong_words_are_named_and_nobody_is_asked(words, parts, door):
    check_one_line(door(STATUS).run(*words), USAGE, *parts)
    assert not door.server.requests


def test_a_word_that_is_no_utf8(tmp_path):
    done = subprocess.run([BUILD / "obmanage", "status", b"\xff\xfe"], capture_output=True,
                          text=True, env=environment(MANAGER_SOCKET=str(tmp_path / "s")),
                          timeout=20, check=False)
    check_one_line(done, USAGE, "UTF-8")


def test_options_may_stand_behind_the_words(door):
    before = door(STATUS).run("--json", "status", "BTCUSDT")
    assert door.run("status", "BTCUSDT", "--json").stdout == before.stdout != ""


def test_a_wrong_setting_is_wrong_usage(door):
    done = door(STATUS).run("ping", MANAGER_PORT="loud")
    check_one_line(done, USAGE, "MANAGER_PORT=loud", "1 to 65535")


# ---- whom to ask ----


def test_a_logger_that_is_not_there(tmp_path):
    path = tmp_path / "none.sock"
    check_one_line(run("obmanage", "ping", "--socket", path), FAILED, str(path))
    check_one_line(run("obmanage", "ping", MANAGER_SOCKET=str(path)), FAILED, str(path))


def test_nowhere_to_ask_says_what_was_tried(tmp_path):
    done = run("obmanage", "ping", STORE=str(tmp_path))
    check_one_line(done, FAILED, f"{tmp_path}/manager.sock", "MANAGER_AUTHKEY", "--socket")


def test_the_socket_of_the_store_is_found(tmp_path):
    with ControlServer(lambda _: [STATUS, END], tmp_path / "manager.sock") as server:
        assert run("obmanage", "status", STORE=str(tmp_path)).returncode == DONE
        assert run("obmanage", "status", STORE=str(tmp_path), MANAGER_AUTHKEY="k",
                   MANAGER_PORT="1").returncode == DONE
        (tmp_path / "orderbooks").mkdir()
        (tmp_path / "orderbooks" / "manager.sock").symlink_to(tmp_path / "manager.sock")
        assert run("obmanage", "status", cwd=tmp_path).returncode == DONE
        assert len(server.requests) == 3


def test_an_option_stands_above_the_settings(tmp_path):
    with ControlServer(lambda _: [STATUS, END], tmp_path / "s"):
        done = run("obmanage", "status", "--socket", tmp_path / "s", MANAGER_SOCKET="there/is/none")
        assert done.returncode == DONE


@pytest.fixture(name="port")
def make_port():
    with ControlServer(lambda _: [STATUS, END], key="tell nobody") as server:
        yield server


def test_the_key_opens_the_port(port, tmp_path):
    key = tmp_path / "key"
    key.write_text("tell nobody\n")
    lines = tmp_path / "vars.env"
    lines.write_text(f"MANAGER_AUTHKEY_FILE={key}\nMANAGER_PORT={port.port}\nSTOER=x\n")
    done = run("obmanage", "status", "--json", STORE=str(tmp_path), MANAGER_AUTHKEY="tell nobody",
               MANAGER_PORT=str(port.port))
    assert (done.returncode, json.loads(done.stdout)) == (DONE, STATUS), done.stderr
    for words in ([], ["--host", "localhost"], ["--port", str(port.port)]):
        done = run("obmanage", "status", *words, "--env-file", lines, STORE=str(tmp_path))
        assert done.returncode == DONE
        assert len(done.stderr.splitlines()) == 1 and "STOER" in done.stderr
    assert len(port.requests) == 4


def test_a_wrong_key_and_none(port, tmp_path):
    words = ["obmanage", "ping", "--host", "127.0.0.1", "--port", port.port]
    check_one_line(run(*words, MANAGER_AUTHKEY="hunter2"), FAILED, "key is wrong")
    check_one_line(run(*words), USAGE, "MANAGER_AUTHKEY")
    check_one_line(run(*words, MANAGER_AUTHKEY=""), USAGE, "MANAGER_AUTHKEY")
    done = run(*words, MANAGER_AUTHKEY_FILE=str(tmp_path / "none"))
    check_one_line(done, USAGE, "MANAGER_AUTHKEY_FILE", "No such file")
    assert not port.requests


def test_a_key_is_no_argument(port):
    check_one_line(run("obmanage", "ping", "--key", "k", "--port", port.port), USAGE, "--key")


def test_who_asks_the_socket_needs_no_key(door):
    done = door(STATUS).run("status", MANAGER_AUTHKEY_FILE="there/is/none")
    assert (done.returncode, done.stderr) == (DONE, "")


def test_a_port_of_something_else():
    with ControlServer(lambda _: [], key="k", greeting=b"SSH-2.0-OpenSSH_9.2\r\n") as server:
        done = run("obmanage", "ping", "--port", server.port, MANAGER_AUTHKEY="k")
    check_one_line(done, FAILED, str(server.port))


def test_a_port_where_nobody_listens():
    with ControlServer(lambda _: [], key="k") as server:
        port = server.port
    done = run("obmanage", "ping", "--port", port, MANAGER_AUTHKEY="k")
    check_one_line(done, FAILED, f"127.0.0.1:{port}")


# ---- others than a logger, and bad ones ----


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["table", "json"])
@pytest.mark.parametrize("answer", [
    [HANG_UP], [b'{"exchange":"bin', HANG_UP]], ids=["at once", "in a row"])
def test_a_connection_that_ends_before_the_answer_does(door, answer, form):
    check_one_line(door(*answer).run("status", *form), FAILED, "closed")


def test_what_came_before_the_end_of_the_connection_is_shown(door):
    done = door(LIVE, HANG_UP).run("add", "BTCUSDT", "ETHUSDT")
    assert done.returncode == FAILED
    assert words_of(done.stdout) == [["binance:BTCUSDT", "live", "after", "0.84", "s"]]
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["table", "json"])
@pytest.mark.parametrize("line", [
    b"HTTP/1.1 400 Bad Request\r\n", b"\n", b"[1,2]\n", b"7\n", b'{"a":1}{"b":2}\n', b'{"a":\n',
    b'{"a":"\xff"}\n', b'{"a":"\x1b[2J"}\n', b'\x00{"a":1}\n', b"[" * 5000 + b"\n"],
    ids=lambda line: repr(line[:16]))
def test_garbage_is_named_and_not_shown(door, line, form):
    check_one_line(door(line).run("status", *form), FAILED, "no row of an answer")


@pytest.mark.parametrize("end", [{"end": 7}, {"end": -1}, {"end": None}, {"end": "0"},
                                 {"end": 1}, {"end": 1, "error": 5}], ids=str)
def test_an_end_that_is_odd_is_a_failure(door, end):
    check_one_line(door(end=end).run("ping"), FAILED)


ODD = [
    {}, {"exchange": 5, "symbol": []}, {"exchange": "x" * 5000, "symbol": "y" * 5000},
    {key: None for key in {**STATUS, **BOOK, **GAP}}, {key: {} for key in {**STATUS, **BOOK}},
    {key: [[[]]] for key in {**STATUS, **BOOK, **GAP}},
    {key: -2 ** 63 for key in {**STATUS, **GAP}}, {key: 2 ** 63 - 1 for key in {**STATUS, **GAP}},
    {**GAP, "from_time_ns": -2 ** 63, "to_time_ns": 2 ** 63 - 1},
    {**STATUS, "bid": ["1" * 3000, "2" * 3000], "spread": "9" * 3000},
    {**BOOK, "bids": [[], ["1"], [1, 2], "x", None], "asks": "x"},
    {"recorder": "x" * 5000, "uptime_s": 2 ** 63 - 1, "matches": -2 ** 63, "seconds": "1"},
]


@pytest.mark.parametrize("words", [case[0] for case in COMMANDS], ids=" ".join)
def test_rows_of_any_content_are_shown_somehow(door, words):
    done = door(*ODD).run(*words)
    assert (done.returncode, done.stderr) == (DONE, "")


def test_text_from_outside_moves_no_cursor(door):
    evil = "\x1b[2Jx\ry\x9bz\x7f\n"
    row = {**STATUS, "symbol": evil, "note": evil, "state": evil, "spread": evil,
           "bid": [evil, evil]}
    for words in (["status"], ["status", "X"], ["list"]):
        done = door(row, end=failed(evil)).run(*words)
        assert done.returncode == FAILED
        for text in (done.stdout, done.stderr):
            assert not set(text) & set("\x1b\r\x9b\x7f")
        assert "?[2Jx?y??z??" in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_row_of_5_mb(door):
    bids = [[f"{i}.5", f"{i}"] for i in range(240000, 0, -1)]
    row = {**BOOK, "bids": bids, "asks": []}
    assert len(json.dumps(row)) > 5_000_000
    done = door(row).run("book", "BTCUSDT", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (DONE, row)
    done = door(row).run("book", "BTCUSDT")
    assert (done.returncode, len(done.stdout.splitlines())) == (DONE, 240002)
    assert "240000 bids, 0 asks" in done.stdout.splitlines()[0]


def test_a_logger_that_does_not_answer(door):
    began = time.monotonic()
    check_one_line(door(SILENCE).run("ping"), FAILED, "no answer in 10 s")
    assert 9 < time.monotonic() - began < 20


def test_what_cannot_be_written_is_a_failure(tmp_path):
    with ControlServer(lambda _: [STATUS, END], tmp_path / "s"):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = run("obmanage", "status", stdout=full, MANAGER_SOCKET=str(tmp_path / "s"))
    assert done.returncode == FAILED
    assert "stdout" in done.stderr


# ---- watch ----


def start(*words, path, **settings):
    return subprocess.Popen([BUILD / "obmanage", *words], text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                            env=environment(MANAGER_SOCKET=str(path), **settings))


def changes(_):
    for i in range(2000):
        yield {**BEST, "time_ns": i}
        time.sleep(0.005)


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["table", "json"])
def test_watch_gives_a_line_a_change_until_nobody_reads(tmp_path, form):
    with ControlServer(changes, tmp_path / "s") as server:
        with start("watch", "BTCUSDT", *form, path=tmp_path / "s") as child:
            for i in range(3):
                assert json.loads(child.stdout.readline()) == {**BEST, "time_ns": i}
            child.stdout.close()
            assert child.wait(10) == DONE
            assert child.stderr.read() == ""
        assert server.requests == [{"command": "watch", "symbol": "BTCUSDT"}]


def test_watch_of_a_quiet_market_ends_with_its_reader(tmp_path):
    with ControlServer(lambda _: [BEST, SILENCE], tmp_path / "s"):
        with start("watch", "BTCUSDT", path=tmp_path / "s") as child:
            assert json.loads(child.stdout.readline()) == BEST
            child.stdout.close()
            assert child.wait(10) == DONE


@pytest.mark.parametrize("number", [2, 15], ids=["SIGINT", "SIGTERM"])
def test_watch_ends_in_order_by_a_signal(tmp_path, number):
    with ControlServer(lambda _: [BEST, SILENCE], tmp_path / "s"):
        with start("watch", "BTCUSDT", path=tmp_path / "s") as child:
            child.stdout.readline()
            child.send_signal(number)
            assert child.wait(10) == DONE
            assert child.stdout.read() + child.stderr.read() == ""


def test_watch_of_a_logger_that_ends_fails(door):
    done = door(BEST, HANG_UP).run("watch", "BTCUSDT")
    assert (done.returncode, json.loads(done.stdout)) == (FAILED, BEST)
    assert "closed" in done.stderr
