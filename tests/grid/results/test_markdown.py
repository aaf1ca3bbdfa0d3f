"""The tables in Markdown and for the terminal."""

import math
import re
from dataclasses import replace

import pytest
from grids import body_of, make_outline, make_row, shown

from flt.grid.results.markdown import as_markdown, explanation
from flt.grid.results.rows import as_csv, from_csv

LEVELS = {"attack": ["No attack", "Scaling attack"], "rule": ["FedAvg", "Krum"]}


ROWS = [
    make_row({"attack": "No attack", "rule": "FedAvg"}, 0.1, seed=0, published=(0.12, None)),
    make_row({"attack": "No attack", "rule": "FedAvg"}, 0.2, seed=1, published=(0.12, None)),
    make_row({"attack": "Scaling attack", "rule": "FedAvg"}, 0.25, 1.0, seed=0, published=(0.25, 0.5)),
    make_row({"attack": "Scaling attack", "rule": "Krum"}, 0.5, 0.0, seed=0, published=(0.5, 0.0)),
]


def test_a_table() -> None:
    text = as_markdown(make_outline(LEVELS, source="the paper's", tolerance=0.05), ROWS, {})
    assert text.startswith("# Small\n\n")
    assert text.endswith("|\n")
    assert body_of(text) == [
        ["attack", "FedAvg", "Krum"],
        ["No attack", "0.150 ±0.071 (0.12)", "-"],
        ["Scaling attack", "0.250 / **1.000** (0.25 / 0.50)", "0.500 / 0.000 (0.50 / 0.00)"],
    ]


def test_chosen_measures() -> None:
    rows = [row | {"testing_loss": 2.5, "mine": 7.0 if row["rule"] == "Krum" else None} for row in ROWS]
    outline = replace(make_outline(LEVELS), measures=["testing_loss", "mine", "unknown"])
    text = as_markdown(outline, rows, {})
    assert "Each cell: loss on the test set, after the slash mine." in text
    assert body_of(text)[1:] == [["No attack", "2.500 ±0.000", "-"], ["Scaling attack", "2.500", "2.500 / 7.000"]]
    assert re.search(r"Scaling attack +2.500 +2.500 *\n +7.000", shown(outline, rows))


def test_lines_are_equally_long() -> None:
    text = as_markdown(make_outline(LEVELS), ROWS, {})
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 4
    assert len({len(line) for line in lines}) == 1
    assert len({tuple(at for at, sign in enumerate(line) if sign == "|") for line in lines}) == 1


def test_what_the_numbers_are() -> None:
    explanation = as_markdown(make_outline(LEVELS, source="the paper's"), ROWS, {}).splitlines()[2]
    for words in (
        "HAR (stand-in); 1,000 rounds; mean ± standard deviation over the seeds 0, 1.",
        "testing error rate, after the slash attack success rate where there is a backdoor",
        "in brackets the paper's value",
        "further from it than 0.03.",
    ):
        assert words in explanation
    explanation = as_markdown(make_outline(LEVELS, seeds=[4]), ROWS[:1], {}).splitlines()[2]
    assert "seed 4. Each cell: testing error rate." in explanation
    assert "reference" not in explanation
    assert "brackets" not in explanation


def test_different_data_and_rounds_are_told() -> None:
    rows = [ROWS[0], {**ROWS[2], "data_used": "HAR", "rounds": 20.0}]
    assert "HAR (stand-in), HAR; 1,000 or 20 rounds" in as_markdown(make_outline(LEVELS), rows, {})


@pytest.mark.parametrize("mean", [0.15, 0.151, 0.049])
def test_bold_exactly_beyond_the_tolerance(mean: float) -> None:
    outline = make_outline({"attack": ["Trim"]}, source="the paper's", tolerance=0.05)
    text = as_markdown(outline, [make_row({"attack": "Trim"}, mean, published=(0.1, None))], {})
    assert ("**" in text) is (abs(mean - 0.1) > 0.05 + 1e-9)


def test_tolerance_by_label() -> None:
    levels = {"attack": ["Trim"], "rule": ["FedAvg", "Krum", "Median"]}
    outline = make_outline(levels, source="the paper's", tolerance={"FedAvg": 0.2, "Krum": 0.05})
    rows = [make_row({"attack": "Trim", "rule": rule}, 0.2, published=(0.1, None)) for rule in levels["rule"]]
    text = as_markdown(outline, rows, {})
    assert body_of(text)[1] == ["Trim", "0.200 (0.10)", "**0.200** (0.10)", "**0.200** (0.10)"]
    assert "further from it than 0.2 (FedAvg), 0.05 (Krum), 0.03 (others)." in text


