"""The heat maps: which numbers stand where, and in which colours."""

from dataclasses import replace

import numpy as np
import pytest
from grids import make_outline, make_row, texts
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba

from flt.display.drawing import as_file
from flt.display.figure_style import FigureStyle
from flt.display.style import ERROR, SUCCESS
from flt.grid.plan.scale import Scale
from flt.grid.results.pictures.colour_scales import FURTHEST, scale_of_differences, scale_of_measure
from flt.grid.results.pictures.heat_maps import draw_heat_maps

LEVELS = {"attack": ["No attack", "Scaling attack"], "rule": ["FedAvg", "Krum", "Median"]}
PUBLISHED = make_outline(LEVELS, source="the paper's")
ROWS = [
    make_row({"attack": "No attack", "rule": "FedAvg"}, 0.1, seed=0, published=(0.12, None)),
    make_row({"attack": "No attack", "rule": "FedAvg"}, 0.2, seed=1, published=(0.12, None)),
    make_row({"attack": "Scaling attack", "rule": "FedAvg"}, 0.25, 1.0, published=(0.25, 0.5)),
    make_row({"attack": "Scaling attack", "rule": "Krum"}, 0.9, 0.0, published=(0.1, 0.01)),
]
ERRORS = scale_of_measure("testing_error_rate", Scale("error"), 1.0)
SUCCESSES = scale_of_measure("attack_success_rate", Scale("success"), 1.0)


def luminance(colour: tuple[float, ...]) -> float:
    """Relative luminance, written down from WCAG 2."""
    linear = np.array([c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3]])
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_every_number_stands_in_its_cell() -> None:
    measured, published, difference, *_ = axes = draw_heat_maps(PUBLISHED, ROWS).axes
    assert [axis.get_title() for axis in axes[:3]] == ["measured", "published", "measured - published"]
    assert texts(measured) == {
        **{(0, 0): "0.150 ±0.071", (0, 1): "-", (0, 2): "-"},
        **{(1, 0): "0.250\n1.000", (1, 1): "0.900\n0.000", (1, 2): "-"},
    }
    assert texts(published) == {
        **{(0, 0): "0.12", (0, 1): "-", (0, 2): "-"},
        **{(1, 0): "0.25\n0.50", (1, 1): "0.10\n0.01", (1, 2): "-"},
    }
    assert texts(difference) == {
        **{(0, 0): "+0.030", (0, 1): "-", (0, 2): "-"},
        **{(1, 0): "+0.000\n+0.500", (1, 1): "+0.800\n-0.010", (1, 2): "-"},
    }


@pytest.mark.parametrize(("tolerance", "bold"), [(0.03, {(1, 0), (1, 1)}), (0.6, {(1, 1)})])
def test_differences_beyond_the_tolerance_are_bold(tolerance: float, bold: set[tuple[int, int]]) -> None:
    figure = draw_heat_maps(replace(PUBLISHED, tolerance=tolerance), ROWS)
    *others, difference = figure.axes[:3]
    found = {text.get_text() for text in difference.texts if text.get_weight() == "bold"}
    assert found == {line for place in bold for line in texts(difference)[place].split("\n")}
    assert {text.get_weight() for axis in others for text in axis.texts} == {"normal"}
    assert figure.get_suptitle().endswith(f"; bold: differs by more than {tolerance:g}")


def test_hardly_a_difference_has_no_sign_of_its_own() -> None:
    rows = [make_row({"rule": "FedAvg"}, 0.09996, published=(0.1, None))]
    figure = draw_heat_maps(make_outline({"rule": ["FedAvg"]}, source="the paper's"), rows)
    assert texts(figure.axes[2]) == {(0, 0): "+0.000"}


def colours_of(axis: Axes) -> list[tuple[float, ...]]:
    """Of the strips of all cells, by row and from above."""
    return [tuple(patch.get_facecolor()) for patch in axis.patches]


def test_each_measure_has_a_strip_in_colours_of_its_own() -> None:
    measured, published, difference, *bars = draw_heat_maps(PUBLISHED, ROWS).axes
    missing = (0.93, 0.93, 0.93, 1.0)
    expected = [ERRORS.of(0.15), missing, missing, ERRORS.of(0.25), SUCCESSES.of(1.0), ERRORS.of(0.9), SUCCESSES.of(0)]
    assert colours_of(measured) == [*expected, missing]
    assert colours_of(published)[3:5] == [ERRORS.of(0.25), SUCCESSES.of(0.5)]
    assert colours_of(difference)[4] == scale_of_differences(Scale("")).of(0.5)
    assert [bar.get_xlabel() for bar in bars] == ["attack success rate", "testing error rate", "measured - published"]
    assert [bar.get_xlim() for bar in bars] == [(0, 1), (0, 1), (-FURTHEST, FURTHEST)]


def test_a_backdoor_that_succeeds_is_no_pale_cell() -> None:
    """FedAvg under the Scaling attack: its error is low; scales are the same whatever else a grid has."""
    for colours, hue in ((ERRORS, ERROR), (SUCCESSES, SUCCESS)):
        lightness = [luminance(colours.of(rate)) for rate in (0.0, 0.04, 0.1, 0.3, 0.82, 1.0)]
        assert lightness == sorted(lightness, reverse=True)
        assert lightness[0] - lightness[2] > 0.3  # good rules differ in that
        assert luminance(to_rgba(hue)) > lightness[4] < 0.1
    few = draw_heat_maps(make_outline(LEVELS), ROWS[:1]).axes[0]
    assert colours_of(few)[0] == ERRORS.of(0.1)


