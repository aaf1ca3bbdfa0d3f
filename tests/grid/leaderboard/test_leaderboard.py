"""Entries of the leaderboard: making, doubting, checking and showing them."""

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import yaml
from command_line import CONFIGS, FLTRUST, Finished, checkpoint_of, expected_warnings, run, working_in
from grids import ATTACKS, FEW_ROUNDS, RULES, Here, write_grid

from flt.errors import InputError
from flt.grid import Local
from flt.grid.leaderboard.checking import TOLERANCE, check_form, verdict_on
from flt.grid.leaderboard.entry import Entry, section
from flt.grid.leaderboard.site import page_as_data, read_leaderboard
from flt.grid.leaderboard.task import Task

pytestmark = expected_warnings

BOARD = CONFIGS.parent / "leaderboard"
ENTRY = "board/tiny/fltrust.json"
TASK: dict[str, Any] = {"title": "Tiny", "base": FLTRUST, "axes": {"attack": ATTACKS}, "seeds": [0, 1]}
COMMITTED = sorted(BOARD.glob("*/*.json"))


def enter(*further: str, config: str = "board/tiny/task.yaml", entry: str = ENTRY, out: str = "out") -> Finished:
    """Runs ``flt table --entry`` for FLTrust."""
    return run("table", "--config", config, "--out", out, "--entry", entry, *further)


def alter(change: Callable[[dict[str, Any]], object]) -> None:
    """Changes what the entry holds."""
    content = json.loads(Path(ENTRY).read_text())
    change(content)
    Path(ENTRY).write_text(json.dumps(content))


