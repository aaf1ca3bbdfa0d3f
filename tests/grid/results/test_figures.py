"""The figures: where lines, bands and marks lie."""

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from grids import make_outline, make_row
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from flt.display.drawing import as_file
from flt.display.figure_style import FigureStyle
from flt.errors import InputError
from flt.grid import Figure
from flt.grid.results.pictures.figures import curves_of, draw_curves, draw_lines

LEVELS = {"attack": ["LF", "Trim"], "root_size": ["50", "100", "300"]}
ALONG = Figure(x="root_size")


def rates(attack: str, size: str) -> np.ndarray:
    """Error rates of three seeds."""
    return np.random.default_rng([len(attack), int(size)]).uniform(0.1, 0.9, 3)


def rows_of(levels: dict[str, list[str]] = LEVELS, **settings: Any) -> list[dict[str, Any]]:
    return [
        make_row({"attack": attack, "root_size": size}, float(error), seed=seed, **settings)
        for attack in levels["attack"]
        for size in levels["root_size"]
        for seed, error in enumerate(rates(attack, size))
    ]


def everywhere(levels: dict[str, list[str]]) -> list[dict[str, Any]]:
    """A row for each combination of levels, all alike."""
    return [make_row(dict(zip(levels, labels, strict=True)), 0.5) for labels in product(*levels.values())]


def lines_of(axis: Axes) -> list[tuple[list[float], list[float]]]:
    """Places of all lines that are drawn as such."""
    return [places_of(line) for line in axis.lines if line.get_linestyle() != "None"]


def marks_of(axis: Axes) -> list[tuple[list[float], list[float]]]:
    """Places of the published values."""
    return [places_of(line) for line in axis.lines if line.get_marker() == "x"]


def places_of(line: Line2D) -> tuple[list[float], list[float]]:
    return list(map(float, line.get_xdata())), list(map(float, line.get_ydata()))


def band_of(collection: PolyCollection) -> dict[float, tuple[float, float]]:
    """Lower and upper edge of a band by place."""
    (path,) = collection.get_paths()
    edges: dict[float, list[float]] = {}
    for x, y in path.vertices:
        edges.setdefault(float(x), []).append(float(y))
    return {x: (min(values), max(values)) for x, values in edges.items()}


def legend_of(canvas: Canvas) -> list[str]:
    return [text.get_text() for legend in canvas.legends for text in legend.get_texts()]


# Over an axis


def test_lines_are_means_and_bands_the_range() -> None:
    canvas = draw_lines(make_outline(LEVELS, seeds=[0, 1, 2]), rows_of(), ALONG)
    (axis,) = canvas.axes
    sizes = [50.0, 100.0, 300.0]
    for (x, y), band, attack in zip(lines_of(axis), axis.collections, LEVELS["attack"], strict=True):
        assert x == sizes
        np.testing.assert_allclose(y, [rates(attack, size).mean() for size in LEVELS["root_size"]])
        assert isinstance(band, PolyCollection)
        edges = band_of(band)
        assert sorted(edges) == sizes
        for size in LEVELS["root_size"]:
            np.testing.assert_allclose(edges[float(size)], (rates(attack, size).min(), rates(attack, size).max()))
    assert legend_of(canvas) == LEVELS["attack"]
    assert canvas.get_suptitle() == "Small\nmean and range over 3 seeds"
    assert axis.get_xlabel() == "examples in the root dataset"
    assert axis.get_ylabel() == "testing error rate"
    assert [label.get_text() for label in axis.get_xticklabels()] == LEVELS["root_size"]
    assert list(axis.get_xticks()) == sizes


def test_numbers_run_from_left_to_right_whatever_their_order() -> None:
    levels = {"attack": ["LF"], "root_size": ["300", "50", "100"]}
    canvas = draw_lines(make_outline(levels), rows_of(levels), ALONG)
    ((x, y),) = lines_of(canvas.axes[0])
    assert x == [50.0, 100.0, 300.0]
    np.testing.assert_allclose(y, [rates("LF", size).mean() for size in ("50", "100", "300")])


