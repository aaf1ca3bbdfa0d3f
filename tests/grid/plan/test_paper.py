"""The tables of the paper as configurations: every cell has its published number."""

from importlib import resources
from pathlib import Path

import pytest
import yaml
from command_line import CONFIGS

from flt.grid.commands import table_parser

TABLES = sorted((CONFIGS / "tables").glob("*.yaml"))
STUDIES = sorted((CONFIGS / "studies").glob("*.yaml"))


def test_the_numbers_are_a_part_of_the_package() -> None:
    text = resources.files("flt.grid.plan").joinpath("paper.csv").read_text()
    header, *rows = text.splitlines()
    assert header == "table,data,rule,attack,bias_probability,testing_error_rate,attack_success_rate"
    assert len(rows) == len(set(rows)) == len({row.rsplit(",", 2)[0] for row in rows})


@pytest.mark.parametrize("path", [*TABLES, *STUDIES], ids=lambda path: path.stem)
def test_a_grid_can_be_made_anywhere(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    parser = table_parser()
    made = parser.instantiate(parser.parse_args([f"--config={path}", "--out=out"]))
    assert made.title == yaml.safe_load(path.read_text())["title"]
