"""Whatever happens at the port, who asks by the socket is answered, and recording goes on."""

import json
import pathlib
import socket
import subprocess
import sys
import time

import pytest

import crowd
import harness
import manage
import reference

KEY = "a key for the port, 7f31"
CONNECTIONS, SECONDS = 200, 8
ANSWER_S = 2
GROWTH_KB = 16 << 10
NAME, SPEED = "spot10", 8  # played in 15 seconds


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def make_certificate(folder):
    cert, key = folder / "port.pem", folder / "port.key"
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    subprocess.run(
        ["openssl", *words.split(), *names, "-keyout", str(key), "-out", str(cert)],
        check=True,
        capture_output=True,
    )
    return cert, key


def ask_meanwhile(logger, attackers):
    """Pings by the socket until the attack is over: how long each took, and memory after each."""
    took, sizes = [], []
    while attackers.poll() is None:
        begun = time.monotonic()
        answer = manage.ask(manage.socket_of(logger), "ping", seconds=30)[0]
        took.append(time.monotonic() - begun)
        assert answer["pid"] == logger.child.pid
        sizes.append(crowd.memory_kb(logger.child.pid))
        time.sleep(max(0, 0.2 - took[-1]))
    return took, sizes


def attack(logger, port):
    """What the attackers say of it, and what was seen by the socket."""
    program = pathlib.Path(__file__).with_name("attack.py")
    words = [sys.executable, program, port, CONNECTIONS, SECONDS, KEY]
    with subprocess.Popen([str(word) for word in words], stdout=subprocess.PIPE) as attackers:
        try:
            took, sizes = ask_meanwhile(logger, attackers)
        finally:
            attackers.kill()
        text = attackers.stdout.read()
        assert attackers.wait() == 0, "the attackers ended before their time"
    return json.loads(text), took, sizes


@pytest.mark.alone
def test_the_socket_answers_while_the_port_is_attacked(tmp_path):
    cert, key = make_certificate(tmp_path)
    port = free_port()
    door = {
        "MANAGER_AUTHKEY": KEY,
        "MANAGER_PORT": str(port),
        "MANAGER_TLS_CERT": str(cert),
        "MANAGER_TLS_KEY": str(key),
    }
    lab = harness.Lab(tmp_path, [NAME], speed=str(SPEED))
    try:
        logger = harness.Logger(tmp_path, lab, harness.SYMBOLS[NAME], tmp_path / "store", **door)
        try:
            for symbol in harness.SYMBOLS[NAME]:
                logger.wait_text(f"{symbol}: live")
            before_kb = crowd.memory_kb(logger.child.pid)
            told, took, sizes = attack(logger, port)
            assert not lab.ended(), "the attack outlasted what is played"
            lab.wait_end(60)
            time.sleep(2.5)
            assert manage.ask(manage.socket_of(logger), "gaps") == []
        finally:
            assert logger.end() == 0, logger.text()[-3000:]
        emitted = reference.emitted(lab.journal())
    finally:
        lab.end()
    print(f"{told}; {len(took)} pings, the slowest {max(took):.3f} s, {before_kb} kB, {max(sizes)}")
    assert told["let in"] >= 1 and told["try_wrong_key"] >= 5
    assert sum(told.values()) > 5 * CONNECTIONS
    assert len(took) >= SECONDS / ANSWER_S
    assert max(took) < ANSWER_S
    assert max(sizes) < before_kb + GROWTH_KB
    check_record(logger.store, emitted)


def check_record(store, emitted):
    coverage = harness.rows(store, "coverage", "--kind", "l2")
    assert {row["symbol"] for row in coverage} == emitted.keys() == set(harness.SYMBOLS[NAME])
    assert [row["gaps"] for row in coverage] == [[] for _ in coverage]
    for symbol, events in emitted.items():
        rows = harness.rows(store, "replay", f"binance:{symbol}")
        found = [row["last_id"] for row in rows]
        due = [event["u"] for event in events if event["u"] >= found[0]]
        assert found == due and len(found) >= len(events) - 20, symbol
