"""What a configuration may say about axes, and what each level then means."""

from pathlib import Path
from typing import Any

import pytest

from flt.cli.settings import read
from flt.errors import InputError
from flt.grid.plan.axes import Axis, axes_of, file_named
from flt.grid.plan.grid import arguments_of
from flt.grid.plan.naming import column_of, label_of, readable, slug
from flt.grid.plan.reading import read_grid


def axis(name: str, levels: Any) -> Axis:
    (made,) = axes_of({name: levels})
    return made


def test_list_of_values() -> None:
    made = axis("data.root_size", [50, 100])
    assert made == Axis("root_size", {"50": {"data.root_size": 50}, "100": {"data.root_size": 100}})


def test_list_of_fractions_and_words() -> None:
    made = axis("attack.fraction", [0.1, 0.2, 1.0, None, True, "half"])
    assert list(made.levels) == ["0.1", "0.2", "1", "null", "true", "half"]
    assert [settings["attack.fraction"] for settings in made.levels.values()] == [0.1, 0.2, 1.0, None, True, "half"]


def test_labels_of_values() -> None:
    made = axis("data.bias_probability", {"1/M": None, 0.2: 0.2, "most": 0.9})
    assert made.column == "bias_probability"
    assert made.levels == {
        "1/M": {"data.bias_probability": None},
        "0.2": {"data.bias_probability": 0.2},
        "most": {"data.bias_probability": 0.9},
    }


def test_nested_settings_are_flattened() -> None:
    made = axis("step", {"small": {"model": {"client_lr": 0.1, "network": {"class_path": "CNN", "init_args": {}}}}})
    network = {"class_path": "CNN", "init_args": {}}
    assert made.levels["small"] == {"model.client_lr": 0.1, "model.network": network}


def test_a_class_with_arguments_stays_whole() -> None:
    trim = {"class_path": "TrimAttack", "init_args": {"fraction": 0.3}}
    assert axis("attack", {"Trim": trim}).levels["Trim"] == {"attack": trim}
    assert axis("attack", {"Trim": {"attack": trim}}).levels["Trim"] == {"attack": trim}


def test_an_optimizer_is_understood_without_what_it_optimizes(tmp_path: Path) -> None:
    path = tmp_path / "grid.yaml"
    optimizer = "{class_path: torch.optim.SGD, init_args: {lr: 0.2, momentum: 0.9}}"
    path.write_text(
        f"title: T\nbase: har_fltrust.yaml\naxes: {{momentum: {{high: {{model.client_optimizer: {optimizer}}}}}}}\n"
        f"settings: {{model.server_optimizer: {optimizer}}}\n"
    )
    grid = read_grid(path)
    model = read("fit", arguments_of(grid, grid.cells[0])).settings.model
    assert (model.client_optimizer.init_args.lr, model.server_optimizer.init_args.momentum) == (0.2, 0.9)


def test_files_of_levels_start_from_the_folder_of_the_axes(tmp_path: Path) -> None:
    (tmp_path / "attacks").mkdir()
    trim = tmp_path / "attacks" / "trim.yaml"
    trim.write_text("attack: TrimAttack\n")
    (tmp_path / "axes.yaml").write_text(
        "setting:\n  Trim: {config: attacks/trim.yaml}\nattack: {Trim: attacks/trim.yaml}\n"
    )
    setting, attack = axes_of(str(tmp_path / "axes.yaml"))
    assert setting.levels["Trim"] == {"config": str(trim)}
    assert attack.levels["Trim"] == {"attack": str(trim)}


def test_order_of_axes_and_levels_is_that_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "axes.yaml"
    path.write_text("zeta: {b: {x: 1}, a: {x: 2}}\nalpha: [2, 1]\n")
    zeta, alpha = axes_of(path)
    assert (zeta.column, list(zeta.levels)) == ("zeta", ["b", "a"])
    assert (alpha.column, list(alpha.levels)) == ("alpha", ["2", "1"])


