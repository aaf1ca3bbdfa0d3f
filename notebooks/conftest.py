"""A notebook as a test, through nbmake: few rounds on the stand-in, and nothing is left behind.

tests/test_notebooks.py runs the others, which then need no kernels of their own.
"""

import os
import shutil
import tempfile
from functools import partial
from pathlib import Path

import pytest

collect_ignore = [path.name for path in Path(__file__).parent.glob("*.ipynb") if path.stem != "bias"]


def pytest_configure(config: pytest.Config) -> None:
    """Tells the kernels, which inherit this environment, that it is a test, and where to leave their files."""
    folder = tempfile.mkdtemp(prefix="flt-notebooks-")
    config.add_cleanup(partial(shutil.rmtree, folder, ignore_errors=True))
    os.environ["FLT_NOTEBOOK_QUICK"] = folder
    os.environ["FLT_CACHE"] = os.path.join(folder, "cache")
