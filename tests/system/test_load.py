"""What a logger takes: 520 symbols fit one core, and an hour leaves memory as it was."""

import time

import pytest

import crowd
import harness
import reference

HOUR_S = 3600
SPEED = 20
# several times what it takes (docs/figures.md)
CORE_SHARE, MEMORY_KB = 0.5, 256 << 10
NAME, PASS_S = "spot10", 119  # what a pass of this capture takes of exchange time


def watch_memory(lab, logger, seconds):
    """Its own memory once a second: (seconds since the begin, kB), until all is played."""
    sizes, begun = [], time.monotonic()
    while not lab.ended():
        assert lab.running() and logger.running(), logger.text()[-3000:]
        now = time.monotonic() - begun
        assert now < seconds, "the laboratory does not come to its end"
        sizes.append((now, crowd.memory_kb(logger.child.pid)))
        time.sleep(1)
    return sizes


def level_kb(sizes, share):
    """The middle of the tenth of the time that ends at this share of it."""
    end = sizes[-1][0] * share
    near = sorted(kb for now, kb in sizes if end - sizes[-1][0] / 10 <= now <= end)
    return near[len(near) // 2]


@pytest.mark.full
def test_an_hour_leaves_memory_as_it_was(tmp_path):
    passes = -(-HOUR_S // PASS_S)
    lab = harness.Lab(tmp_path, [NAME], "--loop", str(passes), speed=str(SPEED))
    try:
        logger = harness.Logger(tmp_path, lab, harness.SYMBOLS[NAME], tmp_path / "store")
        try:
            sizes = watch_memory(lab, logger, 2 * HOUR_S / SPEED)
            time.sleep(2.5)
        finally:
            assert logger.end() == 0, logger.text()[-3000:]
        emitted = reference.emitted(lab.journal())
    finally:
        lab.end()
    third, last = level_kb(sizes, 1 / 3), level_kb(sizes, 1)
    print(f"{third} kB after a third, {last} kB at the end; of each tenth:", end=" ")
    print(*(level_kb(sizes, tenth / 10) for tenth in range(1, 11)))
    assert sizes[-1][0] >= HOUR_S / SPEED * 0.95, "that was not an hour"
    assert last <= third * 1.02
    coverage = harness.rows(logger.store, "coverage", "--kind", "l2")
    assert [row["gaps"] for row in coverage] == [[] for _ in harness.SYMBOLS[NAME]]
    stored = harness.recorded_events(logger.store)
    assert stored.keys() == emitted.keys()
    for symbol, events in emitted.items():
        # what comes before the image is no part of the record
        assert len(events) - 20 <= stored[symbol] <= len(events), symbol


@pytest.mark.full
@pytest.mark.alone
def test_520_symbols_fit_one_core(tmp_path):
    run = crowd.record(tmp_path)
    share = run["cpu_s"] / run["play_s"]
    print(f"live after {run['live_s']:.1f} s, {share:.1%} of a core, {run['memory_kb']} kB")
    assert run["live_s"] < 30
    assert share < CORE_SHARE
    assert run["memory_kb"] < MEMORY_KB
    crowd.check(run)
