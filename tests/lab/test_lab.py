"""Checks the laboratory exchange itself: what it plays, answers and journals.

OBLAB names the program (default: build/oblab). Standard library and pytest only; loopback only.
"""
import json
import math
import os
import random
import socket
import subprocess
import time
import urllib.parse
from decimal import Decimal

import pytest

from lab_captures import (DATA, DEPTH, FOUR, PROGRAM, US, Book, capture, events_until,
                          stream_of, subscribe)
from lab_client import CLOSE, PING, PONG, TEXT, Closed, Lab, WebSocket


# --- play ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["btc", "ten", "four", "us"])
def test_a_whole_capture_arrives_byte_for_byte_and_in_order(lab, captures, name):
    messages, _ = captures[name]
    exchange = lab(name, "--speed", "max", "--rest-weight", "100000")
    ws = subscribe(exchange, messages)
    assert [ws.text() for _ in messages] == messages
    sent = [line for line in exchange.wait_for("end") and exchange.journal("sent")]
    assert [line["stream"] for line in sent] == [stream_of(raw) for raw in messages]
    emitted = exchange.journal("emit")
    assert ['{"stream":"%s","data":%s}' % (line["stream"], line["raw"])
            for line in emitted] == [raw.decode() for raw in messages]


def test_raw_form_delivers_the_data_object_alone(lab, captures):
    messages, _ = captures["four"]
    exchange = lab("four", "--speed", "max", "--expect", "1")
    ws = WebSocket(exchange, "/ws/ftmusdt@depth@100ms")
    exchange.depth("FTMUSDT", 5)
    want = [raw[raw.index(b'"data":') + 7:-1] for raw in messages
            if stream_of(raw) == "ftmusdt@depth@100ms"]
    assert [ws.text() for _ in want] == want


def test_depth_without_a_speed_is_the_same_stream_under_its_own_name(lab, captures):
    messages, _ = captures["four"]
    exchange = lab("four", "--speed", "max", "--expect", "1")
    ws = WebSocket(exchange, "/stream?streams=ftmusdt@depth")
    exchange.depth("FTMUSDT", 5)
    want = [raw.replace(b"@depth@100ms", b"@depth") for raw in messages
            if stream_of(raw) == "ftmusdt@depth@100ms"]
    assert [ws.text() for _ in want] == want


def test_only_the_chosen_kinds_are_played(lab, captures):
    messages, _ = captures["four"]
    exchange = lab("four", "--speed", "max", "--streams", "aggTrade,kline", "--expect", "0",
                   "--no-hold", "--expect-timeout", "0", "--linger", "0")
    assert exchange.process.wait(20) == 0
    kinds = {line["stream"].split("@")[1] for line in exchange.journal("emit")}
    assert kinds == {"aggTrade", "kline_1m"}
    assert len(exchange.journal("emit")) == sum(
        "@aggTrade" in stream_of(raw) or "@kline" in stream_of(raw) for raw in messages)


def test_every_connection_gets_the_messages_from_its_subscription_on(lab, captures):
    messages, _ = captures["four"]
    exchange = lab("four", "--speed", "max", "--no-hold")
    second = WebSocket(exchange, "/stream?streams=xmrbtc@depth@100ms")
    first = subscribe(exchange, messages)
    want = [raw for raw in messages if stream_of(raw) == "xmrbtc@depth@100ms"]
    assert [first.text() for _ in messages] == messages
    assert [second.text() for _ in want] == want


def test_speed_follows_the_recorded_clock(lab, captures):
    messages, _ = captures["four"]
    exchange = lab("four", "--speed", "15", "--no-hold")
    start = time.monotonic()
    ws = subscribe(exchange, messages)
    assert [ws.text() for _ in messages] == messages
    assert 1.8 < time.monotonic() - start < 4


def test_play_waits_for_the_expected_subscriptions(lab):
    exchange = lab("four", "--speed", "max", "--expect", "2", "--no-hold")
    first = WebSocket(exchange, "/stream?streams=xmrbtc@depth")
    time.sleep(0.3)
    assert not exchange.journal("play")
    second = WebSocket(exchange, "/stream?streams=ftmusdt@depth@100ms")
    exchange.wait_for("play", 5)
    first.text()
    second.text()


