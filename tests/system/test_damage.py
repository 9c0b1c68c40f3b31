"""Somebody damaged the store: verify names the place, coverage shows the hole, no wrong book."""

import json
import random
import shutil
import subprocess

import pytest

import harness
import reference

SYMBOL = "BADGERBTC"
NAME = f"binance:{SYMBOL}"
pytestmark = pytest.mark.alone  # the frames that there are depend on when they were sealed


class Recording:
    """A sound store with a crash in its middle, and copies of it to be damaged."""

    def __init__(self, directory):
        self.directory = directory
        self.store = directory / "store"
        self.copies = 0
        settings = {"SEAL_AFTER": "1s", "IMAGE_MIN": "1s", "IMAGE_FACTOR": "1"}
        symbols = harness.SYMBOLS["spot4"]
        lab = harness.Lab(directory, ["spot4"], speed=5)
        try:
            first = harness.Logger(
                directory, lab, symbols, self.store, log="first.log", **settings
            )
            first.wait_text(f"{SYMBOL}: live")
            harness.time.sleep(3.5)
            first.kill()
            second = harness.Logger(
                directory, lab, symbols, self.store, log="second.log", **settings
            )
            second.wait_text(f"{SYMBOL}: live")
            lab.wait_end(60)
            harness.time.sleep(1.5)
            assert second.end() == 0
            events = reference.emitted(lab.journal())[SYMBOL]
        finally:
            lab.end()
        snapshot = reference.snapshots(harness.capture_path("spot4"))[SYMBOL]
        self.truth = reference.Truth(snapshot, events)
        self.books = [book.levels() for _, book in self.truth.books()]
        days = sorted(path.name for path in self.store.iterdir() if path.name[0] == "2")
        self.day = max(days, key=lambda day: len(damage(self.store, day, "list")))
        self.frames = damage(self.store, self.day, "list")

    def copy(self):
        self.copies += 1
        place = self.directory / f"copy-{self.copies}"
        shutil.copytree(self.store, place)
        return place

    def damaged(self, action, number=0):
        """A copy after that action, and what the action hit."""
        place = self.copy()
        return place, damage(place, self.day, action, number)[0]

    def book_at(self, time_ns):
        """The whole book after the last event of at most that time; None before the first one."""
        index = None
        for at, event in enumerate(self.truth.events):
            if event["E"] * 1_000_000 <= time_ns:
                index = at
        return None if index is None else self.books[index]

    def some_times(self, count):
        choice = random.Random(11)
        times = [event["E"] * 1_000_000 for event in self.truth.events]
        return [choice.randint(times[0], times[-1]) for _ in range(count)]

    def check_books(self, store, times):
        """Right or refused, never wrong. How many were right."""
        text = "".join(f"{time}\n" for time in times)
        answers = harness.rows(store, "--at", "-", NAME, stdin=text, expect=None)
        right = 0
        for answer in answers:
            assert answer["at"] in times
            if answer["status"] == "ok":
                bids, asks = self.book_at(answer["at"])
                assert (answer["bids"], answer["asks"]) == (bids, asks), answer["at"]
                right += 1
        return right

    def check_refused(self, store, times):
        for time in times:
            done = harness.obrebuild(store, "--at", time, NAME, expect=None)
            assert done.returncode in (1, 3), f"{time}: exit {done.returncode}"

    def segment_end(self, frame):
        """The last frame that builds on the same image."""
        last = frame
        for other in self.frames[self.frames.index(frame) + 1 :]:
            if other["kind"] != "changes":
                break
            last = other
        return last