def test_one_word_among_numbers_has_its_place_in_their_order() -> None:
    biases = ["1/M", "0.2", "1"]
    rows = [make_row({"bias_probability": bias}, 0.1) for bias in biases]
    (axis,) = draw_lines(make_outline({"bias_probability": biases}), rows, Figure(x="bias_probability")).axes
    assert lines_of(axis) == [([0.0, 1.0, 2.0], [0.1, 0.1, 0.1])]
    assert [label.get_text() for label in axis.get_xticklabels()] == biases


def test_words_have_dots_beside_each_other_and_no_lines() -> None:
    levels = {"rule": ["FedAvg", "Krum", "Median"], "attack": ["LF", "Trim"]}
    rows = [
        make_row({"rule": rule, "attack": attack}, error + seed / 10, seed=seed, published=(error, None))
        for rule, error in zip(levels["rule"], (0.0, 0.2, 0.5), strict=True)
        for attack in levels["attack"]
        for seed in (0, 1)
    ]
    canvas = draw_lines(make_outline(levels, source="the paper's"), rows, Figure(x="rule"))
    (axis,) = canvas.axes
    assert lines_of(axis) == [([x, x], [0, 1]) for x in (0.5, 1.5)]  # between the words
    means = [places_of(line) for line in axis.lines if line.get_marker() not in ("x", "None")]
    assert [x for x, _ in means] == [[x + shift for x in range(3)] for shift in (-0.2, 0.2)]
    assert [y for _, y in means] == [pytest.approx([0.05, 0.25, 0.55])] * 2
    assert marks_of(axis) == [(x, [0.0, 0.2, 0.5]) for x, _ in means]
    ranges = [path.vertices[:, 1].tolist() for path in axis.collections[0].get_paths()]
    assert ranges == [pytest.approx([low, low + 0.1]) for low in (0.0, 0.2, 0.5)]
    assert axis.get_ylim()[0] == 0.0  # where no rate is below


def test_lines_that_coincide_are_told_apart() -> None:
    levels = {"rule": ["FedAvg", "Krum", "Median"], "root_size": [str(size) for size in range(40)]}
    first, second, third = draw_lines(make_outline(levels), everywhere(levels), Figure(x="root_size")).axes[0].lines
    assert len({line.get_linestyle() for line in (first, second, third)}) == 3
    assert first.get_linestyle() == "-"
    assert first.get_zorder() < min(second.get_zorder(), third.get_zorder())
    marked = [set(range(*line.get_markevery()[:1], 40, line.get_markevery()[1])) for line in (first, second, third)]
    assert len(set.union(*marked)) == 3 * 8


def test_a_figure_as_a_paper_wants_it() -> None:
    outline, rows = make_outline(LEVELS, seeds=[0, 1, 2]), rows_of()
    style = FigureStyle(width=3.33, height=2.5, font_size=7, title=False, legend="inside")
    canvas = draw_lines(outline, rows, ALONG, style)
    assert (canvas.get_figwidth(), canvas.get_figheight(), canvas.get_suptitle()) == (3.33, 2.5, "")
    (axis,), legend = canvas.axes, canvas.axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == LEVELS["attack"]
    assert axis.yaxis.label.get_fontsize() == axis.get_xticklabels()[0].get_fontsize() == 7
    below = draw_lines(outline, rows, ALONG, FigureStyle(legend="below"))
    below.draw_without_rendering()
    assert below.legends[0].get_window_extent().y1 <= below.axes[0].get_tightbbox().y0 + 1
    assert not draw_lines(outline, rows, ALONG, FigureStyle(legend="none")).legends
    long = draw_lines(replace(outline, title="words and " * 40), rows, ALONG)
    long.draw_without_rendering()
    assert long.get_suptitle().count("words") == 40
    box, (panel,) = long._suptitle.get_window_extent(), long.axes
    assert box.x1 <= long.bbox.x1
    assert panel.get_window_extent().y1 < box.y0 < box.y1 <= long.bbox.y1


