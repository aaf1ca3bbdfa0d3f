"""The notebooks as they are committed; one of them runs in a kernel of its own by nbmake, the others here."""

import ast
import importlib.util
import json
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest
from command_line import expected_warnings, parse, run, workdir, working_in  # noqa: F401
from grids import Here
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from flt.grid import Local
from flt.grid.commands import table_parser

FOLDER = Path(__file__).parents[1] / "notebooks"
NAMES = ["bias", "extend", "leverage", "malicious_fraction", "quickstart", "root_size"]
IN_A_KERNEL = "bias"  # the others would import everything anew, in as many kernels and their processes
FILE_CELL = re.compile(r"%%writefile \{OUT\}/(\w+\.py)\n")
SHELL_BLOCK = re.compile(r"^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)


def cells_of(name: str, kind: str) -> list[dict[str, Any]]:
    content = json.loads((FOLDER / f"{name}.ipynb").read_text())
    return [cell for cell in content["cells"] if cell["cell_type"] == kind]


def sources_of(name: str, kind: str) -> list[str]:
    return ["".join(cell["source"]) for cell in cells_of(name, kind)]


def files_of(name: str) -> dict[str, str]:
    """The Python files that a notebook writes."""
    cells = [(FILE_CELL.match(source), source) for source in sources_of(name, "code")]
    return {found[1]: source[found.end() :] for found, source in cells if found}


def commands_in(name: str) -> list[list[str]]:
    blocks = [block for source in sources_of(name, "markdown") for block in SHELL_BLOCK.findall(source)]
    return [shlex.split(line, comments=True) for block in blocks for line in block.splitlines()]


COMMANDS = [pytest.param(name, words, id=f"{name}: {' '.join(words)}") for name in NAMES for words in commands_in(name)]


def test_all_are_there() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == NAMES


class Shell(InteractiveShell):
    """Shows figures where it is told to, as a kernel does, but has no window to keep open."""

    def enable_gui(self, gui: object = None) -> None:
        pass


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    """What a kernel runs cells with, in this process, in the notebooks' folder."""
    for name in ("FLT_NOTEBOOK_QUICK", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setattr(Local, "outcomes", lambda self, *given: Here().outcomes(*given))
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])  # whose place the shell takes
    backend = plt.get_backend()
    with working_in(FOLDER, tmp_path), plt.rc_context():
        yield Shell.instance(config=Config({"HistoryManager": {"enabled": False}}))
        Shell.clear_instance()
        plt.close("all")
        plt.switch_backend(backend)


@pytest.mark.filterwarnings("ignore")  # as in a kernel
@pytest.mark.parametrize("name", [name for name in NAMES if name != IN_A_KERNEL])
def test_runs(shell: InteractiveShell, name: str) -> None:
    for source in sources_of(name, "code"):
        shell.run_cell(source).raise_error()


@pytest.mark.parametrize("name", NAMES)
def test_no_outputs_are_kept_and_the_kernel_is_jupyters_own(name: str) -> None:
    assert [cell["outputs"] for cell in cells_of(name, "code") if cell["outputs"]] == []
    assert {cell["execution_count"] for cell in cells_of(name, "code")} == {None}
    content = json.loads((FOLDER / f"{name}.ipynb").read_text())
    assert content["metadata"]["kernelspec"]["name"] == "python3"


@pytest.mark.parametrize("name", NAMES)
def test_imports_only_what_is_installed(name: str) -> None:
    written, imported = files_of(name), set[str]()
    for source in sources_of(name, "code"):
        for node in ast.walk(ast.parse(re.sub(r"^%.*$", "", source, flags=re.MULTILINE))):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module)
    outside = {module for module in imported if f"{module}.py" not in written}
    assert outside
    assert [module for module in outside if importlib.util.find_spec(module.split(".")[0]) is None] == []


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str) -> None:
    targets = re.findall(r"\]\(([^)#:\s]+)\)", "\n".join(sources_of(name, "markdown")))
    assert [target for target in targets if not (FOLDER / target).exists()] == []


@pytest.mark.parametrize("name", ["geometric_median", "inner_product"])
def test_an_extension_is_short(name: str) -> None:
    lines = files_of("extend")[f"{name}.py"].splitlines()
    assert len([line for line in lines if line.strip()]) <= 20


@expected_warnings[0]
@expected_warnings[1]
@pytest.mark.usefixtures("workdir")
@pytest.mark.parametrize(("name", "words"), COMMANDS)
def test_command_is_understood(name: str, words: list[str]) -> None:
    Path("configs").symlink_to(FOLDER.parent / "configs")
    for file, content in files_of(name).items():
        Path(file).write_text(content)
    program, command, *arguments = words
    assert program == "flt"
    if command == "table":
        assert table_parser().parse_args(arguments)
    elif any(word.endswith(".help") for word in arguments):
        assert run(command, *arguments).status == 0
    else:
        assert parse(command, *arguments)
