"""What all Python tests share: where the harness is, the marks, and how several processes share
the tests: each group of them is run by the process that is the first to claim it."""

import hashlib
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "system"))

# libmongoc leaves a file where a process is killed, and complains of it in the next of that number
os.environ["MONGOC_DISABLE_SHM"] = "1"

MARKS = (
    "full: takes minutes (real pace, soak); run by tools/check --full",
    "alone: measures time to less than a second, or needs a core for itself; run beside nothing",
)


def pytest_addoption(parser):
    parser.addoption(
        "--share",
        metavar="DIR",
        help="run only what no other process with this folder, empty at first, has begun",
    )


def pytest_configure(config):
    for mark in MARKS:
        config.addinivalue_line("markers", mark)


def group_of(item):
    """Tests of a class or module that use its fixtures stay together: each is made once. Those of
    one parameter need nothing of another's."""
    wide = [
        name
        for name, found in item._fixtureinfo.name2fixturedefs.items()
        if found[-1].scope in ("class", "module", "package")
    ]
    if not wide:
        return item.nodeid
    params = item.callspec.params if hasattr(item, "callspec") else {}
    return f"{item.parent.nodeid} {sorted((name, params[name]) for name in wide if name in params)}"


def claim(folder, group):
    name = hashlib.sha256(group.encode()).hexdigest()
    try:
        (pathlib.Path(folder) / name).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def pytest_runtestloop(session):
    """Instead of pytest's own loop, if the tests are shared: large groups first, so that the
    processes end together."""
    folder = session.config.option.share
    if not folder or session.testsfailed or session.config.option.collectonly:
        return None
    groups = {}
    for item in session.items:
        groups.setdefault(group_of(item), []).append(item)
    for group, items in sorted(groups.items(), key=lambda pair: -len(pair[1])):
        if claim(folder, group):
            run(session, items)
    return True


def run(session, items):
    for item, following in zip(items, [*items[1:], None]):
        item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)
