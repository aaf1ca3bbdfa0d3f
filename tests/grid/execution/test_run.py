"""Running a grid: what is run, what is not run again, and what is refused."""

import csv
import multiprocessing
import shutil
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from command_line import Finished, expected_warnings, files_in, run, summary_of
from filelock import FileLock
from grids import FEW_ROUNDS, RULES, Here, Nowhere, kept, make_grid, write_grid, write_own_rules

from flt.errors import InputError
from flt.grid import Figure, Reference, Select, run_grid
from flt.grid.execution.job import Job
from flt.grid.execution.launchers import Ended
from flt.grid.results.results import Results
from flt.runs.reading import metrics_of

pytestmark = expected_warnings

NAMES = ["no_attack-fedavg", "no_attack-fltrust", "scaling_attack-fedavg", "scaling_attack-fltrust"]
COLUMNS = (
    "attack,rule,seed,data_used,testing_error_rate,attack_success_rate,trust_score_benign,trust_score_malicious,"
    "num_clients,num_malicious,num_dropped,rounds,reference_testing_error_rate,reference_attack_success_rate,"
)


def table(*arguments: str, config: str = "grid.yaml") -> Finished:
    return run("table", "--config", config, "--out", "out", *arguments)


def rows_of(folder: Path) -> list[dict[str, str]]:
    """The rows of a grid's table."""
    return list(csv.DictReader((folder / "table.csv").read_text().splitlines()))


def test_files(small: tuple[Path, Finished]) -> None:
    folder, _ = small
    assert {path.name for path in folder.iterdir()} == {
        *("table.csv", "table.md", "table.tex", "table.png", "grid.yaml", "cells", ".lock")
    }
    assert sorted(path.name for path in (folder / "cells").iterdir()) == NAMES
    for name in NAMES:
        names = {path.name for path in (folder / "cells" / name).iterdir()}
        assert {"seed_0", "seed_0.yaml", "seed_0.log", "seed_1", "seed_1.yaml", "seed_1.log"} <= names
        for seed in (0, 1):
            assert summary_of(folder / "cells" / name / f"seed_{seed}")["seed"] == seed
    assert (folder / "table.png").read_bytes().startswith(b"\x89PNG")


def test_table(small: tuple[Path, Finished]) -> None:
    header, *rows = (small[0] / "table.csv").read_text().splitlines()
    assert header.startswith(COLUMNS)
    assert "testing_loss" in header.removeprefix(COLUMNS).split(",")
    assert [row.split(",")[:3] for row in rows] == [
        [attack, rule, seed] for attack in ("No attack", "Scaling attack") for rule in RULES for seed in "01"
    ]
    assert [row.split(",")[12:14] for row in rows[::2]] == [
        ["0.03", ""],
        ["0.04", ""],
        ["0.04", "0.81"],
        ["0.05", "0.01"],
    ]
    for row in rows:
        attack, rule, seed, data, error, success, *_ = row.split(",")
        name = f"{attack}-{rule}".lower().replace(" ", "_")
        summary = summary_of(small[0] / "cells" / name / f"seed_{seed}")
        assert data == "HAR (stand-in)"
        assert float(error) == summary["testing_error_rate"]
        assert (float(success) if success else None) == summary["attack_success_rate"]
        assert (attack == "Scaling attack") == bool(success)


def test_settings_of_the_runs(place: Path) -> None:
    launcher = Nowhere()
    settings = {**FEW_ROUNDS, "trainer.enable_progress_bar": True, "trainer.max_steps": 7}
    results = run_grid(make_grid(settings=settings, seeds=[0, 5]), "out", jobs=3, launcher=launcher)
    assert (len(launcher.noted), launcher.at_once) == (8, 3)
    for job, name in zip(launcher.noted, [name for name in NAMES for _ in range(2)], strict=True):
        made = yaml.safe_load(job.settings)
        assert job.folder == place / "out" / "cells" / name / f"seed_{made['seed_everything']}"
        (logger,) = made["trainer"]["logger"]
        assert logger["class_path"] == "lightning.pytorch.loggers.CSVLogger"
        where = Path(logger["init_args"]["save_dir"]) / logger["init_args"]["name"] / logger["init_args"]["version"]
        assert where == job.folder
        assert (job.rounds, job.workdir) == (7, place)
        assert made["trainer"]["enable_progress_bar"] is False
        assert made["aggregation"]["class_path"].endswith("FLTrust" if name.endswith("fltrust") else "FedAvg")
    assert [yaml.safe_load(job.settings)["seed_everything"] for job in launcher.noted] == 4 * [0, 5]
    assert results.rows == []
    assert set(results.failures.values()) == {"not run"}
    assert len(results.failures) == 8


