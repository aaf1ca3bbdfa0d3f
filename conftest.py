"""What needs an extra that is not installed is left out, and the header says so."""

from importlib.util import find_spec

HAS_FLOWER = find_spec("flwr") is not None
OF_FLOWER = (
    "flt/flower/*",
    "tests/helpers/flower_grid.py",
    "tests/flower/test_mods.py",
    "tests/flower/test_strategy.py",
)
collect_ignore_glob = [] if HAS_FLOWER else [*OF_FLOWER]


def pytest_report_header() -> str:
    """Names what is left out."""
    return "" if HAS_FLOWER else 'left out without Flower (pip install "flt[flower]"): ' + ", ".join(OF_FLOWER)
