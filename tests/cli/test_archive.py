"""obrebuild archive: its words, its forms, and what it leaves of a store without runs."""

import json

import pytest

from programs import Logger, make_store, run
from test_cli import DONE, FAILED, USAGE, check_one_line

NOTHING = {"frames": 0, "images_dropped": 0, "bytes_before": 0, "bytes_after": 0}


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("archive") / "store")


def archive(store, *words):
    return run("obrebuild", "--store", store, "archive", *words)


@pytest.mark.parametrize("text", ["never", "2024-13-01T00:00:00Z", "2024-08-09", "", "10d"])
def test_a_time_that_is_none_is_said(empty, text):
    done = archive(empty, "--before", text)
    check_one_line(done, "obrebuild", USAGE, f"--before {text}:", "RFC 3339 like", "or Unix time")


@pytest.mark.parametrize(
    "words, parts",
    [
        (["--before"], ["--before", "needs a value"]),
        (["--output", "xml"], ["--output xml", "table, json or csv"]),
        (["--kind", "l9"], ["--kind l9", "l2, l3 or trades"]),
        (["--bogus"], ["--bogus", "no such option"]),
    ],
    ids=" ".join,
)
def test_what_is_wrong_with_the_words_is_said(empty, words, parts):
    check_one_line(archive(empty, *words), "obrebuild", USAGE, *parts)


def test_a_symbol_that_is_not_recorded_is_named(empty):
    done = archive(empty, "ETHUSDT")
    assert done.returncode == FAILED
    (line,) = done.stderr.splitlines()
    assert line.startswith("obrebuild: ") and "binance:ETHUSDT" in line and "not recorded" in line


def test_a_missing_store_is_named(tmp_path):
    done = archive(tmp_path / "none")
    check_one_line(done, "obrebuild", FAILED, str(tmp_path / "none"), "no store")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "words", [[], ["--before", "2024-08-09T00:00:00Z"], ["--before", "1723161600"]], ids=" ".join
)
def test_an_empty_store_has_nothing_to_archive(empty, words):
    done = archive(empty, *words)
    assert (done.returncode, done.stderr) == (DONE, "")
    assert done.stdout == "0 frames coded anew, 0 images dropped: 0 bytes became 0\n"


def test_json_tells_the_counts_in_one_object(empty):
    done = archive(empty, "--output", "json")
    assert (done.returncode, done.stderr) == (DONE, "")
    (line,) = done.stdout.splitlines()
    assert json.loads(line) == NOTHING


def test_a_running_logger_does_not_mind(tmp_path):
    with Logger(tmp_path / "store") as logger:
        assert archive(tmp_path / "store").returncode == DONE
        assert logger.child.poll() is None
        assert logger.stop() == DONE
