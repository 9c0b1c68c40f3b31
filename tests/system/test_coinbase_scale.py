"""Values with more decimals than a product says: the scale of the stream grows in the middle, and
what waits meanwhile is not taken at the wrong one."""

import json

import harness
import reference_coinbase as coinbase
import test_coinbase

SYMBOL = "BTC-USD"


def edited(path, sequence, before, after):
    """The capture of 2016 with one message altered."""
    lines = list(coinbase.lines_of(harness.capture_path("full")))
    place = next(i for i, line in enumerate(lines) if f'"sequence":{sequence},' in line)
    assert before in lines[place], lines[place]
    lines[place] = lines[place].replace(before, after)
    path.write_text("\n".join(lines) + "\n")
    return path


def record(tmp_path, capture, faults, speed):
    script = tmp_path / "faults.jsonl"
    script.write_text("".join(json.dumps(fault) + "\n" for fault in faults))
    return test_coinbase.play(
        tmp_path,
        [capture],
        *harness.KEYED,
        "--no-hold",
        "--faults",
        script,
        speed=speed,
        symbols=["coinbase:" + SYMBOL],
        wait=1,
        LOGLEVEL="debug",
        TRADES="off",
        **harness.KEYS,
    )


def test_an_image_that_waits_while_the_scale_grows(tmp_path):
    capture = edited(tmp_path / "full.txt", 760636981, '"size":"0.01"', '"size":"0.123456789"')
    faults = [
        {"at": {"depth": SYMBOL, "n": 1}, "do": "http", "status": 503},
        {
            "at": {"stream": "full:" + SYMBOL, "n": 10},
            "do": "stall",
            "seconds": 1.0,
            "lossless": True,
        },
    ]
    run = record(tmp_path, capture, faults, speed="2")
    assert "quantities 9" in run["log"], run["log"][-3000:]
    truth = test_coinbase.Truth(*coinbase.read_full(capture))
    rows = test_coinbase.replay(run["store"], SYMBOL)
    assert rows[0]["last_id"] > 760636981
    asked = run["log"].count("book?level=3")
    assert asked == 3, "one failed, one waited while the scale grew, one took its place"
    test_coinbase.check_orders(run["store"], SYMBOL, truth, rows[0]["last_id"], 40)
    test_coinbase.check_messages(rows, truth)
