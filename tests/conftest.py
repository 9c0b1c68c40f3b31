"""What all Python tests share."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "system"))


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "full: takes minutes (real pace, soak); run by tools/check --full"
    )
