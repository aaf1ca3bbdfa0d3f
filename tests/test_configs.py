"""Every file under configs/, parsed and run."""

import copy
import functools
from pathlib import Path
from typing import Any

import pytest
from command_line import CONFIGS, FLTRUST, STAND_IN, expected_warnings, parse, summary_of, train, workdir  # noqa: F401

from callbacks import FLTrust
from flt.cli import FederatedCLI
from flt.module import FederatedModule

pytestmark = [*expected_warnings, pytest.mark.usefixtures("workdir")]

FILES = sorted(CONFIGS.rglob("*.yaml"))
EXPERIMENTS = sorted(CONFIGS.glob("*.yaml"))
ATTACKS = sorted(CONFIGS.glob("attack/*.yaml"))
RULES = sorted(CONFIGS.glob("aggregation/*.yaml"))
SECTIONS = ("data", "model", "trainer", "aggregation", "attack")
SHORT = ("--data.stand_in", "always", "--trainer.max_steps", "2", "--trainer.log_every_n_steps", "1")


def name_of(path: Path) -> str:
    return str(path.relative_to(CONFIGS).with_suffix(""))


@functools.cache
def parsed(config: Path | str) -> dict[str, Any]:
    return parse("fit", "--config", str(config))


def settings_of(config: Path | str) -> dict[str, Any]:
    return copy.deepcopy(parsed(config))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_is_understood(path: Path) -> None:
    if path.parent == CONFIGS:
        settings = settings_of(path)
        assert set(SECTIONS) <= settings.keys()
        return
    section = path.parent.name
    option = f"--{section}" if section in SECTIONS else "--config"
    before, after = settings_of(FLTRUST), parse("fit", "--config", FLTRUST, option, str(path))
    changed = {key for key in before if before[key] != after[key]}
    assert changed <= {section if section in SECTIONS else "trainer"}


@pytest.mark.parametrize("path", EXPERIMENTS, ids=name_of)
def test_experiment_runs(path: Path) -> None:
    summary = summary_of(train(config=str(path)))
    assert (summary["data"].endswith("(stand-in)"), summary["rounds"], summary["seed"]) == (True, 2, 0)
    assert 0 < summary["testing_error_rate"] < 1


@pytest.mark.parametrize("path", ATTACKS, ids=name_of)
def test_attack_runs(path: Path) -> None:
    summary = summary_of(train("--attack", str(path)))
    assert summary["num_malicious"] == (0 if path.stem == "none" else 6)
    assert (summary["attack_success_rate"] is not None) == (path.stem == "scaling")


@pytest.mark.parametrize("path", RULES, ids=name_of)
def test_rule_runs(path: Path) -> None:
    summary = summary_of(train("--aggregation", str(path)))
    assert summary["aggregation"].lower() == path.stem.replace("_", "")


def test_table_one() -> None:
    """HAR's column of the paper's Table I, and section VI-A's root dataset."""
    settings = settings_of(FLTRUST)
    model, data = settings["model"], settings["data"]["init_args"]
    assert settings["trainer"]["max_steps"] == 1000
    assert model["client_lr"] * model["server_lr"] == 0.003
    assert (model["loss_reduction"], model["local_steps"]) == ("sum", 1)
    assert model["network"]["class_path"].endswith("LogisticRegression")
    assert (data["batch_size"], data["root_size"], data["bias_probability"]) == (32, 100, None)
    assert settings["aggregation"]["init_args"] == {"variant": "FLTrust"}
    assert settings["attack"]["class_path"].endswith("NoAttack")


def test_every_client_takes_part_and_the_server_uses_all_of_its_root_dataset() -> None:
    cli = FederatedCLI(["fit", "--config", FLTRUST, *SHORT])
    assert isinstance(cli.model, FederatedModule)
    federation = cli.model.federation
    assert (federation.num_clients, federation.clients_per_round, federation.num_malicious) == (30, 30, 0)
    assert federation.num_expected == 6
    assert (len(cli.model.data.root), cli.model.root_batch_size) == (100, None)
    assert sum(isinstance(callback, FLTrust) for callback in cli.trainer.callbacks) == 1


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("har_*.yaml")), ids=name_of)
def test_experiments_differ_in_their_rule_alone(path: Path) -> None:
    settings, reference = settings_of(path), settings_of(FLTRUST)
    assert settings.pop("aggregation")["class_path"].split(".")[-1].lower() == path.stem[4:].replace("_", "")
    del reference["aggregation"]
    assert settings == reference


def test_wandb_comes_second_and_offline() -> None:
    loggers = parse("fit", "--config", FLTRUST, "--config", str(CONFIGS / "logger" / "wandb.yaml"))["trainer"]["logger"]
    assert [logger["class_path"].split(".")[-1] for logger in loggers] == ["CSVLogger", "WandbLogger"]
    assert loggers[1]["init_args"]["offline"] is True
