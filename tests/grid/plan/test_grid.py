"""The cells that axes span, and the arguments of ``flt fit`` for each."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from command_line import FLTRUST
from grids import make_grid

from flt.errors import InputError
from flt.grid import Breaks, Compare, Figure, Outline, Reference, Select
from flt.grid.plan.grid import arguments_of
from flt.grid.plan.reading import read_grid

THREE = {"a": [1, 2], "b": ["x", "y", "z"], "c": [0.5, 0.7]}


def arguments(axes: dict[str, Any], **settings: Any) -> list[str]:
    grid = make_grid(axes, **{"settings": {}, **settings})
    return arguments_of(grid, grid.cells[0])


def test_every_combination_with_every_seed() -> None:
    grid = make_grid(THREE, seeds=[3, 1])
    assert len(grid.cells) == 2 * 3 * 2 * 2
    assert len({(cell.name, cell.seed) for cell in grid.cells}) == len(grid.cells)
    assert [cell.describe() for cell in grid.cells[:3]] == [
        *("1 · x · 0.5 · seed 3", "1 · x · 0.5 · seed 1", "1 · x · 0.7 · seed 3")
    ]
    assert grid.cells[0].labels == {"a": "1", "b": "x", "c": "0.5"}
    assert grid.cells[0].name == "1-x-0.5"


def test_seed_zero_by_default() -> None:
    assert [cell.seed for cell in make_grid({"a": [1]}).cells] == [0]


def test_later_settings_win() -> None:
    axes = {"a": {"one": {"x": 1, "y": 1}}, "b": {"two": {"y": 2, "z": 2}}}
    (cell,) = make_grid(axes, settings={"x": 0, "w": {"v": 0}, "z": 0}).cells
    assert cell.settings == {"w.v": 0, "x": 1, "y": 2, "z": 2}


def test_arguments() -> None:
    axes = {
        "data.bias_probability": {"1/M": None},
        "model.lr_milestones": {"late": [10, 20]},
        "on": {"yes": {"o": True}},
    }
    assert arguments(axes, seeds=[7]) == [
        f"--config={FLTRUST}",
        "--o=true",
        "--data.bias_probability=null",
        "--model.lr_milestones=[10, 20]",
        "--seed_everything=7",
    ]


def test_a_class_comes_before_its_own_settings() -> None:
    axes = {
        "attack.trigger.value": [1.5],
        "attack.fraction": [0.3],
        "attack": {"Scaling": {"class_path": "ScalingAttack", "init_args": {"scale": 10}}},
    }
    _, *given, _ = arguments(axes)
    names = [argument.split("=", 1)[0] for argument in given]
    assert names == ["--attack", "--attack.fraction", "--attack.trigger.value"]
    assert yaml.safe_load(given[0].split("=", 1)[1]) == {"class_path": "ScalingAttack", "init_args": {"scale": 10}}


def test_configurations_in_their_order(tmp_path: Path) -> None:
    first, second, third = (tmp_path / f"{name}.yaml" for name in "abc")
    for path in (first, second, third):
        path.touch()
    given = arguments({"s": {"x": {"config": str(third)}}}, base=[str(first), second])
    assert given == [f"--config={path}" for path in (first, second, third)] + ["--seed_everything=0"]


def test_a_long_value_is_one_argument() -> None:
    values = [f"some rather long name {number}" for number in range(30)]
    (_, given, _) = arguments({"s": {"x": {"y": values}}})
    assert yaml.safe_load(given.removeprefix("--y=")) == values


def test_exclude() -> None:
    grid = make_grid(THREE, exclude=[{"a": 1, "b": ["x", "y"]}, {"c": 0.7, "a": [2]}])
    assert {cell.name for cell in grid.cells} == {"1-z-0.5", "1-z-0.7", "2-x-0.5", "2-y-0.5", "2-z-0.5"}


def test_exclude_names_axes_as_the_configuration_does() -> None:
    grid = make_grid({"data.root_size": [50, 100]}, exclude=[{"data.root_size": 50}])
    assert [cell.name for cell in grid.cells] == ["100"]
    assert [cell.name for cell in make_grid({"data.root_size": [50, 100]}, exclude=[{"root_size": "50"}]).cells] == [
        "100"
    ]


@pytest.mark.parametrize(
    ("given", "rows", "columns", "num_panels"),
    [
        ({}, "a", "b", 2),
        ({"rows": "c"}, "c", "a", 3),
        ({"columns": "c"}, "a", "c", 3),
        ({"rows": "b", "columns": "a"}, "b", "a", 2),
    ],
)
def test_rows_columns_and_panels(given: dict[str, Any], rows: str, columns: str, num_panels: int) -> None:
    outline = make_grid(THREE, **given).outline
    assert (outline.rows, outline.columns, len(outline.panels)) == (rows, columns, num_panels)
    (panel,) = {*outline.axes} - {rows, columns}
    assert outline.panels == [{panel: label} for label in outline.axes[panel]]
    labels = outline.labels_at(outline.panels[0], outline.axes[rows][0], outline.axes[columns][1])
    assert labels == {
        panel: outline.axes[panel][0],
        rows: outline.axes[rows][0],
        columns: outline.axes[columns][1],
    }


def test_two_axes_beyond_rows_and_columns() -> None:
    outline = make_grid({**THREE, "d": ["p", "q"]}).outline
    assert len(outline.panels) == 4
    assert outline.panels[1] == {"c": "0.5", "d": "q"}


def test_one_axis_has_no_columns() -> None:
    outline = make_grid({"a": [1, 2]}).outline
    assert (outline.rows, outline.columns, outline.panels, outline.column_labels) == ("a", None, [{}], [None])
    assert outline.labels_at({}, "2", None) == {"a": "2"}


def test_tolerance() -> None:
    outline = make_grid(THREE, tolerance={"x": 0.1, "y": 0.2}).outline
    at = [outline.tolerance_of({"a": "1", "b": label, "c": "0.5"}) for label in "xyz"]
    assert at == [0.1, 0.2, 0.03]
    assert make_grid(THREE, tolerance=0.5).outline.tolerance_of({"a": "1"}) == 0.5
    assert make_grid(THREE).outline.tolerance_of({"a": "1"}) == 0.03


@pytest.mark.parametrize(
    ("reference", "source"),
    [
        (None, None),
        (Reference({"table": "III"}), "the paper's"),
        (Reference({}, "mine.csv"), "the reference's"),
    ],
)
def test_source(reference: Reference | None, source: str | None) -> None:
    assert make_grid(THREE, reference=reference).outline.source == source


def test_figure_by_columns() -> None:
    figure = Figure(x="data.root_size", lines="attack", y=["testing_error_rate"])
    grid = make_grid({"attack": ["NoAttack"], "data.root_size": [50, 100]}, figure=figure)
    assert grid.outline.figure == Figure("lines", "root_size", "attack", None, ["testing_error_rate"])


def test_an_outline_outlasts_its_grid(tmp_path: Path) -> None:
    grid = make_grid(
        {"attack": {"é · ü": "NoAttack"}, "data.root_size": [50], "model.client_lr": [0.1, 1]},
        tolerance={"50": 0.1},
        seeds=[3, 4],
        select=Select(["model.client_lr"]),
        compare=Compare("attack", "é · ü"),
        breaks=Breaks("data.root_size", 0.5, 50),  # type: ignore[arg-type]  # as YAML reads it
        figure=Figure(x="root_size"),
        reference=Reference({"table": "III"}),
    )
    path = tmp_path / "grid.yaml"
    path.write_text(grid.outline.as_yaml())
    assert Outline.read(path) == grid.outline
    assert grid.outline.breaks == Breaks("root_size", 0.5, "50")
    assert (grid.outline.rows, grid.outline.columns) == ("attack", "root_size")  # nothing is chosen of these


@pytest.mark.parametrize(
    ("settings", "warning"),
    [
        ({"select": Select(["b"], "worst a", "test")}, "select.on=test is optimistic"),
        ({"select": Select(["d"], "worst a")}, "select.over=d has no effect: the axis has one level"),
        ({"compare": Compare("a", "1")}, "compare has no effect with one seed"),
    ],
)
def test_warning(settings: dict[str, Any], warning: str) -> None:
    with pytest.warns(UserWarning, match=warning):
        outline = make_grid({**THREE, "d": [1]}, **settings).outline
    assert outline.compare is None


@pytest.mark.parametrize("text", ["a: [1\n", "hello\n", "title: x\nfigure: null\n", "{figure: {nope: 1}}"])
def test_a_file_that_is_no_outline(tmp_path: Path, text: str) -> None:
    path = tmp_path / "grid.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"(?s)grid\.yaml is no outline of a grid .*run flt table again"):
        Outline.read(path)


def test_no_outline(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file; flt table writes it"):
        Outline.read(tmp_path / "grid.yaml")


def test_levels_may_be_given_as_numbers(tmp_path: Path) -> None:
    path = tmp_path / "grid.yaml"
    path.write_text(
        f"title: T\nbase: {FLTRUST}\naxes:\n  attack.fraction: [0, 0.1]\n  aggregation: [FedAvg, Krum]\nseeds: [0, 1]\n"
        "breaks: {axis: fraction, at: 0.1, than: 0}\ncompare: {axis: fraction, to: 0.1}\n"
    )
    outline = read_grid(path).outline
    assert outline.breaks is not None
    assert outline.compare is not None
    assert (outline.breaks.than, outline.compare.to) == ("0", "0.1")


MISTAKES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no measures": ({"measures": []}, ["measures=[]", "name metrics"]),
    "a measure twice": ({"measures": ["mine", "mine"]}, ["measures=['mine', 'mine']", "each once"]),
    "a seed as a measure": ({"measures": ["seed"]}, ["measures=['seed']", "name metrics"]),
    "no base": ({"base": []}, ["base=[]", "name one"]),
    "an axis of seeds": ({"axes": {"seed_everything": [0, 1]}}, ["seed_everything has no effect", "set seeds"]),
    "an axis as a measure": ({"measures": ["a"]}, ["measures=['a']", "no axes"]),
    "missing base": ({"base": "nope.yaml"}, ["base=nope.yaml", "no such file"]),
    "no seeds": ({"seeds": []}, ["seeds=[]", "at least one"]),
    "a seed twice": ({"seeds": [0, 1, 0]}, ["seeds=[0, 1, 0]", "each once"]),
    "negative seed": ({"seeds": [0, -1]}, ["seeds=[0, -1]", "4294967295"]),
    "seed too large": ({"seeds": [2**32]}, ["seeds=", "4294967295"]),
    "unknown axis left out": ({"exclude": [{"d": 1}]}, ["exclude=d", "no axis", "a, b, c"]),
    "unknown level left out": ({"exclude": [{"b": ["x", "w"]}]}, ["exclude", "b", "no level w", "x, y, z"]),
    "everything left out": ({"exclude": [{"a": [1, 2]}]}, ["exclude", "no cell"]),
    "unknown rows": ({"rows": "d"}, ["rows=d", "a, b, c"]),
    "unknown columns": ({"columns": "d"}, ["columns=d", "a, b, c"]),
    "one axis as both": ({"rows": "b", "columns": "b"}, ["columns=b", "rows"]),
    "worst of an unknown axis": ({"worst": "d"}, ["worst=d", "a, b, c"]),
    "worst of tables": ({"worst": "c"}, ["worst=c", "rows or the columns"]),
    "nothing to choose over": ({"select": Select([])}, ["select.over=[]", "name the axes"]),
    "chosen over an axis twice": ({"select": Select(["a", "x.a"], "mean")}, ["select.over", "each once"]),
    "chosen over an unknown axis": ({"select": Select(["d"], "mean")}, ["select.over=d", "a, b, c"]),
    "chosen over everything": ({"select": Select(["a", "b", "c"], "mean")}, ["select.over", "leave one"]),
    "chosen by an unknown score": ({"select": Select(["a"], "best b")}, ["select.by='best b'", "worst attack"]),
    "chosen by the worst of nothing": ({"select": Select(["a"], "worst")}, ["select.by='worst'", "worst attack"]),
    "chosen by an unknown axis": ({"select": Select(["a"])}, ["select.by=attack", "no axis", "a, b, c"]),
    "chosen for what is chosen over": ({"select": Select(["a"], "worst a")}, ["select.by='worst a'", "take it out"]),
    "chosen on unlike levels": (
        {"select": Select(["c"], "worst b"), "exclude": [{"b": "y", "c": 0.7}]},
        ["exclude", "y is left out", "same levels"],
    ),
    "rows of what is chosen over": ({"select": Select(["a"], "mean"), "rows": "a"}, ["rows=a", "choose one of b, c"]),
    "comparing an unknown axis": ({"compare": Compare("d", "x")}, ["compare.axis=d", "a, b, c"]),
    "comparing to an unknown level": ({"compare": Compare("b", "w")}, ["compare.to=w", "x, y, z"]),
    "comparing tables": ({"compare": Compare("c", "0.5"), "seeds": [0, 1]}, ["compare.axis=c", "rows or the columns"]),
    "comparing at no level": ({"compare": Compare("b", "x", 1.0)}, ["compare.level=1.0", "between 0 and 1"]),
    "breaking along an unknown axis": ({"breaks": Breaks("d", 0.5)}, ["breaks.axis=d", "a, b, c"]),
    "breaking along words": ({"breaks": Breaks("b", 0.5)}, ["breaks.axis=b", "x is no number"]),
    "breaking nowhere": ({"breaks": Breaks("a", float("nan"))}, ["breaks.at=nan", "must be a number"]),
    "breaking below another": ({"breaks": Breaks("a", -0.1, "x")}, ["breaks.at=-0.1", "at least 0"]),
    "breaking beside an unknown level": ({"breaks": Breaks("a", 0.1, "w")}, ["breaks.than=w", "no level"]),
    "breaking beside what is left out": (
        {"breaks": Breaks("a", 0.1, "x"), "exclude": [{"b": "x"}]},
        ["breaks.than=x", "exclude leaves no cell"],
    ),
    "no tolerance": ({"tolerance": 0}, ["tolerance=0", "greater than 0"]),
    "tolerance not a number": ({"tolerance": float("nan")}, ["tolerance=nan"]),
    "no tolerance for one": ({"tolerance": {"x": 0.1, "y": 0.0}}, ["tolerance=0.0", "greater than 0"]),
    "tolerance of an unknown label": ({"tolerance": {"w": 0.1}}, ["tolerance", "w", "no level"]),
    "figure without x": ({"figure": Figure()}, ["figure.x", "missing"]),
    "figure of an unknown axis": ({"figure": Figure(x="d")}, ["figure.x=d", "a, b, c"]),
    "figure with unknown lines": ({"figure": Figure(x="a", lines="d")}, ["figure.lines=d", "a, b, c"]),
    "figure with unknown panels": ({"figure": Figure("curves", panels="d")}, ["figure.panels=d", "a, b, c"]),
    "one folder for two": ({"axes": {"a": ["x y", "x_y"]}}, ["x y", "x_y", "folder", "rename"]),
    "one folder across axes": (
        {"axes": {"a": ["x-y", "x_y"], "b": [1]}},
        ["x-y · 1", "x_y · 1", "folder x_y-1", "rename"],
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake(mistake: str) -> None:
    settings, mentioned = MISTAKES[mistake]
    with pytest.raises(InputError) as caught:
        make_grid(settings.get("axes", THREE), **{key: value for key, value in settings.items() if key != "axes"})
    assert [each for each in mentioned if each not in str(caught.value)] == []
