"""Checks that each fault of the laboratory does what it says, and nothing else."""
import json
import time
from decimal import Decimal

import pytest

from lab_captures import DEPTH, Book, stream_of
from lab_client import BINARY, CLOSE, PING, PONG, TEXT, Closed, WebSocket


def spoiled(lab, captures, fault, *options, count=60):
    """Plays BTCUSDT depth with one fault at message 20: the texts that come, what was captured."""
    messages, _ = captures["btc"]
    want = [raw for raw in messages if stream_of(raw) == DEPTH]
    exchange = lab("btc", "--speed", "max", "--streams", "depth", *options, faults=[fault])
    ws = WebSocket(exchange, "/stream?streams=" + DEPTH)
    exchange.depth("BTCUSDT", 5)
    got = []
    while len(got) < count:
        got.append(ws.next())
    return exchange, [payload for _, payload in got], want, [code for code, _ in got]


def at(n=20, stream=DEPTH):
    return {"stream": stream, "n": n}


def fault_line(exchange):
    lines = exchange.journal("fault")
    assert len(lines) == 1
    return lines[0]


def test_drop_loses_one_message(lab, captures):
    exchange, got, want, _ = spoiled(lab, captures, {"at": at(), "do": "drop"})
    assert got[:59] == want[:19] + want[20:60]
    line, lost = fault_line(exchange), json.loads(want[19])["data"]
    assert (line["do"], line["seq"], line["U"], line["u"]) == ("drop", 20, lost["U"], lost["u"])
    assert 20 not in [sent["seq"] for sent in exchange.journal("sent")]
    assert 20 in [line["seq"] for line in exchange.journal("emit")]


def test_idjump_loses_several(lab, captures):
    _, got, want, _ = spoiled(lab, captures, {"at": at(), "do": "idjump", "k": 7})
    assert got[:50] == want[:19] + want[26:57]


def test_an_update_id_triggers_too(lab, captures):
    messages, _ = captures["btc"]
    event = json.loads([raw for raw in messages if stream_of(raw) == DEPTH][19])["data"]
    _, got, want, _ = spoiled(lab, captures,
                              {"at": {"stream": DEPTH, "u": event["u"]}, "do": "drop"})
    assert got[:59] == want[:19] + want[20:60]


def test_duplicate_and_swap(lab, captures):
    _, got, want, _ = spoiled(lab, captures, {"at": at(), "do": "duplicate"})
    assert got == want[:20] + want[19:59]
    _, got, want, _ = spoiled(lab, captures, {"at": at(), "do": "swap"})
    assert got == want[:19] + [want[20], want[19]] + want[21:60]


def test_delay_lets_others_overtake(lab, captures):
    messages, _ = captures["btc"]
    want = [raw for raw in messages if stream_of(raw) == DEPTH]
    exchange = lab("btc", "--speed", "20", "--streams", "depth",
                   faults=[{"at": at(), "do": "delay", "ms": 400}])
    ws = WebSocket(exchange, "/stream?streams=" + DEPTH)
    exchange.depth("BTCUSDT", 5)
    got = [ws.text() for _ in range(400)]
    place = got.index(want[19])
    assert 40 < place < 300
    assert got[:place] + got[place + 1:] == want[:19] + want[20:400]


