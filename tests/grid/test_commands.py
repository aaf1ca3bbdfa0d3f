"""``flt table`` and ``flt plot`` from the outside."""

import csv
import json
import re
import shutil
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest
from command_line import Finished, expected_warnings, files_in, run, summary_of
from grids import SMALL, Here, write_grid

from flt.grid import Grid, Local, Ray, Slurm
from flt.grid.commands import LAUNCHERS, grouped, request

pytestmark = expected_warnings


def words(text: str) -> str:
    return " ".join(text.split())


# flt table


def test_a_line_for_each_run_and_the_table_at_the_end(small: tuple[Path, Finished]) -> None:
    folder, ended = small
    lines = ended.output.splitlines()
    rows = list(csv.DictReader((folder / "table.csv").read_text().splitlines()))
    for number, (line, row) in enumerate(zip(lines, rows, strict=False), 1):
        cell = f"{row['attack']} · {row['rule']} · seed {row['seed']}"
        assert line.startswith(f"[{number}/8] {cell}: testing error {float(row['testing_error_rate']):.4f}")
    assert lines[8].strip() == "Small"
    means = [sum(float(row["testing_error_rate"]) for row in rows[at : at + 2]) / 2 for at in range(0, len(rows), 2)]
    shown = [words(line) for line in lines[9:]]
    assert f"Scaling attack {means[2]:.3f} (0.04) * {means[3]:.3f} (0.05) *" in shown
    assert "in brackets the reference's value. *: further from it than 0.03." in words(ended.output)
    assert lines[-1] == "Results in out"
    assert ended.errors == ""


def test_what_is_asked_for(place: Path) -> None:
    write_grid(rows="rule", exclude=[{"rule": "FedAvg", "attack": "No attack"}], figure={"x": "rule"})
    asked = request(
        ["--config", "grid.yaml", "--out", "there", "--jobs", "3", "--launcher", "slurm", "--slurm.cpus", "2"]
    )
    assert (asked.out, asked.jobs) == (Path("there"), 3)
    assert isinstance(asked.launcher, Slurm)
    assert asked.launcher.cpus == 2
    assert isinstance(asked.grid, Grid)
    assert (asked.grid.outline.rows, asked.grid.outline.columns) == ("rule", "attack")
    assert asked.grid.outline.figure is not None
    assert len(asked.grid.cells) == 3 * 2
    assert asked.grid.reference is not None
    assert asked.grid.reference.where == {"table": "III", "data": "HAR"}


def test_settings_one_by_one_go_together(place: Path) -> None:
    write_grid()
    given = ("--settings.trainer.max_steps", "4", "--settings.trainer.precision=64", "--settings.data.root_size=50")
    settings = request(["--config", "grid.yaml", "--out", "there", *given]).grid.settings
    wanted = {"trainer.max_steps": 4, "trainer.precision": 64, "data.root_size": 50}
    assert settings.items() >= wanted.items()


def test_every_launcher_can_be_chosen(place: Path) -> None:
    write_grid()
    made = [request(["--config", "grid.yaml", "--out", "o", "--launcher", name]).launcher for name in LAUNCHERS]
    assert [type(launcher) for launcher in made] == [Local, Ray, Slurm]
    with pytest.warns(UserWarning, match="slurm: these settings have no effect with --launcher local"):
        asked = request(["--config", "grid.yaml", "--out", "o", "--slurm.cpus", "2"])
    assert isinstance(asked.launcher, Local)


MORE = {"setting": {"file": {"config": "axes/more.yaml"}}}


@pytest.mark.parametrize("axes", ["axes/mine.yaml", ["axes/sizes.yaml", MORE]], ids=["a file", "a file and a mapping"])
def test_paths_in_a_file_start_from_its_folder(place: Path, axes: Any) -> None:
    Path("configs/axes").mkdir(parents=True)
    shutil.copy(SMALL["base"], "configs/base.yaml")
    Path("configs/axes/mine.yaml").write_text("data.root_size: [50, 100]\nsetting: {file: {config: more.yaml}}\n")
    Path("configs/axes/sizes.yaml").write_text("data.root_size: [50, 100]\n")
    Path("configs/axes/more.yaml").touch()
    Path("configs/mine.csv").write_text("root_size,testing_error_rate\n50,0.5\n")
    write_grid("configs/grid.yaml", base="base.yaml", axes=axes, reference={"where": {}, "file": "mine.csv"})
    grid = request(["--config", "configs/grid.yaml", "--out", "o"]).grid
    assert grid.base == [place / "configs" / "base.yaml"]
    assert list(grid.outline.axes) == ["root_size", "setting"]
    assert grid.cells[0].settings["config"] == str(place / "configs" / "axes" / "more.yaml")
    assert grid.outline.source == "the reference's"


