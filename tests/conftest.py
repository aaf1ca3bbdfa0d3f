"""What every test needs; fixtures that need torch are in tests/helpers/rows.py."""

import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

REAL_FOLDERS = [os.environ.get("FLT_DATA"), Path(__file__).parents[2] / "shared" / "data"]
sys.dont_write_bytecode = True  # what Python itself writes beside a user's module is nothing a command left behind
os.environ.setdefault("FLT_CACHE", tempfile.mkdtemp(prefix="flt-cache-"))  # tests leave nothing in the user's
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # what a test starts shares the cores with the other workers
# A fixture that names a rule or an attack is as good in every example.
alike = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
settings.register_profile("short", deadline=None, suppress_health_check=alike, derandomize=True, max_examples=200)
settings.register_profile("long", deadline=None, suppress_health_check=alike, max_examples=10_000)
settings.register_profile("usual", settings(), deadline=None)  # a busy machine is no mistake
settings.load_profile("usual")


def pytest_configure(config: pytest.Config) -> None:
    """Imports torch and the tables, but not into a process that only shares the tests out."""
    if config.getoption("dist", "no") == "no":
        config.pluginmanager.import_plugin("rows")


@pytest.fixture(scope="session")
def real_data_dir() -> Path:
    """A folder with the real HAR archive, MNIST and Fashion-MNIST."""
    for folder in REAL_FOLDERS:
        if folder and all((Path(folder) / name).exists() for name in ("UCI HAR Dataset.zip", "MNIST", "FashionMNIST")):
            return Path(folder)
    pytest.skip("the real data sets are not on this machine (set FLT_DATA to the folder that has them)")


@pytest.fixture(autouse=True)
def sigterm_as_it_was() -> Iterator[None]:
    """Ray, once started, ends the process by itself."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def own_surroundings(tmp_path: Path) -> Iterator[None]:
    """Each test has its own cache, and a seed that it sets ends with it."""
    # Not by the fixture `monkeypatch`, which would then outlive the fixtures of a test and bring back what they undid.
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("FLT_CACHE", str(tmp_path / "cache"))
        patched.setenv("PL_GLOBAL_SEED", "0")
        patched.setenv("PL_SEED_WORKERS", "0")
        yield
