"""Fixtures: the captures, read once, and laboratories that end with their test."""
import functools

import pytest

from lab_captures import BTC, FILES, FOUR, PROGRAM, TEN, US, capture, read_capture
from lab_client import Lab


@functools.cache  # for the whole process, whatever fixtures come and go
def read_captures():
    return {"btc": read_capture(BTC), "ten": read_capture(TEN), "four": read_capture(FOUR),
            "us": read_capture(US)}


@pytest.fixture(scope="session", name="captures")
def captures_fixture():
    return read_captures()


@pytest.fixture(name="lab")
def lab_fixture(tmp_path):
    """lab("capture capture", options..., faults=[...]) starts one; all end with the test."""
    started = []

    def start(name, *options, **more):
        directory = tmp_path / str(len(started))
        directory.mkdir()
        captures = [capture(FILES[one]) for one in name.split()]
        assert None not in captures, f"{name}: a capture belongs into tests/data"
        started.append(Lab(PROGRAM, str(directory), captures, *options, **more))
        return started[-1]

    yield start
    for one in started:
        assert one.stop() == 0
