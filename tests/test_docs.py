"""README and docs: what they tell people to type works."""

import re
import runpy
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from command_line import SMALL, expected_warnings, parse, run, workdir  # noqa: F401
from grids import Here
from wandb.cli.cli import cli as wandb_commands

from flt.cli.dashboard import dashboard_parser
from flt.grid import Local
from flt.grid.certifying import certify_parser
from flt.grid.commands import plot_parser, request
from flt.grid.ranking import leaderboard_parser
from flt.grid.reporting import report_parser

pytestmark = [
    *expected_warnings,
    pytest.mark.usefixtures("workdir"),
    # A run of a few rounds, as an example has it, is shorter than Lightning's usual interval between rows of a log.
    pytest.mark.filterwarnings("ignore:The number of training batches"),
]

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "leaderboard/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
ENDINGS = {"python": "py", "yaml": "yaml"}
HELPS = (".help", "--help", "--help.all")
SHELLS = ("bash", "sh", "shell", "console")


class Block(NamedTuple):
    """One fenced block of code."""

    language: str
    text: str


def blocks_of(page: Path) -> list[Block]:
    return [Block(*found) for found in FENCE.findall(page.read_text())]


def commands_in(text: str) -> Iterator[list[str]]:
    """The commands of a shell block, split into words; lines that end in a backslash go on in the next."""
    for line in text.replace("\\\n", " ").splitlines():
        for command in line.removeprefix("$ ").split(" && "):
            words = shlex.split(command, comments=True)
            if words:
                yield words


def inline_in(text: str) -> Iterator[list[str]]:
    """The whole commands between backticks in prose, split into words: with a configuration, of help, and scripts."""
    for command in re.findall(r"`((?:flt|python|pytest) [^`*>]+)`", FENCE.sub("", text)):
        words = shlex.split(command)
        is_whole = "--config" in words[:-1] or any(word.endswith(HELPS) for word in words)
        if is_whole or (words[0] != "flt" and "NAME" not in command):
            yield words


class Command(NamedTuple):
    """The arguments of one ``flt`` command, and the page it is on."""

    page: Path
    arguments: list[str]

    def __str__(self) -> str:
        return f"{self.page.name}: {' '.join(self.arguments)}"


ALL = [
    Command(page, words)
    for page in PAGES
    for text in (block.text for block in blocks_of(page) if block.language in SHELLS)
    for words in commands_in(text)
] + [Command(page, words) for page in PAGES for words in inline_in(page.read_text())]
COMMANDS = [Command(page, words[1:]) for page, words in ALL if words[0] == "flt"]
READERS = {
    **{"table": request, "plot": plot_parser().parse_args, "report": report_parser().parse_args},
    "leaderboard": leaderboard_parser().parse_args,
    "dashboard": dashboard_parser().parse_args,
    "certify": lambda words: parse("fit", *certify_parser().parse_known_args(words)[1]),
    "export": lambda words: parse("fit", *words[2:]),  # after --flower DIR
}
HELP = [command for command in COMMANDS if any(word.endswith(HELPS) for word in command.arguments)]
OWN = [
    own for own in COMMANDS if " my_" in str(own).replace("=", " ") and own not in HELP and own.arguments[0] == "fit"
]


OTHERS = [Command(page, words) for page, words in ALL if words[0] != "flt"]
# Each once; what is run below needs not be read here.
READ = {
    tuple(own.arguments): own
    for own in reversed(COMMANDS)
    if own not in HELP + OWN and (own.page.name, own.arguments[0]) != ("tutorial.md", "fit")
}


def unpack(page: Path) -> None:
    """Puts into the working directory what a page's commands refer to.

    These are ``configs``, ``leaderboard``, a run that was stopped, and every block of Python or YAML that the paragraph
    before or after it calls a file.
    """
    for name in ("configs", "leaderboard"):
        Path(name).symlink_to(ROOT / name)
    Path("runs/har/version_0").mkdir(parents=True)
    Path("runs/har/version_0/config.yaml").write_text("data: HAR\nmodel:\n  network: LogisticRegression\n")
    text = page.read_text()
    for found in FENCE.finditer(text):
        before, after = text[: found.start()].rstrip(), text[found.end() :].lstrip()
        around = before.split("\n\n")[-1], after.split("\n\n")[0]
        names = [name for paragraph in around for name in re.findall(rf"`(\w+\.{ENDINGS.get(found[1])})`", paragraph)]
        if names:
            Path(names[0]).write_text(found[2])


@pytest.mark.parametrize("marker", ["main command", "test command"])
def test_marked_commands(marker: str) -> None:
    """The two blocks that machines read: each right after its comment, and about files that are there."""
    text = (ROOT / "README.md").read_text()
    assert text.count(f"<!-- {marker} -->") == 1
    block = FENCE.match(text.split(f"<!-- {marker} -->\n")[1])
    assert block, f"no block of code right after the comment {marker!r}"
    assert block[1] == "bash"
    commands = list(commands_in(block[2]))
    programs = {words[0] for words in commands}
    assert programs >= {"pip", "flt" if marker == "main command" else "pytest"}
    files = [word for words in commands for word in words if word.endswith((".yaml", ".py", ".toml", ".txt"))]
    assert files or marker == "test command"
    assert all((ROOT / name).is_file() for name in files)


@pytest.mark.parametrize("command", READ.values(), ids=str)
def test_command_is_understood(command: Command) -> None:
    unpack(command.page)
    tool, *arguments = command.arguments
    assert READERS[tool](arguments) if tool in READERS else parse(*command.arguments)


