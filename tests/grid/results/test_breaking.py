"""Where rules break, and paired tests, in all the forms that a table has."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from grids import body_of, make_outline, make_row, shown, texts

from flt.grid import Breaks, Compare, Figure, Outline
from flt.grid.results.annotations import annotated
from flt.grid.results.markdown import as_markdown
from flt.grid.results.pictures.break_maps import draw_break_maps
from flt.grid.results.pictures.figures import draw_lines
from flt.grid.results.pictures.heat_maps import draw_heat_maps
from flt.grid.results.rows import Row

LEVELS = {"rule": ["FedAvg", "Krum"], "attack": ["No attack", "Trim"], "fraction": ["0.2", "0", "0.4"]}
ERRORS: dict[tuple[str, str], dict[str, float]] = {
    ("FedAvg", "No attack"): {"0": 0.1, "0.2": 0.1, "0.4": 0.15},
    ("FedAvg", "Trim"): {"0": 0.1, "0.2": 0.5, "0.4": 0.75},
    ("Krum", "No attack"): {"0": 0.4, "0.2": 0.4},
    ("Krum", "Trim"): {"0": 0.4, "0.2": 0.6, "0.4": 0.3},
}
"""Mean errors over six seeds, which are around them alike; of Krum without attack, 0.4 is not finished."""
ROWS: list[Row] = [
    make_row({"rule": rule, "attack": attack, "fraction": fraction}, error + 0.01 * (seed - 2.5), seed=seed)
    for (rule, attack), errors in ERRORS.items()
    for fraction, error in errors.items()
    for seed in range(6)
]
POINTS: list[tuple[Breaks, list[str]]] = [  # of the lines of ERRORS
    (Breaks("fraction", 0.5), ["> 0.4", "0.4", "> 0.2", "0.2"]),  # 0.5 itself is not beyond
    (Breaks("fraction", 0.1, "0"), ["> 0.4", "0.2", "> 0.2", "0.2"]),
    (Breaks("fraction", 0.3, "No attack"), ["> 0.4", "0.2", "> 0.2", "> 0.2"]),
    (Breaks("fraction", 0.05), ["0", "0", "0", "0"]),
]


def outline_of(breaks: Breaks | None, **settings: Any) -> Outline:
    return replace(make_outline(LEVELS, seeds=range(6), columns="fraction"), breaks=breaks, **settings)


@pytest.mark.parametrize(("breaks", "points"), POINTS)
@pytest.mark.parametrize("columns", ["fraction", "attack"])
def test_breaking(breaks: Breaks, points: list[str], columns: str) -> None:
    """As a column where the axis is that of the columns, at a glance, and for each run."""
    text = as_markdown(outline_of(breaks, columns=columns), ROWS, {})
    tables, overview = text.split("## Breaks at")
    assert body_of(overview) == [["", *LEVELS["attack"]], ["FedAvg", *points[:2]], ["Krum", *points[2:]]]
    if columns == "fraction":
        panels = [body_of(panel) for panel in tables.split("\n## ")[1:]]
        assert [panel[y][-1] for y in (1, 2) for panel in panels] == points
        assert panels[0][0][-1] == "breaks at"
    of_rows = {(row["rule"], row["attack"]): row["breaks_at"] for row in annotated(outline_of(breaks), ROWS)}
    assert list(of_rows.values()) == [None if point.startswith(">") else float(point) for point in points]
    at_once = shown(outline_of(breaks), ROWS).split("Breaks at")[1]
    assert [
        line.split(maxsplit=1)[1].split("  ")[0] for line in at_once.splitlines() if line.startswith("  K")
    ] == points[2:3]


@pytest.mark.parametrize(
    ("breaks", "shown_as", "words"),
    [
        (POINTS[0][0], "error", "with a mean testing error rate above 0.5; after a >, at none up to that."),
        (POINTS[1][0], "accuracy_percent", "with a mean testing accuracy in % more than 10 below that at 0;"),
    ],
)
def test_the_bound_in_words(breaks: Breaks, shown_as: Any, words: str) -> None:
    text = as_markdown(outline_of(breaks, shown_as=shown_as), ROWS[:18], {})
    assert words in text
    assert "| Krum   | -         | -    |" in text  # of which nothing is finished


@pytest.mark.parametrize("breaks", [POINTS[0][0], POINTS[1][0]])
def test_where_the_worst_breaks(breaks: Breaks) -> None:
    """The worst has a column, the breaking a row; where they meet, the worst of all breaks."""
    outline = replace(outline_of(breaks), rows="fraction", columns="attack", worst="attack")
    krum = as_markdown(outline, ROWS, {}).split("## Krum")[1].split("## ")[0]
    assert body_of(krum)[-1] == ["breaks at", "> 0.2", "0.2", "0.2"]
    first = draw_heat_maps(outline, ROWS).axes[0]
    point = "0.4" if breaks == POINTS[0][0] else "0.2"
    assert [texts(first)[3, x] for x in range(3)] == ["> 0.4", point, point]
    assert sum(line.get_linewidth() == 5 for line in first.lines) == 2  # both are apart from the others


def test_nothing_holds_up_against_a_bound_that_is_not_known() -> None:
    others = [row for row in ROWS if row["fraction"] != "0"]
    text = as_markdown(outline_of(POINTS[1][0]), others, {})
    assert body_of(text.split("## Breaks at")[1])[1:] == [["FedAvg", "-", "-"], ["Krum", "-", "-"]]


@pytest.mark.parametrize(
    ("missing", "points"), [("0.2", ["> 0", "<= 0.4", "> 0", "> 0"]), ("0", ["-", "<= 0.4", "-", "<= 0.2"])]
)
def test_levels_that_are_not_measured(missing: str, points: list[str]) -> None:
    """What lies before one of them is known, and no more."""
    outline, rows = outline_of(POINTS[0][0]), [row for row in ROWS if row["fraction"] != missing]
    text = as_markdown(outline, rows, {})
    tables, overview = text.split("## Breaks at")
    assert [point for line in body_of(overview)[1:] for point in line[1:]] == points
    assert "at none up to that; after a <=, smaller ones are not all known." in tables
    made = draw_break_maps(outline, rows)
    assert made is not None
    assert list(texts(made.axes[0]).values()) == points
    numbers = {(row["rule"], row["attack"]): row["breaks_at"] for row in annotated(outline, rows)}
    assert numbers["FedAvg", "Trim"] == 0.4


def test_a_picture_of_where_rules_break() -> None:
    made = draw_break_maps(outline_of(POINTS[0][0]), ROWS)
    assert made is not None
    (axis,) = made.axes
    assert list(texts(axis).values()) == POINTS[0][1]
    np.testing.assert_allclose(axis.images[0].get_array(), [[1, 2 / 3], [1, 1 / 3]])  # by place among the levels
    assert draw_break_maps(outline_of(None), ROWS) is None


def test_the_bound_in_a_figure() -> None:
    figure = Figure(x="fraction", lines="rule")
    lines = [draw_lines(outline_of(breaks), ROWS, figure).axes[0].lines for breaks, _ in POINTS[:2]]
    assert [[float(line.get_ydata()[0]) for line in own[2:]] for own in lines] == [[0.5], []]


def test_marks_are_where_seeds_agree() -> None:
    """Krum is worse without attack by 0.3 with each seed, and better under Trim at 0.4 alone."""
    outline = outline_of(None, compare=Compare("rule", "FedAvg"))
    text = as_markdown(outline, ROWS, {})
    tables, *tests = text.split("## Difference from FedAvg in testing error rate · ")
    assert [line[1:] for panel in tables.split("\n## ")[1:] for line in body_of(panel)[2:]] == [
        ["0.400 ±0.019↑", "0.400 ±0.019↑", "-"],
        ["0.600 ±0.019↑", "0.400 ±0.019↑", "0.300 ±0.019↓"],
    ]
    every = [f"{mean} [{mean}, {mean}], p 0.0312" for mean in ("+0.100", "+0.300", "-0.450")]
    assert body_of(tests[1])[1:] == [["Krum", *every]]  # the differences of all seeds are alike
    assert "↑, ↓: higher, lower than FedAvg over the same seeds, p of at most 0.05" in text
    rows = annotated(outline, ROWS)
    assert [(row["difference"], row["p_value"]) for row in rows[-6:]] == [(pytest.approx(-0.45), 2 / 64)] * 6
    assert rows[0]["difference"] is rows[0]["p_value"] is None
    num_of_fedavg = 36  # ROWS are in the order of the rules
    assert as_markdown(outline, [*ROWS[:num_of_fedavg], *ROWS[: num_of_fedavg - 1 : -1]], {}) == text  # paired by seed


def test_the_interval_has_the_level_of_the_comparison() -> None:
    """By hand: of differences 0.1 and 0.3 the standard error is 0.1, and so is half the interval at the level 0.5."""
    made = {("FedAvg", 0): 0.2, ("FedAvg", 1): 0.2, ("Krum", 0): 0.3, ("Krum", 1): 0.5}
    rows = [make_row({"rule": rule}, error, seed=seed) for (rule, seed), error in made.items()]
    outline = replace(make_outline({"rule": LEVELS["rule"]}, columns=None), compare=Compare("rule", "FedAvg", 0.5))
    assert "+0.200 [+0.100, +0.300], p 0.5" in as_markdown(outline, rows, {})


@pytest.mark.parametrize(
    ("settings", "row"),
    [
        ({"shown_as": "accuracy"}, ["0.850", "0.250", "0.250 Trim then 0.850 No attack"]),
        ({"compare": Compare("attack", "No attack")}, ["0.150", "0.750↑", "0.750 Trim then 0.150 No attack"]),
        ({"compare": Compare("rule", "Krum", 0.01)}, ["0.150", "0.750", "0.750 Trim then 0.150 No attack"]),
        ({"compare": Compare("rule", "Krum")}, ["0.150", "0.750↑", "0.750↑ Trim then 0.150 No attack"]),
    ],
)
def test_marks_beside_the_worst(settings: dict[str, Any], row: list[str]) -> None:
    """A worst is compared with a worst; an arrow is that of the number that is written."""
    usual = {"compare": Compare("rule", "FedAvg"), "columns": "attack", "worst": "attack", "rows": "rule"}
    outline = replace(outline_of(None), **{**usual, **settings})
    of_04 = texts(draw_heat_maps(outline, ROWS).axes[2])
    assert [of_04[0, x].replace("\n", " ").replace(" ±0.019", "") for x in range(3)] == row
    if "shown_as" in settings:
        assert of_04[1, 1] == "0.700 ±0.019↑"


def test_what_few_seeds_can_show() -> None:
    few = replace(outline_of(None, compare=Compare("rule", "FedAvg")), seeds=[0, 1, 2])
    text = as_markdown(few, [row for row in ROWS if row["seed"] < 3], {})
    assert "3 seeds cannot show p < 0.25: no difference from FedAvg is marked." in text
    assert "p 0.25 |" in text
    assert "↑" not in text
    assert "Difference" not in as_markdown(few, [row for row in ROWS if row["seed"] < 1], {})