def test_play_begins_without_them_when_the_time_is_over(lab):
    exchange = lab("four", "--speed", "50", "--expect-timeout", "0.5", "--linger", "0.1")
    assert exchange.process.wait(20) == 0
    assert [line["t"] for line in exchange.journal() if line["t"] != "emit"] == ["play", "end"]


def test_a_slow_reader_holds_play_back_and_memory_stays_small(lab, captures):
    messages, _ = captures["btc"]
    exchange = lab("btc", "--speed", "max")
    ws = subscribe(exchange, messages)
    time.sleep(1)
    emitted = len(exchange.journal("emit"))
    assert emitted < len(messages) / 2
    time.sleep(0.5)
    assert len(exchange.journal("emit")) == emitted
    assert [ws.text() for _ in messages] == messages


@pytest.mark.alone
def test_full_speed_is_at_least_twenty_thousand_depth_messages_a_second(lab):
    exchange = lab("btc", "--speed", "max", "--streams", "depth", "--loop", "4")
    ws = WebSocket(exchange, "/stream?streams=btcusdt@depth@100ms")
    exchange.depth("BTCUSDT")
    start = time.monotonic()
    for _ in range(20000):
        ws.text()
    assert time.monotonic() - start < 1


# --- holds --------------------------------------------------------------------------------------

def test_play_waits_at_the_image_until_its_depth_was_asked_for(lab, captures):
    messages, images = captures["btc"]
    exchange = lab("btc", "--speed", "max")
    exchange.depth("BTCUSDT", 5)  # before the subscription: does not count
    ws = WebSocket(exchange, "/stream?streams=btcusdt@depth@100ms/btcusdt@trade/btcusdt@bookTicker")
    for raw in messages[:7]:
        assert ws.text() == raw
    ws.set_timeout(0.4)
    with pytest.raises(TimeoutError):
        ws.text()
    ws.set_timeout(20)
    image = exchange.depth("BTCUSDT")
    assert image["lastUpdateId"] >= images["BTCUSDT"]["lastUpdateId"]
    assert [ws.text() for _ in messages[7:200]] == messages[7:200]
    assert [line["symbol"] for line in exchange.journal("hold")] == ["BTCUSDT"]
    assert len(exchange.journal("hold-end")) == 1


def test_a_hold_ends_by_itself_after_fifteen_seconds(lab, captures):
    messages, _ = captures["btc"]
    exchange = lab("btc", "--speed", "max", "--streams", "depth")
    ws = WebSocket(exchange, "/stream?streams=btcusdt@depth@100ms")
    depth = [raw for raw in messages if b"@depth" in raw]
    start = time.monotonic()
    assert [ws.text() for _ in depth[:50]] == depth[:50]
    assert 14 < time.monotonic() - start < 18
    assert len(exchange.journal("hold-timeout")) == 1


# --- REST ---------------------------------------------------------------------------------------

@pytest.mark.alone
def test_depth_at_random_positions_is_the_book_of_what_arrived(lab, captures):
    messages, images = captures["btc"]
    end = json.loads([raw for raw in messages if stream_of(raw) == DEPTH][-1])["data"]["u"]
    exchange = lab("btc", "--speed", "150", "--streams", "depth", "--rest-weight", "100000")
    ws = WebSocket(exchange, "/stream?streams=" + DEPTH)
    chance = random.Random(7)
    book = Book(images["BTCUSDT"])
    positions = set()
    while book.last < end:
        image = exchange.depth("BTCUSDT")
        if image["lastUpdateId"] > book.last:
            for event in events_until(ws, image["lastUpdateId"]):
                book.apply(event)
        assert book.equals(image), image["lastUpdateId"]
        positions.add(book.last)
        if book.last < end:
            for event in events_until(ws, min(end, book.last + chance.randrange(1, 8000))):
                book.apply(event)
    assert len(positions) > 20


@pytest.mark.parametrize("name", ["ten", "four", "us"])
def test_depth_of_every_symbol_at_the_end_is_its_book(lab, captures, name):
    messages, images = captures[name]
    exchange = lab(name, "--speed", "max", "--rest-weight", "100000")
    ws = subscribe(exchange, messages)
    books = {symbol: Book(image) for symbol, image in images.items()}
    for _ in messages:
        data = ws.json()["data"]
        if data.get("e") == "depthUpdate":
            books[data["s"]].apply(data)
    for symbol, book in books.items():
        assert book.equals(exchange.depth(symbol)), symbol