@pytest.mark.parametrize("command", OTHERS, ids=str)
def test_other_commands_name_what_is_there(command: Command) -> None:
    """Programs, files and extras; what they do takes a network, or minutes."""
    program, *words = command.arguments
    assert program in {"python", ".", "pip", "pre-commit", "pytest", "wandb"}
    unpack(command.page)
    files = [word for word in words if word.endswith((".py", ".yaml"))]
    assert [name for name in files if not (ROOT / name).is_file() and not Path(name).is_file()] == []
    extras = {extra for word in words for extra in re.findall(r"\[(\w+)\]", word)}
    assert all(f"\n{extra} = [" in (ROOT / "pyproject.toml").read_text() for extra in extras)
    if program == "wandb":
        assert words[0] in wandb_commands.commands


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_settings_in_yaml_are_understood(page: Path) -> None:
    """Blocks that no command on the page names are settings of ``flt fit``."""
    unpack(page)
    named = {path.read_text() for path in Path().glob("*.yaml")}
    for block in blocks_of(page):
        if block.language == "yaml" and block.text not in named:
            Path("settings.yaml").write_text(block.text)
            assert parse("fit", "--config", "configs/har_fltrust.yaml", "--config", "settings.yaml")


def test_the_tutorial_leads_from_one_command_to_the_next() -> None:
    """Its runs, with few rounds, and the figure of those that it names by number."""
    page = ROOT / "docs" / "tutorial.md"
    unpack(page)
    shutil.rmtree("runs")  # the first run there is the tutorial's own
    ran = [own for own in COMMANDS if own.page == page and own.arguments[0] in ("fit", "plot")]
    for command in ran:
        starts = command.arguments[0] == "fit" and "--resume" not in command.arguments
        ended = run(*command.arguments, *(SMALL if starts else ()))
        assert ended.status == 0, ended.errors
    assert {command.arguments[0] for command in ran} == {"fit", "plot"}
    assert Path("figure.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("page", ["settings", "rules", "attacks"])
def test_a_page_is_what_the_classes_say(capsys: pytest.CaptureFixture[str], page: str) -> None:
    runpy.run_path(str(ROOT / "docs" / f"make_{page}.py"), run_name="__main__")
    made = capsys.readouterr().out
    assert (ROOT / "docs" / f"{page}.md").read_text() == made, f"python docs/make_{page}.py > docs/{page}.md"


@pytest.mark.parametrize("command", HELP, ids=str)
def test_command_helps(command: Command) -> None:
    unpack(command.page)
    assert run(*command.arguments).status == 0


@pytest.mark.parametrize("command", OWN, ids=str)
def test_command_with_own_class_runs(command: Command) -> None:
    """After the scripts of the page that write its data."""
    unpack(command.page)
    for other in OTHERS:
        if other.page == command.page and Path(other.arguments[-1]).is_file() and other.arguments[0] == "python":
            runpy.run_path(other.arguments[-1])
    own = "Arrays" in command.arguments  # which have no stand-in
    ended = run(*command.arguments, *(SMALL[2:] if own else SMALL))
    assert ended.status == 0, ended.errors


@pytest.mark.parametrize(
    "page", [page for page in PAGES if "```python" in page.read_text()], ids=lambda page: page.name
)
def test_python_runs(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Python blocks of a page, one after the other in one namespace, as a reader would type them."""
    if page.name == "flower.md":
        pytest.importorskip("flwr", reason='needs pip install "flt[flower]"')
    monkeypatch.setattr(Local, "outcomes", lambda self, *given: Here().outcomes(*given))
    unpack(page)
    namespace: dict[str, object] = {"__name__": "__main__"}
    for number, block in enumerate(blocks_of(page), 1):
        if block.language == "python":
            exec(compile(block.text, f"{page.name}, block {number}", "exec"), namespace)  # noqa: S102


def test_the_script_of_a_grid_runs() -> None:
    """As a file, with the processes that the test above goes without."""
    unpack(ROOT / "docs" / "tables.md")
    ended = subprocess.run(  # the page's own
        [sys.executable, "root_sizes.py"], capture_output=True, text=True, timeout=300, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert re.search(r"^\[\('50', [\d.]+\), \('100', [\d.]+\)\]$", ended.stdout, re.MULTILINE)
    assert Path("root_size.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_names_of_files_lead_somewhere(page: Path) -> None:
    """In prose; names between backticks that begin with a folder of this repository."""
    text = FENCE.sub("", page.read_text())
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    local = [target for target in targets if not re.match(r"\w+:", target)]
    assert [target for target in local if not (page.parent / target).exists()] == []
    named = re.findall(r"`((?:flt|callbacks|configs|tests|benchmarks|notebooks|docs)/[\w./]*)`", text)
    assert [name for name in named if "SET" not in name and not (ROOT / name).exists()] == []
    tests = re.findall(r"`(tests/[\w/]*\.py)::(\w+)`", text)
    assert [name for file, name in tests if f"\ndef {name}(" not in (ROOT / file).read_text()] == []


def test_the_picture_of_a_round_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    drawing = runpy.run_path(str(ROOT / "docs" / "draw_round.py"))
    monkeypatch.setitem(drawing["draw"].__globals__, "FIGURE", Path("round.png"))
    drawing["draw"]()
    assert Path("round.png").read_bytes().startswith(b"\x89PNG")


def test_the_reader_of_commands() -> None:
    text = "$ flt fit --config a.yaml \\\n    --attack Krum  # why\n\n# a comment\npip install . && flt test\n"
    assert list(commands_in(text)) == [
        ["flt", "fit", "--config", "a.yaml", "--attack", "Krum"],
        ["pip", "install", "."],
        ["flt", "test"],
    ]
