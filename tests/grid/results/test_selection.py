"""Which settings are chosen of those that were tried, and what tables, figures and ``table.csv`` have of them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from grids import body_of, make_outline, make_row, shown, texts

from flt.grid import Figure, Outline, Select
from flt.grid.plan.naming import slug
from flt.grid.results.annotations import annotated
from flt.grid.results.markdown import as_markdown
from flt.grid.results.pictures.figures import curves_of, draw_lines
from flt.grid.results.pictures.heat_maps import draw_heat_maps
from flt.grid.results.rows import Row, as_csv, from_csv
from flt.grid.results.selection import choices_of, chosen

LEVELS = {
    **{"client_lr": ["0.1", "1"], "rule": ["FedAvg", "Krum"], "momentum": ["0", "0.9"]},
    **{"attack": ["No attack", "Trim", "LF"]},
}
SEEDS = (0, 1)
VALIDATED = np.random.default_rng(3).permutation(48).reshape(2, 2, 2, 3, 2) / 100  # by learning rate, rule, ...
OVER = ["client_lr", "momentum"]


def outline_of(**settings: Any) -> Outline:
    return replace(make_outline(LEVELS, rows="rule", columns="attack"), **{"select": Select(OVER), **settings})


ROWS: list[Row] = [
    make_row({name: labels[at] for (name, labels), at in zip(LEVELS.items(), place, strict=True)}, 1 - value, seed=seed)
    | {"validation_error_rate": float(value)}
    for (*place, seed), value in np.ndenumerate(VALIDATED)
]

MEANS = VALIDATED.mean(-1).transpose(1, 3, 0, 2)  # rule, attack, learning rate, momentum
WAYS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "worst attack": lambda means: means.max(1, keepdims=True),
    "mean attack": lambda means: means.mean(1, keepdims=True),
    "worst rule": lambda means: means.max(0, keepdims=True),
    "mean": lambda means: means,
}


@pytest.mark.parametrize("on", ["validation", "test"])
@pytest.mark.parametrize("by", WAYS)
def test_the_setting_with_the_lowest_score(by: str, on: Any) -> None:
    scores = WAYS[by](MEANS if on == "validation" else 1 - MEANS)
    of_cells = np.broadcast_to(scores, MEANS.shape)
    asked = outline_of(select=Select(OVER, by, on))
    outline, rows = chosen(asked, ROWS)
    assert list(outline.axes) == ["rule", "attack"]
    assert len(rows) == 2 * 3 * len(SEEDS)
    for row in rows:
        rule, attack = (LEVELS[name].index(row[name]) for name in ("rule", "attack"))
        lr, momentum = np.unravel_index(of_cells[rule, attack].argmin(), (2, 2))
        assert (row["client_lr"], row["momentum"]) == (LEVELS["client_lr"][lr], LEVELS["momentum"][momentum])
    best = scores.min((2, 3)).ravel()
    assert sorted(choice.score for choice in choices_of(asked, ROWS)) == pytest.approx(sorted(best))
    assert chosen(outline, rows) == (outline, rows)


def test_a_setting_with_a_failed_run_is_not_chosen_and_of_equals_the_first_is() -> None:
    alike = [row | {"validation_error_rate": 0.5} for row in ROWS]
    firsts = [choice.setting for choice in choices_of(outline_of(), alike)]
    assert firsts == 2 * [{"client_lr": "0.1", "momentum": "0"}]
    failed = [alike[0] | {"validation_error_rate": None}, *alike[1:]]
    nexts = [choice.setting for choice in choices_of(outline_of(), failed)]
    assert nexts == [{"client_lr": "0.1", "momentum": "0.9"}, firsts[1]]
    assert chosen(outline_of(), [row | {"validation_error_rate": None} for row in ROWS])[1] == []


def mean_of(rows: Sequence[Row]) -> float:
    return float(np.mean([row["testing_error_rate"] for row in rows]))


def test_tables() -> None:
    choices, (_, kept) = choices_of(outline_of(), ROWS), chosen(outline_of(), ROWS)
    text = as_markdown(outline_of(), ROWS, {})
    assert "learning rate, momentum: as chosen by the lowest validation error rate in the worst attack." in text
    table, listing = text.split("## Chosen settings")
    cells = [cell.split()[0] for line in body_of(table)[1:] for cell in line[1:]]
    assert cells == [f"{mean_of(kept[at : at + 2]):.3f}" for at in (0, 2, 4, 6, 8, 10)]
    numbers = [f"{choice.score:.3f} {choice.level}" for choice in choices]
    assert body_of(listing) == [
        ["aggregation rule", "clients' learning rate", "momentum", "validation error rate, worst attack"],
        *([*own.labels.values(), *own.setting.values(), number] for own, number in zip(choices, numbers, strict=True)),
    ]
    assert all(number in shown(outline_of(), ROWS).split("Chosen settings")[1] for number in numbers)


def test_csv_has_every_run_and_says_which_were_chosen() -> None:
    rows = from_csv(as_csv(annotated(outline_of(worst="attack"), ROWS)), LEVELS)
    assert [{name: row[name] for name in ROWS[0]} for row in rows] == ROWS
    _, kept = chosen(outline_of(), ROWS)
    assert [{name: row[name] for name in [*ROWS[0], "selected"]} for row in rows if row["selected"]] == kept
    assert [{row["worst"] for row in rows if row["selected"] == own} for own in (1, 0)] == [{1, 2, 3}, {None}]


def test_figures_are_of_what_was_chosen(tmp_path: Path) -> None:
    outline, kept = chosen(outline_of(), ROWS)
    first, second = (draw_heat_maps(given, rows) for given, rows in ((outline_of(), ROWS), (outline, kept)))
    assert texts(first.axes[0]) == texts(second.axes[0])
    means = [mean_of(kept[at : at + 2]) for at in (0, 2, 4)]
    lines = draw_lines(outline_of(), ROWS, Figure(x="attack")).axes[0].lines
    assert list(lines[0].get_ydata()) == pytest.approx(means)
    for row in ROWS:
        run = tmp_path / "cells" / "-".join(slug(row[name]) for name in LEVELS) / f"seed_{row['seed']}"
        run.mkdir(parents=True)
        (run / "summary.json").touch()
        (run / "metrics.csv").write_text(f"round,testing_error_rate\n1,{row['testing_error_rate']}\n")
    canvas = curves_of(outline_of(), tmp_path, Figure("curves", lines="rule"), ROWS)
    assert [axis.lines[0].get_ydata()[0] for axis in canvas.axes] == pytest.approx(means)
