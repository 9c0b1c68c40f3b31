"""The unit as systemd reads it: nothing in it that it does not know, and a narrow sandbox."""

import re

import pytest

import harness
import machine

UNIT = harness.ROOT / "systemd" / "oblogger.service"
EXPOSURE_MAX = 1.5


@pytest.fixture(autouse=True)
def analyze():
    if not machine.shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is missing")


def exposure(unit):
    """As systemd-analyze adds it up."""
    done = machine.run("systemd-analyze", "security", "--offline=true", "--no-pager", unit)
    found = re.search(r"Overall exposure level for \S+: (\d+\.\d)", done.stdout)
    assert found, done.stdout + done.stderr
    return float(found.group(1))


def runnable(tmp_path, text):
    """The unit, with programs and pages that are on this machine: they need not be installed."""
    program = tmp_path / "oblogger"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    path = tmp_path / "oblogger.service"
    text = text.replace("/usr/bin/oblogger", str(program))
    path.write_text(re.sub(r"^Documentation=.*\n", "", text, flags=re.M))
    return path


def test_systemd_knows_every_line_of_the_unit(tmp_path):
    done = machine.run("systemd-analyze", "verify", runnable(tmp_path, UNIT.read_text()))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_line_that_systemd_does_not_know_is_told(tmp_path):
    text = UNIT.read_text().replace("WatchdogSec=", "WatchdogSecs=")
    done = machine.run("systemd-analyze", "verify", runnable(tmp_path, text))
    assert "WatchdogSecs" in done.stderr


def test_the_service_is_hardly_exposed(record_property):
    found = exposure(UNIT)
    record_property("exposure", found)
    print(f"exposure {found} of {EXPOSURE_MAX}")
    assert found <= EXPOSURE_MAX


def test_the_manual_says_the_same():
    manual = (harness.ROOT / "docs" / "operating.md").read_text()
    assert f"{exposure(UNIT)} of 10" in manual
    header = (harness.ROOT / "base" / "service.h").read_text()
    (number,) = re.findall(r'SERVICE_GAP_MESSAGE_ID "([0-9a-f]{32})"', header)
    assert manual.count(number) == 2
    secrets = (harness.ROOT / "base" / "settings_table.c").read_text()
    for name in re.findall(r"`([A-Z_]+)`", manual.split("## Secrets")[1].split("```")[0]):
        assert f'"{name}", SETTING_SECRET' in secrets or name == "NAME"


def test_what_the_unit_sets_are_settings():
    known = {line.split("=")[0] for line in (harness.ROOT / "vars.env.example").read_text().split()}
    given = re.findall(r"^#?Environment=(\w+)=", UNIT.read_text(), re.M)
    assert {"AS_SERVICE", "STORE"} <= set(given)
    assert {name.removesuffix("_FILE") for name in given} <= known
