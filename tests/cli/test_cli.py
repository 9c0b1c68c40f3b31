"""The command lines: help, exit codes, and one clear line for whatever is wrong.

The help of each program is kept in expected/. After a wanted change: oblogger --help
>expected/oblogger.help, and read the difference."""
import pathlib
import re
import shutil
import subprocess

import pytest

from programs import BUILD, NOWHERE, PROGRAMS, ROOT, Logger, make_store, run, setting_names

EXPECTED = pathlib.Path(__file__).parent / "expected"
DONE, FAILED, USAGE, INCOMPLETE = 0, 1, 2, 3


def check_one_line(done, program, code, *parts):
    """Nothing on stdout, one line on stderr with all the parts, and that exit code."""
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith(f"{program}: ")
    for part in parts:
        assert part in lines[0], f"{part!r} is not in {lines[0]!r}"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("cli") / "store")


# ---- what a program tells of itself ----


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_is_as_expected(program):
    done = run(program, "--help")
    assert done.returncode == DONE
    assert done.stderr == ""
    assert done.stdout == (EXPECTED / f"{program}.help").read_text()


@pytest.mark.parametrize("program", PROGRAMS)
def test_version_is_that_of_the_project(program):
    version = re.search(r"project\(oblogger VERSION ([0-9.]+)",
                        (ROOT / "CMakeLists.txt").read_text()).group(1)
    done = run(program, "--version")
    assert (done.returncode, done.stdout, done.stderr) == (DONE, f"{program} {version}\n", "")


def man_of(program, tmp_path):
    page = tmp_path / f"{program}.1"
    done = run(program, "--man")
    assert done.returncode == DONE
    page.write_text(done.stdout)
    return page


