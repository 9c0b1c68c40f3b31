"""The README's five minutes, command by command, as a reader would type them.

The exchange is the laboratory, and build/demo is a folder of the test; all else is as written."""
import os
import re
import shlex
import subprocess

import pytest

from harness import BUILD, ROOT, Lab, Process, wait_until

RELEASE = ROOT / "build" / "release"
pytestmark = pytest.mark.skipif(
    BUILD.resolve() != RELEASE.resolve(), reason="the README speaks of build/release"
)


def blocks():
    """The sh blocks of the section, each a list of lines."""
    text = (ROOT / "README.md").read_text()
    section = re.search(r"^## Five minutes$(.*?)^## ", text, re.M | re.S).group(1)
    return [block.strip().splitlines() for block in re.findall(r"```sh\n(.*?)```", section, re.S)]


def block_with(part):
    found = [block for block in blocks() if any(part in line for line in block)]
    assert len(found) == 1, f"the README has {len(found)} blocks with {part!r}"
    return found[0]


def shell(lines, cwd, **variables):
    """Run the lines in one shell, which ends at the first that fails."""
    return subprocess.run(["bash", "-ec", "\n".join(lines)], cwd=cwd, capture_output=True,
                          text=True, timeout=600, check=False, env={**os.environ, **variables})


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The first block: tools/demo. Its answer, and the store it kept."""
    store = tmp_path_factory.mktemp("demo") / "store"
    lines = [line.replace("build/demo", shlex.quote(str(store)))
             for line in block_with("tools/demo")]
    done = shell(lines, ROOT)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done, store


def test_every_command_of_the_section_is_run_here():
    assert len(blocks()) == 5
    for part in ("tools/demo", "obrebuild replay", "SYMBOLS=", "--store", "obmanage"):
        block_with(part)


def test_the_demo_shows_what_it_promises(demo):
    done, store = demo
    assert done.stdout.count("status ok") == 5
    assert "100.000 % covered" in done.stdout and " 0 gaps" in done.stdout
    assert "6495 events" in done.stdout and "sound" in done.stdout
    told = re.findall(
        r"^(.*): (\d+) messages, 0 gaps; raw (\d+) bytes, stored (\d+) of images and (\d+) of"
        r" changes: (\d+)\.(\d) times smaller$", done.stdout, re.M)
    assert [row[0] for row in told] == [
        "levels of Binance", "trades of Binance", "orders of Coinbase, every id kept"]
    for _, messages, raw, images, changes, whole, tenth in told:
        assert int(whole + tenth) == int(raw) * 10 // (int(images) + int(changes))
        assert int(messages) in (6495, 19904, 3790)
    assert "live, image" in done.stderr and "stopped in order" in done.stderr
    assert store.is_dir()


def test_the_demo_leaves_a_folder_alone_that_is_there(demo):
    _, store = demo
    done = subprocess.run([ROOT / "tools" / "demo", "--keep", store], capture_output=True,
                          text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "there already" in done.stderr


def test_the_questions_to_the_demo_store_are_answered(demo):
    _, store = demo
    lines = [line.replace("build/demo", shlex.quote(str(store)))
             for line in block_with("obrebuild replay")]
    done = shell(lines, ROOT)
    assert done.returncode == 0, done.stderr
    for part in ("binance:BTCUSDT", "61686.00000000", '"first_id":50093421290', "% covered",
                 "sound"):
        assert part in done.stdout, part


def test_recording_live_and_asking_beside_it(tmp_path):
    path = {"PATH": f"{RELEASE}:{os.environ['PATH']}"}
    lab = Lab(tmp_path, ["btcusdt"], speed="60")
    logger = None
    try:
        line, = block_with("SYMBOLS=")
        words = ["bash", "-c", f"cd {shlex.quote(str(tmp_path))} && exec env {line}"]
        logger = Process(words, tmp_path / "oblogger.log", {**lab.env, **path})
        lab.wait_end(60)
        questions = block_with("--store")
        # the last second is committed within a second
        wait_until(lambda: shell(questions, tmp_path, **path).returncode == 0, 10,
                   "the questions are answered beside the running logger")
        done = shell(questions, tmp_path, **path)
        assert "status ok" in done.stdout and "% covered" in done.stdout, done.stdout
        asked = [shell(["timeout -s INT 2 " + one], tmp_path, **path)
                 for one in block_with("obmanage")]
        add, status, watch, top = asked
        assert (add.returncode, add.stderr.count("ETH-USD")) == (1, 1)  # none of the laboratory's
        assert status.returncode == 0 and "BTCUSDT" in status.stdout
        assert '"bid":["' in watch.stdout and "BTCUSDT" in top.stdout
        assert logger.running()
        assert logger.end() == 0, logger.text()
        logger = None
        assert "6495" in shell(["obrebuild --store ./orderbooks list"], tmp_path, **path).stdout
    finally:
        if logger:
            logger.kill()
        lab.kill()