def test_axes_of_several_files_and_mappings_follow_each_other(tmp_path: Path) -> None:
    (tmp_path / "sizes.yaml").write_text("data.root_size: [50, 100]\n")
    (tmp_path / "rules.yaml").write_text("rule: {Krum: {aggregation: Krum}}\n")
    made = axes_of([str(tmp_path / "sizes.yaml"), {"zeta": {"b": {"x": 1}}}, str(tmp_path / "rules.yaml")])
    assert [(axis.column, list(axis.levels)) for axis in made] == [
        ("root_size", ["50", "100"]),
        ("zeta", ["b"]),
        ("rule", ["Krum"]),
    ]


SOME = [1, 2]
MISTAKES: dict[str, tuple[Any, list[str]]] = {
    "no axes": ({}, ["axes", "at least one"]),
    "no levels": ({"data.root_size": []}, ["axes", "data.root_size", "list of different values"]),
    "levels that look the same": ({"attack.fraction": [0.2, 0.20000001]}, ["attack.fraction", "different"]),
    "labels that look the same": ({"attack.fraction": {1: 0.1, "1": 0.2}}, ["attack.fraction", "different"]),
    "a single value": ({"data.root_size": 50}, ["data.root_size", "list"]),
    "two of one name": ({"data.root_size": SOME, "model.root_size": SOME}, ["root_size", "two", "rename"]),
    **{
        f"named {name}": ({f"data.{name}": SOME}, [name, "rename"])
        for name in ("seed", "config", "rounds", "data_used", "worst", "testing_error_rate", "attack_success_rate")
    },
    "missing file": ("nope.yaml", ["axes=nope.yaml", "no such file"]),
    "folder as file": (".", ["axes=.", "no such file"]),
    "missing file of a level": ({"attack": {"Trim": "nope.yaml"}}, ["axes: attack=nope.yaml", "no such file"]),
    "missing configuration of a level": ({"s": {"Trim": {"config": "nope.yml"}}}, ["config=nope.yml", "no such file"]),
    "no YAML": ("broken.yaml", ["axes=", "broken.yaml", "did not find expected"]),
    "sentence": ("sentence.yaml", ["axes=", "sentence.yaml", "mapping"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake(mistake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in {"broken": "a: [1\n", "sentence": "hello\n"}.items():
        Path(f"{name}.yaml").write_text(text)
    axes, mentioned = MISTAKES[mistake]
    with pytest.raises(InputError) as caught:
        axes_of(axes)
    assert [each for each in mentioned if each not in str(caught.value)] == []


def test_an_axis_may_be_the_number_of_clients() -> None:
    assert axis("data.num_clients", [20, 50]).column == "num_clients"


def test_file_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / "a.yaml"
    path.touch()
    (tmp_path / "b").mkdir()
    assert file_named("base", "a.yaml") == path
    assert file_named("base", "~/a.yaml") == path
    assert file_named("base", "../a.yaml", tmp_path / "b").resolve() == path.resolve()
    with pytest.raises(InputError, match=r"base=b\.yaml: there is no such file"):
        file_named("base", "b.yaml")


@pytest.mark.parametrize(
    ("label", "folder"),
    [
        ("Trim-mean", "trim_mean"),
        ("FLTrust", "fltrust"),
        ("1/M", "1_m"),
        ("0.25", "0.25"),
        ("..", "_"),
        ("../../etc", "etc"),
        ("é", "_"),
        ("a  b", "a_b"),
    ],
)
def test_slug(label: str, folder: str) -> None:
    assert slug(label) == folder


def test_names() -> None:
    assert [column_of(name) for name in ("attack", "data.root_size", "a.b.c")] == ["attack", "root_size", "c"]
    assert [label_of(value) for value in (1, 1.0, 0.1 + 0.2, 1e-5, False, "x", None)] == [
        *("1", "1", "0.3", "1e-05", "false", "x", "null")
    ]
    assert readable("noniid_degree") == "degree of non-IID (q)"
    assert readable("some_other_name") == "some other name"
