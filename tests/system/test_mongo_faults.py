"""A database that is killed, stalled, that refuses or answers nobody: the local record goes on, and
what is shipped afterwards is all of it, once."""

import contextlib
import pathlib
import re

import pytest

import harness
import mongo
from test_mongo import SETTINGS, same

NAME = "us10"
# short enough to notice a stall within a test
PATIENCE = {"socketTimeoutMS": 1500, "connectTimeoutMS": 1500, "serverSelectionTimeoutMS": 1500}
MEMORY_KB = 12 << 10  # what a logger may grow by while the database is away


def resident_kb(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def about_the_database(logger):
    """Its lines of the log."""
    return [line for line in logger.text().splitlines() if "mongodb" in line.lower()]


def shape(line):
    """A line without its time and its numbers."""
    return re.sub(r"\d+", "n", line.split(" ", 1)[1])


class Run:
    """A laboratory without end, a logger that records it, a server of its own."""

    def __init__(self, directory, server, speed=20, loops=200):
        self.directory, self.server, self.database = directory, server, mongo.fresh_name()
        self.store = directory / "store"
        self.lab = harness.Lab(directory, [NAME], "--loop", str(loops), speed=speed)
        self.logger, self.sizes = None, []

    def start(self, log="oblogger.log", uri=None, **settings):
        settings = {"MONGODB_ENDPOINT": uri or self.server.uri(**PATIENCE), **settings}
        self.logger = harness.Logger(
            self.directory,
            self.lab,
            harness.SYMBOLS[NAME],
            self.store,
            log=log,
            MONGODB_DATABASE=self.database,
            **{**SETTINGS, **settings},
        )
        self.logger.wait_text("VTHOUSD: live")

    def sleep(self, seconds):
        """A while, in which its memory is looked at."""
        end = harness.time.monotonic() + seconds
        while harness.time.monotonic() < end:
            assert self.logger.running(), self.logger.text()[-3000:]
            self.sizes.append(resident_kb(self.logger.child.pid))
            harness.time.sleep(0.1)

    def documents(self):
        """How many frames the database has."""
        with self.server.client() as client:
            database = client[self.database]
            return sum(database[name].count_documents({}) for name in ("images", "changes"))

    def wait_shipping(self, seconds=30):
        """Until it has two frames more than it has."""
        before = self.documents()
        harness.wait_until(
            lambda: self.documents() > before + 1, seconds, "frames come into the database again"
        )

    def stop(self):
        assert self.logger.end() == 0, self.logger.text()[-3000:]

    def check(self):
        """All of it is there, once; the record itself has no gap in it and no damage."""
        with self.server.client() as client:
            found = mongo.differences(self.store, client[self.database])
        assert not found, (len(found), found[:10], self.logger.text()[-2000:])
        for row in harness.rows(self.store, "verify"):
            assert row["problems"] == 0
        both = {"store": self.store, "uri": self.server.uri(self.database)}
        same(both, "coverage", "--kind", "l2", "--output", "json")
        same(both, "verify")
        same(both, "replay", "binance:BTCUSD", "--digest", "--output", "json")

    def check_no_gap(self):
        for row in harness.rows(self.store, "coverage", "--kind", "l2", expect=None):
            assert row["gaps"] == [], row

    def check_memory(self):
        """From the second second on, when every book is there, it does not grow."""
        settled = self.sizes[20:]
        print(f"resident: {settled[0]} kB settled, {max(settled)} at most")
        assert max(settled) - settled[0] < MEMORY_KB, (settled[0], max(settled))

    def end(self):
        try:
            if self.logger:
                self.logger.kill()
        finally:
            self.lab.end()


@contextlib.contextmanager
def running(directory, **options):
    """Recording, with a server of its own that may be harmed."""
    server = mongo.make_own_server(directory / "server", **options)
    try:
        run = Run(directory, server)
        try:
            yield run
        finally:
            run.end()
    finally:
        server.end()


@pytest.fixture(scope="module")
def standing(tmp_path_factory):
    """A server that is made to fail, and put right again, by one test after the other."""
    server = mongo.make_own_server(tmp_path_factory.mktemp("standing"))
    yield server
    server.end()


@pytest.fixture
def run(standing, tmp_path):
    """Recording into the server that stands."""
    made = Run(tmp_path, standing)
    try:
        made.start()
        made.wait_shipping()
        yield made
    finally:
        made.end()
        standing.no_fail_point()
        with standing.client() as client:
            client.drop_database(made.database)


# ---- away ----


def test_ten_kills_of_the_server(tmp_path):
    with running(tmp_path) as run:
        run.start()
        for number in range(10):
            run.sleep(0.3 + 0.17 * (number % 5))
            run.server.kill()
            run.sleep(0.2)
            run.server.start()
        run.wait_shipping()
        run.stop()
        run.check()
        run.check_no_gap()
        run.check_memory()


def stall(directory, seconds):
    with running(directory) as run:
        run.start()
        run.wait_shipping()
        before = len(about_the_database(run.logger))
        run.server.pause()
        run.sleep(seconds)
        told = about_the_database(run.logger)[before:]
        run.server.resume()
        run.wait_shipping()
        run.stop()
        assert 1 <= len(told) <= 2, told
        run.check()
        run.check_no_gap()
        run.check_memory()


def test_a_stall(tmp_path):
    stall(tmp_path, 6)


@pytest.mark.full
def test_a_stall_of_a_minute(tmp_path):
    stall(tmp_path, 60)


def test_a_stop_while_the_server_is_away_waits_six_seconds_at_most(tmp_path):
    with running(tmp_path) as run:
        run.start()
        run.wait_shipping()
        run.server.kill()
        run.sleep(2)
        began = harness.time.monotonic()
        run.stop()
        assert harness.time.monotonic() - began < 6.5
        run.server.start()
        run.start(log="again.log")
        run.wait_shipping()
        run.stop()
        run.check()


def test_a_stop_while_the_server_is_stalled_waits_six_seconds_at_most(tmp_path):
    with running(tmp_path) as run:
        run.start(uri=run.server.uri())  # as patient as it is by itself
        run.wait_shipping()
        run.server.pause()
        run.sleep(1)
        began = harness.time.monotonic()
        run.stop()
        took = harness.time.monotonic() - began
        run.server.resume()
        assert took < 6.5
        run.start(log="again.log")
        run.wait_shipping()
        run.stop()
        run.check()


def test_a_logger_killed_while_it_ships_goes_on_where_it_was(tmp_path):
    with running(tmp_path) as run:
        for number in range(3):
            run.start(log=f"oblogger.{number}.log")
            run.wait_shipping()
            run.sleep(0.25 * number)
            run.logger.kill()
            with run.server.client() as client:
                wrong = mongo.shipped_wrong(run.store, client[run.database])
            assert not wrong, wrong[:5]
        run.start(log="last.log")
        run.wait_shipping()
        run.stop()
        run.check()


# ---- there, but refusing ----

WRITES = ["insert", "update", "findAndModify", "delete"]
REFUSALS = {
    "unauthorized": {"failCommands": WRITES, "errorCode": 13},
    "not-primary": {"failCommands": WRITES, "errorCode": 10107},
    "disk-full": {"failCommands": WRITES, "errorCode": 14031},
    "cut": {"failCommands": WRITES, "closeConnection": True},
    "no-majority": {
        "failCommands": WRITES,
        "writeConcernError": {"code": 64, "errmsg": "waiting for replication timed out"},
    },
    "stepped-down": {
        "failCommands": WRITES,
        "writeConcernError": {"code": 11602, "errmsg": "interrupted due to a stepdown"},
    },
}


LONG = [pytest.mark.full]  # others show the same in the default run


@pytest.mark.parametrize(
    "refusal",
    [
        pytest.param(name, marks=LONG if name in ("unauthorized", "stepped-down") else [])
        for name in REFUSALS
    ],
)
def test_a_server_that_refuses_writes(run, refusal):
    before = len(about_the_database(run.logger))
    run.server.fail_point(**REFUSALS[refusal])
    harness.wait_until(
        lambda: len(about_the_database(run.logger)) > before, 15, "the refusal is told"
    )
    run.sleep(2)
    told = about_the_database(run.logger)[before:]
    run.server.no_fail_point()
    run.wait_shipping(40)
    run.stop()
    assert len(told) == 1, told
    after = [shape(line) for line in about_the_database(run.logger)[before:]]
    assert len(after) <= 3, after
    run.check()
    run.check_no_gap()


def test_a_server_that_fails_now_and_then_stays_behind_nothing(run):
    """Each write fails once in a while: a retry is no change of state and is not told."""
    for number in range(6):
        run.server.fail_point(mode={"times": 1}, **REFUSALS[["cut", "not-primary"][number % 2]])
        run.sleep(0.6)
    run.wait_shipping()
    run.stop()
    lines = [shape(line) for line in about_the_database(run.logger)]
    assert len(lines) <= 2 + 2 * 6, lines
    run.check()


def test_an_answer_that_is_lost_makes_no_duplicate_and_no_error(tmp_path):
    """The server has written what it was told, and the logger never hears that it has."""
    with running(tmp_path, standalone=True) as run:
        tap = mongo.Tap(run.server.port)
        try:
            uri = run.server.uri(address=tap.address, directConnection="true", **PATIENCE)
            run.start(uri=uri)
            run.wait_shipping()
            tap.lose_answers("insert", 2)
            tap.lose_answers("update", 1)
            harness.wait_until(
                lambda: tap.lost.count("insert") == 2, 30, "two answers to inserts are lost"
            )
            run.wait_shipping()
            run.stop()
        finally:
            tap.end()
        writes = [command for command in tap.commands if next(iter(command)) in WRITES]
        assert len(writes) > 10
        for command in writes:  # what is acknowledged is on the disks of most
            concern = command["writeConcern"]
            assert concern["w"] == "majority" and concern["j"] is True, command
        run.check()
        run.check_no_gap()


# ---- somebody else's ----


def test_another_store_under_the_same_name_is_refused_and_goes_on_locally(run, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    second = harness.Logger(
        other,
        run.lab,
        ["BTCUSD"],
        other / "store",
        MONGODB_ENDPOINT=run.server.uri(run.database, **PATIENCE),
        **SETTINGS,
    )
    try:
        second.wait_text("BTCUSD: live")
        harness.wait_until(lambda: about_the_database(second), 15, "the refusal is told")
        harness.time.sleep(3)
        lines = about_the_database(second)
        assert len(lines) == 1 and "main" in lines[0], lines
        assert harness.recorded_events(second.store)["BTCUSD"] > 50
    finally:
        assert second.end() == 0, second.text()[-3000:]
    run.wait_shipping()
    run.stop()
    run.check()


def test_two_recorders_share_a_database(run, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    second = harness.Logger(
        other,
        run.lab,
        ["BTCUSD", "ETHBTC"],
        other / "store",
        MONGODB_ENDPOINT=run.server.uri(run.database, **PATIENCE),
        RECORDER="second one/é",
        **SETTINGS,
    )
    try:
        second.wait_text("ETHBTC: live")
        harness.time.sleep(2.5)
    finally:
        assert second.end() == 0, second.text()[-3000:]
    run.stop()
    with run.server.client() as client:
        database = client[run.database]
        assert not mongo.differences(run.store, database)
        assert not mongo.differences(second.store, database, "second one/é")
    uri = run.server.uri(run.database)
    for store, recorder in ((run.store, "main"), (second.store, "second one/é")):
        local = harness.obrebuild(store, "list").stdout
        assert harness.obrebuild(uri, "list", "--recorder", recorder).stdout == local