def test_before_any_event_depth_is_the_captured_image(lab, captures):
    _, images = captures["four"]
    exchange = lab("four")
    for symbol, image in images.items():
        assert exchange.depth(symbol) == image
    assert exchange.get_json("/api/v1/depth?symbol=XMRBTC&limit=2") == {
        "lastUpdateId": images["XMRBTC"]["lastUpdateId"],
        "bids": images["XMRBTC"]["bids"][:2], "asks": images["XMRBTC"]["asks"][:2]}
    assert len(exchange.get_json("/api/v3/depth?symbol=FTMUSDT")["bids"]) == 100
    assert len(exchange.get_json("/api/v3/depth?symbol=SXPBTC&limit=9999")["asks"]) == len(
        images["SXPBTC"]["asks"])


def test_wrong_requests_are_refused_as_the_exchange_does(lab):
    exchange = lab("four")
    for target, status, code in [
            ("/api/v3/depth?symbol=NONE", 400, -1121), ("/api/v3/depth", 400, -1102),
            ("/api/v3/depth?symbol=XMRBTC&limit=x", 400, -1100),
            ("/api/v3/exchangeInfo?symbol=NONE", 400, -1121),
            ('/api/v3/exchangeInfo?symbols=%5B%22XMRBTC%22%2C%22NONE%22%5D', 400, -1121),
            ("/api/v3/nothing", 404, -1000), ("/", 404, -1000)]:
        got, _, body = exchange.get(target)
        assert (got, json.loads(body)["code"]) == (status, code), target
    assert exchange.get_json("/api/v3/ping") == {}
    assert abs(exchange.get_json("/api/v3/time")["serverTime"] / 1000 - time.time()) < 5


def test_exchange_info_has_the_grid_of_the_data(lab, captures):
    messages, images = captures["four"]
    prices, quantities = {}, {}
    levels = {symbol: image["bids"] + image["asks"] for symbol, image in images.items()}
    for raw in messages:
        data = json.loads(raw)["data"]
        if data.get("e") == "depthUpdate":
            levels[data["s"]] += data["b"] + data["a"]
    for symbol, some in levels.items():
        prices[symbol] = math.gcd(*(int(Decimal(level[0]) * 10**8) for level in some))
        quantities[symbol] = math.gcd(*(int(Decimal(level[1]) * 10**8) for level in some))
    exchange = lab("four")
    info = exchange.get_json("/api/v3/exchangeInfo")
    assert {entry["symbol"] for entry in info["symbols"]} == set(images)
    assert info["rateLimits"][0]["limit"] == 6000
    for entry in info["symbols"]:
        filters = {one["filterType"]: one for one in entry["filters"]}
        assert entry["status"] == "TRADING"
        assert Decimal(filters["PRICE_FILTER"]["tickSize"]) * 10**8 == prices[entry["symbol"]]
        assert Decimal(filters["LOT_SIZE"]["stepSize"]) * 10**8 == quantities[entry["symbol"]]
    two = urllib.parse.quote(json.dumps(["XMRBTC", "FTMUSDT"]))
    listed = exchange.get_json("/api/v3/exchangeInfo?symbols=" + two)["symbols"]
    assert [entry["symbol"] for entry in listed] == ["XMRBTC", "FTMUSDT"]
    assert listed[1]["baseAsset"] == "FTM" and listed[1]["quoteAsset"] == "USDT"
    one = exchange.get_json("/api/v3/exchangeInfo?symbol=SXPBTC")["symbols"]
    assert [entry["symbol"] for entry in one] == ["SXPBTC"]


def wait_for_a_fresh_minute():
    """Weights are counted by clock minutes: do not begin where one is about to end."""
    if time.time() % 60 > 55:
        time.sleep(60 - time.time() % 60 + 0.1)


