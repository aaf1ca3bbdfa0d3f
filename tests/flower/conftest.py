"""Tests of what needs Flower; they are left out, and the header says so, where it is not installed."""

import logging
import os
import tempfile
import warnings
from importlib.util import find_spec

IS_THERE = find_spec("flwr") is not None
collect_ignore_glob = [] if IS_THERE else ["test_*.py"]
os.environ |= {"FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1"}
os.environ["FLWR_HOME"] = tempfile.mkdtemp(prefix="flwr-")
if IS_THERE:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what its command line's libraries say of each other when they are imported
        import flwr.clientapp
        import flwr.serverapp.strategy  # noqa: F401
    logging.getLogger("flwr").setLevel(logging.WARNING)  # it logs every round


def pytest_report_header() -> str:
    """Says that they are left out."""
    return "" if IS_THERE else 'tests/flower is left out: pip install "flt[flower]"'