def test_published_values_are_marked() -> None:
    rows = rows_of(published=(0.25, None))
    for row in rows:
        if row["root_size"] == "100":
            row["reference_testing_error_rate"] = None
    canvas = draw_lines(make_outline(LEVELS, source="the paper's"), rows, ALONG)
    assert marks_of(canvas.axes[0]) == 2 * [([50.0, 300.0], [0.25, 0.25])]
    assert legend_of(canvas) == [*LEVELS["attack"], "the paper's value"]


def test_a_row_of_panels_for_each_measure() -> None:
    rows = [make_row({"root_size": size}, 0.5, float(size) / 300) for size in LEVELS["root_size"]]
    canvas = draw_lines(make_outline({"root_size": LEVELS["root_size"]}), rows, ALONG)
    assert [axis.get_ylabel() for axis in canvas.axes] == ["testing error rate", "attack success rate"]
    assert lines_of(canvas.axes[1])[0][1] == [50 / 300, 100 / 300, 1.0]
    chosen = Figure(x="root_size", y=["trust_score_malicious"])
    (axis,) = draw_lines(make_outline({"root_size": LEVELS["root_size"]}), rows, chosen).axes
    assert axis.get_ylabel() == "mean trust score, malicious clients"
    assert lines_of(axis)[0][1] == 3 * [0.25]


def test_unfinished_places_are_left_out() -> None:
    rows = [row for row in rows_of() if (row["attack"], row["root_size"]) != ("LF", "100")]
    first, second = lines_of(draw_lines(make_outline(LEVELS), rows, ALONG).axes[0])
    assert first[0] == [50.0, 300.0]
    assert second[0] == [50.0, 100.0, 300.0]


@pytest.mark.parametrize("num_panels", [1, 4])
def test_panels_of_a_third_axis(num_panels: int) -> None:
    panels = [f"data {number}" for number in range(num_panels)]
    levels = {"panel": panels, **LEVELS}
    rows = [
        make_row({"panel": panel, "attack": attack, "root_size": size}, place / 10)
        for place, panel in enumerate(panels)
        for attack in LEVELS["attack"]
        for size in LEVELS["root_size"]
    ]
    figure = Figure(x="root_size", lines="attack")
    canvas = draw_lines(make_outline(levels), rows, figure)
    assert [axis.get_title() for axis in canvas.axes] == panels
    for place, axis in enumerate(canvas.axes):
        assert lines_of(axis) == 2 * [([50.0, 100.0, 300.0], pytest.approx(3 * [place / 10]))]


def test_a_line_looks_the_same_whatever_else_is_drawn() -> None:
    """FLTrust alone has trust scores, and is named where it is the one line."""
    levels = {"rule": ["FedAvg", "FLTrust"], "root_size": ["50", "100"]}
    rows = everywhere(levels)
    for row in rows:
        row["trust_score_benign"] = 0.5 if row["rule"] == "FLTrust" else None
    errors, trust = (draw_lines(make_outline(levels), rows, Figure(x="root_size", y=y)) for y in (None, [TRUST]))
    assert (legend_of(errors), legend_of(trust)) == (["FedAvg", "FLTrust"], ["FLTrust"])
    fltrust, alone = errors.axes[0].lines[1], trust.axes[0].lines[0]
    assert (fltrust.get_color(), fltrust.get_linestyle()) == (alone.get_color(), alone.get_linestyle())


TRUST = "trust_score_benign"


def test_a_panel_of_a_number_names_its_axis() -> None:
    levels = {"root_size": ["50", "100"], "attack": ["LF", "Trim"]}
    figure = Figure(x="attack", panels="root_size")
    canvas = draw_lines(make_outline(levels), rows_of({**LEVELS, **levels}), figure)
    assert [axis.get_title() for axis in canvas.axes] == [
        f"examples in the root dataset: {size}" for size in levels["root_size"]
    ]


