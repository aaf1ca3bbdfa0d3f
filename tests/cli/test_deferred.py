"""Packages that wait: what is answered without them, and that they are themselves as soon as they are used."""

import subprocess
import sys
from pathlib import Path

import pytest

from flt.cli.deferred import ANSWERS, defer, is_waiting

START = """
import sys
import flt.cli
from flt.cli.deferred import COMPILER, METRICS, is_waiting
import torch
import flt.cli.training
from lightning.pytorch.utilities.compile import OptimizedModule

heavy = {"matplotlib", "scipy", "sympy", "torchvision", "wandb", "torch.utils.tensorboard"} & set(sys.modules)
assert not heavy, heavy
module = torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(module.parameters(), lr=1.0)
module(torch.ones(1, 2)).sum().backward()
optimizer.step()
optimizer.zero_grad()
assert not isinstance(module, OptimizedModule)
assert is_waiting(COMPILER) and is_waiting(METRICS)

compiled = torch.compile(module)
assert isinstance(compiled, OptimizedModule) and not isinstance(module, OptimizedModule)
assert not is_waiting(COMPILER)
optimizer.zero_grad()
import torch._dynamo.config

from torchmetrics.aggregation import MeanMetric
assert not is_waiting(METRICS)
import torchmetrics
assert torchmetrics.MeanMetric is MeanMetric and torchmetrics.Metric is torchmetrics.metric.Metric
mean = MeanMetric()
mean.update(2.0)
figure, _ = mean.plot()
assert figure.axes
from torch.utils.flop_counter import FlopCounterMode
with FlopCounterMode(display=False) as counter:
    module(torch.ones(1, 2))
assert counter.get_total_flops() == 4
"""


def test_a_start_imports_nothing_heavy_and_everything_works_afterwards():
    command = [sys.executable, "-W", "ignore", "-c", START]
    done = subprocess.run(  # noqa: S603 (our own code)
        command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def package(tmp_path, monkeypatch, request):
    """A package that waits, and fails as long as there is no file ``ready`` beside it."""
    name = f"waiting_{request.node.name.partition('[')[0]}"
    folder = tmp_path / name
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "from pathlib import Path\nPath(__file__).with_name('ready').read_text()\n"
        "from .part import entries\nvalue = 2\n"
    )
    (folder / "part.py").write_text("entries = []\nentries.append(1)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(ANSWERS, name, {"answered": lambda: 1})
    defer()
    yield folder
    for module in [each for each in sys.modules if each.startswith(name)]:
        del sys.modules[module]


def test_names_are_answered_or_execute_it(package):
    module = __import__(package.name)
    assert (module.answered, is_waiting(package.name)) == (1, True)
    assert module.__spec__.origin == str(package / "__init__.py")
    assert not hasattr(module, "__wrapped__")
    for _ in range(2):  # a failure is told each time
        with pytest.raises(FileNotFoundError):
            _ = module.value
    assert is_waiting(package.name)
    (package / "ready").touch()
    assert (module.value, is_waiting(package.name)) == (2, False)
    with pytest.raises(AttributeError, match="has no attribute 'answered'"):
        _ = module.answered


def test_a_submodule_executes_it_and_is_loaded_once(package):
    (package / "ready").touch()
    module = __import__(package.name)
    part = __import__(f"{package.name}.part", fromlist=["part"])
    assert not is_waiting(package.name)
    assert part is module.part
    assert part.entries is module.entries
    assert (part.entries, part.__spec__.origin) == ([1], str(package / "part.py"))