def test_truncate_cuts_the_text_in_half(lab, captures):
    exchange, got, want, codes = spoiled(lab, captures, {"at": at(), "do": "truncate"})
    assert got[:19] + got[20:] == want[:19] + want[20:60]
    assert got[19] == want[19][:len(want[19]) // 2] and codes[19] == TEXT
    sent = [line for line in exchange.journal("sent") if line["seq"] == 20]
    assert sent[0]["raw"].encode() == got[19] and sent[0]["fault"] == "truncate"


@pytest.mark.parametrize("binary", [False, True])
def test_garbage_takes_the_place_of_a_message(lab, captures, binary):
    exchange, got, want, codes = spoiled(lab, captures,
                                         {"at": at(), "do": "garbage", "binary": binary})
    assert got[:19] + got[20:] == want[:19] + want[20:60]
    assert codes[19] == (BINARY if binary else TEXT)
    with pytest.raises(ValueError):
        json.loads(got[19])
    if not binary:
        got[19].decode("utf-8")
    sent = [line for line in exchange.journal("sent") if line["seq"] == 20]
    assert sent[0]["raw"].encode("latin-1") == got[19]


def test_oversized_comes_before_the_message(lab, captures):
    _, got, want, _ = spoiled(lab, captures, {"at": at(), "do": "oversized", "bytes": 5000000},
                              count=61)
    assert got[:19] + got[20:] == want[:60]
    assert len(got[19]) > 5000000
    assert json.loads(got[19])["data"]["e"] == "labUnknown"


def test_oversized_can_pad_the_message_itself(lab, captures):
    _, got, want, _ = spoiled(lab, captures,
                              {"at": at(), "do": "oversized", "bytes": 300000, "pad": True})
    assert got[:19] + got[20:] == want[:19] + want[20:60]
    message = json.loads(got[19])
    assert len(message["data"].pop("pad")) == 300000
    assert message == json.loads(want[19])


def test_crossed_puts_a_bid_above_the_best_ask(lab, captures):
    _, got, want, _ = spoiled(lab, captures, {"at": at(), "do": "crossed"})
    assert got[:19] + got[20:] == want[:19] + want[20:60]
    event, plain = json.loads(got[19])["data"], json.loads(want[19])["data"]
    injected = event["b"].pop(0)
    assert event == plain
    book = Book(captures["btc"][1]["BTCUSDT"])
    for raw in want[:20]:
        book.apply(json.loads(raw)["data"])
    assert Decimal(injected[0]) > Decimal(book.side("asks")[0][0])


def test_close_sends_its_code(lab, captures):
    _, got, want, codes = spoiled(lab, captures, {"at": at(), "do": "close", "code": 1012},
                                  count=21)
    assert got[:20] == want[:20]
    assert codes[20] == CLOSE and got[20][:2] == b"\x03\xf4"


@pytest.mark.parametrize("plain", [False, True])
def test_cut_resets_without_a_close_frame(lab, captures, plain):
    messages, _ = captures["btc"]
    want = [raw for raw in messages if stream_of(raw) == DEPTH]
    exchange = lab("btc", "--speed", "5", "--streams", "depth",
                   faults=[{"at": {"seconds": 0.5}, "do": "cut"}], plain=plain)
    ws = WebSocket(exchange, "/stream?streams=" + DEPTH)
    exchange.depth("BTCUSDT", 5)
    got = []
    with pytest.raises(Closed) as closed:
        while True:
            code, payload = ws.next()
            assert code == TEXT
            got.append(payload)
    assert closed.value.reset
    assert got == want[:len(got)] and len(got) > 10
    assert exchange.get_json("/api/v3/ping") == {}
    assert "cut" in [line["by"] for line in exchange.journal("close")]


@pytest.mark.parametrize("lossless", [False, True])
def test_stall_is_silent_for_its_time(lab, captures, lossless):
    messages, _ = captures["btc"]
    want = [raw for raw in messages if stream_of(raw) == DEPTH]
    exchange = lab("btc", "--speed", "10", "--streams", "depth", "--ping-interval", "0.3",
                   faults=[{"at": at(), "do": "stall", "seconds": 1, "lossless": lossless}])
    ws = WebSocket(exchange, "/stream?streams=" + DEPTH)
    exchange.depth("BTCUSDT", 5)
    got, silence = [], 0
    while len(got) < 300:
        before = time.monotonic()
        code, payload = ws.frame()
        silence = max(silence, time.monotonic() - before)
        if code == TEXT:
            got.append(payload)
        elif code == PING:
            ws.send(PONG, payload)
    assert 0.9 < silence < 1.5
    if lossless:
        assert got == want[:300]
    else:
        assert 40 < want.index(got[30]) - 30 < 200
        assert got[25:] == want[want.index(got[25]):][:275]


@pytest.mark.parametrize("path", ["/stream?streams=" + DEPTH, "/ws/" + DEPTH])
def test_shutdown_is_announced_then_closed(lab, path):
    exchange = lab("btc", "--speed", "10", "--streams", "depth",
                   faults=[{"at": at(), "do": "shutdown", "ms": 500}])
    ws = WebSocket(exchange, path)
    exchange.depth("BTCUSDT", 5)
    for _ in range(20):
        ws.text()
    message, announced = ws.json(), time.monotonic()
    if path.startswith("/stream"):
        assert message["stream"] == "!serverShutdown"
        message = message["data"]
    assert message["e"] == "serverShutdown" and abs(message["E"] / 1000 - time.time()) < 5
    code, payload = ws.next()
    while code == TEXT:
        code, payload = ws.next()
    assert code == CLOSE and payload[:2] == b"\x03\xe9"
    assert 0.3 < time.monotonic() - announced < 1.5


def test_life_ends_without_a_close_frame(lab):
    exchange = lab("btc", "--speed", "10", "--streams", "depth",
                   faults=[{"at": at(), "do": "life"}])
    ws = WebSocket(exchange, "/ws/" + DEPTH)
    exchange.depth("BTCUSDT", 5)
    for _ in range(20):
        assert ws.next()[0] == TEXT
    with pytest.raises(Closed) as closed:
        ws.frame()
    assert not closed.value.reset


def test_a_fault_can_be_for_one_connection_only(lab, captures):
    messages, _ = captures["btc"]
    want = [raw for raw in messages if stream_of(raw) == DEPTH]
    exchange = lab("btc", "--speed", "20", "--streams", "depth", "--expect", "1",
                   faults=[{"at": at(200), "do": "drop", "conn": 2}])
    one = WebSocket(exchange, "/stream?streams=" + DEPTH)
    two = WebSocket(exchange, "/stream?streams=" + DEPTH)
    exchange.depth("BTCUSDT", 5)
    first, second = [one.text() for _ in range(300)], [two.text() for _ in range(300)]
    assert first == want[:300]
    assert want[199] not in second
    start = want.index(second[0])
    assert second == [raw for raw in want[start:] if raw != want[199]][:300]


def test_random_faults_follow_the_seed(lab, captures):
    messages, _ = captures["btc"]
    want = [raw for raw in messages if stream_of(raw) == DEPTH]
    lost = []
    for seed in ("1", "1", "2"):
        exchange = lab("btc", "--speed", "max", "--streams", "depth", "--seed", seed, "--no-hold",
                       faults=[{"random": {"stream": "*", "p": 0.01}, "do": "drop"}])
        ws = WebSocket(exchange, "/stream?streams=" + DEPTH)
        lines = []
        ws.set_timeout(1)
        with pytest.raises(TimeoutError):
            while True:
                lines.append(ws.text())
        dropped = [line["seq"] for line in exchange.journal("fault")]
        assert lines == [raw for i, raw in enumerate(want) if i + 1 not in dropped]
        lost.append(dropped)
    assert lost[0] == lost[1] != lost[2]
    assert 30 < len(lost[0]) < 120


def test_http_faults_spoil_the_chosen_request(lab, captures):
    _, images = captures["four"]
    exchange = lab("four", "--expect-timeout", "100", faults=[
        {"at": {"depth": "XMRBTC", "n": 2}, "do": "http", "status": 429, "retry_after": 2},
        {"at": {"depth": "XMRBTC", "n": 3}, "do": "http", "status": 503, "times": 2},
        {"at": {"depth": "XMRBTC", "n": 5}, "do": "http_garbage"},
        {"at": {"depth": "XMRBTC", "n": 6}, "do": "http_truncated"},
        {"at": {"depth": "XMRBTC", "n": 7}, "do": "http_slow", "ms": 600},
        {"at": {"depth": "XMRBTC", "n": 8}, "do": "crossed_snapshot"},
        {"at": {"rest": "exchangeInfo", "n": 1}, "do": "http", "status": 418, "retry_after": 9}])
    target = "/api/v3/depth?symbol=XMRBTC&limit=5000"
    assert exchange.depth("XMRBTC") == images["XMRBTC"]
    status, headers, body = exchange.get(target)
    assert (status, headers["Retry-After"], json.loads(body)["code"]) == (429, "2", -1003)
    assert [exchange.get(target)[0] for _ in range(2)] == [503, 503]
    status, _, body = exchange.get(target)
    assert status == 200
    with pytest.raises(ValueError):
        json.loads(body)
    with pytest.raises(Exception) as cut:
        exchange.get(target)
    assert "IncompleteRead" in type(cut.value).__name__
    start = time.monotonic()
    assert exchange.depth("XMRBTC") == images["XMRBTC"]
    assert 0.5 < time.monotonic() - start < 2
    crossed = exchange.depth("XMRBTC")
    assert Decimal(crossed["bids"][0][0]) > Decimal(crossed["asks"][0][0])
    assert exchange.depth("XMRBTC") == images["XMRBTC"]
    status, headers, _ = exchange.get("/api/v3/exchangeInfo")
    assert (status, headers["Retry-After"]) == (418, "9")
    assert exchange.get("/api/v3/exchangeInfo")[0] == 200
    assert len(exchange.journal("fault")) == 8


def test_a_stale_snapshot_is_the_book_of_before(lab, captures):
    messages, images = captures["btc"]
    want = [json.loads(raw)["data"] for raw in messages if stream_of(raw) == DEPTH]
    exchange = lab("btc", "--speed", "max", "--streams", "depth", "--rest-weight", "100000",
                   faults=[{"at": {"depth": "BTCUSDT", "n": 2}, "do": "stale", "behind": 50}])
    ws = WebSocket(exchange, "/stream?streams=" + DEPTH)
    exchange.depth("BTCUSDT", 5)
    for _ in range(500):
        ws.text()
    before = -1
    while before != (before := len(exchange.journal("emit"))):
        time.sleep(1)  # until play stands still: nobody reads on
    stale, fresh = exchange.depth("BTCUSDT"), exchange.depth("BTCUSDT")
    ids = [event["u"] for event in want]
    assert ids.index(fresh["lastUpdateId"]) - ids.index(stale["lastUpdateId"]) == 50
    book = Book(images["BTCUSDT"])
    for event in want[:ids.index(stale["lastUpdateId"]) + 1]:
        book.apply(event)
    assert book.equals(stale)