def damage(store, day, action, number=0):
    done = subprocess.run(
        [str(harness.BUILD / "obdamage"), str(store), day, NAME, action, str(number)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def problems(store):
    """What verify says about the damaged stream, in both of its forms; the others are sound."""
    table = harness.obrebuild(store, "verify", expect=1).stdout
    found = [row for row in harness.rows(store, "verify", expect=1) if "problem" in row]
    for row in found:
        assert row["symbol"] == SYMBOL
        line = f"{NAME} {row['day']} position {row['position']}: {row['problem']}"
        assert line in table.splitlines()
    return found


def named(found, words, position):
    return any(words in row["problem"] and row["position"] == position for row in found)


def holes(store):
    row = harness.rows(store, "coverage", NAME, expect=3)[0]
    return [gap for gap in row["gaps"] if gap["cause"] == "missing"]


def assert_hole_covers(store, from_ns, to_ns):
    found = holes(store)
    assert any(
        hole["from_time_ns"] <= from_ns
        and (hole["to_time_ns"] is None or hole["to_time_ns"] >= to_ns)
        for hole in found
    ), f"{from_ns} to {to_ns} is not in {found}"


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return Recording(tmp_path_factory.mktemp("damage"))


def test_the_undamaged_store_is_sound_and_exact(recording):
    store = recording.copy()
    for row in harness.rows(store, "verify"):
        assert row["problems"] == 0
    for row in harness.rows(store, "coverage", expect=3):
        assert [gap["cause"] for gap in row["gaps"]] == ["crashed"]
    assert recording.check_books(store, recording.some_times(200)) >= 100
    kinds = [frame["kind"] for frame in recording.frames]
    assert kinds.count("image") == 2 and kinds.count("changes") >= 5


def check_lost_frame(recording, store, frame, words):
    """Coverage, verify and the books after one frame of a book's history has been lost."""
    index = recording.frames.index(frame)
    assert named(problems(store), words, frame["position"])
    last = recording.segment_end(frame)
    if frame["kind"] == "headless":
        recording.check_books(store, recording.some_times(50))
        return
    from_ns = recording.frames[index + 1 if frame["kind"] == "image" else index]["min_time_ns"]
    assert_hole_covers(store, from_ns, last["max_time_ns"])
    inside = [from_ns, (from_ns + last["max_time_ns"]) // 2, last["max_time_ns"]]
    recording.check_refused(store, inside)
    recording.check_books(store, recording.some_times(50) + inside)


def test_each_deleted_frame_is_a_hole(recording):
    for number, frame in enumerate(recording.frames):
        store, hit = recording.damaged("delete-frame", number)
        assert hit == frame
        check_lost_frame(recording, store, frame, "are missing")
        shutil.rmtree(store)


def test_each_flipped_byte_is_a_hole(recording):
    for number, frame in enumerate(recording.frames):
        store, _ = recording.damaged("flip-byte", number)
        check_lost_frame(recording, store, frame, "the frame is damaged")
        shutil.rmtree(store)


@pytest.mark.parametrize("action", ["delete-first", "delete-last"])
def test_the_ends_are_missed(recording, action):
    store, hit = recording.damaged(action)
    assert hit == recording.frames[0 if action == "delete-first" else -1]
    check_lost_frame(recording, store, hit, "are missing")


def test_each_altered_id_is_named(recording):
    """The frame is sound in itself: only what stands beside the event tells."""
    changes = [frame for frame in recording.frames if frame["kind"] == "changes"]
    for number, frame in enumerate(changes):
        store, hit = recording.damaged("alter-id", number)
        assert hit["first_id"] == frame["first_id"] - 1
        # told at the next event; one that is alone may have none behind it, and tells by itself
        places = [1] if frame["events"] > 1 else [0, 1]
        found = problems(store)
        assert any(named(found, "do not follow", frame["position"] + place) for place in places)
        recording.check_books(store, recording.some_times(50))
        shutil.rmtree(store)


def test_a_deleted_gap_record_is_named_at_the_new_epoch(recording):
    store, gap = recording.damaged("delete-gap")
    assert gap["cause"] == "crashed"
    words = f"a new epoch ({gap['epoch'] + 1} after {gap['epoch']}) without a gap record"
    assert named(problems(store), words, gap["to_position"])
    lost = [
        event["E"] * 1_000_000
        for event in recording.truth.events
        if gap["from_time_ns"] < event["E"] * 1_000_000 < gap["to_time_ns"]
    ]
    assert lost
    assert_hole_covers(store, lost[0], lost[-1])
    recording.check_refused(store, [lost[0], lost[-1]])
    recording.check_books(store, recording.some_times(50) + lost)


def test_each_deleted_entry_of_the_time_index_is_named(recording):
    for number, frame in enumerate(recording.frames):
        store, hit = recording.damaged("delete-index", number)
        assert hit["position"] == frame["position"]
        assert named(problems(store), "missing in the time index", frame["position"])
        recording.check_books(store, recording.some_times(50))
        shutil.rmtree(store)


def test_each_altered_counter_of_the_mark_is_named(recording):
    last = recording.frames[-1]
    end = last["position"] + last["positions"]
    words = ["mark counts"] * 5 + ["are missing", "should begin"]
    for number, word in enumerate(words):
        store, _ = recording.damaged("alter-mark", number)
        found = problems(store)
        assert any(word in row["problem"] for row in found), (number, found)
        position = recording.frames[0]["position"] if word == "should begin" else end
        assert named(found, word, position), (number, found)
        recording.check_books(store, recording.some_times(50))
        shutil.rmtree(store)
