"""The heat maps: which numbers stand where, and in which colours."""

from dataclasses import replace

import numpy as np
import pytest
from grids import make_outline, make_row, texts
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from flt.grid.results.heat_maps import FURTHEST, SHORTEST, draw_heat_maps

LEVELS = {"attack": ["No attack", "Scaling attack"], "rule": ["FedAvg", "Krum", "Median"]}
ROWS = [
    make_row({"attack": "No attack", "rule": "FedAvg"}, 0.1, seed=0, published=(0.12, None)),
    make_row({"attack": "No attack", "rule": "FedAvg"}, 0.2, seed=1, published=(0.12, None)),
    make_row({"attack": "Scaling attack", "rule": "FedAvg"}, 0.25, 1.0, published=(0.25, 0.5)),
    make_row({"attack": "Scaling attack", "rule": "Krum"}, 0.9, 0.0, published=(0.1, 0.01)),
]


def luminance(colour: tuple[float, ...]) -> float:
    """Relative luminance, written down from WCAG 2."""
    linear = np.array([c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3]])
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_every_number_stands_in_its_cell(drawn: list[Figure]) -> None:
    draw_heat_maps(make_outline(LEVELS, source="the paper's"), ROWS)
    (figure,) = drawn
    measured, published, difference = figure.axes
    assert [axis.get_title() for axis in figure.axes] == ["measured", "published", "measured - published"]
    assert texts(measured) == {
        **{(0, 0): "0.150", (0, 1): "-", (0, 2): "-"},
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
def test_differences_beyond_the_tolerance_are_bold(
    drawn: list[Figure], tolerance: float, bold: set[tuple[int, int]]
) -> None:
    draw_heat_maps(make_outline(LEVELS, source="the paper's", tolerance=tolerance), ROWS)
    *others, difference = drawn[0].axes
    found = {
        place for place, text in zip(texts(difference), difference.texts, strict=True) if text.get_weight() == "bold"
    }
    assert found == bold
    assert {text.get_weight() for axis in others for text in axis.texts} == {"normal"}
    assert drawn[0].get_suptitle().endswith(f"; bold: differs by more than {tolerance:g}")


def test_hardly_a_difference_has_no_sign_of_its_own(drawn: list[Figure]) -> None:
    rows = [make_row({"rule": "FedAvg"}, 0.09996, published=(0.1, None))]
    draw_heat_maps(make_outline({"rule": ["FedAvg"]}, source="the paper's"), rows)
    assert texts(drawn[0].axes[2]) == {(0, 0): "+0.000"}


@pytest.mark.parametrize(("label", "rotation"), [("Trim-mean", 0), ("Adaptive attack", 30)])
def test_long_labels_of_columns_are_turned(drawn: list[Figure], label: str, rotation: int) -> None:
    draw_heat_maps(make_outline({"attack": ["LF"], "rule": [label]}), [])
    (shown,) = drawn[0].axes[0].get_xticklabels()
    assert shown.get_rotation() == rotation


def test_colours_are_of_the_testing_error_rate(drawn: list[Figure]) -> None:
    draw_heat_maps(make_outline(LEVELS, source="the paper's"), ROWS)
    measured, published, difference = (axis.images[0] for axis in drawn[0].axes)
    nan = np.nan
    for image, expected in (
        (measured, [[0.15, nan, nan], [0.25, 0.9, nan]]),
        (published, [[0.12, nan, nan], [0.25, 0.1, nan]]),
        (difference, [[0.03, nan, nan], [0.0, 0.8, nan]]),
    ):
        np.testing.assert_allclose(np.ma.filled(image.get_array(), nan), expected, atol=1e-12)
    assert measured.get_clim() == published.get_clim() == (0.0, 0.9)
    assert difference.get_clim() == (-FURTHEST, FURTHEST)


def test_colours_are_of_the_first_measure_that_is_chosen(drawn: list[Figure]) -> None:
    outline = replace(make_outline({"rule": ["FedAvg"]}), measures=["testing_loss", "testing_error_rate"])
    draw_heat_maps(outline, [make_row({"rule": "FedAvg"}, 0.01) | {"testing_loss": 2.5}])
    (axis,) = drawn[0].axes
    assert axis.images[0].get_array().tolist() == [[2.5]]
    assert axis.images[0].get_clim() == (0.0, 2.5)
    assert [text.get_text() for text in axis.texts] == ["2.500\n0.010"]
    assert drawn[0].get_suptitle() == "Small: loss on the test set, below it testing error rate"


def test_small_rates_stay_pale(drawn: list[Figure]) -> None:
    draw_heat_maps(make_outline({"rule": ["FedAvg"]}), [make_row({"rule": "FedAvg"}, 0.01)])
    assert drawn[0].axes[0].images[0].get_clim() == (0.0, SHORTEST)


def test_numbers_can_be_read_on_their_colours(drawn: list[Figure]) -> None:
    rates = np.linspace(0, 1, 21)
    rules = [f"{rate:.2f}" for rate in rates]
    draw_heat_maps(
        make_outline({"rule": rules}), [make_row({"rule": rule}, rate) for rule, rate in zip(rules, rates, strict=True)]
    )
    (axis,) = drawn[0].axes
    assert [axis.texts[place].get_color() for place in (0, 10, -1)] == ["black", "black", "white"]
    (image,) = axis.images
    for text, rate in zip(axis.texts, rates, strict=True):
        on, number = luminance(image.cmap(image.norm(rate))), luminance(to_rgba(text.get_color()))
        assert (max(on, number) + 0.05) / (min(on, number) + 0.05) > 4.5  # what WCAG 2 asks of text


def test_labels_of_rows_and_columns(drawn: list[Figure]) -> None:
    draw_heat_maps(make_outline(LEVELS, source="the paper's"), ROWS)
    first = drawn[0].axes[0]
    assert [label.get_text() for label in first.get_yticklabels()] == LEVELS["attack"]
    for axis in drawn[0].axes:
        assert [label.get_text() for label in axis.get_xticklabels()] == LEVELS["rule"]
        assert [label.get_text() for label in axis.get_yticklabels() if label.get_visible()] in ([], LEVELS["attack"])


def test_headline(drawn: list[Figure]) -> None:
    draw_heat_maps(make_outline(LEVELS), ROWS)
    draw_heat_maps(make_outline(LEVELS), ROWS[:2])
    assert [figure.get_suptitle() for figure in drawn] == [
        "Small: testing error rate, below it attack success rate",
        "Small: testing error rate",
    ]


def test_a_line_of_maps_for_each_panel(drawn: list[Figure]) -> None:
    levels = {**LEVELS, "q": ["0.1", "0.5"]}
    rows = [
        make_row({"attack": "No attack", "rule": "Krum", "q": q}, float(q), published=(0.3, None)) for q in levels["q"]
    ]
    draw_heat_maps(make_outline(levels, source="the paper's"), rows)
    axes = drawn[0].axes
    assert [axis.get_title() for axis in axes[::3]] == ["q: 0.1 · measured", "q: 0.5 · measured"]
    assert [texts(axis)[0, 1] for axis in axes] == ["0.100", "0.30", "-0.200", "0.500", "0.30", "+0.200"]
    for axis in axes[3:]:
        assert [label.get_text() for label in axis.get_xticklabels()] == LEVELS["rule"]


def test_an_axis_of_numbers_is_named(drawn: list[Figure]) -> None:
    levels = {"attack": ["LF"], "root_size": ["50", "100"]}
    draw_heat_maps(make_outline(levels), [make_row({"attack": "LF", "root_size": "50"}, 0.5)])
    assert drawn[0].axes[0].get_xlabel() == "examples in the root dataset"


def test_labels_may_look_like_formulas_and_a_grid_may_have_nothing() -> None:
    label = "$x_{$ \\nope $"
    assert draw_heat_maps(make_outline({label: [label]}), [make_row({label: label}, 0.5)]).startswith(b"\x89PNG")
    assert draw_heat_maps(make_outline(LEVELS, source="the paper's"), []).startswith(b"\x89PNG")
