"""``flt certify`` from the outside."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from command_line import FLTRUST, SMALL, expected_warnings, files_in, run, same_parameters, train
from grids import Here

from flt.data import HAR, ClientData, Examples
from flt.grid.certificate.groups import disjoint_groups, drawn_groups

pytestmark = expected_warnings
CERTIFY = ("certify", "--config", FLTRUST, *SMALL, "--out", "out")


def test_groups_are_trained_and_their_vote_is_certified(place: Path, here: Here) -> None:
    here.stop_after = 2
    ended = run(*CERTIFY, "--groups", "3")
    assert (ended.status, "the same command goes on" in ended.errors) == (130, True)
    here.stop_after = None
    ended = run(*CERTIFY, "--groups", "3")
    assert (ended.status, ended.errors, len(here.ran)) == (0, "", 3)
    content = json.loads(Path("out/certificate.json").read_text())
    clients = [group["clients"] for group in content["groups"]]
    assert sorted(client for group in clients for client in group) == list(range(30))
    for number, group in enumerate(content["groups"]):
        cell = Path(f"out/cells/group_{number}/seed_0")
        summary = json.loads((cell / "summary.json").read_text())
        assert (
            yaml.safe_load((cell / "config.yaml").read_text())["data"]["init_args"]["only_clients"] == clients[number]
        )
        assert summary["num_clients"] == 10
        assert summary["testing_error_rate"] == pytest.approx(group["testing_error_rate"], abs=1e-6)
    rows = list(csv.DictReader(Path("out/certificate.csv").read_text().splitlines()))
    right = [row for row in rows if row["label"] == row["elected"]]
    curve = content["certified_accuracy"]
    assert curve == [sum(int(row["certified"]) >= m for row in right) / len(rows) for m in range(len(curve))]
    assert curve[0] == pytest.approx(1 - content["vote_error_rate"])
    assert f"| 1 | {curve[1]:.3f} |" in Path("out/certificate.md").read_text()
    assert f"{curve[1]:.3f}" in ended.output
    assert Path("out/certificate.png").read_bytes().startswith(b"\x89PNG")


def test_a_sample_of_groups_counts_each_draw(place: Path, here: Here) -> None:
    ended = run(*CERTIFY, "--clients_per_model", "29", "--models", "4", "--alpha", "0.9")
    assert (ended.status, ended.errors) == (0, "")
    content = json.loads(Path("out/certificate.json").read_text())
    assert (sum(group["draws"] for group in content["groups"]), content["alpha"]) == (4, 0.9)
    before = files_in(Path("out"))
    for change in (("--models", "5"), ("--trainer.max_steps", "3")):
        ended = run(*CERTIFY, "--clients_per_model", "29", "--models", "4", "--alpha", "0.9", *change)
        assert (ended.status, files_in(Path("out")) == before) == ((0, False) if change[0] == "--models" else (2, True))
        before = files_in(Path("out"))
    with pytest.warns(UserWarning, match="alpha=0.2 has no effect: models=100 takes in every group"):
        run(*CERTIFY, "--out", "all", "--clients_per_model", "30", "--alpha", "0.2")
    assert json.loads(Path("all/certificate.json").read_text())["alpha"] is None


def test_a_group_trains_as_if_there_were_no_others(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    some = train("--data.only_clients", "[4, 7, 9]")
    from_owners = ClientData.from_owners

    def alone(examples: Examples, owners: torch.Tensor, _: int, **settings: Any) -> ClientData:
        everyone = from_owners(examples, owners, 30, **settings)
        own = [everyone.of(client) for client in (4, 7, 9)]
        examples = Examples(torch.cat([each.features for each in own]), torch.cat([each.labels for each in own]))
        return from_owners(examples, torch.arange(3).repeat_interleave(torch.tensor([len(each) for each in own])), 3)

    monkeypatch.setattr(ClientData, "from_owners", alone)
    monkeypatch.setattr(HAR, "_owners", lambda self, raw: (raw.owners, 3))
    assert same_parameters(some, train())


MISTAKES = {
    "more groups than clients": (("--groups", "31"), "groups=31 of 30 clients"),
    "no group": (("--groups", "0"), "groups=0"),
    "larger groups than clients": (("--clients_per_model", "31"), "clients_per_model=31 of 30 clients"),
    "no draw": (("--clients_per_model", "3", "--models", "0"), "models=0"),
    "no probability": (("--clients_per_model", "3", "--alpha", "1"), "alpha=1"),
    "alpha without draws": (("--groups", "3", "--alpha", "0.1"), "alpha=0.1 has no effect"),
    "neither form": ((), "--groups --clients_per_model"),
    "no number": (("--groups", "x"), "--groups"),
    "no runs at a time": (("--groups", "3", "--jobs", "0"), "jobs=0"),
    "an attack": (("--groups", "3", "--attack", "TrimAttack"), "attack=TrimAttack"),
    "clients": (("--groups", "3", "--data.only_clients", "[1]"), "data.only_clients"),
    "added": (("--groups", "3", "--data.num_added_clients", "1"), "data.num_added_clients"),
    "no checkpoint": (("--groups", "3", "--trainer.enable_checkpointing", "false"), "trainer.enable_checkpointing"),
    "rounds of more": (("--groups", "10", "--model.clients_per_round", "4"), "clients_per_round=4 exceeds the 3"),
    "a rule of more": (
        ("--groups", "10", "--aggregation", "Krum", "--aggregation.num_byzantine", "1"),
        "aggregation.num_byzantine=1 does not fit Krum of 3 updates",
    ),
    "a rule of as many as the smallest": (
        ("--groups", "7", "--aggregation", "TrimmedMean", "--aggregation.trim", "2"),
        "aggregation.trim=2 does not fit TrimmedMean of 4 updates",
    ),
    "malicious clients of more": (("--groups", "10", "--model.num_byzantine", "3"), "model.num_byzantine=3"),
    "misspelt": (("--groups", "3", "--aggregation", "Krumm"), "Krumm"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake(place: Path, here: Here, mistake: str) -> None:
    arguments, mentioned = MISTAKES[mistake]
    ended = run(*CERTIFY, *arguments)
    (line,) = ended.errors.splitlines()
    assert (ended.status, mentioned in line) == (2, True), line
    assert (here.ran, Path("out").exists()) == ([], False)


def test_the_folder_is_asked_for(place: Path) -> None:
    ended = run("certify", "--config", FLTRUST, "--groups", "3")
    assert (ended.status, "--out" in ended.errors, len(ended.errors.splitlines())) == (2, True, 1)


def test_groups_depend_on_the_seed_and_on_nothing_else() -> None:
    assert disjoint_groups(10, 3, seed=1) == disjoint_groups(10, 3, seed=1) != disjoint_groups(10, 3, seed=2)
    assert sorted(map(len, disjoint_groups(10, 3, seed=1).members)) == [3, 3, 4]
    every = drawn_groups(6, 2, num_models=15, alpha=0.1, seed=0)
    assert (len({*every.members}), every.alpha) == (15, None)
    assert sum(drawn_groups(6, 2, num_models=14, alpha=0.1, seed=0).draws) == 14