def test_weight_is_counted_and_its_excess_refused_then_banned(lab):
    wait_for_a_fresh_minute()
    exchange = lab("four", "--rest-weight", "345")
    used = []
    for limit in (100, 500, 1000, 5000):
        _, headers, _ = exchange.get(f"/api/v3/depth?symbol=XMRBTC&limit={limit}")
        used.append(int(headers["x-mbx-used-weight-1m"]))
    assert used == [5, 30, 80, 330]
    status, headers, _ = exchange.get("/api/v3/exchangeInfo")
    assert status == 429 and 0 < int(headers["Retry-After"]) <= 60
    statuses = [exchange.get("/api/v3/ping")[0] for _ in range(4)]
    assert statuses == [429, 429, 418, 418]
    status, headers, body = exchange.get("/api/v3/ping")
    assert int(headers["Retry-After"]) > 60 and json.loads(body)["code"] == -1003


def test_one_connection_serves_many_requests(lab):
    exchange = lab("four")
    raw = exchange.wrap(socket.create_connection(("127.0.0.1", exchange.port), timeout=10))
    raw.sendall(b"GET /api/v3/ping HTTP/1.1\r\nHost: x\r\n\r\n" * 2
                + b"GET /api/v3/time HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answer = b""
    while True:
        data = raw.recv(65536)
        if not data:
            break
        answer += data
    raw.close()
    assert answer.count(b"HTTP/1.1 200 OK") == 3 and b"serverTime" in answer


def test_it_serves_without_tls_and_on_ipv6_too(lab):
    exchange = lab("four", plain=True)
    assert exchange.ready["ws_url"].startswith("ws://localhost:")
    assert exchange.get_json("/api/v3/ping") == {}
    ws = WebSocket(exchange, "/ws/xmrbtc@depth")
    ws.command("LIST_SUBSCRIPTIONS")
    assert ws.json()["result"] == ["xmrbtc@depth"]
    if os.path.exists("/proc/net/if_inet6") and open("/proc/net/if_inet6").read():
        raw = socket.create_connection(("::1", exchange.port), timeout=5)
        raw.sendall(b"GET /api/v3/ping HTTP/1.0\r\n\r\n")
        assert raw.recv(4096).startswith(b"HTTP/1.1 200")
        raw.close()


# --- sessions -----------------------------------------------------------------------------------

def ask(ws, text):
    ws.send(TEXT, text.encode())
    return ws.json()


def test_commands_are_answered_as_documented(lab):
    exchange = lab("four", "--expect-timeout", "100")
    ws = WebSocket(exchange, "/ws")
    assert ask(ws, '{"method":"SUBSCRIBE","params":["a@trade","no@such"],"id":1}') == {
        "result": None, "id": 1}
    assert ask(ws, '{"method":"UNSUBSCRIBE","params":["a@trade"],"id":312}') == {
        "result": None, "id": 312}
    assert ask(ws, '{"method":"LIST_SUBSCRIPTIONS","id":"x3"}') == {
        "result": ["no@such"], "id": "x3"}
    assert ask(ws, '{"method":"GET_PROPERTY","params":["combined"],"id":2}') == {
        "result": False, "id": 2}
    time.sleep(1.1)
    assert ask(ws, '{"method":"SET_PROPERTY","params":["combined",true],"id":5}') == {
        "result": None, "id": 5}
    assert ask(ws, '{"method":"GET_PROPERTY","params":["combined"],"id":2}')["result"] is True
    assert ask(WebSocket(exchange, "/stream"),
               '{"method":"GET_PROPERTY","params":["combined"],"id":2}')["result"] is True


def test_wrong_commands_get_their_codes(lab):
    exchange = lab("four", "--expect-timeout", "100")
    ws = WebSocket(exchange, "/ws")
    wrong = [
        ('nonsense', 3), ('{"id":1}', 2), ('{"method":"JUMP","id":1}', 2),
        ('{"method":"SUBSCRIBE","params":[7],"id":1}', 2),
        ('{"method":"SUBSCRIBE","id":1}', 2),
        ('{"method":"SUBSCRIBE","params":["x"],"id":1.5}', 2),
        ('{"method":"SET_PROPERTY","params":["colour",true],"id":1}', 0),
        ('{"method":"SET_PROPERTY","params":["combined",1],"id":1}', 1),
        ('{"method":"SET_PROPERTY","params":[1],"id":1}', 2),
        ('[1]', 2),
    ]
    for index, (text, code) in enumerate(wrong):
        if index % 5 == 0:
            time.sleep(1.1)
        answer = ask(ws, text)
        assert answer.get("error", answer)["code"] == code, text
    time.sleep(1.1)
    assert ask(ws, '{"method":"LIST_SUBSCRIPTIONS","id":3}')["result"] == []


def test_unsubscribing_ends_a_stream(lab):
    exchange = lab("btc", "--speed", "20", "--streams", "depth,trade")
    ws = WebSocket(exchange, "/stream?streams=btcusdt@depth@100ms/btcusdt@trade")
    exchange.depth("BTCUSDT")
    while b"@trade" not in ws.text():
        pass
    ws.command("UNSUBSCRIBE", ["btcusdt@trade"])
    while not ws.text().startswith(b'{"result"'):
        pass
    assert {stream_of(ws.text()) for _ in range(200)} == {"btcusdt@depth@100ms"}


def test_more_than_five_frames_a_second_end_the_connection(lab):
    exchange = lab("four", "--expect-timeout", "100")
    ws = WebSocket(exchange, "/ws")
    for index in range(6):
        ws.send((PING, PONG, TEXT)[index % 3], b'{"method":"LIST_SUBSCRIPTIONS","id":3}')
    code, payload = ws.next()
    while code == TEXT:
        code, payload = ws.next()
    assert (code, payload) == (CLOSE, b"\x03\xf0Too many requests")
    ws.send(CLOSE, payload[:2])
    with pytest.raises(Closed) as closed:
        ws.frame()
    assert not closed.value.reset


@pytest.mark.alone
def test_five_frames_a_second_are_allowed(lab):
    exchange = lab("four", "--expect-timeout", "100")
    ws = WebSocket(exchange, "/ws")
    for _ in range(2):
        for _ in range(5):
            ws.command("LIST_SUBSCRIPTIONS")
            assert ws.json()["result"] == []
        time.sleep(1.05)


def test_a_large_frame_makes_the_connection_deaf(lab):
    exchange = lab("btc", "--speed", "10")
    ws = WebSocket(exchange, "/stream?streams=btcusdt@depth@100ms")
    exchange.depth("BTCUSDT", 5)
    ws.send(TEXT, b'{"method":"LIST_SUBSCRIPTIONS","id":3,"pad":"' + b"x" * 4096 + b'"}')
    time.sleep(0.2)
    ws.command("LIST_SUBSCRIPTIONS")
    ws.send(PING, b"there")
    for _ in range(20):
        assert ws.text().startswith(b'{"stream"')
    assert len(exchange.journal("freeze")) == 1


def test_at_most_1024_streams_a_connection(lab):
    exchange = lab("four", "--expect-timeout", "100")
    ws = WebSocket(exchange, "/ws")
    for part in range(4):
        ws.command("SUBSCRIBE", [f"s{part}x{i}" for i in range(256)])
        assert ws.json()["result"] is None
    ws.command("SUBSCRIBE", ["onemore"])
    assert ws.json()["error"]["code"] == 2
    time.sleep(1.1)
    ws.command("LIST_SUBSCRIPTIONS")
    assert len(ws.json()["result"]) == 1024


def test_pings_come_and_their_answer_keeps_the_connection(lab):
    exchange = lab("four", "--expect-timeout", "100", "--ping-interval", "0.3",
                   "--pong-timeout", "0.5")
    ws = WebSocket(exchange, "/ws")
    for _ in range(5):
        code, payload = ws.frame()
        assert code == PING and payload
        ws.send(PONG, payload)
    time.sleep(0.1)
    assert [line["match"] for line in exchange.journal("pong")] == [True] * 5


@pytest.mark.parametrize("answer", [None, b"", b"other"])
def test_a_missing_or_wrong_pong_ends_the_connection(lab, answer):
    exchange = lab("four", "--expect-timeout", "100", "--ping-interval", "0.3",
                   "--pong-timeout", "0.5")
    ws = WebSocket(exchange, "/ws")
    assert ws.frame()[0] == PING
    if answer is not None:
        ws.send(PONG, answer)
    assert ws.frame() == (CLOSE, b"\x03\xf0Pong timeout")


def test_a_client_ping_is_answered_and_unmasked_frames_are_refused(lab):
    exchange = lab("four", "--expect-timeout", "100")
    ws = WebSocket(exchange, "/ws")
    ws.send(PING, b"hello")
    assert ws.frame() == (PONG, b"hello")
    ws.socket.sendall(b"\x81\x02{}")
    assert ws.frame()[1][:2] == b"\x03\xea"


def test_a_connection_lives_as_long_as_told(lab):
    exchange = lab("four", "--expect-timeout", "100", "--life", "0.5")
    ws = WebSocket(exchange, "/ws")
    start = time.monotonic()
    with pytest.raises(Closed):
        ws.frame()
    assert 0.3 < time.monotonic() - start < 2
    assert exchange.wait_for("close")[-1]["by"] == "life"


# --- passes -------------------------------------------------------------------------------------

def test_passes_continue_ids_and_times_and_the_book(lab, captures):
    messages, images = captures["four"]
    exchange = lab("four", "--speed", "max", "--loop", "3", "--rest-weight", "100000")
    ws = subscribe(exchange, messages)
    books = {symbol: Book(image) for symbol, image in images.items()}
    last, times, trades = {}, {}, {}
    ws.set_timeout(2)
    while True:
        try:
            data = ws.json()["data"]
        except TimeoutError:
            break
        symbol = data["s"]
        if "E" in data:
            assert data["E"] >= times.get((symbol, data["e"]), 0)
            times[symbol, data["e"]] = data["E"]
        if data.get("e") == "depthUpdate":
            assert data["U"] == last.get(symbol, data["U"] - 1) + 1
            last[symbol] = data["u"]
            books[symbol].apply(data)
        if data.get("e") == "aggTrade":
            assert data["a"] == trades.get(symbol, data["a"] - 1) + 1
            trades[symbol] = data["a"]
    for symbol, book in books.items():
        assert book.equals(exchange.depth(symbol)), symbol
    assert len(exchange.journal("pass")) == 2
    sent = exchange.journal("sent")
    assert len(sent) == exchange.journal("end")[0]["emitted"] == len(exchange.journal("emit"))


def test_the_seam_brings_the_captured_image_back(lab, captures):
    _, images = captures["btc"]
    exchange = lab("btc", "--speed", "max", "--loop", "2", "--streams", "depth")
    ws = WebSocket(exchange, "/stream?streams=btcusdt@depth@100ms")
    exchange.depth("BTCUSDT", 5)
    book, events = Book(images["BTCUSDT"]), 0
    while events < 6496:  # the capture's 6495 and the seam
        book.apply(ws.json()["data"])
        events += 1
    want = Book(images["BTCUSDT"])
    assert book.bids == want.bids and book.asks == want.asks
    event = ws.json()["data"]
    assert event["U"] == book.last + 1


# --- the program --------------------------------------------------------------------------------

@pytest.mark.parametrize("words", [
    [], ["--speed", "fast", "x"], ["--port", "99999", "x"], ["--colour", "x"], ["--port"],
    ["no-such-file.gz"], [os.path.join(DATA, "README.md")],
    ["--faults", os.path.join(DATA, "README.md"), capture(FOUR)],
    [capture(FOUR), capture(FOUR)]])
def test_wrong_usage_is_one_line_and_exit_2(words):
    done = subprocess.run([PROGRAM, *words], capture_output=True, timeout=20, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(b"oblab: ") and done.stderr.count(b"\n") == 1


def test_two_captures_play_side_by_side(tmp_path, captures):
    messages = captures["four"][0], captures["us"][0]
    with Lab(PROGRAM, str(tmp_path), [capture(FOUR), capture(US)], "--speed", "max",
             "--rest-weight", "100000") as exchange:
        ws = subscribe(exchange, messages[0] + messages[1])
        got = [ws.text() for _ in range(len(messages[0]) + len(messages[1]))]
        first = {stream_of(raw) for raw in messages[0]}
        assert [raw for raw in got if stream_of(raw) in first] == messages[0]
        assert [raw for raw in got if stream_of(raw) not in first] == messages[1]


def test_the_end_is_clean_and_the_journal_tells_what_was_sent(lab, captures):
    messages, _ = captures["btc"]
    exchange = lab("btc", "--speed", "20")
    ws = subscribe(exchange, messages)
    for _ in range(300):
        ws.text()
    assert exchange.stop() == 0
    count = 300
    try:
        while ws.next()[0] == TEXT:
            count += 1
    except Closed:
        pass
    lines = exchange.journal()
    assert sum(line["t"] == "sent" for line in lines) >= count
    assert all(line["ns"] > 0 for line in lines)
