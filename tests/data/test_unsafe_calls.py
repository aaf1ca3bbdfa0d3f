"""No line of the program, its notebooks, benchmarks or documentation runs what it reads."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("flt", "callbacks", "benchmarks", "notebooks", "docs", "configs")
NEVER = {
    *("eval", "exec", "pickle.load", "pickle.loads", "pickle.Unpickler", "dill.load", "dill.loads", "joblib.load"),
    *("cloudpickle.load", "cloudpickle.loads", "shelve.open", "marshal.load", "marshal.loads", "pandas.read_pickle"),
    *("pd.read_pickle", "os.system", "yaml.load", "yaml.unsafe_load", "yaml.full_load", "torch.hub.load"),
    *("tempfile.mktemp", "torch.serialization.add_safe_globals"),
}
NEVER_METHODS = {"extractall", "unpack_archive"}
NEEDED = {
    "torch.load": ("weights_only", True),
    "load_from_checkpoint": ("weights_only", True),
    "np.load": ("allow_pickle", False),
    "numpy.load": ("allow_pickle", False),
}
FORBIDDEN = {("weights_only", False), ("allow_pickle", True), ("shell", True)}


def unsafe_calls(source: str) -> Iterator[str]:
    """Calls that may run what they read, each with its line."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        last = name.rpartition(".")[2]
        given = {(word.arg, word.value.value) for word in node.keywords if isinstance(word.value, ast.Constant)}
        needed = NEEDED.get(name) or NEEDED.get(last)
        if name in NEVER or last in NEVER_METHODS or given & FORBIDDEN or (needed and needed not in given):
            yield f"line {node.lineno}: {name}"


def hides_calls(source: str) -> bool:
    """Whether a name is imported under which a call would not be recognised."""
    wanted = {name.rpartition(".")[::2] for name in NEVER | NEEDED.keys()}
    imports = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)]
    return any((node.module, alias.name) in wanted for node in imports for alias in node.names)


def sources() -> Iterator[tuple[str, str]]:
    """Every piece of Python with the place where it stands."""
    for path in sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()):
        place = str(path.relative_to(ROOT))
        if path.suffix == ".py":
            yield place, path.read_text()
        elif path.suffix == ".ipynb":
            cells = json.loads(path.read_text())["cells"]
            code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
            yield place, re.sub(r"(?m)^\s*[!%].*$", "pass", "\n".join(code))
        elif path.suffix == ".md":
            for number, block in enumerate(re.findall(r"(?s)```python\n(.*?)```", path.read_text())):
                yield f"{place}, block {number}", block


def test_nothing_that_is_read_is_run():
    found = list(sources())
    assert {place.partition("/")[0] for place, _ in found} >= {"flt", "callbacks", "benchmarks", "notebooks", "docs"}
    assert [(place, call) for place, source in found for call in unsafe_calls(source)] == []
    assert [place for place, source in found if hides_calls(source)] == []


@pytest.mark.parametrize(
    "source",
    [
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "torch.load(path, weights_only=flag)",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "pickle.loads(content)",
        "yaml.load(text, Loader=yaml.Loader)",
        "eval(text)",
        "archive.extractall(folder)",
        "subprocess.run(line, shell=True)",
        "FederatedModule.load_from_checkpoint(path)",
        "trainer.fit(module, ckpt_path=path, weights_only=False)",
    ],
)
def test_what_counts_as_unsafe(source: str):
    assert list(unsafe_calls(source)) == [f"line 1: {source.partition('(')[0]}"]


@pytest.mark.parametrize("source", ["from pickle import loads", "from torch import load"])
def test_what_would_hide_it(source: str):
    assert hides_calls(source)


@pytest.mark.parametrize(
    "source",
    ["torch.load(path, weights_only=True)", "np.load(path, allow_pickle=False)", "model.eval()", "json.load(f)"],
)
def test_what_counts_as_safe(source: str):
    assert not list(unsafe_calls(source))