@pytest.mark.parametrize("program", PROGRAMS)
def test_manual_page_has_no_mistakes(program, tmp_path):
    page = man_of(program, tmp_path)
    tools = (["man", "--warnings", "-l"], ["groff", "-man", "-ww", "-Tutf8"])
    tool = next((words for words in tools if shutil.which(words[0])), None)
    if not tool:
        pytest.skip("neither man nor groff is here")
    done = subprocess.run([*tool, str(page)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (DONE, "")
    assert program in done.stdout


@pytest.mark.parametrize("program", PROGRAMS)
def test_manual_page_names_all_that_help_names(program, tmp_path):
    page = man_of(program, tmp_path).read_text().replace("\\-", "-")
    text = run(program, "--help").stdout
    words = set(re.findall(r"--[a-z-]+", text)) | set(re.findall(r"^  ([A-Z_]{4,})", text, re.M))
    assert len(words) > 4
    assert not [word for word in words if word not in page]


def test_between_them_the_programs_name_every_setting():
    text = "".join(run(program, "--help").stdout for program in PROGRAMS)
    assert not [name for name in setting_names() if not re.search(rf"^  {name} ", text, re.M)]


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_wins_over_a_wrong_setting(program):
    assert run(program, "--help", LOGLEVEL="loud").returncode == DONE


def test_installation_brings_programs_pages_and_documents(tmp_path):
    done = subprocess.run(["cmake", "--install", BUILD, "--prefix", tmp_path], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stderr
    for program in PROGRAMS:
        version = subprocess.run([tmp_path / "bin" / program, "--version"], capture_output=True,
                                 text=True, check=True).stdout
        assert version == run(program, "--version").stdout
        page = tmp_path / "share" / "man" / "man1" / f"{program}.1"
        assert page.read_text() == run(program, "--man").stdout
    documents = tmp_path / "share" / "doc" / "oblogger"
    for name in ("README.md", "LICENSE", "vars.env.example", "docs/architecture.md",
                 "schema/store.md"):
        assert (documents / name).read_bytes() == (ROOT / name).read_bytes()
    for program in PROGRAMS:
        words = tmp_path / "share" / "bash-completion" / "completions" / program
        assert words.read_bytes() == (ROOT / "completions" / program).read_bytes()


# ---- wrong words ----


@pytest.mark.parametrize("words, parts", [
    (["--bogus"], ["--bogus", "no such option"]),
    (["--output=xml"], ["--output xml", "table, json or csv"]),
    (["--output"], ["--output", "needs a value"]),
    (["--help=1"], ["--help", "takes no value"]),
    (["--at", "yesterday"], ["--at yesterday", "RFC 3339"]),
    (["--at", "2024-13-01T00:00:00Z"], ["--at 2024-13-01T00:00:00Z", "RFC 3339"]),
    (["--depth", "-1"], ["--depth -1", "number"]),
    (["--depth", "5x"], ["--depth 5x", "number"]),
    (["--depth", "99999999999999999999"], ["--depth 99999999999999999999", "number"]),
    (["--kind", "l9"], ["--kind l9", "l2, l3 or trades"]),
    (["--clock", "local"], ["--clock local", "exchange or receive"]),
    (["list", "BTCUSDT"], ["list", "no words"]),
    (["coverage", "--from", "2", "--to", "1"], ["--from", "later than --to"]),
    (["coverage", "--from", "soon"], ["--from soon", "RFC 3339"]),
    (["replay"], ["replay", "one symbol"]),
    (["replay", "BTCUSDT", "ETHUSDT"], ["replay", "one symbol"]),
    (["--kind", "trades"], ["--kind trades", "no book", "obrebuild trades"]),
    (["replay", "BTCUSDT", "--kind", "trades"], ["--kind trades", "obrebuild trades"]),
    (["prune"], ["prune", "--before"]),
    (["prune", "--before", "never"], ["prune", "--before"]),
    (["backup"], ["backup", "one directory"]),
    (["list", "--mongodb", "127.0.0.1:1"], ["--store and --mongodb", "allowed is one"]),
    (["archive", "--mongodb", "127.0.0.1:1"], ["archive", "--mongodb is not for it"]),
    (["prune", "--before", "1", "--mongodb=127.0.0.1:1"], ["prune", "--mongodb is not for it"]),
    (["backup", "there", "--mongodb", "127.0.0.1:1"], ["backup", "--mongodb is not for it"]),
], ids=" ".join)
def test_obrebuild_says_what_is_wrong_with_the_words(store, words, parts):
    check_one_line(run("obrebuild", "--store", store, *words), "obrebuild", USAGE, *parts)


@pytest.mark.parametrize("words, parts", [
    (["--bogus"], ["--bogus", "no such option"]),
    (["record"], ["record", "takes no words"]),
    (["--env-file"], ["--env-file", "needs a value"]),
    (["--check=yes"], ["--check", "takes no value"]),
], ids=" ".join)
def test_oblogger_says_what_is_wrong_with_the_words(words, parts):
    check_one_line(run("oblogger", *words, **NOWHERE), "oblogger", USAGE, *parts)


def test_options_may_stand_behind_the_words(store):
    before = run("obrebuild", "--output", "json", "--store", store, "list")
    behind = run("obrebuild", "list", "--store", store, "--output=json")
    assert (behind.returncode, behind.stdout) == (before.returncode, before.stdout) == (DONE, "")


# ---- wrong settings ----

WRONG = [
    ("USE_ENV_FILE", "maybe", "True or False"),
    ("LOGLEVEL", "loud", "debug|info|warning|error|critical"),
    ("LOGLEVEL", "inf", "debug|info|warning|error|critical"),
    ("AS_SERVICE", "1", "True or False"),
    ("SYMBOLS", "binance:btc*", "binance:*USDT"),
    ("SYMBOLS", "nyse:IBM", "not known (binance, coinbase)"),
    ("SYMBOLS", "binance:btc-usd", "binance:BTCUSDT"),
    ("SYMBOLS", "binance:", "binance:BTCUSDT"),
    ("SYMBOLS", "binance:" + "A" * 65, "binance:BTCUSDT"),
    ("SYMBOLS", "binance:BTCUSDT,BTCUSDT", "named twice"),
    ("SYMBOLS_EVERY", "8d", "1s to 7d"),
    ("STORE", "", "a directory"),
    ("RAW_CAPTURE", "/dev/null", "no directory"),
    ("STORE_KEEP", "0", "a number of days"),
    ("STORE_KEEP", "a week", "a number of days"),
    ("STORE_KEEP", "-1", "a number of days"),
    ("RECORDER", "", "a name"),
    ("RECORDER", "x" * 300, "a name"),
    ("RECORDER", "a\x01b", "a name"),
    ("RECEIVE_UNIT", "ms", "us|ns"),
    ("RECEIVE_UNIT", "", "us|ns"),
    ("ORDERBOOK_UPDATEFREQUENCY", "250", "100|1000"),
    ("CONNECTIONS", "0", "1 to 2"),
    ("CONNECTIONS", "3", "1 to 2"),
    ("TRADES", "yes", "on|off"),
    ("TRADES", "", "on|off"),
    ("BINANCE_TRADES", "agg", "trade|aggTrade"),
    ("COINBASE_FEED", "full", "exchange|advanced"),
    ("COINBASE_API_KEY", "hunter\x012", "a key of Coinbase Exchange"),
    ("COINBASE_API_SECRET", "hunter\x012", "the secret of that key"),
    ("COINBASE_API_PASSPHRASE", "hunter\x012", "the passphrase of that key"),
    ("L3_IDS", "1", "on|off"),
    ("IMAGE_FACTOR", "0", "1 to 1000"),
    ("IMAGE_FACTOR", "1001", "1 to 1000"),
    ("IMAGE_FACTOR", "5.5", "1 to 1000"),
    ("IMAGE_FACTOR", "99999999999999999999", "1 to 1000"),
    ("IMAGE_MIN", "10", "1s to 1d"),
    ("IMAGE_MIN", "0s", "1s to 1d"),
    ("IMAGE_MAX", "2d", "1min to 1d"),
    ("IMAGE_DEPTH", "5001", "5 to 5000"),
    ("RESYNC_EVERY", "30 parsecs", "1min to 1d"),
    ("SEAL_AFTER", "500ms", "1s to 1h"),
    ("SEAL_LEVELS", "10", "1024 to 1048576"),
    ("MONGODB_ENDPOINT", "hunter\x012", "mongodb:// URI"),
    ("MONGODB_ENDPOINT", "http://hunter2@localhost", "mongodb:// URI"),
    ("MONGODB_PASSWORD", "hunter\x012", "a password"),
    ("MONGODB_DATABASE", "", "1 to 63 bytes"),
    ("MONGODB_DATABASE", "x" * 64, "1 to 63 bytes"),
    ("MONGODB_LAYOUT", "legacy", "frames|frames,legacy"),
    ("MANAGER_SOCKET", "/" + "x" * 107, "107 bytes"),
    ("MANAGER_PORT", "0", "1 to 65535"),
    ("MANAGER_PORT", "65536", "1 to 65535"),
    ("MANAGER_ADDRESS", "", "an address"),
    ("MANAGER_AUTHKEY", "hunter\x012", "a key"),
    ("MANAGER_TLS_CERT", "a\x01b.pem", "PEM certificates"),
    ("MANAGER_TLS_KEY", "a\x01b.pem", "PEM key"),
    ("LOGGER_SERVER_IP", "", "an address or a name"),
    ("METRICS_PORT", "65536", "0 to 65535"),
    ("METRICS_PORT", "-1", "0 to 65535"),
    ("METRICS_ADDRESS", "", "an address"),
    ("BINANCE_WS_URL", "https://stream.binance.com", "wss://"),
    ("BINANCE_WS_URL", "ws://stream.binance.com", "ws:// only to this machine"),
    ("BINANCE_WS_URL", "wss://", "wss://"),
    ("BINANCE_WS_URL", "wss://host:70000", "wss://"),
    ("BINANCE_WS_URL", "stream.binance.com", "wss://"),
    ("BINANCE_REST_URL", "http://api.binance.com", "http:// only to this machine"),
    ("BINANCE_REST_URL", "http://127.0.0.1.example.com", "http:// only to this machine"),
    ("BINANCE_REST_URL", "http://localhost@example.com", "https://"),
    ("BINANCE_REST_URL", "ftp://api.binance.com", "https://"),
    ("COINBASE_WS_URL", "https://ws-feed.exchange.coinbase.com", "wss://"),
    ("COINBASE_WS_URL", "ws://ws-feed.exchange.coinbase.com", "ws:// only to this machine"),
    ("COINBASE_REST_URL", "http://api.exchange.coinbase.com", "http:// only to this machine"),
    ("COINBASE_REST_URL", "api.exchange.coinbase.com", "https://"),
    ("CA_FILE", "there/is/none.pem", "read"),
    ("ALERT_WEBHOOK", "hunter\x012", "https:// address"),
    ("ALERT_BELOW", "101", "0 to 100"),
    ("ALERT_BELOW", "-1", "0 to 100"),
    ("ALERT_EVERY", "0s", "1s to 7d"),
]


def name_of(case):
    return f"{case[0]}={case[1][:30]!r}"


@pytest.mark.parametrize("case", WRONG, ids=name_of)
@pytest.mark.parametrize("words", [["--check"], []], ids=["check", "start"])
def test_a_wrong_setting_stops_the_start_with_one_line(case, words, tmp_path):
    name, value, allowed = case
    shown = value[:100].replace("\x01", "?").split(",", maxsplit=1)[0]
    symbols = {"SYMBOLS": "coinbase:BTC-USD"} if name.startswith("COINBASE_") else {}
    if "hunter" in value:
        shown = "(not shown)"
    done = run("oblogger", *words, cwd=tmp_path, **{**NOWHERE, **symbols, name: value})
    check_one_line(done, "oblogger", USAGE, name, shown, allowed)
    assert "hunter" not in done.stderr
    assert not list(tmp_path.iterdir()), "something was made in spite of the wrong setting"


def test_every_setting_that_can_be_wrong_is_tried():
    assert {case[0] for case in WRONG} == set(setting_names())


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_wrong_line_of_the_file_is_named_with_its_place(program, tmp_path):
    path = tmp_path / "vars.env"
    path.write_text("# a comment\n\nSEAL_AFTER=60s\nIMAGE_MIN=soon\n")
    words = ["ping"] if program == "obmanage" else []
    check_one_line(run(program, *words, "--env-file", path), program, USAGE, "IMAGE_MIN=soon",
                   str(path), "line 4", "1s to 1d")


@pytest.mark.parametrize("content, part", [("NAME\n", "NAME=value"), (None, "No such file")])
def test_a_settings_file_that_is_none(content, part, tmp_path):
    path = tmp_path / "vars.env"
    if content:
        path.write_text(content)
    done = run("oblogger", "--check", "--env-file", path, **NOWHERE)
    check_one_line(done, "oblogger", USAGE, str(path), part)


def test_a_value_cannot_break_the_line():
    done = run("oblogger", "--check", **{**NOWHERE, "LOGLEVEL": "a\nb\x1b[31m"})
    check_one_line(done, "oblogger", USAGE, "LOGLEVEL=a?b?[31m", "allowed is")


def test_a_very_long_value_leaves_room_for_what_is_allowed():
    done = run("oblogger", "--check", **{**NOWHERE, "RECEIVE_UNIT": "u" * 5000})
    check_one_line(done, "oblogger", USAGE, "RECEIVE_UNIT=uuu", "allowed is us|ns")


KEY = {"SYMBOLS": "coinbase:BTC-USD", "COINBASE_API_KEY": "key", "COINBASE_API_SECRET": "c2VjcmV0",
       "COINBASE_API_PASSPHRASE": "phrase"}
SECRETS = [name for name in KEY if name != "SYMBOLS"]


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_can_come_in_a_file_instead(name, tmp_path):
    path = tmp_path / "secret"
    path.write_text(KEY[name] + "\n")
    settings = {**NOWHERE, **KEY}
    assert run("oblogger", "--check", **settings).returncode == DONE
    done = run("oblogger", "--check", **settings, **{f"{name}_FILE": str(path)})
    check_one_line(done, "oblogger", USAGE, f"{name} and {name}_FILE")
    del settings[name]
    assert run("oblogger", "--check", **settings, **{f"{name}_FILE": str(path)}).returncode == DONE
    lines = tmp_path / "vars.env"
    lines.write_text(f"{name}=\n{name}_FILE={path}\n")
    done = run("oblogger", "--check", "--env-file", lines, **settings)
    assert (done.returncode, done.stderr) == (DONE, "")


@pytest.mark.parametrize("content, part", [
    (None, "No such file"), ("", "empty"), ("hunter\x012", "control bytes"),
    ("hunter2\nhunter2\n", "control bytes"), ("hunter2" * 10000, "64 KiB")])
def test_a_secrets_file_that_holds_none_is_named_and_not_shown(content, part, tmp_path):
    path = tmp_path / "secret"
    if content is not None:
        path.write_text(content)
    for name in SECRETS:
        done = run("oblogger", "--check", **{**NOWHERE, f"{name}_FILE": str(path)})
        check_one_line(done, "oblogger", USAGE, f"{name}_FILE={path}", part)
        assert "hunter" not in done.stderr


@pytest.mark.parametrize("line", ["COINBASE_API_SECRET hunter2", "COINBASE_API_SECRET: hunter2",
                                  "hunter2", "+hunter2/Ab0=="])
def test_a_line_out_of_place_shows_no_secret(line, tmp_path):
    path = tmp_path / "vars.env"
    path.write_text(f"SYMBOLS=binance:BTCUSDT\n{line}\n")
    done = run("oblogger", "--check", "--env-file", path)
    assert "hunter" not in done.stdout + done.stderr
    assert len(done.stderr.splitlines()) == 1 and str(path) in done.stderr
    assert "line 2" in done.stderr


def test_who_asks_a_store_needs_no_secret(store, tmp_path):
    path = tmp_path / "vars.env"
    path.write_text("COINBASE_API_SECRET_FILE=there/is/none\n")
    done = run("obrebuild", "list", "--store", store, "--env-file", path)
    assert (done.returncode, done.stderr) == (DONE, "")


def test_a_file_for_trust_must_hold_certificates(tmp_path):
    path = tmp_path / "ca.pem"
    path.write_text("no certificate\n")
    for words in (["--check"], []):
        done = run("oblogger", *words, **{**NOWHERE, "CA_FILE": str(path),
                                          "STORE": str(tmp_path / "store")})
        assert done.returncode == USAGE
        assert str(path) in done.stderr.splitlines()[-1]


# ---- right settings ----


def test_check_says_yes_and_makes_nothing(tmp_path):
    done = run("oblogger", "--check", cwd=tmp_path, SYMBOLS="binance:BTCUSDT, ETHUSDT")
    assert (done.returncode, done.stdout, done.stderr) == (DONE, "the settings are valid\n", "")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("url", ["ws://localhost:80", "ws://127.0.0.1", "ws://[::1]:9000",
                                 "wss://stream.binance.us:9443"])
def test_plain_is_allowed_to_this_machine_and_tls_to_any(url):
    assert run("oblogger", "--check", **{**NOWHERE, "BINANCE_WS_URL": url}).returncode == DONE


def test_the_example_file_is_valid_and_names_nothing_unknown():
    done = run("oblogger", "--check", "--env-file", ROOT / "vars.env.example",
               SYMBOLS="binance:BTCUSDT")
    assert (done.returncode, done.stderr) == (DONE, "")


def test_an_unknown_name_in_the_file_is_one_warning(tmp_path):
    path = tmp_path / "vars.env"
    path.write_text("SYMBOLS=binance:BTCUSDT\nSTOER=x\n")
    done = run("oblogger", "--check", "--env-file", path)
    assert done.returncode == DONE
    assert len(done.stderr.splitlines()) == 1
    assert all(part in done.stderr for part in ("warning", "STOER", str(path), "line 2"))


def test_an_unknown_variable_of_the_environment_is_nobodys_business():
    done = run("oblogger", "--check", **NOWHERE, STOER="x")
    assert (done.returncode, done.stderr) == (DONE, "")


def test_the_environment_stands_above_the_file(tmp_path):
    path = tmp_path / "vars.env"
    path.write_text("SYMBOLS=nyse:IBM\n")
    assert run("oblogger", "--check", "--env-file", path).returncode == USAGE
    assert run("oblogger", "--check", "--env-file", path, **NOWHERE).returncode == DONE


def test_an_option_stands_above_the_environment(store, tmp_path):
    assert run("obrebuild", "list", STORE=str(tmp_path / "none")).returncode == FAILED
    assert run("obrebuild", "list", "--store", store, STORE=str(tmp_path)).returncode == DONE


def test_use_env_file_reads_the_file_of_the_working_directory(tmp_path):
    (tmp_path / "vars.env").write_text("SYMBOLS=binance:wrong\n")
    assert run("oblogger", "--check", cwd=tmp_path).returncode == DONE
    assert run("oblogger", "--check", cwd=tmp_path, USE_ENV_FILE="True").returncode == USAGE


# ---- stores ----


def test_a_missing_store_is_named(tmp_path):
    path = tmp_path / "none"
    for words in (["list"], ["coverage"], ["verify"], []):
        check_one_line(run("obrebuild", *words, "--store", path), "obrebuild", FAILED, str(path),
                       "no store")
    assert not path.exists()


def test_an_empty_store_has_nothing_to_tell(store):
    done = run("obrebuild", "--store", store, "list", "--output", "json")
    assert (done.returncode, done.stdout, done.stderr) == (DONE, "", "")


def test_a_symbol_that_is_not_recorded_is_named(store):
    for words in (["BTCUSDT"], ["--at", "0", "BTCUSDT"], ["coverage", "BTCUSDT"],
                  ["verify", "BTCUSDT"], ["replay", "BTCUSDT"]):
        check_one_line(run("obrebuild", "--store", store, *words), "obrebuild", FAILED,
                       "binance:BTCUSDT", "not recorded")


def test_a_store_that_is_a_file_is_refused(tmp_path):
    path = tmp_path / "store"
    path.write_text("mine\n")
    check_one_line(run("obrebuild", "list", "--store", path), "obrebuild", FAILED, str(path))
    done = run("oblogger", **{**NOWHERE, "STORE": str(path)})
    assert done.returncode in (FAILED, USAGE)
    assert str(path) in done.stderr and len(done.stderr.splitlines()) == 1
    assert path.read_text() == "mine\n"


def test_a_folder_with_other_things_is_no_store(tmp_path):
    (tmp_path / "letter.txt").write_text("dear\n")
    done = run("oblogger", **{**NOWHERE, "STORE": str(tmp_path)})
    check_one_line(done, "oblogger", USAGE, str(tmp_path), "empty folder")
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_store_of_another_recorder_is_refused(tmp_path):
    path = make_store(tmp_path / "store", RECORDER="east")
    done = run("oblogger", **{**NOWHERE, "STORE": str(path), "RECORDER": "west"})
    check_one_line(done, "oblogger", USAGE, str(path), "'east'", "'west'")


def test_a_second_writer_is_refused_and_the_first_goes_on(tmp_path):
    path = tmp_path / "store"
    with Logger(path) as first:
        done = run("oblogger", **{**NOWHERE, "STORE": str(path)})
        check_one_line(done, "oblogger", FAILED, str(path), str(first.child.pid))
        assert first.child.poll() is None
        assert run("obrebuild", "list", "--store", path).returncode == DONE
        assert first.stop() == DONE


def raise_format_version(path):
    """Change the stored version from 1 to 9, behind its key (see schema/store.md)."""
    data = path / "meta" / "data.mdb"
    key = bytes(4) + bytes([0x80, 0, 0, 0, 0, 0, 0, 2]) + bytes(8)
    content = data.read_bytes()
    assert key + b"1" in content
    data.write_bytes(content.replace(key + b"1", key + b"9"))


def test_a_store_of_a_newer_format_is_refused(tmp_path):
    path = make_store(tmp_path / "store")
    raise_format_version(path)
    done = run("obrebuild", "list", "--store", path)
    check_one_line(done, "obrebuild", FAILED, str(path), "version 9", "newer")
    done = run("oblogger", **{**NOWHERE, "STORE": str(path)})
    check_one_line(done, "oblogger", FAILED, str(path), "version 9", "newer")


def test_what_cannot_be_written_is_a_failure(store):
    with open("/dev/full", "w", encoding="ascii") as full:
        done = run("obrebuild", "--store", store, "list", stdout=full)
    assert done.returncode == FAILED
    assert "stdout" in done.stderr


def test_a_backup_goes_only_into_an_empty_folder(store, tmp_path):
    copy = tmp_path / "copy"
    assert run("obrebuild", "--store", store, "backup", copy).returncode == DONE
    assert run("obrebuild", "--store", copy, "list").returncode == DONE
    check_one_line(run("obrebuild", "--store", store, "backup", copy), "obrebuild", USAGE,
                   str(copy), "not empty")
