"""``flt data``: what it prints and draws is what the run of the same settings has, and it leaves nothing else."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import FLTRUST, Finished, expected_warnings, files_in, run, train, workdir  # noqa: F401
from PIL import Image

import callbacks
from flt.data import HAR, TailTrigger
from flt.display.overview import overview_of

pytestmark = [*expected_warnings, pytest.mark.usefixtures("workdir")]

STAND_IN = ("--data.stand_in", "always")
TRIM = ("--attack", "TrimAttack")

WITNESS = """
import torch

from flt.federation import FederatedCallback, Federation


class Witness(FederatedCallback):
    def on_federation(self, federation: Federation) -> None:
        labels = [federation.clients.of(client).labels for client in range(federation.num_clients)]
        counts = torch.stack([each.bincount(minlength=federation.num_classes) for each in labels])
        torch.save({"counts": counts, "malicious": federation.malicious}, "witness.pt")

    def on_train_start(self, trainer, pl_module) -> None:
        torch.save(pl_module.data.root.labels, "root.pt")
"""


def show(*arguments: str, config: str = FLTRUST) -> Finished:
    return run("data", "--config", config, *STAND_IN, *arguments)


def rows_of(output: str) -> dict[str, list[str]]:
    """The rows of the table of clients by their first cell, without the marks of malicious clients."""
    lines = re.findall(r"^ *((?:\d+|total|root) .*)$", output, re.MULTILINE)
    return {words[0]: words[1:] for words in (line.replace("*", " ").split() for line in lines)}


def marked_in(output: str) -> list[int]:
    return [int(line.split()[0]) for line in output.splitlines() if line.split()[1:2] == ["*"]]


def write_arrays(num_classes: int = 3, shape: tuple[int, ...] = (8, 8, 3), num_examples: int = 400) -> tuple[str, ...]:
    """The arguments for a data set of the user's own."""
    draw = np.random.default_rng(0)
    parts = {f"x_{part}": draw.integers(256, size=(num_examples, *shape), dtype=np.uint8) for part in ("train", "test")}
    labels = {f"y_{part}": np.arange(num_examples) % num_classes for part in ("train", "test")}
    np.savez("own.npz", **parts, **labels)
    return ("--data", "Arrays", "--data.path", "own.npz", "--model.network", "LogisticRegression")


# What it prints


def test_the_run_that_fit_makes() -> None:
    Path("data_witness.py").write_text(WITNESS)
    settings = (*TRIM, "--data.bias_probability", "0.5", "--seed_everything", "3")
    train(*settings, "--trainer.callbacks+", "data_witness.Witness")
    seen, root = torch.load("witness.pt"), torch.load("root.pt")
    output = show(*settings).output
    head = " ".join(output.replace("│", " ").split())
    assert re.search(r"HAR \(stand-in\): [\d,]+ training examples, [\d,]+ test examples, 6 classes", head)
    for told in ("30; partition: natural", "100 examples, biased: 0.5 of class walking upstairs", "seed 3"):
        assert told in head
    assert "TrimAttack: 6 of 30 clients malicious" in head
    total = [int(cell) for cell in rows_of(output)["total"]]
    assert total == [int(seen["counts"].sum()), *seen["counts"].sum(0).tolist()]
    counts = [[int(cell) for cell in cells[1:]] for name, cells in rows_of(output).items() if name.isdecimal()]
    assert counts == seen["counts"].tolist()
    assert marked_in(output) == seen["malicious"].nonzero().flatten().tolist()
    assert [int(cell) for cell in rows_of(output)["root"][1:]] == root.bincount(minlength=6).tolist()


def test_the_data_are_those_before_any_poisoning() -> None:
    assert rows_of(show("--attack", "ScalingAttack").output) == rows_of(show().output)


def test_many_clients_and_many_classes() -> None:
    """Beyond a hundred clients some are left out; beyond twelve classes the most frequent one stands for them."""
    own = (*write_arrays(13, num_examples=13 * 40), "--data.num_clients", "101", "--data.partition", "IIDPartition")
    output = run("data", *own).output
    rows = rows_of(output)
    names = [name for name in rows if name.isdecimal()]
    assert names == [str(client) for client in (*range(50), *range(91, 101))]
    assert "... 41 more" in " ".join(output.split())
    assert "101; partition: IIDPartition" in output
    assert "most frequent" in output
    for size, held, most, share in rows.values():
        assert 1 <= int(held) <= min(13, int(size))
        assert 0 <= int(most) < 13
        assert 0 < int(share.removesuffix("%")) <= 100


# What it leaves


def test_the_plot_and_nothing_else(workdir: Path) -> None:  # noqa: F811
    Path("partition.png").write_text("an earlier one")
    finished = show(*TRIM, "--plot", "partition.png")
    assert finished.status == 0, finished.errors
    assert "Figure in partition.png" in finished.output
    assert list(files_in(workdir)) == [str(workdir / "partition.png")]
    with Image.open("partition.png") as image:
        assert (image.format, image.width) == ("PNG", 1650)


def test_the_config_of_a_run() -> None:
    folder = train(*TRIM)
    before = files_in(folder)
    finished = run("data", "--config", str(folder / "config.yaml"), "--ckpt_path", str(folder / "metrics.csv"))
    assert finished.status == 0, finished.errors
    assert finished.output == show(*TRIM).output
    assert files_in(folder) == before
    assert len(list(Path("runs").glob("*/*"))) == 1


# The trigger


def test_a_data_set_without_a_trigger() -> None:
    own = (*write_arrays(shape=(5,)), "--data.num_clients", "4")
    assert run("data", *own, "--plot", "own.svg").status == 0
    assert run("data", *own, "--attack", "ScalingAttack").errors == (
        "flt: error: this data set has no backdoor trigger of its own: give the attack one, such as --attack.trigger"
        " FeatureTrigger --attack.trigger.indices [0,1]\n"
    )


@pytest.mark.parametrize(
    ("attack", "origin", "target"),
    [
        (callbacks.ScalingAttack(), "ScalingAttack", 1),
        (callbacks.ScalingAttack(target_class=4), "ScalingAttack", 4),
        (callbacks.TrimAttack(), "HAR, which TrimAttack does not use", 1),
        (None, "HAR, which this run does not use", 1),
    ],
)
def test_whose_trigger_it_is(attack: callbacks.TrimAttack | None, origin: str, target: int) -> None:
    data = HAR(stand_in="always")
    trigger = overview_of(data, attack).trigger
    assert trigger is not None
    assert (trigger.origin, trigger.target_class) == (origin, target)
    assert trigger.labels == ((0, 2) if target == 1 else (0, 1))
    assert torch.equal(trigger.after, data.trigger(trigger.before))
    for label, example in zip(trigger.labels, trigger.before, strict=True):
        assert torch.equal(example, data.test.features[data.test.labels == label][0])


def test_examples_that_are_the_trigger_themselves() -> None:
    data, attack = HAR(stand_in="always"), callbacks.ScalingAttack(trigger=TailTrigger(3, tail=0.05))
    trigger = overview_of(data, attack).trigger
    assert trigger is not None
    assert (trigger.labels, trigger.has_pattern) == ((3, 3), False)
    assert torch.equal(trigger.before, trigger.after)
    tested = attack.trigger.tested(data.test, 1)
    assert torch.equal(trigger.before, tested.features[:2])


# Help


def test_help_describes_the_plot_and_no_setting_that_is_not_looked_at() -> None:
    text = " ".join(run("data", "--help").output.split())
    assert "--plot FILE File for a figure of the clients' data, the root dataset and the backdoor's trigger" in text
    assert "--trainer" not in text
    assert "--model" not in text