def test_wandb_runs_are_a_group_of_their_grid(place: Path) -> None:
    launcher = Nowhere()
    loggers = [
        {"class_path": "CSVLogger", "init_args": {"save_dir": "runs"}},
        {"class_path": "WandbLogger", "init_args": {"project": "mine", "offline": True}},
    ]
    settings = {**FEW_ROUNDS, "trainer": {**FEW_ROUNDS["trainer"], "logger": loggers}}
    run_grid(make_grid(settings=settings), "out", launcher=launcher)
    for job in launcher.noted:
        own, wandb = yaml.safe_load(job.settings)["trainer"]["logger"]
        assert own["class_path"].endswith("CSVLogger")
        assert wandb["class_path"].endswith("WandbLogger")
        assert wandb["init_args"]["project"] == "mine"
        assert wandb["init_args"]["save_dir"] == str(place / "out")
        assert (wandb["init_args"]["group"], wandb["init_args"]["job_type"]) == ("Small", "table")
    names = [yaml.safe_load(job.settings)["trainer"]["logger"][1]["init_args"]["name"] for job in launcher.noted]
    assert names[::3] == ["No attack · FedAvg · seed 0", "Scaling attack · FLTrust · seed 0"]


# A second start


def test_new_seeds_run_alone(out: Path, here: Here) -> None:
    earlier = [out / "cells" / name / f"seed_{seed}" for name in NAMES for seed in (0, 1)]
    with kept(*earlier):
        ended = table("--seeds", "[1, 2, 0]", "--exclude", "[{attack: Scaling attack}]")
    assert ended.status == 0
    assert [(job.folder.parent.name, job.folder.name) for job in here.ran] == [(name, "seed_2") for name in NAMES[:2]]
    rows = (out / "table.csv").read_text().splitlines()[1:]
    assert [row.split(",")[2] for row in rows] == 2 * ["1", "2", "0"]


def test_an_unfinished_run_is_run(out: Path, here: Here) -> None:
    before = (out / "table.csv").read_bytes()
    shutil.rmtree(out / "cells" / NAMES[1] / "seed_0")
    (out / "cells" / NAMES[2] / "seed_1" / "summary.json").write_text("{")
    assert table().status == 0
    assert [job.folder.parent.name for job in here.ran] == [NAMES[1], NAMES[2]]
    assert (out / "table.csv").read_bytes() == before


def test_a_part_of_a_grid(out: Path, here: Here) -> None:
    whole = rows_of(out)
    write_grid(axes={"attack": {"No attack": "NoAttack"}, "rule": RULES})
    with kept(out / "cells"):
        assert table().status == 0
    assert here.ran == []
    assert [whole_row | row for whole_row, row in zip(whole, rows_of(out), strict=False)] == whole[:4]
    assert len(rows_of(out)) == 4


def test_another_measure_of_finished_runs(out: Path, here: Here) -> None:
    """No run is made again: their logged metrics are read, the table is of the round in which the mean is lowest."""
    ended = table("--measure", "best_of_mean", "--shown_as", "accuracy_percent")
    assert (ended.status, here.ran) == (0, [])
    first, *_ = text = Path("out/table.md").read_text().splitlines()[2:]
    assert "testing accuracy in %, after the slash attack success rate in %" in first
    assert "in the round of the lowest mean testing error (optimistic: chosen on the test set); in brackets" in first
    assert "further from it than 3" in first
    curves = [metrics_of(out / "cells" / NAMES[2] / f"seed_{seed}")[1:] for seed in (0, 1)]
    for row, curve in zip(rows_of(out)[4:], curves, strict=False):
        assert curve[0]["testing_error_rate"] < curve[1]["testing_error_rate"]  # in its last round
        for name in ("round", "testing_error_rate", "attack_success_rate", "testing_loss"):
            assert float(row[name]) == curve[0][name]
        assert row["num_dropped"] == "0"
    mean = sum(curve[0]["testing_error_rate"] for curve in curves) / 2
    assert f"| **{100 * (1 - mean):.2f} ±" in text[-1]
    drawn = Results.read(out).draw(Figure(x="rule"))
    assert drawn.axes[0].get_ylabel() == "testing accuracy in %"
    how = drawn.get_suptitle().replace("\n", " ")
    assert "seeds in the round of the lowest mean testing error (optimistic: chosen" in how
    (out / "cells" / NAMES[3] / "seed_1" / "metrics.csv").write_text("round\nx\n")
    with kept(out):
        ended = table("--measure", "best", "--seeds", "[0, 1, 2]")
    assert (ended.status, here.ran) == (2, [])
    assert "seed_1/metrics.csv is damaged" in ended.errors


