"""Which records are read, of the store or of a database; and what others may see."""
import os
import pathlib
import socket
import subprocess
import time

import pytest

from programs import BUILD, environment, make_store, run

DONE, FAILED, USAGE = 0, 1, 2


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("sources") / "store", RECORDER="east 1")


def test_the_recorder_of_a_store_can_be_named(store):
    plain = run("obrebuild", "--store", store, "list", "--output", "json")
    named = run("obrebuild", "--store", store, "list", "--output", "json", "--recorder", "east 1")
    assert plain.returncode == named.returncode == DONE
    assert named.stdout == plain.stdout


def test_another_recorder_is_a_failure_that_names_the_one_there_is(store):
    done = run("obrebuild", "--store", store, "list", "--recorder", "west")
    assert (done.returncode, done.stdout) == (FAILED, "")
    assert done.stderr.count("\n") == 1
    assert "west" in done.stderr and "'east 1'" in done.stderr


def seen_of(number):
    return pathlib.Path(f"/proc/{number}/cmdline").read_bytes().decode().split("\0")


@pytest.fixture(name="silent")
def silent_server():
    """Takes connections and never answers: who asks it waits."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("words, hidden", [
    (["--mongodb", "mongodb://reader:hunter2@HOST/books"], "mongodb://reader:xxxxxxx@HOST/books"),
    (["--mongodb=mongodb://reader:hunter2@HOST/"], "--mongodb=mongodb://reader:xxxxxxx@HOST/"),
    (["--mongodb", "mongodb://reader:hunter2@HOST/?tls=true&tlsCertificateKeyFilePassword=hunter2"
      "&retryReads=true"],
     "mongodb://reader:xxxxxxx@HOST/?tls=true&tlsCertificateKeyFilePassword=xxxxxxx"
     "&retryReads=true"),
], ids=["word", "equals", "key"])
def test_a_password_in_the_uri_is_out_of_sight(words, hidden, silent, tmp_path):
    log = tmp_path / "stderr"
    with open(log, "wb") as errors:
        child = subprocess.Popen(
            [BUILD / "obrebuild", *(word.replace("HOST", silent) for word in words), "list"],
            stderr=errors, stdout=subprocess.DEVNULL, env=environment())
    try:
        end = time.monotonic() + 10
        while hidden.replace("HOST", silent) not in seen_of(child.pid):
            assert child.poll() is None, log.read_text()
            assert time.monotonic() < end, seen_of(child.pid)
            time.sleep(0.005)
        assert not any("hunter" in word for word in seen_of(child.pid))
        # what it holds in memory is not for others of the same user either
        assert os.stat(f"/proc/{child.pid}/mem").st_uid == 0
    finally:
        child.kill()
        child.wait()
    assert "hunter" not in log.read_text()


def test_a_password_that_makes_the_uri_wrong_is_not_shown():
    done = run("obrebuild", "--mongodb", "mongodb://reader:hunter/2@hunter@127.0.0.1:1/", "list")
    assert (done.returncode, done.stdout) == (USAGE, "")
    assert done.stderr.count("\n") == 1, done.stderr
    assert "hunter" not in done.stderr


def test_the_password_of_the_settings_is_read_for_a_database_alone(store, tmp_path):
    """Its file may be the logger's own."""
    secret = tmp_path / "there is none"
    done = run("obrebuild", "--store", store, "list", MONGODB_PASSWORD_FILE=str(secret))
    assert done.returncode == DONE, done.stderr
    done = run("obrebuild", "--mongodb", "127.0.0.1:1", "list", MONGODB_PASSWORD_FILE=str(secret))
    assert done.returncode == USAGE
    assert done.stderr.count("\n") == 1
    assert "MONGODB_PASSWORD_FILE" in done.stderr and str(secret) in done.stderr


def test_a_database_that_does_not_answer_is_one_line():
    done = run("obrebuild", "--mongodb", "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=300",
               "list")
    assert (done.returncode, done.stdout) == (FAILED, "")
    assert done.stderr.count("\n") == 1, done.stderr
    assert "127.0.0.1:1" in done.stderr
