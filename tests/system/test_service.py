"""What the logger tells a service manager and takes from one, without one: the test listens in its
place. Under a real systemd: test_systemd.py."""

import os
import pty
import signal
import socket
import subprocess
import time

import pytest

import harness

WATCHDOG_S = 4


class Manager:
    """The socket on which a service manager listens."""

    def __init__(self, path):
        self.path = str(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.setblocking(False)
        self.heard = []

    def listen(self):
        """All that was heard so far: (when, text)."""
        while True:
            try:
                self.heard.append((time.monotonic(), self.socket.recv(4096).decode()))
            except BlockingIOError:
                return [text for _, text in self.heard]

    def wait(self, condition, what):
        harness.wait_until(lambda: any(map(condition, self.listen())), 20, what)

    def times(self, wanted):
        self.listen()
        return [when for when, text in self.heard if text == wanted]


@pytest.fixture
def lab(tmp_path):
    lab = harness.Lab(tmp_path, ["btcusdt"], "--loop", "50", speed="20")
    yield lab
    lab.end()


@pytest.fixture
def manager(tmp_path):
    manager = Manager(tmp_path / "notify")
    yield manager
    manager.socket.close()


def settings_file(tmp_path, lab, **more):
    path = tmp_path / "settings"
    settings = {**lab.env, "SYMBOLS": "binance:BTCUSDT", "STORE": tmp_path / "store", **more}
    path.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    return path


def start(tmp_path, path, **env):
    return harness.Process(
        [harness.BUILD / "oblogger", "--env-file", path], tmp_path / "oblogger.log", env
    )


def wait_text(logger, text, seconds=20):
    harness.wait_until(
        lambda: text in logger.text() or not logger.running(), seconds, f"it says {text!r}"
    )
    assert text in logger.text(), logger.text()[-2000:]


def test_the_manager_hears_of_the_whole_life(tmp_path, lab, manager):
    path = settings_file(tmp_path, lab, AS_SERVICE="True")
    env = {"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": str(WATCHDOG_S * 1_000_000)}
    logger = start(tmp_path, path, **env)
    try:
        manager.wait(lambda text: text == "READY=1", "it is ready")
        manager.wait(lambda text: text.startswith("STATUS=1 of 1 books live, "), "its book lives")
        harness.wait_until(lambda: len(manager.times("WATCHDOG=1")) >= 3, 20, "it is alive")
        fed = manager.times("WATCHDOG=1")[:3]
        gaps = [after - before for before, after in zip(fed, fed[1:])]
        assert max(gaps) < WATCHDOG_S, "the watchdog is fed in time"
        assert min(gaps) > 0.5, "and no more often than needed"
        logger.send(signal.SIGHUP)
        harness.wait_until(lambda: len(manager.times("READY=1")) == 2, 10, "the reload has ended")
        texts = manager.listen()
        (reloading,) = [text for text in texts if text.startswith("RELOADING=1\n")]
        assert int(reloading.split("MONOTONIC_USEC=")[1]) > 0
        assert texts.index(reloading) < len(texts) - 1 - texts[::-1].index("READY=1")
    finally:
        assert logger.end() == 0, logger.text()
    assert manager.listen()[-1].startswith("STOPPING=1\n")


@pytest.mark.full
def test_a_logger_that_stands_still_is_not_alive(tmp_path, lab, manager):
    path = settings_file(tmp_path, lab)
    env = {"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": str(WATCHDOG_S * 1_000_000)}
    logger = start(tmp_path, path, **env)
    try:
        manager.wait(lambda text: text == "WATCHDOG=1", "it is alive")
        logger.send(signal.SIGSTOP)
        time.sleep(0.2)
        manager.listen()
        count = len(manager.heard)
        time.sleep(WATCHDOG_S / 2 + 1)
        assert len(manager.listen()) == count
    finally:
        logger.send(signal.SIGCONT)
        assert logger.end() == 0


@pytest.mark.skipif(
    os.path.exists("/run/systemd/journal/socket"), reason="this machine has a journal"
)
def test_without_a_journal_a_service_logs_to_stderr(tmp_path, lab):
    logger = start(tmp_path, settings_file(tmp_path, lab, AS_SERVICE="True"))
    try:
        wait_text(logger, "info: binance:BTCUSDT: live, image ")
    finally:
        assert logger.end() == 0


def test_a_hangup_reads_the_settings_anew(tmp_path, lab):
    path = settings_file(tmp_path, lab)
    logger = start(tmp_path, path)
    try:
        wait_text(logger, "live, image")
        settings_file(tmp_path, lab, LOGLEVEL="warning", RECORDER="other")
        logger.send(signal.SIGHUP)
        wait_text(logger, "reload: RECORDER=other takes effect at the next start")
        for name, value, why in (
            ("LOGLEVEL", "loud", "LOGLEVEL=loud"),
            ("IMAGE_MIN", "7h", "IMAGE_MIN=7h: allowed is at most IMAGE_MAX"),
            ("COINBASE_API_SECRET_FILE", tmp_path / "none", "COINBASE_API_SECRET_FILE="),
        ):
            settings_file(tmp_path, lab, **{name: value})
            logger.send(signal.SIGHUP)
            wait_text(logger, f"reload: {why}")
        (tmp_path / "secret").write_text("a-secret-value")
        settings_file(tmp_path, lab, COINBASE_API_SECRET_FILE=tmp_path / "secret")
        logger.send(signal.SIGHUP)
        wait_text(logger, "reload: COINBASE_API_SECRET takes effect at the next start")
        assert logger.running() and "a-secret-value" not in logger.text()
    finally:
        assert logger.end() == 0


def test_a_terminal_that_goes_ends_it_in_order(tmp_path, lab):
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [harness.BUILD / "oblogger", "--env-file", settings_file(tmp_path, lab)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    try:
        harness.wait_until(lambda: harness.recorded(tmp_path / "store"), 20, "it records")
        child.send_signal(signal.SIGHUP)
        os.set_blocking(ours, False)
        harness.wait_until(lambda: drained(ours) or child.poll() is not None, 20, "it ends")
        assert child.wait(1) == 0
    finally:
        child.kill()
        child.wait()
        os.close(ours)
        os.close(theirs)


def drained(terminal):
    """Reads what stands in the terminal, which else would fill up; never true."""
    try:
        os.read(terminal, 65536)
    except BlockingIOError:
        pass
    return False


def test_nobody_else_loads_what_speaks_to_the_manager():
    def libraries(program):
        return subprocess.run(
            ["ldd", harness.BUILD / program], capture_output=True, text=True, check=True
        ).stdout

    assert "libsystemd" in libraries("oblogger")
    assert "libsystemd" not in libraries("obrebuild")
    assert "libsystemd" not in libraries("obmanage")
