"""Every file under configs/, parsed and run."""

import copy
import csv
import functools
from pathlib import Path
from typing import Any

import pytest
from command_line import (  # noqa: F401
    CONFIGS,
    FLTRUST,
    SMALL,
    STAND_IN,
    expected_warnings,
    parameters_of,
    parse,
    run,
    summary_of,
    train,
    workdir,
)

import callbacks.attacks
from callbacks import FLTrust
from flt.cli.settings import read
from flt.cli.training import assemble, perform
from flt.data.readers.images import Images
from flt.data.sets import chmnist, cifar10, idx_images
from flt.data.stand_ins.images import synthetic_images
from flt.federation import Attack
from flt.grid import Grid
from flt.grid.commands import request
from flt.grid.plan.grid import Cell, arguments_of
from flt.grid.plan.reference import published
from flt.grid.results.pictures.figures import check_figure

pytestmark = [
    *expected_warnings,
    pytest.mark.usefixtures("workdir", "small_stand_ins"),
    pytest.mark.filterwarnings("ignore:model.lr_milestones holds 1750, and training ends after"),
]

GRIDS = sorted(path for kind in ("tables", "studies", "reference") for path in CONFIGS.glob(f"{kind}/*.yaml"))
OTHERS = ("inputs", "sweeps", "tables", "studies", "reference", "axes")  # sweeps are tested in test_sweeps.py
EXPERIMENTS, INPUTS = sorted(CONFIGS.glob("*.yaml")), sorted(CONFIGS.glob("inputs/*.yaml"))
PARTS = sorted(path for path in CONFIGS.glob("*/*.yaml") if path.parent.name not in OTHERS)
ATTACKS = sorted(CONFIGS.glob("attack/*.yaml"))
RULES = sorted(CONFIGS.glob("aggregation/*.yaml"))
EVERY_ATTACK = Grid("Every attack", FLTRUST, str(CONFIGS / "axes" / "all_attacks.yaml"))
SECTIONS = ("data", "model", "trainer", "aggregation", "attack")
CIFAR10 = str(CONFIGS / "cifar10_fltrust.yaml")
# Enough of a federation of images to see every part of it work.
FEW = ("--data.num_clients", "10", "--data.batch_size", "2", "--data.root_size", "5")


