"""obmanage as the system tests use it."""

import json
import os
import subprocess

from harness import BUILD


def run(socket, *words, env=None, seconds=90, expect=0):
    """obmanage --json at that socket (None: wherever @env says); the exit code must be @expect."""
    where = ["--socket", str(socket)] if socket else []
    clean = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("MANAGER_", "LOGGER_SERVER"))
    }
    done = subprocess.run(
        [str(BUILD / "obmanage"), *where, "--json", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
        env={**clean, **(env or {})},
    )
    assert (
        expect is None or done.returncode == expect
    ), f"{words}: exit {done.returncode}: {done.stdout[-1000:]} {done.stderr[-1000:]}"
    return done


def ask(socket, *words, **options):
    """Its rows."""
    return [json.loads(line) for line in run(socket, *words, **options).stdout.splitlines()]


def socket_of(logger):
    return logger.store / "manager.sock"


def names(rows):
    return sorted(f"{row['exchange']}:{row['symbol']}" for row in rows if "symbol" in row)
