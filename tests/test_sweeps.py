"""The sweeps of configs/sweeps: what W&B's agent would run is what the command line understands."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from command_line import CONFIGS, SMALL, expected_warnings, parse, run, workdir  # noqa: F401
from offline_wandb import end_wandb, read_offline_run
from wandb import wandb_agent

pytestmark = [
    *expected_warnings,
    pytest.mark.usefixtures("workdir"),
    pytest.mark.filterwarnings("ignore:The number of training batches"),
]

SWEEPS = sorted((CONFIGS / "sweeps").glob("*.yaml"))
Command = Callable[[dict[str, Any], dict[str, Any]], list[str]]


def content_of(path: Path) -> dict[str, Any]:
    content = yaml.safe_load(path.read_text())
    assert isinstance(content, dict)
    return content


def cover_of(sweep: dict[str, Any]) -> list[dict[str, Any]]:
    """Combinations with every value of each parameter."""
    values = {name: parameter["values"] for name, parameter in sweep["parameters"].items()}
    return [
        {name: those[number % len(those)] for name, those in values.items()}
        for number in range(max(map(len, values.values())))
    ]


CASES = [
    pytest.param(path, choice, id=f"{path.stem}-{'-'.join(map(str, choice.values()))}")
    for path in SWEEPS
    for choice in cover_of(content_of(path))
]


@pytest.fixture
def command_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """The command that W&B's own agent starts for a choice of parameters, split into words."""
    started: list[list[str]] = []

    class Process:
        last_sigterm_time = None

        def __init__(self, *, command: list[str], env: dict[str, str], forward_signals: bool) -> None:
            started.append(command)

    for name, value in {"DIR": tmp_path, "RUN_ID": "", "SWEEP_ID": "a-sweep", "SWEEP_PARAM_PATH": ""}.items():
        monkeypatch.setenv(f"WANDB_{name}", str(value))  # and undone after the test, as the agent changes them
    monkeypatch.setattr(wandb_agent, "AgentProcess", Process)
    Path("configs").symlink_to(CONFIGS)

    def command(sweep: dict[str, Any], choice: dict[str, Any]) -> list[str]:
        agent = wandb_agent.Agent(api=None, queue=None)
        agent._sweep_command = list(sweep["command"])
        values = {name: {"value": value} for name, value in choice.items()}
        agent._command_run({"run_id": "a-run", "program": sweep["program"], "args": values})
        return started[-1]

    return command


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_a_sweep_is_one(path: Path) -> None:
    sweep = content_of(path)
    assert sweep["method"] == "grid"
    assert sweep["program"] == "flt"
    assert all(set(values) == {"values"} for values in sweep["parameters"].values())
    assert f"#   wandb sweep --project flt configs/sweeps/{path.name}\n" in path.read_text()
    assert re.search(r"^#   wandb agent \S+/flt/\S+$", path.read_text(), re.MULTILINE)


def test_what_they_vary() -> None:
    sweeps = {path.stem: content_of(path)["parameters"] for path in SWEEPS}
    sizes = sweeps["root_size"]["data.root_size"]["values"]
    assert min(sizes) < 100 < max(sizes)
    rules, attacks = (sweeps["attack_by_rule"][f"{key}.class_path"]["values"] for key in ("aggregation", "attack"))
    assert set(rules) == {"FLTrust", "FedAvg", "Krum", "TrimmedMean", "Median"}
    assert len(attacks) == 6


@pytest.mark.parametrize(("path", "choice"), CASES)
def test_what_the_agent_runs_is_understood(command_of: Command, path: Path, choice: dict[str, Any]) -> None:
    words = command_of(content_of(path), choice)
    assert words[: words.index("fit")] == ["/usr/bin/env", "flt"]
    assert not any("$" in word for word in words)
    settings = parse(*words[words.index("fit") :])
    assert settings["trainer"]["logger"][-1]["init_args"]["offline"] is False
    data, rule, attack = (settings[key] for key in ("data", "aggregation", "attack"))
    made = {
        "seed_everything": settings["seed_everything"],
        "data.root_size": data["init_args"]["root_size"],
        "aggregation.class_path": rule["class_path"].removeprefix("callbacks."),
        "attack.class_path": attack["class_path"].removeprefix("callbacks."),
    }
    assert {name: made[name] for name in choice} == choice


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_the_order_of_the_arguments_does_not_matter(command_of: Command, path: Path) -> None:
    """W&B sends them in an order of its own."""
    sweep = content_of(path)
    choice = cover_of(sweep)[-1]
    orders = (choice, dict(reversed(choice.items())))
    first, second = (parse(*command_of(sweep, order)[2:]) for order in orders)
    assert first == second


@pytest.mark.filterwarnings("ignore:unclosed file .*config-a-run.yaml:ResourceWarning")  # W&B's
def test_a_sweeps_run_keeps_its_configuration(
    command_of: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What a sweep sets is locked in a run's configuration, and must not take the place of anything else."""
    sweep = content_of(CONFIGS / "sweeps" / "attack_by_rule.yaml")
    choice = {"aggregation.class_path": "Krum", "attack.class_path": "TrimAttack"}
    words = command_of(sweep, choice)
    assert Path(os.environ["WANDB_SWEEP_PARAM_PATH"]).is_file()
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    end_wandb()  # what an earlier test made of W&B would not look at these again
    try:
        ended = run(*words[2:], *SMALL)
    finally:
        end_wandb()
    assert ended.status == 0, ended.errors
    assert "locked" not in ended.errors
    config = read_offline_run(Path("runs") / "wandb").config
    assert {name: config[name] for name in choice} == choice
    assert config["aggregation"]["class_path"] == "callbacks.Krum"
    assert config["attack"]["init_args"]["knowledge"] == "full"
    assert (config["rule_used"], config["attack_used"]) == ("Krum", "TrimAttack")