def cell(content: dict[str, Any], attack: str = "No attack", seed: str = "0") -> dict[str, Any]:
    """A run that an entry has."""
    found: dict[str, Any] = content["attacks"][attack]["runs"][seed]
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A leaderboard with one task and its first entry, and the runs of that."""
    base = tmp_path_factory.mktemp("leaderboard")
    with working_in(base, base), patch.object(Local, "outcomes", lambda _, *given: Here().outcomes(*given)):
        Path("board/tiny").mkdir(parents=True)
        Path("board/tiny/task.yaml").write_text(yaml.safe_dump({**TASK, "settings": FEW_ROUNDS}))
        ended = enter("--settings.aggregation=FLTrust")
        assert ended.status == 0, ended.errors
        assert ended.output.endswith(f"Entry in {ENTRY}\n")
    return base


@pytest.fixture(scope="module")
def task(made: Path) -> Task:
    """Its task."""
    found = Task.read(made / "board" / "tiny")
    assert found.rest["trainer"]["max_steps"] == 2
    return found


@pytest.fixture
def board(place: Path, made: Path, here: Here) -> Path:
    """A copy of it, in the working directory."""
    shutil.copytree(made, ".", dirs_exist_ok=True)
    return place


def test_an_entry_is_what_its_runs_have_left(board: Path) -> None:
    entry = Entry.read(Path(ENTRY))
    about = {name: entry.content[name] for name in ("task", "rule", "code")}
    assert about == {"task": "tiny", "rule": "fltrust", "code": "callbacks.FLTrust"}
    assert entry.content["paper"].startswith("Cao et al.")
    assert entry.content["settings"]["init_args"]["least_cosine"] == 0.0
    hashes = set()
    for attack, folder in (("No attack", "no_attack"), ("Scaling attack", "scaling_attack")):
        for seed in "01":
            left = Path("out/cells") / folder / f"seed_{seed}"
            summary, own = json.loads((left / "summary.json").read_text()), cell(entry.content, attack, seed)
            assert {name: summary[name] for name in own if name != "state"} | {"state": own["state"]} == own
            assert own["machine"] == {"device": "cpu", "cpu": own["machine"]["cpu"], "threads": 1}
            hashes.add(own["state"])
    assert len(hashes) == 4
    again = enter("--settings.aggregation=FLTrust")  # runs nothing
    assert (again.status, Entry.read(Path(ENTRY))) == (0, entry)


def test_a_run_anew_tells_a_true_entry_from_a_false_one(board: Path) -> None:
    assert run("leaderboard", "check", ENTRY, "--cells", "1", "--out", "anew").output.count("bit for bit") == 1
    (model,) = Path("anew").glob("tiny/fltrust/*/seed_?")
    assert checkpoint_of(model)["global_step"] == 2
    alter(
        lambda content: [
            each.update(state="0" * 64) for known in content["attacks"].values() for each in known["runs"].values()
        ]
    )
    ended = run("leaderboard", "check", ENTRY, "--cells", "1")
    assert (ended.status, "not the same with the same versions" in " ".join(ended.output.split())) == (1, True)
    assert run("leaderboard", "check", ENTRY, "--cells", "0").status == 0


RUN = {
    "testing_error_rate": 0.1,
    "attack_success_rate": 0.5,
    "state": "a",
    "versions": {"torch": "2"},
    "machine": {"threads": 1},
}


@pytest.mark.parametrize(
    ("changes", "is_right", "words"),
    [
        ({}, True, "bit for bit"),
        ({"state": "b"}, False, "not the same"),
        ({"testing_error_rate": 0.2}, False, "same parameters, but"),
        ({"state": "b", "versions": {"torch": "3"}}, True, "the same rates: within 0.05 on other versions"),
        ({"state": "b", "machine": None, "attack_success_rate": 0.5 + 0.9 * TOLERANCE}, True, "on another machine"),
        ({"state": "b", "machine": None, "attack_success_rate": 0.5 + 1.1 * TOLERANCE}, False, "beyond 0.05"),
        ({"state": "b", "machine": None, "attack_success_rate": None}, False, "beyond 0.05"),
    ],
)
def test_verdicts(changes: dict[str, Any], is_right: bool, words: str) -> None:
    verdict, found = verdict_on(RUN | changes, RUN)
    assert (found, words in verdict) == (is_right, True), verdict


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.update(format=2), "format: 1 was expected"),
        (lambda content: cell(content).update(testing_error_rate=1.5), "testing_error_rate: 1.5 is greater than"),
        (lambda content: cell(content).update(state="abc"), "'abc' does not match"),
        (lambda content: content.update(extra=1), "it: Additional properties"),
        (lambda content: content.update(task="other"), "task=other is not tiny"),
        (lambda content: content.update(code=None), "code is null: write the address"),
        (lambda content: content["attacks"].pop("No attack"), "No attack is missing"),
        (lambda content: content["attacks"]["No attack"]["runs"].pop("1"), "has the seeds 0, not 0, 1"),
        (
            lambda content: content["attacks"]["No attack"]["settings"].update(class_path="callbacks.MPAF"),
            "not the task's",
        ),
    ],
)
def test_what_is_not_admitted(
    made: Path, tmp_path: Path, task: Task, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    content = json.loads((made / ENTRY).read_text())
    change(content)
    (tmp_path / "changed.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=re.escape(message)):
        check_form(Entry.read(tmp_path / "changed.json"), task)


def test_the_task_s_attack_is_run_whatever_an_entry_says_of_it(board: Path) -> None:
    """One that leaves out a setting would be made with the default."""
    alter(lambda content: content["attacks"]["Scaling attack"]["settings"].update(init_args={}))
    assert run("leaderboard", "check", ENTRY, "--cells", "1", "--out", "anew").output.count("bit for bit") == 1
    (config,) = Path("anew").glob("tiny/fltrust/*/seed_?/config.yaml")
    assert yaml.safe_load(config.read_text())["attack"]["init_args"]["fraction"] == 0.2
    again = run("leaderboard", "check", ENTRY, "--cells", "1", "--out", "anew")
    assert again.output.count("bit for bit") == 1
    alter(lambda content: content["settings"]["init_args"].update(variant="NoReLU"))
    other = run("leaderboard", "check", ENTRY, "--cells", "1", "--out", "anew")
    assert (other.status, "holds a run with other settings" in other.errors) == (2, True), other


def test_no_number_is_no_rate(board: Path) -> None:
    text = Path(ENTRY).read_text()
    Path(ENTRY).write_text(re.sub(r'"testing_error_rate": [\d.]+', '"testing_error_rate": NaN', text, count=1))
    ended = run("leaderboard", "check", ENTRY, "--cells", "0")
    assert (ended.status, "NaN is no number" in ended.errors) == (2, True)


def test_attacks_at_once_have_no_more_malicious_clients(task: Task) -> None:
    def groups(*fractions: float) -> dict[str, Any]:
        attacks = [{"class_path": "callbacks.TrimAttack", "init_args": {"fraction": each}} for each in fractions]
        return {"class_path": "callbacks.AttackGroups", "init_args": {"attacks": attacks}}

    assert task.refuses("Both", groups(0.1, 0.1)) is None
    two = {"class_path": "callbacks.AttackGroups", "init_args": {"attacks": 2 * [{"class_path": "callbacks.MPAF"}]}}
    assert "attack.fraction=0.4 is not the task's 0.2" in str(task.refuses("Both", two))  # what each is by itself
    assert "attack.fraction=0.7 is not the task's 0.2" in str(task.refuses("Both", groups(0.3, 0.4)))


def test_settings_that_a_run_refuses(board: Path) -> None:
    alter(lambda content: content["settings"]["init_args"].update(score="none"))
    ended = run("leaderboard", "check", ENTRY, "--cells", "1")
    assert (ended.status, "Scaling attack, seed" in ended.errors, "score" in ended.errors) == (2, True, True), (
        ended.errors
    )


@pytest.mark.parametrize(
    ("further", "entry", "message"),
    [
        ([], "board/fltrust.json", "holds no task.yaml"),
        ([], "board/tiny", "has no axis called rule: name a file"),
        (["--config", "rules.yaml"], ENTRY, "has an axis of rules: name the folder"),
        (["--settings.trainer.max_steps=3"], ENTRY, "no run of the task tiny: settings.trainer.max_steps was 2, is 3"),
        (["--settings.aggregation=Krum"], ENTRY, "has other settings than"),
        (["--seeds=[0]"], ENTRY, "has the seeds [0], the task [0, 1]"),
        (["--axes={attack: [NoAttack]}"], "board/tiny/new.json", "the task has more attacks, Scaling attack"),
        (["--axes={attack: {No attack: MPAF}}"], ENTRY, "not the task's No attack"),
        (
            ["--axes={attack: {More: {attack: MPAF, attack.fraction: 0.4}}}"],
            ENTRY,
            "fraction=0.4 is not the task's 0.2",
        ),
    ],
)
def test_runs_that_make_no_entry(board: Path, here: Here, further: list[str], entry: str, message: str) -> None:
    """They are told before any work."""
    write_grid("rules.yaml", axes={"attack": ATTACKS, "rule": RULES})
    before = Path(ENTRY).read_text()
    ended = enter("--settings.aggregation=FLTrust", *further, entry=entry, out="other")
    assert (ended.status, message in ended.errors) == (2, True), ended.errors
    assert (here.ran, Path(ENTRY).read_text()) == ([], before)


def test_a_stronger_attack_lowers_an_entry(board: Path) -> None:
    worst = Entry.read(Path(ENTRY)).worst
    flip = ["--settings.aggregation=FLTrust", "--axes={attack: {Reversed: SignFlip}}"]
    assert enter(*flip, out="doubt").status == 0
    alter(
        lambda content: [
            each.update(testing_error_rate=1.0) for each in content["attacks"]["Reversed"]["runs"].values()
        ]
    )
    entry = Entry.read(Path(ENTRY))
    assert [*entry.attacks] == ["No attack", "Scaling attack", "Reversed"]
    assert (entry.worst.attack, entry.worst.mean, worst.attack != "Reversed") == ("Reversed", 1.0, True)
    place = page_as_data(read_leaderboard(Path("board")))["grids"][0]["places"][0]
    assert (place["worst"]["is_further"], place["second"]["is_further"]) == (True, False)
    other = ["--settings.aggregation=FLTrust", "--axes={attack: {Reversed: {attack: SignFlip, attack.scale: 3}}}"]
    assert "has another Reversed (attack" in enter(*other, out="third").errors


def test_the_page_has_every_entry_and_its_command(board: Path) -> None:
    write_grid("rules.yaml", axes={"attack": ATTACKS, "rule": RULES}, reference=None)
    os.remove(ENTRY)
    assert enter(config="rules.yaml", entry="board/tiny", out="both").status == 0
    ended = run("leaderboard", "build", "--folder", "board", "--out", "page.html")
    assert ended == Finished(0, "2 entries of 1 tasks in page.html\n", "")
    (grid,) = page_as_data(read_leaderboard(Path("board")))["grids"]
    entries = {entry.rule: entry for entry in (Entry.read(path) for path in Path("board/tiny").glob("*.json"))}
    assert [place["worst"]["mean"] for place in grid["places"]] == sorted(each.worst.mean for each in entries.values())
    assert {
        each["labels"]["rule"]: each["states"]["1"] for each in grid["cells"] if each["labels"]["attack"] == "No attack"
    } == {rule: cell(entry.content, seed="1")["state"] for rule, entry in entries.items()}
    page = Path("page.html").read_text()
    assert all(f"--aggregation=callbacks.{rule}" in page for rule in RULES)


def test_synthetic_data_make_no_entry_of_a_task_on_real_ones(board: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Task, "takes_synthetic_data", False)
    before = Path(ENTRY).read_text()
    ended = enter("--settings.aggregation=FLTrust")
    assert ended.output.endswith("No entry of fltrust: its runs are on synthetic data\n")
    assert ended.status == 1
    assert Path(ENTRY).read_text() == before
    assert "the real data of tiny are not there" in run("leaderboard", "check", ENTRY, "--cells", "1").errors


def test_entries_of_one_name_are_told(board: Path) -> None:
    shutil.copy(ENTRY, "board/tiny/twice.json")
    for words in (("build", "--folder", "board"), ("check", ENTRY, "--cells", "0")):
        ended = run("leaderboard", *words)
        assert (ended.status, "is called fltrust as well: rename one" in ended.errors) == (2, True), words
    assert run("leaderboard", "check", "board/tiny/twice.json", ENTRY).status == 2


def test_mistakes_of_the_command(place: Path) -> None:
    Path("empty").mkdir()
    Path("task.yaml").write_text(yaml.safe_dump({**TASK, "axes": {"rule": RULES}}))
    for path in ("a.json", "empty/b.json"):
        shutil.copy(COMMITTED[0], path)
    for words, message in {
        ("build", "--folder", "empty"): "holds no TASK/task.yaml",
        ("build", "--out", "page.txt"): "let it end in .html",
        ("check", "empty/b.json"): "holds no task.yaml",
        ("check", "empty/a.json"): "empty/a.json: there is no such file",
        ("check", "empty"): "empty is a folder: name entries in it",
        ("check", "a.json"): "the axis of a task is attack",
        ("check", "a.json", "--cells", "-1"): "cells=-1 must be 0 or more",
        ("check",): "required: ENTRY (see flt leaderboard check --help)",
        ("look",): "invalid choice: 'look'",
    }.items():
        ended = run("leaderboard", *words)
        assert (ended.status, message in ended.errors) == (2, True), ended.errors


@pytest.mark.parametrize("task", sorted(path.parent.name for path in BOARD.glob("*/task.yaml")))
def test_committed_entries_are_admitted(task: str) -> None:
    known = Task.read(BOARD / task)
    assert known.rest["data"]["init_args"]["stand_in"] != "always"
    for path in (path for path in COMMITTED if path.parent.name == task):
        check_form(Entry.read(path), known)


def test_a_committed_cell_is_what_it_says(place: Path, real_data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bit for bit with the versions that it was made with, else within the tolerance."""
    monkeypatch.setenv("FLT_DATA", str(real_data_dir))
    ended = run("leaderboard", "check", str(BOARD / "har-lr-30" / "krum.json"), "--cells", "1")
    assert (ended.status, "Krum" in ended.output) == (0, True), ended.output + ended.errors


def test_sections_of_docstrings() -> None:
    assert section(Entry, "Attributes").startswith("path: Its file. content:")
    assert section(None, "Reference") == ""
