"""Minutes under random faults: memory stays flat, and everything is still exact or said."""

import os
import pathlib

import pytest

import harness
import test_faults

SECONDS = int(os.environ.get("SOAK_SECONDS", "600"))
PLAY_SECONDS = 6  # one pass of the capture at this speed


def resident_kb(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


@pytest.mark.full
def test_memory_stays_flat(tmp_path):
    chances = [("drop", 0.001), ("duplicate", 0.01), ("swap", 0.001), ("truncate", 0.001)]
    faults = [{"random": {"stream": "*", "p": p}, "do": do} for do, p in chances]
    faults += [{"at": {"seconds": second}, "do": "cut"} for second in range(20, SECONDS, 45)]
    sizes = []

    def watch(logger):
        sizes.append(resident_kb(logger.child.pid))

    run = test_faults.play(
        tmp_path,
        faults,
        *("--loop", str(max(2, SECONDS // PLAY_SECONDS)), "--rest-weight", "1000000"),
        speed=20,
        seconds=2 * SECONDS + 60,
        watch=watch,
    )
    test_faults.check(run)
    settled = sizes[len(sizes) // 3 :]
    print(f"{len(run['faults'])} faults, {sizes[0]} kB at first, {min(settled)} to {max(settled)}")
    assert max(settled) < 64 * 1024
    assert max(settled) <= min(settled) * 1.15 + 1024
