"""What bash completes: the words of --help, values of options, and symbols of a running logger."""
import os
import re
import subprocess

import pytest

from control_server import END, SILENCE, ControlServer
from programs import BUILD, PROGRAMS, ROOT, environment, run, write_store

# As an interactive bash does it: words are cut at blanks and colons, the line is there as a whole.
COMPLETE = r"""
source "$FILE"
COMP_LINE=$LINE COMP_POINT=${#LINE} COMP_TYPE=9 COMP_KEY=9
read -ra COMP_WORDS <<<"${LINE//:/ : }"
[[ $LINE == *[[:space:]:] ]] && COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
declared=$(complete -p "$PROGRAM") && [[ $declared =~ -F\ ([a-z_]+)\ $PROGRAM$ ]] || exit 3
"${BASH_REMATCH[1]}" "$PROGRAM" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
"""
ROWS = [{"exchange": "binance", "symbol": "BTCUSDT", "kind": "l2", "state": "live"},
        {"exchange": "coinbase", "symbol": "BTC-USD", "kind": "l3", "state": "live"},
        {"exchange": "binance", "pattern": "*USDC", "matches": 4}]
SYMBOLS = ["binance:BTCUSDT", "coinbase:BTC-USD", "binance:*USDC"]


def complete(line, cwd=None, **settings):
    program = line.split()[0]
    env = environment(**settings, FILE=str(ROOT / "completions" / program), LINE=line,
                      PROGRAM=program, PATH=f"{BUILD}:{os.environ['PATH']}")
    done = subprocess.run(["bash", "--norc", "-c", COMPLETE], env=env, cwd=cwd, text=True,
                          capture_output=True, timeout=20, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def commands_of(program):
    text = run(program, "--help").stdout
    words = re.findall(rf"^  {program} ([a-z]\S*)", text, re.M)
    return list(dict.fromkeys(words))


@pytest.mark.parametrize("program", PROGRAMS)
def test_all_options_of_help_are_completed(program):
    text = run(program, "--help").stdout.split("\nSettings")[0]
    options = re.findall(r"^  (--[a-z-]+)", text, re.M)
    assert len(options) > 3
    assert sorted(complete(f"{program} -")) == sorted(options)
    assert complete(f"{program} --vers") == ["--version"]


@pytest.mark.parametrize("program", ["obmanage", "obrebuild"])
def test_all_commands_of_help_are_completed(program, tmp_path):
    commands = commands_of(program)
    assert len(commands) > 10
    assert complete(f"{program} ", STORE=str(tmp_path)) == commands
    assert complete(f"{program} --env-file x ", STORE=str(tmp_path)) == commands
    assert complete(f"{program} li") == ["list"]


@pytest.mark.parametrize("line, words", [
    ("obmanage loglevel ", ["debug", "info", "warning", "error", "critical"]),
    ("obmanage loglevel w", ["warning"]),
    ("obmanage reconnect c", ["coinbase"]),
    ("obmanage book --depth ", []),
    ("obmanage --port 1 loglevel cr", ["critical"]),
    ("obmanage ping ", []),
    ("obrebuild --kind ", ["l2", "l3", "trades"]),
    ("obrebuild list --output j", ["json"]),
    ("obrebuild --clock ", ["exchange", "receive"]),
    ("obrebuild replay --speed ", ["max"]),
    ("obrebuild coverage --from ", []),
    ("obrebuild list ", []),
    ("oblogger --ch", ["--check"]),
])
def test_words_are_completed(line, words):
    assert complete(line) == words


@pytest.mark.parametrize("line", ["obmanage --socket le", "obmanage ping --env-file le",
                                  "obrebuild --env-file le", "oblogger --env-file le",
                                  "obrebuild import le", "obrebuild --store fol"])
def test_files_are_completed(line, tmp_path):
    (tmp_path / "letter").write_text("")
    (tmp_path / "folder").mkdir()
    assert complete(line, cwd=tmp_path) in (["letter"], ["folder"])
    assert complete(line[:line.rindex(" ") + 1] + "none", cwd=tmp_path) == []


@pytest.fixture(name="door")
def make_door(tmp_path):
    with ControlServer(lambda _: [*ROWS, END], tmp_path / "s") as server:
        yield server


@pytest.mark.parametrize("command", ["add", "remove", "status", "book", "gaps", "watch"])
def test_symbols_come_from_the_logger(door, command):
    there = {"MANAGER_SOCKET": str(door.path)}
    assert complete(f"obmanage {command} ", **there) == SYMBOLS
    assert complete(f"obmanage {command} coinb", **there) == ["coinbase:BTC-USD"]
    # bash puts what is completed in place of what stands behind the last colon
    assert complete(f"obmanage {command} binance:BT", **there) == ["BTCUSDT"]
    assert complete(f"obmanage {command} binance:", **there) == ["BTCUSDT", "*USDC"]
    assert {request["command"] for request in door.requests} == {"list"}


def test_the_options_before_say_which_logger(door):
    assert complete(f"obmanage --socket {door.path} snapshot ") == ["all", *SYMBOLS]
    assert complete(f"obmanage --socket={door.path} snapshot co") == ["coinbase:BTC-USD"]


def test_without_a_logger_there_are_none(tmp_path):
    assert complete("obmanage book ", STORE=str(tmp_path)) == []


def test_a_silent_logger_is_not_waited_for(tmp_path):
    with ControlServer(lambda _: [SILENCE], tmp_path / "s") as door:
        assert complete("obmanage book ", MANAGER_SOCKET=str(door.path)) == []


def test_what_a_logger_says_is_not_run_by_the_shell(tmp_path):
    (tmp_path / "file").write_text("")
    names = ["$(touch${IFS}made)", "`touch${IFS}made`", "*", "~", "$HOME", "{a,b}", "'x"]
    rows = [{"exchange": "binance", "symbol": name} for name in names]
    with ControlServer(lambda _: [*rows, END], tmp_path / "s") as door:
        words = complete("obmanage book ", cwd=tmp_path, MANAGER_SOCKET=str(door.path))
    assert words == [f"binance:{name}" for name in names]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_symbols_come_from_the_store(tmp_path):
    store = write_store(tmp_path / "store", [
        "stream exchange=binance symbol=BTCUSDT kind=l2 price_digits=2 quantity_digits=2",
        "rest side=0 price=5 size=1", "image kind=l2 id=1 receive=1723161600000000000"])
    assert complete(f"obrebuild coverage --store {store} bin") == ["binance:BTCUSDT"]
    assert complete("obrebuild binance:", STORE=str(store)) == ["BTCUSDT"]
