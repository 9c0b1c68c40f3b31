"""The store's agreement, as its unit tests have it, over a real server."""

import os
import re
import subprocess

import pytest

import harness
import mongo

IN_DATABASE = re.compile(r"^ +IN_DATABASE\((\w+)\),", re.M)
PROGRAMS = {
    source.stem: IN_DATABASE.findall(source.read_text())
    for source in sorted((harness.ROOT / "tests" / "unit").glob("test_*.c"))
    if IN_DATABASE.search(source.read_text())
}

# every program before one server; before the others what they make a difference to
SERVERS = {
    "replica": ({}, list(PROGRAMS)),
    "standalone": ({"standalone": True}, ["test_store", "test_store_open"]),
    "secured": ({"auth": True, "tls": True}, ["test_store_open"]),
}


@pytest.fixture(scope="module")
def server(request, tmp_path_factory):
    options, _ = SERVERS[request.param]
    made = mongo.make_server(tmp_path_factory.mktemp(request.param), **options)
    yield made
    made.end()


@pytest.mark.parametrize(
    "server,program",
    [(name, program) for name, (_, programs) in SERVERS.items() for program in programs],
    indirect=["server"],
)
def test_the_agreement_holds(server, program):
    """The program makes databases of its own, and drops them."""
    done = subprocess.run(
        [str(harness.BUILD / "tests" / program)],
        env={
            **os.environ,
            "TEST_MONGODB_URI": server.uri(),
            "OBLOGGER_SOURCE": str(harness.ROOT),
            "CMOCKA_TEST_ABORT": "1",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-6000:]
    ran = re.findall(r"\[ RUN +\] (\w+)", done.stdout + "\n" + done.stderr)
    names = PROGRAMS[program]
    assert ran[-len(names) :] == names, "they did not run over a database"
    assert said.count("[       OK ]") == len(ran), said[-6000:]


def test_the_agreement_is_about_a_database():
    assert sum(map(len, PROGRAMS.values())) >= 12