HELP = ["--title", "--base", "--axes", "--seeds", "--reference", "--tolerance", "--figure", "--ray.cpus", "--jobs"]


def test_help() -> None:
    ended = run("table", "--help")
    assert ended.status == 0
    assert [name for name in HELP if name not in ended.output] == []
    assert "what is finished is not run again" in words(ended.output)
    assert "\nThe grid:\n" in ended.output
    assert "--kind" in run("plot", "--help").output


TABLE = ("table", "--config", "grid.yaml", "--out", "o")
MISTAKES: dict[str, tuple[tuple[str, ...], list[str]]] = {
    "no folder": (("table", "--config", "grid.yaml"), ["out", "required"]),
    "no configuration": (("table", "--out", "o"), ["title"]),
    "missing configuration": (("table", "--config", "nope.yaml", "--out", "o"), ["nope.yaml"]),
    "unknown key": (("table", "--config", "unknown.yaml", "--out", "o"), ["sedes"]),
    "unknown option": ((*TABLE, "--sedes", "3"), ["--sedes"]),
    "unknown launcher": ((*TABLE, "--launcher", "moon"), ["launcher", "moon", "local", "slurm"]),
    "no jobs": ((*TABLE, "--jobs", "0"), ["jobs=0", "at least 1"]),
    "no threads": ((*TABLE, "--local.threads", "0"), ["local.threads=0"]),
    "missing base": ((*TABLE, "--base", "nope.yaml"), ["base", "nope.yaml"]),
    "missing axes": ((*TABLE, "--axes", "nope.yaml"), ["axes", "nope.yaml"]),
    "bad syntax": (("table", "--config", "syntax.yaml", "--out", "o"), ["syntax.yaml", "line"]),
    "unknown kind of figure": ((*TABLE, "--figure.kind", "pie"), ["kind", "pie"]),
    "folder is a file": (("table", "--config", "grid.yaml", "--out", "unknown.yaml"), ["unknown.yaml"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake(place: Path, here: Here, mistake: str) -> None:
    write_grid()
    write_grid("unknown.yaml", sedes=[0])
    Path("syntax.yaml").write_text("title: [a\n")
    before = files_in(place)
    arguments, mentioned = MISTAKES[mistake]
    ended = run(*arguments)
    (line,) = ended.errors.splitlines()
    assert ended.status == 2
    assert line.startswith("flt: error: ")
    assert [each for each in mentioned if each not in line] == []
    assert (here.ran, files_in(place)) == ([], before)


# flt plot


def test_plot_of_a_grid(out: Path) -> None:
    ended = run("plot", "out", "--x", "rule", "--lines", "attack", "--out", "figure.pdf")
    assert (ended.status, ended.output) == (0, "Figure in figure.pdf\n")
    assert Path("figure.pdf").read_bytes().startswith(b"%PDF")
    assert run("plot", "out", "--kind", "curves").output == "Figure in out/figure.png\n"
    assert plt.imread("out/figure.png").std() > 0.05


def test_plot_for_a_paper(out: Path) -> None:
    """Tables as heat maps, the curves of one run; and `flt table` in the formats that are asked for, with no run."""
    shape = ("--style.width", "3.33", "--style.height", "2.5", "--style.title", "false", "--style.legend", "below")
    for words in (("out", "--kind", "table"), (RUN, "--kind", "run"), ("out", "--x", "rule")):
        ended = run("plot", *words, *shape, "--out", "figure.pdf")
        assert (ended.status, ended.errors) == (0, "")
        size = re.search(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]", Path("figure.pdf").read_bytes())
        assert size is not None
        assert [float(side) / 72 for side in size.groups()] == pytest.approx([3.33, 2.5], abs=0.01)
    before = Path("out/table.png").read_bytes()
    words = ("--config", "grid.yaml", "--out", "out", "--style.formats", "[png, pdf]", "--style.font_size", "8")
    assert run("table", *words).status == 0
    assert Path("out/table.pdf").read_bytes().startswith(b"%PDF")
    assert Path("out/table.png").read_bytes() != before


def test_plot_as_the_configuration_says(out: Path, here: Here) -> None:
    write_grid(figure={"x": "rule", "lines": "attack"})
    assert run("table", "--config", "grid.yaml", "--out", "out").status == 0
    drawn = Path("out/figure.png").read_bytes()
    Path("out/figure.png").unlink()
    assert run("plot", "out").status == 0
    assert Path("out/figure.png").read_bytes() == drawn
    assert run("plot", "out", "--x", "attack", "--lines", "rule").status == 0
    assert Path("out/figure.png").read_bytes() != drawn


def test_plot_of_runs(out: Path) -> None:
    runs = sorted(str(path) for path in out.glob("cells/*/seed_*") if path.is_dir())
    assert len(runs) == 8
    ended = run("plot", *runs, "--y", "[testing_error_rate, training_loss]")
    assert (ended.status, ended.output) == (0, "Figure in figure.png\n")
    assert plt.imread("figure.png").std() > 0.05


def test_runs_are_grouped_over_their_seeds(out: Path) -> None:
    runs = sorted(path for path in out.glob("cells/*/seed_*") if path.is_dir())
    data = "HAR (stand-in)"
    assert grouped(runs) == {
        (data, "FedAvg, no attack"): runs[0:2],
        (data, "FLTrust, no attack"): runs[2:4],
        (data, "FedAvg, ScalingAttack"): runs[4:6],
        (data, "FLTrust, ScalingAttack"): runs[6:8],
    }


def test_runs_that_differ_in_something_else_are_lines_of_their_own(out: Path) -> None:
    runs = [out / "cells" / "no_attack-fedavg" / f"seed_{seed}" for seed in (0, 1)]
    shutil.copytree(runs[0], "seed_7")
    shutil.copytree(runs[0], "elsewhere/seed_1")
    other, same_name = Path("seed_7"), Path("elsewhere/seed_1")
    data = "HAR (stand-in)"
    assert grouped([runs[0], other]) == {
        (data, "FedAvg, no attack (seed_0)"): [runs[0]],
        (data, "FedAvg, no attack (seed_7)"): [other],
    }
    assert grouped([*runs, same_name]) == {
        (data, "FedAvg, no attack (seed_0)"): [runs[0]],
        (data, f"FedAvg, no attack ({runs[1]})"): [runs[1]],
        (data, "FedAvg, no attack (elsewhere/seed_1)"): [same_name],
    }


RUN = "out/cells/no_attack-fedavg/seed_0"
NO_PLOT: dict[str, tuple[tuple[str, ...], list[str]]] = {
    "nothing": ((), ["results"]),
    "missing folder": (("nope",), ["nope/summary.json", "no such file"]),
    "no x": (("out",), ["out", "figure", "attack, rule"]),
    "unknown axis": (("out", "--x", "size"), ["x=size", "attack, rule"]),
    "unknown measure": (("out", "--x", "rule", "--y", "[accuracy]"), ["accuracy", "testing_error_rate"]),
    "lines without x": (("out", "--lines", "rule"), ["x is missing", "attack, rule"]),
    "two grids": (("out", "out"), ["out", "each grid by itself"]),
    "unknown format": (("out", "--x", "rule", "--out", "figure.doc"), ["figure.doc", ".png"]),
    "folder as file": (("out", "--x", "rule", "--out", "out"), ["out", "folder"]),
    "axes of runs": ((RUN, "--x", "rule"), ["no grid.yaml", "curves"]),
    "run of a grid": (("out", "--kind", "run"), ["kind=run", "out holds a grid"]),
    "two runs": ((RUN, RUN, "--kind", "run"), ["kind=run", "one run"]),
    "axis of a table": (("out", "--kind", "table", "--x", "rule"), ["--x has no effect with kind=table"]),
    "no breaks": (("out", "--kind", "breaks"), ["kind=breaks", "give breaks"]),
    "too narrow": ((RUN, "--style.width", "0.1"), ["style.width=0.1", "from 1 to 100"]),
    "nowhere": ((RUN, "--style.legend", "left"), ["style.legend", "left", "right"]),
}


@pytest.mark.parametrize("mistake", NO_PLOT)
def test_no_plot(out: Path, place: Path, mistake: str) -> None:
    before = files_in(place)
    arguments, mentioned = NO_PLOT[mistake]
    ended = run("plot", *arguments)
    (line,) = ended.errors.splitlines()
    assert ended.status == 2
    assert [each for each in mentioned if each not in line] == []
    assert files_in(place) == before


def test_an_unfinished_grid_has_no_table(out: Path) -> None:
    (out / "table.csv").unlink()
    ended = run("plot", "out", "--x", "rule")
    assert ended.status == 2
    assert "out/table.csv: there is no such file; flt table writes it" in ended.errors


def test_a_damaged_summary(out: Path) -> None:
    summary = summary_of(out / "cells" / "no_attack-fedavg" / "seed_0")
    for content, told in (
        (json.dumps(summary)[:-1], "is damaged"),
        ("[]", "is no summary of a run: it is a list of 0"),
    ):
        Path(RUN, "summary.json").write_text(content)
        ended = run("plot", RUN)
        assert (ended.status, told in ended.errors) == (2, True)
