"""What figures share: files as publishers take them, and mistakes in what is asked of them."""

import re
import zlib
from typing import Any

import pytest
from matplotlib.figure import Figure

from flt.display.drawing import as_file, drawing, entitle, labelled, wrapped
from flt.display.figure_style import USUAL, FigureStyle
from flt.errors import InputError


def labelled_figure() -> Figure:
    with drawing(USUAL):
        figure = Figure(figsize=(3, 2), layout="constrained")
        entitle(figure, "ä ± λ $x", USUAL)
        figure.subplots().set_xlabel("words")
    return figure


def test_letters_in_a_pdf_are_truetype() -> None:
    """Publishers refuse Type 3; matplotlib's streams are compressed, its dictionaries of fonts are not."""
    content = as_file(labelled_figure(), "figure.pdf")
    text = content + b"".join(
        zlib.decompressobj().decompress(part) for part in re.findall(rb"stream\r?\n(x.*?)endstream", content, re.S)
    )
    kinds = set(re.findall(rb"/Subtype\s*/(Type\w+|CIDFontType\w+|TrueType)", text))
    assert b"CIDFontType2" in kinds
    assert b"Type3" not in kinds
    assert b"/FontFile2" in text  # the font is in the file
    assert content == as_file(labelled_figure(), "figure.pdf")  # no date in it


def test_vector_graphics_of_the_web() -> None:
    assert as_file(labelled_figure(), "figure.svg") == as_file(labelled_figure(), "figure.svg")
    assert as_file(labelled_figure(), "figure.svg").startswith(b"<?xml")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"width": 0.5}, "style.width=0.5 is out of range: give inches from 1 to 100"),
        ({"height": float("nan")}, "style.height=nan is out of range: give inches"),
        ({"font_size": 400}, "style.font_size=400 is out of range: give points from 3 to 40"),
        ({"formats": []}, "style.formats=[] leaves nothing to draw"),
    ],
)
def test_mistakes(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        FigureStyle(**given)


def test_words_that_are_too_long_for_a_line_break() -> None:
    lines = wrapped("a " + "m" * 40, 1.0, 10).split("\n")
    assert "".join(lines) == "a" + "m" * 40
    assert len(lines) > 4
    assert labelled("m" * 400, USUAL).endswith("m…")
    assert labelled("m" * 400, USUAL).count("\n") == 2
