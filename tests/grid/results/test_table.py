"""The worst of each line of a table, in all the forms that a table has."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from grids import body_of, make_outline, make_row, shown, texts

from flt.grid import Outline
from flt.grid.results.markdown import as_markdown
from flt.grid.results.pictures.heat_maps import draw_heat_maps
from flt.grid.results.rows import as_csv, from_csv
from flt.grid.results.table import with_places

LEVELS = {"rule": ["FedAvg", "Krum", "FLTrust"], "attack": ["No attack", "Trim, full", "Scaling"]}
ERRORS: dict[tuple[str, str], tuple[list[float], float | None, float | None]] = {
    ("FedAvg", "No attack"): ([0.1, 0.2], None, 0.2),
    ("FedAvg", "Trim, full"): ([0.4, 0.6], None, 0.45),
    ("FedAvg", "Scaling"): ([0.2, 0.3], 1.0, 0.5),
    ("Krum", "Trim, full"): ([0.3], None, None),  # of the rest, nothing is finished
}
"""Errors of the seeds, attack success and published error; FLTrust has none yet."""
ROWS = [
    make_row({"rule": rule, "attack": attack}, error, success, seed=seed, published=(published, None))
    for (rule, attack), (errors, success, published) in ERRORS.items()
    for seed, error in enumerate(errors)
]


def outline_of(rows: str, **settings: Any) -> Outline:
    return replace(make_outline(LEVELS, rows=rows, **settings), worst="attack")


WORST = {
    "FedAvg": "0.500 ±0.141 Trim, full; then 0.250 Scaling / 1.000 ±0.000 Scaling (0.50)",
    "Krum": "0.300 Trim, full; 1 of 3 measured",  # a run under a harder attack may be missing
    "FLTrust": "-",
}


@pytest.mark.parametrize("rows", ["rule", "attack"])
def test_worst_in_markdown(rows: str) -> None:
    """A column where the axis is the columns', a row where it is the rows'."""
    table = np.array(body_of(as_markdown(outline_of(rows), ROWS, {})))
    table = table if rows == "rule" else table.T
    assert table[0, -1] == "worst"
    assert dict(table[1:, [0, -1]]) == WORST
    plain = np.array(body_of(as_markdown(make_outline(LEVELS, rows="rule"), ROWS, {})))
    assert (table[1:, 1:-1] == plain[1:, 1:]).all()


def test_worst_beside_the_worst_of_a_reference() -> None:
    """Of the reference the largest counts, whichever level it is of."""
    text = as_markdown(outline_of("rule", source="the paper's", tolerance=0.05), ROWS, {})
    assert body_of(text)[1][-1] == WORST["FedAvg"]
    far = as_markdown(outline_of("rule", source="the paper's"), ROWS[:4], {})
    assert body_of(far)[1][-1] == "**0.500 ±0.141** Trim, full; then 0.150 No attack; 2 of 3 measured (0.45)"
    assert ". Worst: over attack the largest mean of each, and whose it is; then the runner-up." in text
    assert "Worst" not in as_markdown(make_outline(LEVELS), ROWS, {})


def test_a_reference_of_the_worst_stands_beside_the_worst_alone() -> None:
    rows = [{**row, "reference_testing_error_rate": None, "reference_worst_testing_error_rate": 0.4} for row in ROWS]
    table = body_of(as_markdown(outline_of("rule", source="the reference's"), rows, {}))
    assert table[1][-1] == "**0.500 ±0.141** Trim, full; then 0.250 Scaling / 1.000 ±0.000 Scaling (0.40)"
    assert not any("(" in cell for line in table for cell in line[:-1])
    rows = [{**row, "reference_worst_spread": 0.2} for row in rows]
    last = body_of(as_markdown(outline_of("rule", source="the reference's"), rows, {}))[1][-1]
    assert last == "0.500 ±0.141 Trim, full; then 0.250 Scaling / 1.000 ±0.000 Scaling (0.40 ±0.200)"


def test_worst_in_a_terminal() -> None:
    lines = shown(outline_of("attack"), ROWS).splitlines()
    (at,) = (number for number, line in enumerate(lines) if line.strip().startswith("worst"))
    cells = [line[len("  worst") :].split("  ") for line in lines[at : at + 3]]
    below = [" ".join(word.strip() for word in line if word.strip()) for line in cells]
    assert below == [
        "0.500 (0.50) Trim, full 0.300 Trim, full -",
        "then 0.250 Scaling 1 of 3 measured",
        "1.000 Scaling",
    ]


def test_of_equals_the_first_is_the_worst_and_one_level_has_no_runner_up() -> None:
    rows = [make_row({"attack": attack}, 0.5) for attack in LEVELS["attack"]]
    one_axis = replace(make_outline({"attack": LEVELS["attack"]}), worst="attack")
    assert body_of(as_markdown(one_axis, rows[1:], {}))[-1] == [
        "worst",
        "0.500 Trim, full; then 0.500 Scaling; 2 of 3 measured",
    ]
    assert body_of(as_markdown(one_axis, rows[:1], {}))[-1] == ["worst", "0.500 No attack; 1 of 3 measured"]


def test_accuracy_in_all_forms() -> None:
    """The worst is still the largest error; a spread stays one, a difference turns round, colours stay."""
    outline = replace(outline_of("rule", source="the paper's", tolerance=0.05), shown_as="accuracy")
    text = as_markdown(outline, ROWS, {})
    assert body_of(text)[1][1:] == [
        "0.850 ±0.071 (0.80)",
        "0.500 ±0.141 (0.55)",
        "**0.750 ±0.071** / 1.000 ±0.000 (0.50)",
        "0.500 ±0.141 Trim, full; then 0.750 Scaling / 1.000 ±0.000 Scaling (0.50)",
    ]
    assert "testing accuracy, after the slash attack success rate" in text
    assert ". Worst: over attack the worst mean of each" in text
    assert "0.500 (0.50) Trim, full" in shown(outline, ROWS)
    places = [texts(axis)[0, 2].replace("\n", " ") for axis in draw_heat_maps(outline, ROWS).axes[:3]]
    assert places == ["0.750 ±0.071 1.000 ±0.000", "0.50", "+0.250"]


@pytest.mark.parametrize("rows", ["rule", "attack"])
def test_worst_in_a_heat_map(rows: str) -> None:
    axes = draw_heat_maps(outline_of(rows, source="the paper's"), ROWS).axes[:3]
    place = (0, 3) if rows == "rule" else (3, 0)
    numbers = [texts(axis)[place].replace("\n", " ") for axis in axes]
    assert numbers == ["0.500 ±0.141 Trim, full then 0.250 Scaling 1.000 ±0.000 Scaling", "0.50", "+0.000"]
    apart = [line for line in axes[0].lines if line.get_linewidth() == 5]  # from the others
    assert [set(line.get_xdata()) == {2.5} for line in apart] == [rows == "rule"]


def test_places_in_csv() -> None:
    rows = from_csv(as_csv(with_places(outline_of("rule"), ROWS)), LEVELS)
    assert [row["worst"] for row in rows] == [3, 3, 1, 1, 2, 2, 1]
    assert [{name: row[name] for name in ROWS[0]} for row in rows] == ROWS
    assert with_places(outline_of("rule"), rows) == rows
    assert with_places(make_outline(LEVELS), ROWS) == ROWS
    (unmeasured,) = with_places(outline_of("rule"), [ROWS[0] | {"testing_error_rate": None}])
    assert unmeasured["worst"] is None
