"""Many symbols at once: a capture made of real ones under other names, and what a logger takes."""

import collections
import json
import os
import pathlib
import time

import harness
import reference

BUSY, QUIET = 20, 500
SECONDS = 110  # of exchange time: what the quiet symbols' capture has, nearly
QUIET_EVERY_S = 3
BUSY_APART_MS, QUIET_APART_MS = 37, 6  # one copy after the other, not all in the same millisecond
START_MS = 1723161254000  # the busy symbol's capture begins here: all go by its clock

# of one symbol: its image, events and trades as objects
Template = collections.namedtuple("Template", "image events trades")


def read_templates(name):
    """Each symbol of a capture."""
    path = harness.capture_path(name)
    templates = {
        symbol: Template(image, [], []) for symbol, image in reference.snapshots(path).items()
    }
    for _, text in reference.capture_lines(path):
        data = json.loads(text).get("data", {}) if text.startswith('{"stream"') else {}
        if data.get("e") == "depthUpdate":
            templates[data["s"]].events.append(data)
        elif data.get("e") == "trade":
            templates[data["s"]].trades.append(data)
    return templates


def merge(events):
    """One event instead of several, as the exchange would have sent it after a longer time."""
    merged = {**events[-1], "U": events[0]["U"]}
    for side in "ba":
        levels = {price: size for event in events for price, size in event[side]}
        merged[side] = [[price, size] for price, size in levels.items()]
    return merged


def quieten(template):
    """An event each few seconds."""
    first, last = (template.events[i]["E"] for i in (0, -1))
    count = max(1, len(template.events) * QUIET_EVERY_S * 1000 // (last - first))
    groups = [template.events[i : i + count] for i in range(0, len(template.events), count)]
    return Template(template.image, [merge(group) for group in groups], [])


def on_clock(template):
    """Times as if it had been recorded at START_MS, and no longer than SECONDS."""
    shift = START_MS - min(data["E"] for data in template.events + template.trades)
    moved = (
        [
            {**data, **{key: data[key] + shift for key in "ET" if key in data}}
            for data in each
            if data["E"] + shift < START_MS + SECONDS * 1000
        ]
        for each in (template.events, template.trades)
    )
    return Template(template.image, *moved)


def make_members():
    """The symbols of the crowd: name -> (template, milliseconds later)."""
    (btc,) = map(on_clock, read_templates("btcusdt").values())
    others = [on_clock(quieten(one)) for one in read_templates("spot10").values()]
    members = {f"B{i:03}USDT": (btc, i * BUSY_APART_MS) for i in range(BUSY)}
    for i in range(QUIET):
        members[f"Q{i:03}USDT"] = (others[i % len(others)], i * QUIET_APART_MS)
    return members


def write_capture(path, members):
    """All of them as one recording, images first."""
    lines = []
    for symbol, (template, later) in members.items():
        for kind, each in (("depth@100ms", template.events), ("trade", template.trades)):
            for data in each:
                times = {key: data[key] + later for key in "ET" if key in data}
                message = {
                    "stream": f"{symbol.lower()}@{kind}",
                    "data": {**data, **times, "s": symbol},
                }
                lines.append((times["E"], json.dumps(message, separators=(",", ":"))))
    lines.sort(key=lambda line: line[0])
    with open(path, "w", encoding="ascii") as file:
        for symbol, (template, _) in members.items():
            image = json.dumps(template.image, separators=(",", ":"))
            url = f"https://api.binance.com/api/v3/depth?symbol={symbol}&limit=1000"
            file.write(f"{url} -> {START_MS / 1000:.3f}: {image}\n")
        for ms, text in lines:
            file.write(f"{ms / 1000:.3f}: {text}\n")
    return len(lines)


def memory_kb(pid):
    """Its own memory; pages of the store, which the system takes back as it likes, not counted."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.split("RssAnon:")[1].split()[0])


def cpu_s(pid):
    """User and system time of all its threads."""
    text = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    fields = text.rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def start_on(core, start):
    """What @start starts runs on that core alone, with all its threads."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        return start()
    finally:
        os.sched_setaffinity(0, before)


def record(directory, speed=1):
    """Record the crowd, the logger on one core and the laboratory on another, if there is one.

    What it took; @members and the store are there for checks."""
    members = make_members()
    capture = directory / "crowd.txt"
    messages = write_capture(capture, members)
    cores = sorted(os.sched_getaffinity(0))
    lab = start_on(cores[0], lambda: harness.Lab(directory, [capture], speed=str(speed)))
    try:
        logger = start_on(
            cores[-1], lambda: harness.Logger(directory, lab, members, directory / "store")
        )
        try:
            found = measure(lab, logger, members, SECONDS / speed)
        finally:
            assert logger.end(60) == 0, logger.text()[-3000:]
    finally:
        lab.end()
    return {**found, "messages": messages, "members": members, "store": directory / "store"}


def measure(lab, logger, members, seconds):
    pid, begun = logger.child.pid, time.monotonic()
    harness.wait_until(
        lambda: logger.text().count(": live") >= len(members), 60, "every book is live"
    )
    live_s, live_cpu_s = time.monotonic() - begun, cpu_s(pid)
    played, most_kb = time.monotonic(), 0
    while not lab.ended():
        assert logger.running() and lab.running(), logger.text()[-3000:]
        assert time.monotonic() - played < 2 * seconds + 60, "the laboratory does not end"
        most_kb = max(most_kb, memory_kb(pid))
        time.sleep(0.5)
    play_s = time.monotonic() - played
    time.sleep(2.5)
    return {
        "live_s": live_s,
        "live_cpu_s": live_cpu_s,
        "play_s": play_s,
        "cpu_s": cpu_s(pid) - live_cpu_s,
        "memory_kb": max(most_kb, memory_kb(pid)),
    }


def check(run):
    """No gap; from the first event recorded on each is there, and the book after it is the
    exchange's."""
    truths = {}
    coverage = harness.rows(run["store"], "coverage", "--kind", "l2")
    assert {row["symbol"] for row in coverage} == run["members"].keys()
    for row in harness.rows(run["store"], "coverage"):
        assert row["gaps"] == [], row
    harness.obrebuild(run["store"], "verify")
    for symbol, (template, _) in run["members"].items():
        key = template.image["lastUpdateId"], len(template.events)
        if key not in truths:
            truths[key] = reference.Truth(template.image, template.events).digests
        rows = harness.rows(run["store"], "replay", f"binance:{symbol}", "--digest")
        found = {row["last_id"]: int(row["digest"], 16) for row in rows}
        assert len(found) == len(rows), f"{symbol}: an event is there twice"
        # an image that came while it was played holds what was before it
        due = {last: digest for last, digest in truths[key].items() if last >= rows[0]["last_id"]}
        assert found == due, symbol
        assert len(found) >= 0.9 * len(truths[key]), f"{symbol}: only {len(found)} events"
    trades = [row for (_, kind), row in harness.recorded(run["store"]).items() if kind == "trades"]
    assert sum(row["events"] for row in trades) >= 0.9 * sum(
        len(template.trades) for template, _ in run["members"].values()
    )