def test_other_settings_are_refused(out: Path, here: Here) -> None:
    before = files_in(out)
    ended = table("--settings", str({**FEW_ROUNDS, "model.client_lr": 0.5}))
    (line,) = ended.errors.splitlines()
    assert ended.status == 2
    for words in (
        "no_attack-fedavg/seed_0",
        "No attack · FedAvg · seed 0 with other settings (model.client_lr was 0.003, is 0.5)",
        "choose another folder with --out, or remove that one",
    ):
        assert words in line
    assert here.ran == []
    assert files_in(out) == before


def test_a_second_instance_is_refused(out: Path, here: Here) -> None:
    with FileLock(out / ".lock"), kept(out):
        ended = table("--seeds", "[7]")
    (line,) = ended.errors.splitlines()
    assert (ended.status, here.ran) == (2, [])
    assert "out=out: another flt table is at work there" in line


def test_ctrl_c(out: Path, here: Here, small: tuple[Path, Finished]) -> None:
    """In the second of three runs that are missing."""
    for name, seed in ((NAMES[2], 1), (NAMES[3], 0), (NAMES[3], 1)):
        shutil.rmtree(out / "cells" / name / f"seed_{seed}")
    here.stop_after = 1
    ended = table()
    assert ended.status == 130
    assert ended.errors.splitlines()[-1] == "flt: stopped by Ctrl-C; the same command goes on from here"
    assert "Traceback" not in ended.errors
    assert multiprocessing.active_children() == []
    finished = [path.parent for path in out.rglob("summary.json")]
    assert len(finished) == 6
    assert "Incomplete: 2 of 8 runs are still to be made." in (out / "table.md").read_text()
    here.stop_after = None
    with kept(*finished):
        assert table().status == 0
    assert len(here.ran) == 3
    for name in ("table.csv", "table.md"):
        assert (out / name).read_bytes() == (small[0] / name).read_bytes()


# Failures


def test_a_failing_cell_stops_no_other(place: Path, here: Here) -> None:
    write_own_rules()
    rules = {"FedAvg": "FedAvg", "own": "own_rules.Raising", "FLTrust": "FLTrust"}
    config = write_grid(axes={"aggregation": rules}, seeds=[0], reference=None)
    ended = table()
    assert ended.status == 1
    (line,) = (at for at, text in enumerate(Path("own_rules.py").read_text().splitlines(), 1) if "a mistake" in text)
    written = place / "out" / "cells" / "own" / "seed_0" / "traceback.txt"
    source = sys.modules["own_rules"].__file__  # which another test may have imported from its own folder
    where = f"{source}, line {line}); traceback in {written}"
    reason = f"RuntimeError: a mistake in somebody's own code ({where}"
    assert f"own · seed 0: {reason}" in ended.output
    assert f"failed: own · seed 0: {reason}" in " ".join(ended.output.split())
    rows = Path("out/table.csv").read_text().splitlines()[1:]
    assert [row.split(",")[0] for row in rows] == ["FedAvg", "FLTrust"]
    markdown = Path("out/table.md").read_text()
    assert "| own         | -  " in markdown
    assert f"1 run failed:\n\n- own · seed 0: {reason}\n" in markdown
    Path("repaired").touch()
    assert table(config=config).status == 0
    assert [job.folder.parent.name for job in here.ran] == ["fedavg", "own", "fltrust", "own"]
    assert "failed" not in Path("out/table.md").read_text()


def test_all_cells_fail(place: Path, here: Here) -> None:
    write_grid(axes={"attack": ATTACK}, settings={**FEW_ROUNDS, "attack.fraction": 0.99}, seeds=[0], reference=None)
    ended = table()
    assert ended.status == 1
    assert "nothing finished" in Path("out/table.md").read_text()
    assert Path("out/table.csv").read_text() == ""


ATTACK = {"LF": "LabelFlipping"}


def test_drawn_where_the_configuration_says_so(place: Path) -> None:
    grid = make_grid({"data.root_size": [50, 100]}, figure=Figure(x="root_size"))
    results = run_grid(grid, "out", launcher=Here())
    assert Path("out/figure.png").read_bytes().startswith(b"\x89PNG")
    assert [axis.get_xlabel() for axis in results.draw().axes] == ["examples in the root dataset"]


class Watching(Here):
    """Notes how many runs the table has whenever the next one is to begin."""

    def outcomes(self, jobs: Sequence[Job], at_once: int | None) -> Iterator[Ended | None]:
        self.seen: list[int] = []
        for ended in super().outcomes(jobs, at_once):
            if ended is None and self.ran:
                self.seen.append(len(Path("out/table.csv").read_text().splitlines()) - 1)
                left = f"{len(jobs) - len(self.ran)} of {len(jobs)} runs are still to be made"
                assert left in Path("out/table.md").read_text()
            yield ended


