"""What is recorded while the database is away is there once when it is back, and obrebuild answers
from it as from the local store."""

import contextlib
import json
import random
import re
import subprocess
import sys

import pytest

import harness
import mongo
from test_captures import text_of

SETTINGS = {"SEAL_AFTER": "1s", "IMAGE_MIN": "1s", "IMAGE_FACTOR": "1"}
SPEC = harness.ROOT / "tests" / "spec" / "obdecode.py"
BOTH = ["spot4", "made"]
SERVERS = {
    "replica": ({}, ["btcusdt", "us10", "spot10", "spot4", "made"], 60),
    "standalone": ({"standalone": True}, BOTH, 15),
}


class Played:
    """How many messages the laboratory has put out."""

    def __init__(self, lab):
        self.lab, self.at, self.count = lab, 0, 0

    def read(self):
        with open(self.lab.journal_path, "rb") as file:
            file.seek(self.at)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self.at += len(line)
                self.count += line.startswith(b'{"t":"emit"')
        return self.count


@contextlib.contextmanager
def served(directory, **options):
    server = mongo.make_server(directory, **options)
    try:
        yield server
    finally:
        server.end()


def half_of(captures):
    """Half of the books' messages of these captures, where somebody counted them."""
    return sum(harness.DEPTH_MESSAGES.get(name, 0) for name in captures) // 2


def record(directory, server, database, captures, speed):
    """Record the captures, the server away until half of them is played."""
    lab = harness.Lab(directory, captures, *harness.KEYED, speed=speed)
    played = Played(lab)
    if server.ours:
        server.stop()
    try:
        logger = harness.Logger(
            directory,
            lab,
            [symbol for name in captures for symbol in harness.SYMBOLS[name]],
            directory / "store",
            MONGODB_ENDPOINT=server.uri(),
            MONGODB_DATABASE=database,
            **harness.KEYS,
            **SETTINGS,
        )
        try:
            harness.wait_until(
                lambda: played.read() >= half_of(captures), 60, "half of the captures is played"
            )
            assert not lab.ended()
            if server.ours:
                server.start()
            lab.wait_end(120)
            harness.time.sleep(1.5)
        finally:
            assert logger.end() == 0, logger.text()[-3000:]
    finally:
        lab.end()
    return {
        "store": logger.store,
        "uri": server.uri(database),
        "name": database,
        "log": logger.text(),
        "server": server,
    }


@pytest.fixture(scope="module", params=SERVERS)
def recording(request, tmp_path_factory):
    """A store, the database that has followed it, and a client's view of that."""
    options, captures, speed = SERVERS[request.param]
    directory = tmp_path_factory.mktemp(request.param)
    name = mongo.fresh_name()
    with served(directory / "server", **options) as server, server.client() as client:
        try:
            made = record(directory, server, name, captures, speed)
            yield {**made, "database": client[name], "captures": captures}
        finally:
            client.drop_database(name)


def streams(store):
    return harness.rows(store, "list", expect=None)


def name_of(row):
    return f"{row['exchange']}:{row['symbol']}"


def same(recording, *words, stdin=None):
    """The same answer from both, which is returned."""
    local, far = (
        harness.obrebuild(recording[place], *words, stdin=stdin, expect=None)
        for place in ("store", "uri")
    )
    assert far.returncode == local.returncode, far.stderr[-2000:]
    assert far.stdout == local.stdout, f"{words}: {far.stderr[-2000:]}"
    assert local.returncode in (0, 3) and local.stdout, local.stderr[-2000:]
    return local.stdout


def test_everything_is_there_once(recording):
    found = mongo.differences(recording["store"], recording["database"])
    assert not found, found[:10]
    expected = mongo.expected_documents(recording["store"])
    assert {"images", "changes", "trades", "marks", "times"} <= {key[0] for key in expected}
    positions = [
        (document["stream"], document["position"])
        for key, document in mongo.stored_documents(recording["database"]).items()
        if key[0] in ("images", "changes", "trades")
    ]
    assert len(positions) == len(set(positions)) > 20


def test_the_whole_record_was_shipped_not_half(recording):
    """The laboratory's messages are in the database's own counts of events."""
    captures = recording["captures"]
    marks = recording["database"]["marks"].find({"kind": "l2"})
    events = sum(document.get("events", 0) for document in marks)
    assert events == sum(harness.DEPTH_MESSAGES.get(name, 0) for name in captures)


def random_moments(row, count, choice):
    first, last = row["first_time_ns"], row["last_time_ns"]
    return [choice.randint(first - 10**9, last + 10**9) for _ in range(count)]


