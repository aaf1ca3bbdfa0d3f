"""Rows of finished runs, and what is said of a cell over its seeds, against NumPy."""

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from grids import make_outline, make_row

from flt.grid.plan.grid import Cell
from flt.grid.plan.reference import Published
from flt.grid.results.results import Results
from flt.grid.results.rows import Row, Value, as_csv, exceeds, from_csv, panel_title, row_of, values_of, with_measure
from flt.grid.results.table import Entry, worst_of

REFERENCE = ("testing_error_rate", "attack_success_rate", "spread")
LABELS = {"attack": "Trim attack", "rule": "FedAvg"}
SUMMARY: dict[str, Any] = {
    "data": "HAR (stand-in)",
    "stand_in": True,
    "aggregation": "FedAvg",
    "attack": "TrimAttack",
    "testing_error_rate": 0.25,
    "attack_success_rate": None,
    "trust_score_benign": 0.5,
    "trust_score_malicious": None,
    "num_clients": 30,
    "num_malicious": 6,
    "num_dropped": 1,
    "rounds": 1000,
    "seed": 3,
    "seconds": 1.5,
}
ROW: Row = {
    **LABELS,
    "seed": 3,
    "data_used": "HAR (stand-in)",
    "testing_error_rate": 0.25,
    "attack_success_rate": None,
    "trust_score_benign": 0.5,
    "trust_score_malicious": None,
    "num_clients": 30,
    "num_malicious": 6,
    "num_dropped": 1,
    "rounds": 1000,
}


def test_a_number_beyond_all_is_none() -> None:
    """As in a summary; a page of results could not hold it."""
    history = [{"round": 1, "testing_error_rate": 0.5, "testing_loss": math.inf}]
    row = {**ROW, "testing_loss": 1.0}
    (found,) = with_measure({"mean_of_last": 1}, [row], [history], list(LABELS))
    assert (found["testing_error_rate"], found["testing_loss"]) == (0.5, None)


def test_what_is_not_finished_is_known_to_who_reads_the_folder(tmp_path: Path) -> None:
    outline = make_outline({"attack": ["Trim attack"], "rule": ["FedAvg", "Krum"]})
    (tmp_path / "grid.yaml").write_text(outline.as_yaml())
    for failures, left in (({"Krum": "it died"}, 2), ({}, 0)):
        Results(tmp_path, outline, [ROW], failures, left).write_tables()
        found = Results.read(tmp_path)
        assert (found.failures, found.left) == (failures, left)
    assert {path.suffix for path in tmp_path.iterdir()} == {".csv", ".md", ".tex", ".yaml"}
    (tmp_path / "unfinished.json").write_text("[")
    assert Results.read(tmp_path).failures == {}


def test_rows_with_line_ends_of_their_own() -> None:
    assert from_csv(as_csv([{"rule": "a\u2028b", "seed": 1}]), ["rule"]) == [{"rule": "a\u2028b", "seed": 1.0}]


def test_row_of() -> None:
    row = row_of(Cell(LABELS, 3, {}), SUMMARY, Published([], {}))
    assert row == ROW
    assert list(row) == list(ROW)


def test_row_with_a_reference() -> None:
    expected = Published(["rule"], {("FedAvg",): {"testing_error_rate": 0.2}})
    row = row_of(Cell(LABELS, 3, {}), SUMMARY, expected)
    assert row == ROW | {"reference_testing_error_rate": 0.2, "reference_attack_success_rate": None}
    row = row_of(Cell(LABELS, 3, {}), SUMMARY, expected._replace(is_of_worst=True))
    assert (row["reference_worst_testing_error_rate"], "reference_testing_error_rate" in row) == (0.2, False)
    row = row_of(Cell({**LABELS, "rule": "Krum"}, 3, {}), SUMMARY, expected)
    assert row["reference_testing_error_rate"] is None
    expected = Published(["rule"], {("FedAvg",): {"testing_error_rate": 0.2, "spread": 0.1}})
    assert row_of(Cell(LABELS, 3, {}), SUMMARY, expected)["reference_spread"] == 0.1


def test_the_papers_numbers_are_not_those_of_a_stand_in() -> None:
    expected = Published(["rule"], {("FedAvg",): {"testing_error_rate": 0.2}}, is_papers=True)
    for stand_in, found in ((True, None), (False, 0.2)):
        row = row_of(Cell(LABELS, 3, {}), SUMMARY | {"stand_in": stand_in}, expected)
        assert row["reference_testing_error_rate"] == found


def test_an_axis_of_the_number_of_clients_keeps_its_labels() -> None:
    cell = Cell({"num_clients": "100"}, 0, {})
    row = row_of(cell, SUMMARY, Published([], {}))
    assert row["num_clients"] == "100"
    assert values_of([row], {"num_clients": "100"})["testing_error_rate"].mean == 0.25
    (again,) = from_csv(as_csv([row]), ["num_clients"])
    assert again == row