def test_the_tables_grow_with_the_grid_and_hold_every_metric(place: Path) -> None:
    launcher, unknown = Watching(), Figure(x="rule", y=["testing_loss", "mine"])
    log, no_figure = "figure.y=mine is shown only if the runs log", "no figure is drawn: y=mine"
    with pytest.warns(UserWarning, match=log), pytest.warns(UserWarning, match=no_figure):
        results = run_grid(make_grid({"rule": RULES}, figure=unknown), "out", launcher=launcher)
    assert launcher.seen == [1]
    assert not Path("out/figure.png").exists()
    canvas = results.draw(Figure(x="rule", y=["testing_loss", "class_error/sitting"]))
    assert [axis.get_ylabel() for axis in canvas.axes] == ["loss on the test set", "class error: sitting"]
    with pytest.raises(InputError, match=r"y=mine: the runs have no such metric; choose of .*testing_loss"):
        Results.read(Path("out")).draw(unknown)


def test_what_a_finished_grid_says_is_changed_without_a_run(out: Path, here: Here) -> None:
    whole = rows_of(out)
    asked = {"select": {"over": ["rule"], "by": "worst attack", "on": "test"}, "reference": None}
    write_grid(**asked)
    with kept(out / "cells"), pytest.warns(UserWarning, match="optimistic"):
        ended = table()
    assert (ended.status, here.ran) == (0, [])
    sums = dict.fromkeys(RULES, 0.0)
    for first, second in zip(whole[::2], whole[1::2], strict=True):
        error = float(first["testing_error_rate"]) + float(second["testing_error_rate"])
        sums[first["rule"]] = max(sums[first["rule"]], error)
    best = min(sums, key=sums.__getitem__)
    assert [row["selected"] for row in rows_of(out)] == [str(int(row["rule"] == best)) for row in whole]
    assert [words.split()[0] for words in ended.output.split("Chosen settings")[1].splitlines()[4:5]] == [best]
    with pytest.raises(InputError, match="x=rule is no axis of this grid: choose one of attack"):
        Results.read(out).draw(Figure(x="rule"))
    assert len(Results.read(out).draw(Figure("curves")).axes) == 1


# Mistakes, before anything is made


@pytest.mark.parametrize(
    ("grid", "mentioned"),
    [
        ({"settings": {"model.client_lrr": 1}}, ["No attack · FedAvg · seed 0", "model.client_lrr"]),
        ({"axes": {"attack": {"none": "NoAttack", "own": "Nope"}}}, ["own · seed 0", "attack=Nope is unknown"]),
        ({"measure": {"mean_of_last": 3}}, ["No attack", "measure={'mean_of_last': 3}: the run has 2 evaluations"]),
        ({"measure": {"mean_of_last": 0}}, ["measure={'mean_of_last': 0}"]),
        ({"measure": "best_on_validation"}, ["measure=best_on_validation", "set data.validation_fraction"]),
        ({"settings": {"trainer.max_steps": 0}}, ["No attack · FedAvg · seed 0", "trainer.max_steps=0"]),
        ({"select": Select(["rule"])}, ["No attack · FedAvg · seed 0: select.on=validation", "validation_fraction"]),
        ({"reference": Reference({"table": "VI"})}, ["reference.where", "VI"]),
        ({"figure": Figure("lines", "rule", y=["attack"])}, ["figure.y=attack is an axis"]),
        ({"axes": {name: {"x": {}} for name in "abc"}, "figure": Figure("curves")}, ["several levels of c"]),
    ],
)
def test_mistake(place: Path, grid: dict[str, Any], mentioned: list[str]) -> None:
    settings = {**FEW_ROUNDS, **grid.get("settings", {})}
    launcher = Nowhere()
    given = {key: value for key, value in grid.items() if key not in ("axes", "settings")}
    with pytest.raises(InputError) as caught:
        run_grid(make_grid(grid.get("axes"), settings=settings, **given), "out", launcher=launcher)
    assert [each for each in mentioned if each not in str(caught.value)] == []
    assert launcher.noted == []
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("measure", ["best_on_validation", {"mean_of_last": 2}], ids=str)
def test_measures_that_the_runs_have(place: Path, measure: Any) -> None:
    launcher = Nowhere()
    settings = {**FEW_ROUNDS, "data.validation_fraction": 0.2}
    with warnings.catch_warnings(action="error"):
        grid = make_grid(settings=settings, measure=measure, measures=["testing_error_rate", "validation_error_rate"])
        run_grid(grid, "out", launcher=launcher)
    assert len(launcher.noted) == 4


def test_no_checkpoint(place: Path, small: tuple[Path, Finished]) -> None:
    path = small[0] / "cells" / NAMES[0] / "seed_0" / "checkpoints" / "last.ckpt"
    settings = {**FEW_ROUNDS, "trainer.max_steps": 4, "ckpt_path": str(path)}
    with pytest.raises(InputError, match="the runs of a grid start from the beginning"):
        run_grid(make_grid(settings=settings), "out", launcher=Nowhere())
