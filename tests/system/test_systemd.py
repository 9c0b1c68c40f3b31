"""The service under a real systemd: readiness, status, watchdog, reload, secrets, journal, stop.

One machine is booted for all tests of this file; each starts the service as it needs it."""

import json
import re
import time

import pytest

import harness
import machine
import reference

GAP_MESSAGE_ID = "484a62370c1046f5893883a5f46c3b81"
LIVE = "live, image"


@pytest.fixture(scope="module")
def booted(tmp_path_factory):
    machine.need("mmdebstrap", "systemd-nspawn", "nsenter", "cpack")
    folder = tmp_path_factory.mktemp("systemd")
    package = machine.build_package(folder / "package")
    booted = machine.Machine(machine.root_for(package), folder / "console.log")
    try:
        booted.install(package)
        booted.package = package
        yield booted
    finally:
        booted.end()


def put_settings(booted, lab, **more):
    booted.path("/etc/oblogger/ca.pem").write_bytes(lab.ca.read_bytes())
    settings = {**lab.env, "CA_FILE": "/etc/oblogger/ca.pem", "SYMBOLS": "binance:BTCUSDT"}
    booted.set(**settings, **{"SEAL_AFTER": "1s", "LOGLEVEL": "Info", **more})


@pytest.fixture
def lab(booted, tmp_path):
    """A laboratory, and a service that knows its address, with nothing recorded or logged yet."""
    lab = harness.Lab(tmp_path, ["btcusdt"], "--loop", "50", speed="20")
    try:
        put_settings(booted, lab)
        yield lab
    finally:
        lab.end()
        booted.do("systemctl", "stop", "oblogger")
        booted.do("systemctl", "reset-failed", "oblogger")
        booted.do("systemctl", "revert", "oblogger")
        booted.do("sh", "-c", f"rm -rf {machine.STATE} /etc/oblogger/secrets/*")
        booted.do("sh", "-c", "journalctl --rotate && journalctl --vacuum-time=1us")


def start(booted):
    booted.ok("systemctl", "start", "oblogger")
    booted.wait_said(LIVE)


def drop_in(booted, text):
    folder = booted.path("/etc/systemd/system/oblogger.service.d")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "test.conf").write_text(text)
    booted.ok("systemctl", "daemon-reload")


def test_start_returns_when_the_logger_is_ready(booted, lab):
    booted.ok("systemctl", "start", "oblogger")
    assert booted.show("ActiveState") == "active"
    text = booted.ok("journalctl", "-u", "oblogger", "-o", "cat", "--no-pager")
    assert 0 < text.index("records to /var/lib/oblogger") < text.index("Started oblogger.service")


def test_start_fails_and_is_not_repeated_for_a_wrong_setting(booted, lab):
    booted.set(SEAL_AFTER="a while")
    assert booted.do("systemctl", "start", "oblogger").returncode != 0
    assert booted.show("ActiveState") == "failed"
    assert booted.show("NRestarts") == "0"
    assert booted.said("SEAL_AFTER=a while")


def test_the_status_line_counts_books_messages_and_gaps(booted, lab):
    start(booted)
    status = harness.wait_until(
        lambda: (found := booted.show("StatusText")).startswith("1 of 1 ") and found,
        10,
        "the book is counted",
    )
    assert re.fullmatch(r"1 of 1 books live, [\d,]+ msg/s, 0 gaps", status)
    harness.wait_until(lambda: booted.show("StatusText") != status, 5, "the rate changes")


def test_lines_of_the_journal_have_fields(booted, lab):
    start(booted)
    (live,) = [line for line in booted.journal() if LIVE in line["MESSAGE"]]
    assert live["OBLOGGER_EXCHANGE"] == "binance"
    assert live["OBLOGGER_SYMBOL"] == "BTCUSDT"
    assert live["SYSLOG_IDENTIFIER"] == "oblogger"
    assert live["PRIORITY"] == "6"
    assert live["MESSAGE"].startswith("binance:BTCUSDT: live, image ")
    assert live["_TRANSPORT"] == "journal"
    assert "OBLOGGER_GAP" not in live