def test_metrics_that_not_every_run_has() -> None:
    metrics = {"testing_loss": 0.5, "mine": None, "rounds": 3.0, "rule": 4.0}
    summaries = [SUMMARY, SUMMARY | {"metrics": metrics}]
    rows = [row_of(Cell(LABELS, seed, {}), summary, Published([], {})) for seed, summary in enumerate(summaries)]
    assert rows[1] == ROW | {"seed": 1, "testing_loss": 0.5, "mine": None}  # names that rows have anyway stay
    assert from_csv(as_csv(rows), LABELS) == [rows[0] | {"testing_loss": None, "mine": None}, rows[1]]


@pytest.mark.parametrize("num_seeds", [1, 3])
def test_mean_and_standard_deviation(num_seeds: int) -> None:
    draw = np.random.default_rng(num_seeds)
    errors, successes = draw.uniform(size=(2, num_seeds))
    others = draw.uniform(size=num_seeds)
    rows = [
        make_row(labels, float(error), float(success), seed=seed, published=(0.5, 0.25))
        for seed, (error, success, other) in enumerate(zip(errors, successes, others, strict=True))
        for labels, error in ((LABELS, error), ({**LABELS, "rule": "Krum"}, other))
    ]
    values = values_of(rows, LABELS)
    for measure, numbers, published in (
        ("testing_error_rate", errors, 0.5),
        ("attack_success_rate", successes, 0.25),
    ):
        value = values[measure]
        assert value.mean == pytest.approx(np.mean(numbers), abs=1e-12)
        assert value.spread == (None if num_seeds == 1 else pytest.approx(np.std(numbers, ddof=1), abs=1e-12))
        assert value.published == published
        assert value.difference == pytest.approx(np.mean(numbers) - published, abs=1e-12)


def test_what_was_not_measured_is_left_out() -> None:
    assert list(values_of([make_row(LABELS, 0.5)], LABELS)) == ["testing_error_rate"]
    assert values_of([make_row(LABELS, 0.5)], {**LABELS, "rule": "Krum"}) == {}
    assert values_of([], LABELS) == {}
    (value,) = values_of([make_row(LABELS, 0.5)], LABELS).values()
    assert (value.published, value.difference) == (None, None)


@pytest.mark.parametrize(
    ("mean", "further"), [(0.1, False), (0.13, False), (0.07, False), (0.1301, True), (0.0699, True), (0.9, True)]
)
def test_exceeds(mean: float, further: bool) -> None:
    assert exceeds({"testing_error_rate": Value(mean, None, 0.1)}, 0.03) is further


@pytest.mark.parametrize(("tolerance", "spread"), [(0.03, 0.02), (0.02, 0.03)])
def test_the_larger_of_tolerance_and_published_spread_counts(tolerance: float, spread: float) -> None:
    beyond = [Value(mean, None, 0.1, spread).is_beyond(tolerance) for mean in (0.13, 0.14)]
    assert beyond == [False, True]


def test_a_published_spread_is_of_the_error_alone() -> None:
    row = make_row(LABELS, 0.5, 0.5, published=(0.4, 0.4)) | {"reference_spread": 0.1}
    values = values_of([row], LABELS)
    assert [value.published_spread for value in values.values()] == [0.1, None]
    worst = worst_of([Entry(LABELS, values)], "attack", [row | {f"reference_worst_{key}": 0.2 for key in REFERENCE}])
    assert [value.published_spread for value in worst.values.values()] == [0.2, None]


def test_one_measure_is_enough_to_exceed() -> None:
    near, far, alone = Value(0.1, None, 0.1), Value(0.3, None, 0.1), Value(0.9, None, None)
    assert exceeds({"testing_error_rate": near, "attack_success_rate": far}, 0.03)
    assert not exceeds({"testing_error_rate": near, "attack_success_rate": alone}, 0.03)
    assert not exceeds({}, 0.03)


AWKWARD = {"attack": 'Trim, "full"; | $x$', "rule": "é 平均", "level": "0.10"}


def test_csv_round_trip() -> None:
    rows = [
        make_row(AWKWARD, 1 / 3, None, seed=0, published=(0.1, None)),
        make_row({**AWKWARD, "level": "007"}, 0.1 + 0.2, 1e-17, seed=12, published=(None, 1.0)),
    ]
    assert from_csv(as_csv(rows), AWKWARD) == rows


def test_csv_as_others_read_it() -> None:
    rows = [make_row(AWKWARD, 1 / 3, seed=4)]
    (read,) = csv.DictReader(as_csv(rows).splitlines())
    assert read == {name: "" if value is None else str(value) for name, value in rows[0].items()}


def test_no_rows() -> None:
    assert as_csv([]) == ""
    assert from_csv("", []) == []


def test_panel_title() -> None:
    assert panel_title({"a": "Trim", "b": "0.5"}) == "Trim · b: 0.5"
    assert panel_title({}) == ""