def test_books_at_random_moments_are_the_same(recording):
    """200 of them: the whole output, from before the record to behind its end."""
    choice, compared = random.Random(6), 0
    rows = [row for row in streams(recording["store"]) if row["kind"] != "trades"]
    count = -(-200 // len(rows))
    for number, row in enumerate(rows):
        moments = random_moments(row, count, choice)
        words = ["--at", "-", name_of(row), "--kind", row["kind"], "--output", "json"]
        words += [[], ["--clock", "receive"], ["--depth", "5"]][number % 3]
        stdin = "".join(f"{moment}\n" for moment in moments)
        answers = same(recording, *words, stdin=stdin).splitlines()
        assert len(answers) == count
        compared += count
    assert compared >= 200


COMMANDS = [
    "",
    "--levels --depth 20",
    "list",
    "list --output json",
    "coverage",
    "coverage --output json",
    "verify",
    "verify --output json",
    "symbols",
    "symbols --output json",
]
COMMANDS_OF_A_SYMBOL = [
    "replay {} --digest",
    "replay {} --digest --output json",
    "replay {} --from {third} --to {two_thirds} --output csv",
    "sample {} --every 1s --depth 3",
    "sample {} --every 5s --output csv",
    "coverage {} --from {third} --to {two_thirds}",
    "symbols {} --at {now}",
    "verify {}",
]


@pytest.mark.parametrize("words", COMMANDS)
def test_a_command_says_the_same(recording, words):
    same(recording, *words.split())


@pytest.mark.parametrize("words", COMMANDS_OF_A_SYMBOL)
def test_a_command_says_the_same_of_a_symbol(recording, words):
    rows = [row for row in streams(recording["store"]) if row["kind"] != "trades"]
    largest = {row["exchange"]: row for row in sorted(rows, key=lambda row: row["level_updates"])}
    for row in largest.values():
        span = row["last_time_ns"] - row["first_time_ns"]
        times = {
            "third": row["first_time_ns"] + span // 3,
            "two_thirds": row["first_time_ns"] + 2 * span // 3,
            "now": harness.time.time_ns(),
        }
        same(recording, *words.format(name_of(row), **times).split())


def test_trades_are_the_same(recording):
    rows = [row for row in streams(recording["store"]) if row["kind"] == "trades"]
    assert rows
    for row in rows:
        middle = (row["first_time_ns"] + row["last_time_ns"]) // 2
        for words in ([], ["--output", "json"], ["--from", middle], ["--clock", "receive"]):
            same(recording, "trades", name_of(row), *words)


# ---- the documents themselves ----


def numbers_with_a_point(value, path=""):
    """Where a document has a double or a decimal."""
    if isinstance(value, dict):
        return [p for name, part in value.items() for p in numbers_with_a_point(part, name)]
    if isinstance(value, list):
        return [p for part in value for p in numbers_with_a_point(part, path)]
    exact = isinstance(value, (str, bytes, bool, int, mongo.datetime.datetime))
    return [] if exact else [f"{path}: {type(value)}"]


def test_no_number_has_a_point_and_no_document_is_large(recording):
    database, count = recording["database"], 0
    for collection in database.list_collection_names():
        for document in database[collection].find():
            assert not numbers_with_a_point(document), document["_id"]
            assert len(mongo.bson.encode(document)) < 5 << 20
            count += 1
    assert count > 60


def long_names(document):
    """Those of its numbers that are not 64 bits wide."""
    return [
        name
        for name, value in document.items()
        if isinstance(value, int) and not isinstance(value, (bool, mongo.bson.int64.Int64))
    ]


SLOW = 100_000  # level updates of a stream that the second decoder would take long for


@pytest.fixture(scope="module")
def decoded(recording):
    """What the second decoder, which knows the format's pages only, finds in the local store."""
    store = recording["store"]
    slow = {name_of(row) for row in streams(store) if row["level_updates"] > SLOW}
    lines = []
    for row in mongo.expected_documents(store).values():
        if f"{row.get('exchange')}:{row.get('symbol')}" not in slow:
            lines.append(json.dumps({**row, "value": row["value"].hex()}))
    done = subprocess.run(
        [sys.executable, SPEC, "records", "-"],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def milliseconds(time_ns):
    return mongo.datetime.datetime(1970, 1, 1) + mongo.datetime.timedelta(
        milliseconds=time_ns // 1_000_000
    )


def check_times(document, name, time_ns):
    assert document[name + "_ns"] == time_ns
    assert document[name] == milliseconds(time_ns)


METHODS = ["plain", "tokens", "nibbles", "orders", "trades"]


def check_frame(document, row, stream):
    frame = row["value"]["frame"]
    for name in ("epoch", "segment", "level_updates", "first_id", "last_id"):
        assert document[name] == frame[name], name
    # a frame counts an image as one event; people who count events do not want it
    counts = frame["kind"] in ("changes", "headless")
    assert document["events"] == (frame["events"] if counts else 0)
    assert (document["what"], document["method"]) == (frame["kind"], METHODS[frame["method"]])
    assert document["position"] == row["major"]
    for name in ("exchange", "symbol", "kind"):
        assert document[name] == stream[name]
    check_times(document, "time", frame["first_event_time_ns"])
    check_times(document, "to_time", frame["last_event_time_ns"])
    check_times(document, "receive_time", frame["first_receive_time_ns"])
    assert not [name for name in long_names(document) if name != "parts"], document["_id"]


def test_frames_say_what_is_in_them(recording, decoded):
    stored = mongo.stored_documents(recording["database"])
    by_id = {document["_id"]: document for document in stored.values()}
    known = {row["stream"]: row["value"] for row in decoded if row["table"] == "streams"}
    checked = 0
    for row in decoded:
        if row["table"] == "frames":
            document = by_id[mongo.id_of(row, "main")]
            check_frame(document, row, known[row["stream"]])
            assert document["bytes"] == len(
                mongo.payload_of(recording["database"], "images", document)
            )
            checked += 1
    assert checked > 20


def test_an_image_shows_its_best_prices(recording, decoded):
    by_id = {
        document["_id"]: document
        for key, document in mongo.stored_documents(recording["database"]).items()
        if key[0] == "images"
    }
    checked = 0
    for row in decoded:
        document = by_id.get(mongo.id_of(row, "main")) if row["table"] == "frames" else None
        if not document or document["kind"] == "trades":
            continue
        digits, _, fixed = row["value"]["frame"]["scale"][:3]
        for side, best in (("bids", "best_bid"), ("asks", "best_ask")):
            prices = [level[0] for level in row["value"]["list"][0][side]]
            assert document[side] == len(set(prices)), document["_id"]
            assert document[best] == text_of(prices[0], digits, fixed), document["_id"]
        checked += 1
    assert checked >= 5


def test_marks_count_what_list_counts(recording):
    counted = {}
    for document in recording["database"]["marks"].find():
        if "events" in document:
            key = document["exchange"], document["symbol"], document["kind"]
            counted[key] = counted.get(key, 0) + document["events"]
    assert counted == {
        (row["exchange"], row["symbol"], row["kind"]): row["events"]
        for row in streams(recording["store"])
    }


# ---- how it is asked ----


def test_the_log_tells_of_the_outage_in_a_line(recording):
    if not recording["server"].ours:
        pytest.skip("the server of TEST_MONGODB_URI was never away")
    lines = [line for line in recording["log"].splitlines() if "mongodb" in line.lower()]
    trouble = [line for line in lines if "warning: " in line or "error: " in line]
    assert len(trouble) == 1 and recording["server"].address() in trouble[0], lines
    assert len(lines) <= 6, lines
    behind = [int(n) for line in lines for n in re.findall(r"(\d+) s\)? behind", line)]
    assert all(seconds < 60 for seconds in behind), lines


def stages(plan):
    """Every stage of a plan, wherever it stands."""
    if isinstance(plan, dict):
        own = [plan["stage"]] if isinstance(plan.get("stage"), str) else []
        return own + [stage for part in plan.values() for stage in stages(part)]
    if isinstance(plan, list):
        return [stage for part in plan for stage in stages(part)]
    return []


def asked_by(server, database, *words, stdin=None):
    """The commands that obrebuild sent."""
    tap = mongo.Tap(server.port)
    try:
        uri = server.uri(database, address=tap.address, directConnection="true")
        harness.obrebuild(uri, *words, stdin=stdin, expect=None)
        return tap.commands
    finally:
        tap.end()


EXPLAINED = ("find", "aggregate", "count", "distinct", "getMore")
KEPT = {"find": ("find", "filter", "sort", "limit", "projection", "hint", "batchSize"),
        "aggregate": ("aggregate", "pipeline", "cursor", "hint"),
        "count": ("count", "query", "hint"), "distinct": ("distinct", "key", "query")}


def check_plan(database, command):
    """By an index, and bounded on both sides wherever it looks at ids."""
    name = next(iter(command))
    plain = {key: value for key, value in command.items() if key in KEPT[name]}
    plan = database.command("explain", plain)["queryPlanner"]["winningPlan"]
    assert "COLLSCAN" not in stages(plan), (plain, plan)
    assert stages(plan), plan
    ids = plain.get("filter", {}).get("_id")
    if isinstance(ids, dict):
        assert ids.keys() & {"$gt", "$gte"} and ids.keys() & {"$lt", "$lte"}, plain


@pytest.mark.parametrize(
    "words",
    ["", "--at -", "list", "coverage", "verify", "symbols", "replay {}", "trades {}",
     "sample {} --every 5s"],
)
def test_every_question_is_answered_by_an_index(recording, words):
    server = recording["server"]
    if not server.ours or server.ca:
        pytest.skip("asked through a tap, which speaks no TLS, before the tests' own server")
    rows = [row for row in streams(recording["store"]) if row["kind"] == "trades"]
    stdin = f"{rows[0]['last_time_ns']}\n" if "-" in words.split() else None
    commands = asked_by(
        server, recording["name"], *words.format(name_of(rows[0])).split(), stdin=stdin
    )
    questions = [c for c in commands if next(iter(c)) in EXPLAINED and "getMore" not in c]
    assert questions, commands
    for command in questions:
        check_plan(recording["database"], command)