def test_other_measures_go_up_to_the_highest() -> None:
    outline = replace(make_outline({"rule": ["FedAvg"]}), measures=["testing_loss", "testing_error_rate"])
    figure = draw_heat_maps(outline, [make_row({"rule": "FedAvg"}, 0.01) | {"testing_loss": 2.5}])
    assert texts(figure.axes[0]) == {(0, 0): "2.500\n0.010"}
    assert [bar.get_xlim() for bar in figure.axes[1:]] == [(0, 1), (0, 2.5)]
    assert figure.get_suptitle() == "Small: loss on the test set, below it testing error rate"


def test_colour_bars_say_accuracies_where_cells_do() -> None:
    figure = draw_heat_maps(replace(make_outline(LEVELS), shown_as="accuracy_percent"), ROWS[:1])
    assert figure.axes[1].get_xlabel() == "testing accuracy in %"
    assert [label.get_text() for label in figure.axes[1].get_xticklabels()][:2] == ["100", "98"]
    assert colours_of(figure.axes[0])[0] == ERRORS.of(0.1)


def test_numbers_can_be_read_on_their_colours() -> None:
    rates = np.linspace(0, 1, 21)
    rules = [f"{rate:.2f}" for rate in rates]
    rows = [make_row({"rule": rule}, rate, rate) for rule, rate in zip(rules, rates, strict=True)]
    axis = draw_heat_maps(make_outline({"rule": rules}), rows).axes[0]
    for text, colour in zip(axis.texts, colours_of(axis), strict=True):
        on, number = luminance(colour), luminance(to_rgba(text.get_color()))
        assert (max(on, number) + 0.05) / (min(on, number) + 0.05) > 4.5  # what WCAG 2 asks of text


@pytest.mark.parametrize("width", [None, 2.0])
def test_letters_stay_within_their_cells(width: float | None) -> None:
    style = FigureStyle(width=width, title=False)
    outline = make_outline(
        {"attack": ["LF"], "rule": ["FedAvg", "my rule with a much longer name", "another one with a longer name"]}
    )
    rows = [
        make_row({"attack": "LF", "rule": rule}, 0.5, seed=seed) for rule in outline.axes["rule"] for seed in (0, 1)
    ]
    figure = draw_heat_maps(outline, rows, style)
    figure.draw_without_rendering()
    axis = figure.axes[0]
    assert figure.get_suptitle() == ""
    assert all(
        text.get_window_extent().width < patch.get_window_extent().width
        for text, patch in zip(axis.texts, axis.patches, strict=True)
    )
    assert {label.get_rotation() for label in axis.get_xticklabels()} == {40}
    assert figure.get_figwidth() == (width or figure.get_figwidth())


def test_labels_of_rows_and_columns() -> None:
    axes = draw_heat_maps(PUBLISHED, ROWS).axes[:3]
    first = axes[0]
    assert [label.get_text() for label in first.get_yticklabels()] == LEVELS["attack"]
    for axis in axes:
        assert [label.get_text() for label in axis.get_xticklabels()] == LEVELS["rule"]
        assert [label.get_text() for label in axis.get_yticklabels() if label.get_visible()] in ([], LEVELS["attack"])


def test_headline() -> None:
    figures = [draw_heat_maps(make_outline(LEVELS), rows) for rows in (ROWS, ROWS[:2])]
    assert [figure.get_suptitle() for figure in figures] == [
        "Small: testing error rate, below it attack success rate",
        "Small: testing error rate",
    ]


def test_a_line_of_maps_for_each_panel() -> None:
    levels = {**LEVELS, "q": ["0.1", "0.5"]}
    rows = [
        make_row({"attack": "No attack", "rule": "Krum", "q": q}, float(q), published=(0.3, None)) for q in levels["q"]
    ]
    axes = draw_heat_maps(make_outline(levels, source="the paper's"), rows).axes[:6]
    assert [axis.get_title() for axis in axes[::3]] == ["q: 0.1 · measured", "q: 0.5 · measured"]
    assert [texts(axis)[0, 1] for axis in axes] == ["0.100", "0.30", "-0.200", "0.500", "0.30", "+0.200"]
    for axis in axes[3:]:
        assert [label.get_text() for label in axis.get_xticklabels()] == LEVELS["rule"]


def test_an_axis_of_numbers_is_named() -> None:
    levels = {"attack": ["LF"], "root_size": ["50", "100"]}
    figure = draw_heat_maps(make_outline(levels), [make_row({"attack": "LF", "root_size": "50"}, 0.5)])
    assert figure.axes[0].get_xlabel() == "examples in the root dataset"


def test_labels_may_look_like_formulas_and_a_grid_may_have_nothing() -> None:
    label = "$x_{$ \\nope $"
    for outline, rows in (
        (make_outline({label: [label]}), [make_row({label: label}, 0.5)]),
        (make_outline(LEVELS, source="the paper's"), []),
    ):
        assert as_file(draw_heat_maps(outline, rows), "table.png").startswith(b"\x89PNG")