def test_panels_of_a_rate_have_one_scale() -> None:
    levels = {"attack": ["LF", "Trim"], "root_size": ["50", "100"]}
    rows = [
        make_row({"attack": attack, "root_size": size}, error, error / 2)
        for attack, error in {"LF": 0.1, "Trim": 0.6}.items()
        for size in levels["root_size"]
    ]
    canvas = draw_lines(make_outline(levels), rows, Figure(x="root_size", panels="attack"))
    errors, success = canvas.axes[:2], canvas.axes[2:]
    assert len({axis.get_ylim() for axis in errors}) == len({axis.get_ylim() for axis in success}) == 1
    assert errors[0].get_ylim()[1] > 0.6 > success[0].get_ylim()[1] > 0.3


@pytest.mark.parametrize(("num_panels", "expected"), [(2, (2, 2)), (4, (2, 4)), (5, (4, 3))])
def test_measures_with_the_same_panels_have_rows_of_their_own(num_panels: int, expected: tuple[int, int]) -> None:
    levels = {"attack": [*"ABCDE"][:num_panels], "root_size": ["50", "100"]}
    rows = [
        make_row({"attack": attack, "root_size": size}, 0.5, 0.25)
        for attack in levels["attack"]
        for size in levels["root_size"]
    ]
    canvas = draw_lines(make_outline(levels), rows, Figure(x="root_size", panels="attack"))
    grid = canvas.axes[0].get_gridspec()
    assert (grid.nrows, grid.ncols) == expected
    assert [axis.get_title()[-1:] for axis in canvas.axes] == 2 * levels["attack"]
    errors, success = canvas.axes[:num_panels], canvas.axes[num_panels:]
    assert {lines_of(axis)[0][1][0] for axis in errors} == {0.5}
    assert {lines_of(axis)[0][1][0] for axis in success} == {0.25}
    assert success[0].get_subplotspec().colspan.start == 0


def test_a_measure_of_few_panels_leaves_no_gap() -> None:
    levels = {"attack": [*"ABCD"], "root_size": ["50", "100"]}
    rows = [
        make_row({"attack": attack, "root_size": size}, 0.5, 0.5 if attack == "D" else None)
        for attack in levels["attack"]
        for size in levels["root_size"]
    ]
    canvas = draw_lines(make_outline(levels), rows, Figure(x="root_size", panels="attack"))
    grid = canvas.axes[0].get_gridspec()
    assert (grid.nrows, grid.ncols, len(canvas.axes)) == (2, 3, 5)


@pytest.mark.parametrize("name", ["", "a rule with a name as long as this one is"])
def test_a_long_legend_leaves_the_panels_their_width(name: str) -> None:
    levels = {"attack": [f"{name}A", f"{name}B"], "root_size": ["50", "100"]}
    rows = everywhere(levels)
    canvas = draw_lines(make_outline(levels), rows, ALONG)
    canvas.draw_without_rendering()
    panel, legend = canvas.axes[0].get_window_extent(), canvas.legends[0].get_window_extent()
    assert panel.width / canvas.dpi > 2.5
    assert panel.x1 <= legend.x0


@pytest.mark.parametrize(("sizes", "rotation"), [(["50", "100", "300"], 0), (["0", "0.9", "0.95"], 90)])
def test_places_close_to_one_another_have_upright_labels(sizes: list[str], rotation: int) -> None:
    rows = [make_row({"fraction": size}, 0.5) for size in sizes]
    (axis,) = draw_lines(make_outline({"fraction": sizes}), rows, Figure(x="fraction")).axes
    assert {label.get_rotation() for label in axis.get_xticklabels()} == {rotation}


def test_which_axis_is_which() -> None:
    levels = {"attack": ["LF", "Trim"], "rule": ["FedAvg", "Krum", "Median"], "root_size": ["50", "100"]}
    rows = everywhere(levels)
    outline = make_outline(levels)
    automatic = draw_lines(outline, rows, ALONG)
    assert (legend_of(automatic), len(automatic.axes)) == (levels["attack"], 3)
    chosen = draw_lines(outline, rows, Figure(x="root_size", panels="attack"))
    assert (legend_of(chosen), len(chosen.axes)) == (levels["rule"], 2)
    turned = draw_lines(outline, rows, Figure(x="attack", lines="root_size", panels="rule"))
    assert (legend_of(turned), [axis.get_title() for axis in turned.axes]) == (levels["root_size"], levels["rule"])