@pytest.fixture
def small_stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fiftieth of the images, to test with a two hundredth; data/test_image_sets.py has them all."""

    def synthetic(name: str, *, num_train: int, num_test: int, **settings: Any) -> Images:
        return synthetic_images(name, num_train=num_train // 50, num_test=num_test // 200, **settings)

    for data_set in (idx_images, cifar10, chmnist):
        monkeypatch.setattr(data_set, "synthetic_images", synthetic)


def name_of(path: Path) -> str:
    return str(path.relative_to(CONFIGS).with_suffix(""))


@functools.cache
def parsed(config: Path | str) -> dict[str, Any]:
    return parse("fit", "--config", str(config))


def settings_of(config: Path | str) -> dict[str, Any]:
    return copy.deepcopy(parsed(config))


@pytest.mark.parametrize("path", INPUTS, ids=name_of)
def test_inputs_run(path: Path) -> None:
    assert parse("fit", "--config", CIFAR10, "--data.inputs", str(path))["data"]["init_args"]["inputs"]
    assert summary_of(train(*FEW, "--data.inputs", str(path), config=CIFAR10))["rounds"] == 2


@pytest.mark.parametrize("path", PARTS, ids=name_of)
def test_a_part_changes_its_own_section_alone(path: Path) -> None:
    section = path.parent.name
    option = f"--{section}" if section in SECTIONS else "--config"
    before, after = settings_of(FLTRUST), parse("fit", "--config", FLTRUST, option, str(path))
    changed = {key for key in before if before[key] != after[key]}
    assert changed <= {section if section in SECTIONS else "trainer"}


@pytest.mark.parametrize("path", EXPERIMENTS, ids=name_of)
def test_experiment_runs(path: Path) -> None:
    summary = summary_of(train(*(() if path.stem.startswith("har") else FEW), config=str(path)))
    assert (summary["data"].endswith("(stand-in)"), summary["rounds"], summary["seed"]) == (True, 2, 0)
    assert 0 < summary["testing_error_rate"] <= 1


@pytest.mark.parametrize("path", ATTACKS, ids=name_of)
def test_attack_runs(path: Path) -> None:
    summary = summary_of(train("--attack", str(path)))
    assert summary["num_malicious"] == (0 if path.stem == "none" else 6)
    assert (summary["attack_success_rate"] is not None) == (path.stem == "scaling")


@pytest.mark.filterwarnings("ignore:FLTrust. an update was zero", "ignore:updates with a NaN or an infinity")
@pytest.mark.parametrize("cell", EVERY_ATTACK.cells, ids=lambda cell: cell.name)
def test_every_attack_runs_on_har(cell: Cell) -> None:
    without_files = ("--trainer.fast_dev_run", "2", "--trainer.logger", "false")
    finished = run("fit", *arguments_of(EVERY_ATTACK, cell), *SMALL, *without_files)
    assert finished.status == 0, finished.errors


def test_the_axis_of_all_attacks_has_every_one() -> None:
    named = {cell.settings["attack"] for cell in EVERY_ATTACK.cells}
    made = {kind for kind in vars(callbacks.attacks).values() if isinstance(kind, type) and issubclass(kind, Attack)}
    assert {kind.__name__ for kind in made} - named == {"AttackGroups", "Chameleon", "Worst"}  # the file says why


@pytest.mark.parametrize("attack", ["scaling", "trim"])
def test_attack_runs_on_images(attack: str) -> None:
    folder = train(*FEW, "--attack", str(CONFIGS / "attack" / f"{attack}.yaml"), config=CIFAR10)
    summary, state = summary_of(folder), parameters_of(folder)
    assert summary["num_malicious"] == 2
    assert (summary["attack_success_rate"] is not None) == (attack == "scaling")
    assert all(tensor.isfinite().all() for tensor in state.values())
    moved = [tensor for key, tensor in state.items() if key.endswith("running_mean")]
    assert len(moved) == 21
    assert all(tensor.any() for tensor in moved)


def test_the_loss_falls_on_images() -> None:
    rounds = ("--trainer.max_steps", "4", "--data.batch_size", "8", "--model.client_lr", "0.005")
    folder = train(*FEW, *rounds, "--aggregation", "FedAvg", config=CIFAR10)
    with (folder / "metrics.csv").open() as file:
        _, *rows = csv.DictReader(file)  # in round 0 nobody has trained
    losses = [float(row["training_loss"]) for row in rows]
    assert len(losses) == 4
    assert sum(losses[-2:]) < 0.95 * sum(losses[:2])


@pytest.mark.parametrize("path", RULES, ids=name_of)
def test_rule_runs(path: Path) -> None:
    summary = summary_of(train("--aggregation", str(path)))
    assert summary["aggregation"].lower() == path.stem.replace("_", "")


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("har", ("HAR", None, None, 1000, 32, 3e-3, "LogisticRegression")),
        ("mnist", ("MNIST", 100, 0.5, 2000, 32, 3e-4, "CNN")),
        ("mnist_iid", ("MNIST", 100, 0.1, 2000, 32, 3e-4, "CNN")),
        ("fashion_mnist", ("FashionMNIST", 100, 0.5, 2500, 32, 6e-3, "CNN")),
        ("cifar10", ("CIFAR10", 100, 0.5, 1500, 64, 2e-4, "ResNet20")),
        ("chmnist", ("CHMNIST", 40, 0.5, 2000, 32, 3e-4, "ResNet20")),
    ],
)
def test_table_one(name: str, row: tuple[Any, ...]) -> None:
    """The paper's Table I, and section VI-A's root dataset."""
    data_set, clients, degree, rounds, batch_size, learning_rate, network = row
    settings = settings_of(CONFIGS / f"{name}_fltrust.yaml")
    model, data = settings["model"], settings["data"]["init_args"]
    assert settings["trainer"]["max_steps"] == rounds
    assert model["client_lr"] * model["server_lr"] == learning_rate
    assert (model["loss_reduction"], model["local_steps"], model["root_batch_size"]) == ("sum", 1, None)
    assert (model["initialization"], model["clients_per_round"]) == ("xavier", None)
    assert model["lr_milestones"] == ([1500, 1750] if name == "chmnist" else None)
    assert model["lr_gamma"] == 0.9
    assert model["network"]["class_path"].split(".")[-1] == network
    assert settings["data"]["class_path"].split(".")[-1] == data_set
    assert (data["batch_size"], data["root_size"], data["bias_probability"]) == (batch_size, 100, None)
    assert data["stand_in"] == "if_unreachable"
    if clients is not None:
        assert data["num_clients"] == clients
        assert data["partition"]["init_args"] == {"noniid_degree": degree}
        assert data.get("inputs") is None
    assert settings["aggregation"]["init_args"]["variant"] == "FLTrust"
    assert settings["attack"]["class_path"].endswith("NoAttack")


def test_every_client_takes_part_and_the_server_uses_all_of_its_root_dataset() -> None:
    run = assemble("fit", ["--config", FLTRUST, *SMALL])
    perform(run)
    federation = run.model.federation
    assert (federation.num_clients, federation.clients_per_round, federation.num_malicious) == (30, 30, 0)
    assert federation.num_byzantine == 0
    assert (len(run.model.data.root), run.model.root_batch_size) == (100, None)
    assert sum(isinstance(callback, FLTrust) for callback in run.trainer.callbacks) == 1


def test_wandb_comes_second_and_offline() -> None:
    loggers = parse("fit", "--config", FLTRUST, "--config", str(CONFIGS / "logger" / "wandb.yaml"))["trainer"]["logger"]
    assert [logger["class_path"].split(".")[-1] for logger in loggers] == ["CSVLogger", "WandbLogger"]
    assert loggers[1]["init_args"]["offline"] is True


@pytest.mark.parametrize("path", GRIDS, ids=name_of)
def test_grid_is_understood_and_its_last_cell_runs(path: Path) -> None:
    """Its settings are those of ``flt fit``, its figure and its reference fit its axes; it says how to start it."""
    grid = request(["--config", str(path), "--out", "results"]).grid
    seeds = {cell.name: cell for cell in grid.cells}
    first, last = arguments_of(grid, grid.cells[0]), arguments_of(grid, grid.cells[-1])
    assert read("fit", first).settings.trainer.max_steps >= 500
    if grid.outline.figure is not None:
        check_figure(grid.outline, grid.outline.figure)
    if grid.reference is not None:
        found = published(grid.reference, list(grid.outline.axes))
        assert sum(bool(found.of(cell.labels)) for cell in seeds.values()) >= 0.7 * len(seeds)
        known = {tuple(cell.labels[column] for column in found.columns) for cell in seeds.values()}
        assert path.parent.name != "reference" or known == found.values.keys()  # all of it, and nothing else
    out = f"reference_{path.stem}" if path.parent.name == "reference" else path.stem
    assert f"flt table --config configs/{path.parent.name}/{path.name} --out results/{out}" in path.read_text()
    assert grid.seeds in ([0, 1, 2], [0])
    few = () if path.stem.endswith("har") else FEW
    few += (
        ("--data.num_clients", "20") if path.stem in ("malicious_fraction", "adaptive") else ()
    )  # of 95 % one is benign
    few += ("--model.num_byzantine", "null") if path.stem.startswith(("table3", "ndss21")) else ()  # fewer clients
    if path.stem == "bucketing_exp1":
        few += ("--data.long_tail", "0.9", "--data.test_size", "20")  # so that each class has examples left
    finished = run("fit", *last, *few, *SMALL)  # with the last level of each axis
    assert finished.status == 0, finished.errors
    (folder,) = Path("runs").glob("*/*")
    assert (summary_of(folder)["rounds"], summary_of(folder)["seed"]) == (2, grid.seeds[-1])


def test_each_file_of_axes_is_used() -> None:
    used = "".join(path.read_text() for path in GRIDS)
    assert all(f"../axes/{path.name}" in used for path in CONFIGS.glob("axes/*.yaml"))