def test_a_gap_is_found_in_the_journal_by_its_id(booted, tmp_path):
    faults = tmp_path / "faults"
    faults.write_text('{"at":{"stream":"btcusdt@depth","n":60},"do":"idjump","k":5}\n')
    found = {}
    with_gap = harness.Lab(tmp_path, ["btcusdt"], "--loop", "50", "--faults", faults, speed="20")
    try:
        put_settings(booted, with_gap)
        start(booted)
        booted.wait_said("gap (")
        (found,) = booted.journal(f"MESSAGE_ID={GAP_MESSAGE_ID}")
    finally:
        with_gap.end()
        booted.do("systemctl", "stop", "oblogger")
        booted.do("sh", "-c", f"rm -rf {machine.STATE}")
    assert found["OBLOGGER_SYMBOL"] == "BTCUSDT"
    assert found["PRIORITY"] == "4"
    assert f"gap ({found['OBLOGGER_GAP']})" in found["MESSAGE"]


def test_a_logger_that_hangs_is_killed_and_records_again(booted, lab):
    drop_in(booted, "[Service]\nWatchdogSec=3\nTimeoutAbortSec=2\nRestartSec=0\n")
    start(booted)
    before = booted.main_pid()
    time.sleep(4)
    assert booted.main_pid() == before, "one that turns is left alone"
    booted.ok("kill", "-STOP", str(before))
    harness.wait_until(
        lambda: booted.main_pid() not in (0, before), 20, "the watchdog has it started anew"
    )
    assert booted.said("Watchdog timeout")
    booted.wait_said(LIVE, pid=booted.main_pid())
    booted.ok("systemctl", "stop", "oblogger")
    rows = harness.rows(booted.path(machine.STATE), "coverage", "binance:BTCUSDT", expect=None)
    (book,) = [row for row in rows if row["kind"] == "l2"]
    assert [gap["cause"] for gap in book["gaps"]] == ["crashed"]


def test_reload_applies_what_it_can_and_names_the_rest(booted, lab):
    start(booted)
    before = booted.main_pid()
    booted.set(LOGLEVEL="debug", SYMBOLS_EVERY="2s", SEAL_AFTER="7s")
    booted.ok("systemctl", "reload", "oblogger")
    booted.wait_said("SEAL_AFTER=7s takes effect at the next start")
    assert booted.said("reload: LOGLEVEL=debug, it was info")
    assert booted.said("reload: SYMBOLS_EVERY=2s, it was 1d")
    harness.wait_until(
        lambda: booted.show("ActiveState") == "active", 5, "the reload has come to its end"
    )
    assert booted.main_pid() == before
    harness.wait_until(
        lambda: any(line["PRIORITY"] == "7" for line in booted.journal()), 10, "a line of debug"
    )


@pytest.mark.full
def test_reload_of_a_wrong_file_changes_nothing(booted, lab):
    start(booted)
    before = booted.main_pid()
    booted.set(LOGLEVEL="loud")
    booted.ok("systemctl", "reload", "oblogger")
    booted.wait_said("all stays as it was")
    assert booted.said("LOGLEVEL=loud")
    assert (booted.main_pid(), booted.show("ActiveState")) == (before, "active")


def test_secrets_are_files_of_a_folder(booted, lab):
    folder = booted.path("/etc/oblogger/secrets")
    (folder / "COINBASE_API_KEY").write_text("the-key\n")
    (folder / "COINBASE_API_KEY").chmod(0o600)
    assert booted.do("systemctl", "start", "oblogger").returncode == 0, booted.journal_text()
    booted.ok("systemctl", "stop", "oblogger")
    booted.set(SYMBOLS="coinbase:BTC-USD")
    assert booted.do("systemctl", "start", "oblogger").returncode != 0
    assert booted.said("COINBASE_API_PASSPHRASE is not set"), booted.journal_text()
    assert not booted.said("the-key")


def test_stop_loses_nothing(booted, lab):
    start(booted)
    time.sleep(2)
    emitted = reference.emitted(lab.journal())["BTCUSDT"]
    time.sleep(0.3)
    booted.ok("systemctl", "stop", "oblogger")
    assert booted.show("Result") == "success"
    assert booted.said("stopped in order, everything is written")
    store = booted.path(machine.STATE)
    snapshot = reference.snapshots(harness.capture_path("btcusdt"))["BTCUSDT"]
    truth = reference.Truth(snapshot, reference.emitted(lab.journal())["BTCUSDT"])
    rows = harness.rows(store, "replay", "binance:BTCUSDT", "--digest")
    assert rows[-1]["last_id"] >= emitted[-1]["u"], "what came before the stop is stored"
    ids = [event["u"] for event in truth.events]
    assert [row["last_id"] for row in rows] == ids[: len(rows)]
    for row in rows:
        assert int(row["digest"], 16) == truth.digests[row["last_id"]]