def test_labels_may_look_like_formulas() -> None:
    label = "$x_{$ \\nope"
    canvas = draw_lines(make_outline({label: [label]}), [make_row({label: label}, 0.5)], Figure(x=label))
    assert as_file(canvas, Path("figure.svg"))


FOUR = {name: ["1", "2"] for name in "abcd"}
MISTAKES: dict[str, tuple[dict[str, list[str]], Figure, list[str]]] = {
    "a fourth axis": (FOUR, Figure(x="a"), ["d", "fourth axis", "narrow"]),
    "one axis twice": (LEVELS, Figure(x="root_size", lines="root_size"), ["one axis", "root_size"]),
    "unknown measure": (LEVELS, Figure(x="root_size", y=["accuracy"]), ["accuracy", "testing_error_rate"]),
    "words as measure": (LEVELS, Figure(x="root_size", y=["data_used"]), ["data_used", "testing_error_rate"]),
    "not measured": (LEVELS, Figure(x="root_size", y=["attack_success_rate"]), ["nothing to draw"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake(mistake: str) -> None:
    levels, figure, mentioned = MISTAKES[mistake]
    rows = rows_of() if levels is LEVELS else [make_row(dict.fromkeys(levels, "1"), 0.5)]
    with pytest.raises(InputError) as caught:
        draw_lines(make_outline(levels), rows, figure)
    assert [each for each in mentioned if each not in str(caught.value)] == []


def test_nothing_finished() -> None:
    with pytest.raises(InputError, match="nothing to draw"):
        draw_lines(make_outline(LEVELS), [], ALONG)


# Over the rounds


def write_run(folder: Path, errors: dict[int, float], **further: str) -> Path:
    """Leaves the metrics of a run; the training loss of a round is its number."""
    folder.mkdir(parents=True)
    lines = ["round,data,testing_error_rate,training_loss"]
    lines += [f"{number},HAR,{errors.get(number, '')},{number}.0" for number in range(1, max(errors) + 1)]
    (folder / "metrics.csv").write_text("\n".join(lines) + "\n")
    (folder / "summary.json").write_text("{}")
    return folder


def test_curves(tmp_path: Path) -> None:
    seeds = [{2: 0.5, 4: 0.25}, {2: 0.75, 4: 0.5, 6: 0.1}, {2: 0.5, 4: 0.125}]
    runs = [write_run(tmp_path / str(seed), errors) for seed, errors in enumerate(seeds)]
    other = write_run(tmp_path / "other", {2: 0.9})
    canvas = draw_curves("Curves", {("HAR", "FLTrust"): runs, ("MNIST", "Krum"): [other]})
    first, second = canvas.axes
    assert (first.get_title(), second.get_title()) == ("HAR", "MNIST")
    ((x, y),) = lines_of(first)
    assert x == [2.0, 4.0]
    np.testing.assert_allclose(y, [1.75 / 3, 0.875 / 3])
    assert band_of(first.collections[0]) == {2.0: (0.5, 0.75), 4.0: (0.125, 0.5)}
    assert lines_of(second) == [([2.0], [0.9])]
    assert legend_of(canvas) == ["FLTrust", "Krum"]
    assert (first.get_xlabel(), first.get_ylabel()) == ("round", "testing error rate")
    assert canvas.get_suptitle() == "Curves\nmean and range over 3 seeds"


def test_curves_of_other_metrics(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", {2: 0.5, 4: 0.25})
    canvas = draw_curves("", {("", "mean"): [run]}, ["training_loss", "testing_error_rate"])
    loss, error = canvas.axes
    assert lines_of(loss) == [([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0])]
    assert lines_of(error) == [([2.0, 4.0], [0.5, 0.25])]
    assert loss.get_ylabel() == "benign clients' training loss"
    assert legend_of(canvas) == []
    assert "seeds" not in canvas.get_suptitle()


def test_panels_share_what_runs_along_them_and_rates_their_scale(tmp_path: Path) -> None:
    long = write_run(tmp_path / "long", {2: 0.9, 40: 0.5})
    (tmp_path / "short").mkdir()
    (tmp_path / "short" / "metrics.csv").write_text("round,attack_success_rate,training_loss\n2,0.1,7\n4,0.2,8\n")
    names = ["testing_error_rate", "attack_success_rate", "training_loss"]
    canvas = draw_curves("", {("", "long"): [long], ("", "short"): [tmp_path / "short"]}, names)
    error, success, loss = canvas.axes
    assert error.get_xlim() == success.get_xlim() == loss.get_xlim()
    assert error.get_ylim() == success.get_ylim()
    assert (error.get_ylim()[0], error.get_ylim()[1] >= 0.9, loss.get_ylim()[1] > 8) == (0.0, True, True)


def test_curves_of_nothing(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", {2: 0.5})
    with pytest.raises(InputError, match="y=accuracy: the runs have no such metric; choose of testing_error_rate, tr"):
        draw_curves("", {("", "mean"): [run]}, ["accuracy"])
    (run / "metrics.csv").write_text("round,training_loss\n1,0.5\n")
    with pytest.raises(InputError, match="y=testing_error_rate: the runs have no such metric; choose of training_loss"):
        draw_curves("", {("", "mean"): [run]})


def test_curves_without_a_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"metrics\.csv: there is no such file; flt fit --resume .* writes it anew"):
        draw_curves("", {("", "mean"): [tmp_path]})


DAMAGED = [
    "round,loss\n1,much\n",
    "round,loss\n1,2,3\n",
    "",
    "round,lo",
    "round,loss\n",
    "loss\n1\n",
    "loss,round\n1,2\n3\n",
]


@pytest.mark.parametrize("content", DAMAGED)
def test_curves_of_a_damaged_file(tmp_path: Path, content: str) -> None:
    (tmp_path / "metrics.csv").write_text(content)
    with pytest.raises(InputError, match=r"metrics\.csv is damaged .* flt fit --resume .* writes it anew"):
        draw_curves("", {("", "mean"): [tmp_path]})


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Runs of a grid of two axes and two seeds, of which one is not finished."""
    for name, error in {"lf-fedavg": 0.25, "lf-krum": 0.5, "trim-fedavg": 0.75, "trim-krum": 1.0}.items():
        for seed in (0, 1):
            write_run(tmp_path / "cells" / name / f"seed_{seed}", {1: error, 2: error + seed / 10})
    (tmp_path / "cells" / "lf-krum" / "seed_1" / "summary.json").unlink()
    return tmp_path


GRID = {"attack": ["LF", "Trim"], "rule": ["FedAvg", "Krum"]}


def test_curves_of_a_grid(results: Path) -> None:
    canvas = curves_of(make_outline(GRID), results, Figure("curves", lines="rule"))
    assert [axis.get_title() for axis in canvas.axes] == ["LF", "Trim"]
    assert lines_of(canvas.axes[0]) == [([1.0, 2.0], [0.25, pytest.approx(0.3)]), ([1.0, 2.0], [0.5, 0.5])]
    assert lines_of(canvas.axes[1]) == [
        ([1.0, 2.0], [0.75, pytest.approx(0.8)]),
        ([1.0, 2.0], [1.0, pytest.approx(1.05)]),
    ]
    assert legend_of(canvas) == ["FedAvg", "Krum"]


def test_curves_of_a_grid_the_other_way_round(results: Path) -> None:
    canvas = curves_of(make_outline(GRID), results, Figure("curves"))
    assert [axis.get_title() for axis in canvas.axes] == ["FedAvg", "Krum"]
    assert legend_of(canvas) == ["LF", "Trim"]
    assert canvas.legends[0].get_title().get_text() == "attack"


def test_curves_of_nothing_finished(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no finished run"):
        curves_of(make_outline(GRID), tmp_path, Figure("curves"))
