"""What a logger tells of itself over HTTP: the numbers are those of its record, Prometheus takes
them, and rules and dashboard ask for what there is."""

import http.client
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess

import pytest

import harness

MONITORING = harness.ROOT / "docs" / "monitoring"
RULES = MONITORING / "prometheus-rules.yml"
RULES_TEST = MONITORING / "rules-test.yml"
DASHBOARD = MONITORING / "grafana-dashboard.json"
SAMPLE = re.compile(r"^([a-z_]+)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'([a-z]+)="((?:[^"\\]|\\.)*)"')


def find_promtool():
    cache = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    found = shutil.which("promtool") or str(
        pathlib.Path(cache) / "oblogger" / "promtool" / "promtool"
    )
    return found if os.access(found, os.X_OK) else None


def promtool(*arguments, stdin=None):
    """What it says, or a failure with that."""
    program = find_promtool()
    if not program:
        pytest.skip("promtool is not there: tools/setup --monitoring")
    done = subprocess.run(
        [program, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


# ---- what lies in docs/monitoring ----


def alerts_in(path, pattern):
    return set(re.findall(pattern, path.read_text(encoding="utf-8")))


def test_the_rules_are_right_and_fire_when_they_should():
    assert "13 rules found" in promtool("check", "rules", RULES)
    promtool("check", "config", MONITORING / "prometheus.yml")
    assert "SUCCESS" in promtool("test", "rules", RULES_TEST)


def test_every_alert_is_seen_silent_and_firing():
    named = alerts_in(RULES, r"alert: (\w+)")
    assert len(named) == 13
    assert alerts_in(RULES_TEST, r"\{eval_time: \w+, alertname: (\w+)\}") == named
    assert alerts_in(RULES_TEST, r"alertname: (\w+)\n +exp_alerts:") == named


def test_every_alert_is_documented():
    document = (harness.ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
    assert {name for name in alerts_in(RULES, r"alert: (\w+)") if f"`{name}`" in document} == (
        alerts_in(RULES, r"alert: (\w+)")
    )


def dashboard():
    return json.loads(DASHBOARD.read_text(encoding="utf-8"))


def test_the_dashboard_asks_what_prometheus_understands(tmp_path):
    asked = [
        target["expr"] for panel in dashboard()["panels"] for target in panel.get("targets", [])
    ]
    asked += [note["expr"] for note in dashboard()["annotations"]["list"]]
    assert len(asked) > 50
    rules = [
        {"record": f"asked_{number}", "expr": query.replace("$__rate_interval", "1m")}
        for number, query in enumerate(asked)
    ]
    path = tmp_path / "dashboard.yml"
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", path)


def test_the_dashboard_can_be_imported_anywhere():
    board = dashboard()
    variables = {variable["name"] for variable in board["templating"]["list"]}
    assert board["id"] is None and board["templating"]["list"][0]["type"] == "datasource"
    sources = [
        part["datasource"]["uid"]
        for panel in board["panels"]
        if panel["type"] != "row"
        for part in [panel, *panel["targets"]]
    ]
    assert set(sources) == {"${datasource}"}
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    used = set(re.findall(r"\$(\w+)", json.dumps(board))) - {"__rate_interval"}
    assert used <= variables, used - variables
    places = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & places and max(x for x, _ in cells) < 24, panel["title"]
        places |= cells


# ---- a running logger ----


NAME = "us10"
FAULTS = [
    {"at": {"rest": "exchangeInfo", "n": 1}, "do": "http", "status": 503},  # a second late
    {"at": {"stream": "btcusd@depth@100ms", "n": 300}, "do": "cut"},
]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Pages:
    def __init__(self, port):
        self.port = port

    def get(self, path):
        """Status, media type, text."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.headers["content-type"], answer.read().decode()
        finally:
            connection.close()

    def numbers(self):
        """Value by (name, labels); and the text."""
        status, kind, text = self.get("/metrics")
        assert status == 200 and kind.startswith("text/plain; version=0.0.4")
        found = {}
        for line in text.splitlines():
            if not line.startswith("#"):
                name, labels, number = SAMPLE.match(line).groups()
                key = (name, frozenset(LABEL.findall(labels or "")))
                assert key not in found, line
                found[key] = float(number)
        return found, text


def value(numbers, name, **labels):
    return numbers[(name, frozenset(labels.items()))]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A capture with one connection cut; the pages at several moments."""
    directory = tmp_path_factory.mktemp("metrics")
    script = directory / "faults.jsonl"
    script.write_text("".join(json.dumps(fault) + "\n" for fault in FAULTS))
    lab = harness.Lab(directory, [NAME], "--faults", script, speed=40)
    port = free_port()
    pages, seen = Pages(port), {}
    try:
        logger = harness.Logger(
            directory,
            lab,
            [*harness.SYMBOLS[NAME], "NOSUCHCOIN"],
            directory / "store",
            METRICS_PORT=str(port),
        )
        try:
            logger.wait_text("HTTP 503")
            seen["first"] = pages.get("/readyz")
            harness.wait_until(lambda: pages.get("/readyz")[0] == 200, 30, "every book is live")
            seen["ready"] = pages.get("/readyz")
            seen["early"] = pages.numbers()
            lab.wait_end(120)
            harness.time.sleep(2.5)  # everything is committed
            seen["healthy"] = pages.get("/healthz")
            seen["unknown"] = pages.get("/metrics/")
            seen["late"] = pages.numbers()
        finally:
            assert logger.end() == 0, logger.text()[-3000:]
    finally:
        lab.end()
    seen["store"] = directory / "store"
    return seen


def test_prometheus_takes_the_numbers(run):
    for moment in ("early", "late"):
        assert not promtool("check", "metrics", stdin=run[moment][1]).strip()


def test_pages_say_how_it_is(run):
    assert run["first"][0] == 503 and run["first"][2].startswith("not ready: ")
    assert run["ready"][0] == 200
    assert re.fullmatch(r"ready: \d+ of 10 books are live(; not live: [^\n]+)?\n", run["ready"][2])
    assert run["healthy"][::2] == (200, "healthy\n")
    assert run["unknown"][0] == 404


def test_events_are_those_of_the_record(run):
    numbers = run["late"][0]
    listed = harness.recorded(run["store"])
    assert sum(kind == "l2" for _, kind in listed) == 10
    for (symbol, kind), row in listed.items():
        labels = {"exchange": "binance", "symbol": symbol, "kind": kind}
        assert value(numbers, "oblogger_events_total", **labels) == row["events"], labels


def test_books_are_those_of_the_record(run):
    numbers = run["late"][0]
    live = [
        dict(labels)["symbol"]
        for (name, labels), is_live in numbers.items()
        if name == "oblogger_stream_live" and is_live and ("kind", "l2") in labels
    ]
    assert len(live) > 5 and "BTCUSD" in live
    for symbol in live:
        labels = {"exchange": "binance", "symbol": symbol, "kind": "l2"}
        (book,) = harness.rows(run["store"], f"binance:{symbol}")
        for side, levels in (("bid", book["bids"]), ("ask", book["asks"])):
            assert value(numbers, "oblogger_book_levels", side=side, **labels) == len(levels)
            assert value(numbers, "oblogger_best_price", side=side, **labels) == float(
                levels[0][0]
            )


def test_a_cut_connection_is_counted_with_its_gaps(run):
    numbers = run["late"][0]
    assert value(numbers, "oblogger_disconnects_total", exchange="binance") == 1
    assert value(numbers, "oblogger_connects_total", exchange="binance") == 2
    assert value(numbers, "oblogger_connections", exchange="binance") == 1
    gaps = [
        gap
        for row in harness.rows(run["store"], "coverage", expect=None)
        for gap in row["gaps"]
        if gap["cause"] != "stopped"
    ]
    counted = {
        dict(labels)["cause"]: count
        for (name, labels), count in numbers.items()
        if name == "oblogger_gaps_total" and count
    }
    assert gaps and counted == {
        cause: sum(gap["cause"] == cause for gap in gaps)
        for cause in {gap["cause"] for gap in gaps}
    }


def test_the_rest_is_plausible(run):
    early, late = run["early"][0], run["late"][0]
    received = value(late, "oblogger_received_messages_total", exchange="binance")
    assert received >= sum(
        count for (name, _), count in late.items() if name == "oblogger_events_total"
    )
    assert value(late, "oblogger_received_bytes_total", exchange="binance") > 100 * received
    assert value(late, "oblogger_streams", exchange="binance", state="refused") == 2
    assert value(late, "oblogger_stored_latency_seconds_count") > 100
    assert (
        0
        < value(late, "oblogger_stored_latency_seconds_sum")
        < 5 * value(late, "oblogger_stored_latency_seconds_count")
    )
    assert value(late, "oblogger_commits_total") > 2
    assert value(late, "oblogger_queue_bytes") < 1e6
    assert value(late, "oblogger_store_bytes") > 1000
    assert value(late, "process_open_fds") > 5
    for key, before in early.items():
        if key[0].endswith("_total"):
            assert late[key] >= before, key