def mode(booted, path):
    return booted.ok("stat", "-c", "%U:%G %a", path).strip()


def test_the_group_reads_the_record_beside_it_and_others_do_not(booted, lab):
    start(booted)
    day = harness.wait_until(
        lambda: booted.do("sh", "-c", f"cd {machine.STATE} && ls -d 2???-??-??").stdout.strip(),
        10,
        "a day has begun",
    )
    assert mode(booted, machine.STATE) == "oblogger:oblogger 2770"
    assert mode(booted, f"{machine.STATE}/{day}") == "oblogger:oblogger 2770"
    assert mode(booted, f"{machine.STATE}/{day}/lock.mdb") == "oblogger:oblogger 660"
    command = ["obrebuild", "--store", machine.STATE, "list", "--output", "json"]
    booted.ok("useradd", "-G", "oblogger", "reader")
    listed = harness.wait_until(
        lambda: booted.ok("runuser", "-u", "reader", "--", *command), 10, "events are stored"
    )
    assert json.loads(listed.splitlines()[0])["symbol"] == "BTCUSDT"
    assert booted.do("runuser", "-u", "nobody", "--", *command).returncode == 1
    assert booted.do("runuser", "-u", "reader", "--", "cat", "/etc/oblogger/vars.env").stdout
    assert booted.do("runuser", "-u", "nobody", "--", "cat", "/etc/oblogger/vars.env").returncode


def test_an_upgrade_goes_on_and_a_purge_keeps_the_record(booted, lab, tmp_path):
    newer = machine.newer_package(booted.package, tmp_path, "9.9.9-1")
    try:
        start(booted)
        before = booted.main_pid()
        booted.install(newer)
        assert booted.show("ActiveState") == "active"
        assert booted.main_pid() not in (0, before)
        booted.wait_said(LIVE, pid=booted.main_pid())
        store = booted.path(machine.STATE)
        said = booted.ok("sh", "-c", "dpkg -P oblogger 2>&1")
        assert "the record in /var/lib/oblogger is kept" in said
        assert booted.do("systemctl", "is-active", "oblogger").stdout.strip() == "inactive"
        assert booted.said("stopped in order, everything is written")
        assert harness.recorded(store)["BTCUSDT", "l2"]["events"] > 0
    finally:
        booted.install(booted.package)


def test_one_that_does_not_run_is_not_started_by_an_upgrade(booted, lab):
    booted.install(booted.package)
    assert booted.show("ActiveState") == "inactive"
    assert booted.show("UnitFileState") == "disabled"


@pytest.mark.full
def test_a_store_elsewhere_as_the_manual_says(booted, lab):
    manual = (harness.ROOT / "docs" / "operating.md").read_text()
    (drop,) = re.findall(r"^```ini\n(.*?)^```", manual, re.M | re.S)
    (command,) = re.findall(r"`(install -d .*)`", manual)
    booted.ok("sh", "-c", f"mkdir -p /data && {command}")
    drop_in(booted, drop)
    start(booted)
    booted.ok("systemctl", "stop", "oblogger")
    rows = harness.recorded(booted.path("/data/orderbooks"))
    assert rows["BTCUSDT", "l2"]["events"] > 0
    assert mode(booted, "/data/orderbooks/meta") == "oblogger:oblogger 2770"
    assert not booted.path(machine.STATE + "/meta").exists()


def test_members_of_the_group_manage_it(booted, lab):
    start(booted)
    assert mode(booted, "/run/oblogger") == "oblogger:oblogger 750"
    assert mode(booted, "/run/oblogger/manager.sock") == "oblogger:oblogger 660"
    booted.ok("useradd", "-G", "oblogger", "steward")
    asked = ["--", "env", "-C", "/", "obmanage", "--json", "list"]
    listed = booted.ok("runuser", "-u", "steward", *asked)
    assert json.loads(listed.splitlines()[0])["symbol"] == "BTCUSDT"
    assert booted.do("runuser", "-u", "nobody", *asked).returncode == 1
