"""``flt fit --attack Worst`` and the axis ``{attack: Worst}`` from the outside."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from command_line import FLTRUST, SMALL, Finished, expected_warnings, files_in, run, summary_of, train
from grids import Here, body_of, make_grid, write_grid

from callbacks.attacks.worst import SETS

pytestmark = expected_warnings
FIT = ("fit", "--config", FLTRUST, *SMALL, "--attack", "Worst")
FOLDER = Path("runs/har/worst_0")


@pytest.fixture(autouse=True)
def two(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Leaves two members in the set of updates, which is enough to see one after the other."""
    chosen = {label: SETS["updates"][label] for label in ("Label flipping", "Trim attack")}
    monkeypatch.setitem(SETS, "updates", chosen)
    return list(chosen)


def test_each_member_is_run_and_the_worst_is_shown(place: Path, here: Here) -> None:
    ended = run(*FIT, "--attack.fraction", "0.4", "--attack.knowledge", "partial")
    assert (ended.status, ended.errors) == (0, "")
    rates = {}
    for label, kind in {"Label flipping": "LabelFlipping", "Trim attack": "TrimAttack"}.items():
        cell = FOLDER / "cells" / label.lower().replace(" ", "_") / "seed_0"
        summary = summary_of(cell)
        assert (summary["attack"], summary["num_malicious"], summary["rounds"]) == (kind, 12, 2)
        rates[label] = summary["testing_error_rate"]
        knowledge = yaml.safe_load((cell / "config.yaml").read_text())["attack"]["init_args"]["knowledge"]
        assert knowledge == ("partial" if label == "Trim attack" else "full")
        assert "has no effect" not in cell.with_suffix(".log").read_text()
    second, worst = sorted(rates, key=lambda label: rates[label])
    line = f"{rates[worst]:.3f} {worst}; then {rates[second]:.3f} {second}"
    table = (FOLDER / "table.md").read_text()
    assert table.startswith("# FLTrust under 2 attacks\n")
    assert body_of(table)[-1] == ["worst", line]
    assert f"Results in {FOLDER}" in ended.output
    assert f"{rates[worst]:.3f} {worst}" in " ".join(ended.output.split())


def goes_on(here: Here, *arguments: str) -> Finished:
    here.stop_after = None
    ran = len(here.ran)
    ended = run(*arguments)
    assert len(here.ran) == ran + 1
    return ended


@pytest.mark.parametrize("again", [(*FIT, "--attack.jobs", "2"), ("fit", "--resume", str(FOLDER))])
def test_an_interrupted_set_goes_on(place: Path, here: Here, again: tuple[str, ...]) -> None:
    here.stop_after = 1
    ended = run(*FIT)
    assert (ended.status, len(here.ran)) == (130, 1)
    assert ended.errors == "flt: stopped by Ctrl-C; the same command goes on from here\n"
    ended = goes_on(here, *again)
    assert (ended.status, ended.errors) == (0, "")
    assert [path.name for path in Path("runs/har").iterdir()] == ["worst_0"]
    before = files_in(FOLDER / "cells")
    assert run(*FIT).status == 0  # what is finished is shown again
    assert (len(here.ran), files_in(FOLDER / "cells")) == (2, before)


def test_other_settings_have_a_folder_of_their_own(place: Path, here: Here) -> None:
    assert run(*FIT).status == 0
    before = files_in(FOLDER)
    assert run(*FIT, "--attack.fraction", "0.1").status == 0
    assert files_in(FOLDER) == before
    assert (FOLDER.with_name("worst_1") / "table.md").is_file()
    ended = run("fit", "--resume", str(FOLDER), "--trainer.max_steps", "3")
    assert (ended.status, "holds runs with other settings" in ended.errors) == (2, True)
    assert files_in(FOLDER) == before


def test_the_other_family_and_a_folder_by_name(place: Path, here: Here) -> None:
    ended = run(*FIT, "--attack.family", "backdoors", "--trainer.logger.init_args.version", "mine")
    assert ended.status == 0, ended.errors
    last = body_of((Path("runs/har/mine") / "table.md").read_text())[-1]
    assert last[0] == "worst"
    assert last[1].split(" / ")[1].split(" ", 1)[1] in SETS["backdoors"]


def test_a_member_that_fails_is_told(place: Path, here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(SETS["updates"]["Trim attack"].kind, "craft", fail)
    ended = run(*FIT)
    assert ended.status == 1
    assert "failed: Trim attack · seed 0: RuntimeError: a mistake" in " ".join(ended.output.split())
    assert body_of((FOLDER / "table.md").read_text())[-1][1].endswith("Label flipping; 1 of 2 measured")


MISTAKES = {
    "fraction": (("--attack.fraction", "2"), "attack.fraction=2.0"),
    "jobs": (("--attack.jobs", "0"), "attack.jobs=0"),
    "family": (("--attack.family", "none"), "family"),
    "no folder": (("--trainer.logger", "false"), "trainer.logger"),
    "dry run": (("--trainer.fast_dev_run", "true"), "trainer.fast_dev_run"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake(place: Path, here: Here, mistake: str) -> None:
    arguments, mentioned = MISTAKES[mistake]
    ended = run(*FIT, *arguments)
    (line,) = ended.errors.splitlines()
    assert (ended.status, mentioned in line) == (2, True)
    assert (here.ran, files_in(place)) == ([], {})


def test_what_the_runs_refuse_leaves_no_folder(place: Path, here: Here) -> None:
    checkpoint = train() / "checkpoints" / "last.ckpt"
    ended = run(*FIT, "--trainer.max_steps", "3", "--ckpt_path", str(checkpoint))
    assert (ended.status, "Label flipping · seed 0: ckpt_path=" in ended.errors) == (2, True)
    assert (here.ran, FOLDER.exists()) == ([], False)


@pytest.mark.parametrize(
    "levels",
    [
        ["NoAttack", "Worst"],
        {"NoAttack": "NoAttack", "any": {"attack": "callbacks.Worst"}},
        {"NoAttack": {"attack": "NoAttack"}, "any": {"attack": {"class_path": "Worst"}}},
    ],
    ids=str,
)
def test_an_axis_has_a_level_for_each_member(levels: Any, two: list[str]) -> None:
    grid = make_grid({"attack": levels}, worst="attack")
    assert grid.outline.axes["attack"] == ["NoAttack", *two]
    paths = [cell.settings["attack"] for cell in grid.cells[1:]]
    assert [path["class_path"] for path in paths] == ["callbacks.LabelFlipping", "callbacks.TrimAttack"]


def test_settings_of_a_level_hold_for_each_member(two: list[str]) -> None:
    level = {"attack": "Worst", "attack.fraction": 0.3, "attack.jobs": 4, "model.server_lr": 2.0}
    cells = make_grid({"setting": {"any": level}}, settings={}).cells
    assert [cell.labels["setting"] for cell in cells] == two
    for cell in cells:
        assert cell.settings.keys() == {"attack", "model.server_lr"}
        assert cell.settings["attack"]["init_args"] == {"fraction": 0.3}


def test_it_cannot_be_the_attack_of_a_cell(place: Path, here: Here) -> None:
    write_grid(axes={"rule": {"FLTrust": {"aggregation": "FLTrust"}}}, settings={"attack": "Worst"}, reference=None)
    ended = run("table", "--config", "grid.yaml", "--out", "out")
    assert (ended.status, here.ran) == (2, [])
    assert "FLTrust · seed 0: attack=Worst is several attacks: give them an axis" in ended.errors