def test_a_cell_may_differ_by_the_published_spread_and_from_what_is_no_target() -> None:
    levels = {"rule": ["FedAvg", "Krum", "Median"]}
    outline = make_outline(levels, source="the reference's", tolerance=0.01)
    rows = [
        make_row({"rule": rule}, 0.2, published=(0.1, None)) | {"reference_spread": spread}
        for rule, spread in zip(levels["rule"], (0.1, 0.05, math.inf), strict=True)
    ]
    read = from_csv(as_csv(rows), levels)
    text = as_markdown(outline, read, {})
    assert [line[1] for line in body_of(text)[1:]] == [
        "0.200 (0.10 ±0.100)",
        "**0.200** (0.10 ±0.050)",
        "0.200 (0.10!)",
    ]
    assert "Bold: further from it than 0.01 and its own spread; !: no target, as published runs disagree." in text


def test_pipes_are_escaped_and_line_ends_left_out() -> None:
    outline = make_outline({"a|b": ["x|y"], "rule": ["p|\nq"]})
    text = as_markdown(outline, [make_row({"a|b": "x|y", "rule": "p|\nq"}, 0.5)], {})
    assert body_of(text) == [["a\\|b", "p\\| q"], ["x\\|y", "0.500"]]


def test_a_panel_for_each_level_of_a_third_axis() -> None:
    levels = {**LEVELS, "q": ["0.1", "0.5"]}
    rows = [make_row({"attack": "No attack", "rule": "Krum", "q": q}, float(q)) for q in levels["q"]]
    first, *panels = as_markdown(make_outline(levels), rows, {}).split("\n## ")
    assert "|" not in first
    assert [panel.split("\n", 1)[0] for panel in panels] == ["q: 0.1", "q: 0.5"]
    assert [body_of(panel)[1] for panel in panels] == [["No attack", "-", "0.100"], ["No attack", "-", "0.500"]]


def test_failures_are_listed() -> None:
    text = as_markdown(make_outline(LEVELS), ROWS, {"Trim · seed 1": "it broke", "LF · seed 0": "that, too"})
    assert text.endswith("\n\n2 runs failed:\n\n- Trim · seed 1: it broke\n- LF · seed 0: that, too\n")
    assert "\n1 run failed:\n" in as_markdown(make_outline(LEVELS), ROWS, {"Trim · seed 1": "it broke"})


def test_what_is_left_is_told() -> None:
    text = as_markdown(make_outline(LEVELS), ROWS, {"Trim · seed 1": "it broke"}, left=3)
    assert "\n\nIncomplete: 3 of 8 runs are still to be made.\n\n|" in text
    assert "Incomplete" not in as_markdown(make_outline(LEVELS), ROWS, {})


def test_nothing_finished() -> None:
    text = as_markdown(make_outline({"attack": ["Trim"]}), [], {"Trim · seed 0": "it broke"})
    assert "nothing finished; no rounds" in text
    assert body_of(text) == [["attack", "testing error rate"], ["Trim", "-"]]


# The terminal


def test_terminal() -> None:
    lines = shown(make_outline(LEVELS, source="the paper's", tolerance=0.05), ROWS).splitlines()
    assert lines[0].strip() == "Small"
    words = [line.split() for line in lines if line.strip()]
    assert words[1] == ["attack", "FedAvg", "Krum"]
    assert words[3:] == [
        *(["No", "attack", "0.150", "(0.12)", "-"],),
        *(["Scaling", "attack", "0.250", "(0.25)", "0.500", "(0.50)"], ["1.000", "(0.50)", "*", "0.000", "(0.00)"]),
    ]


def test_terminal_marks_what_is_far_from_the_reference() -> None:
    outline = make_outline({"rule": ["near", "far"]}, source="the paper's")
    rows = [
        make_row({"rule": "near"}, 0.12, published=(0.1, None)),
        make_row({"rule": "far"}, 0.5, published=(0.1, None)),
    ]
    text = shown(outline, rows, force_terminal=True, color_system="standard")
    (near,), (far,) = ([line for line in text.splitlines() if word in line] for word in ("near", "far"))
    assert "\x1b[1;33m0.500 (0.10) *" in far
    assert "\x1b[1;33m" not in near
    assert "*" not in near


def test_terminal_marks_are_explained() -> None:
    text = explanation(make_outline(LEVELS, source="the paper's", tolerance=0.05), ROWS, below=True, brief=True)
    assert text == (
        "HAR (stand-in); 1,000 rounds; mean over the seeds 0, 1. Each cell: testing error rate, below it attack success"
        " rate where there is a backdoor; in brackets the paper's value. *: further from it than 0.05."
    )


def test_terminal_shows_brackets_as_they_are() -> None:
    outline = make_outline({"[red]": ["[bold]", "[/]"], "rule": ["[a, b]", "[/x]"]})
    rows = [make_row({"[red]": "[/]", "rule": "[/x]"}, 0.5)]
    text = shown(outline, rows)
    for word in ("[red]", "[bold]", "[/]", "[a, b]", "[/x]"):
        assert word in text


def test_terminal_has_a_table_for_each_panel() -> None:
    text = shown(make_outline({**LEVELS, "q": ["0.1", "0.5"]}), [])
    assert "Small · q: 0.1" in text
    assert "Small · q: 0.5" in text
