"""A grid's tables for LaTeX, to be read in as they are: booktabs, everything escaped."""

import re
import unicodedata
from collections.abc import Sequence

from flt.grid.plan.naming import readable, slug
from flt.grid.plan.outline import Outline
from flt.grid.results.explaining import explanation
from flt.grid.results.listings import Lines, listings_of, tests_of
from flt.grid.results.rows import Row, exceeds, panel_title
from flt.grid.results.selection import chosen
from flt.grid.results.table import body_of, text_of

HEAD = "% Needs \\usepackage{booktabs}; letters other than Western and small Greek ones need LuaLaTeX or XeLaTeX."
MINUS = "\u2212"
WRITTEN = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    **{letter: f"\\{letter}" for letter in "{}$&#_%"},
    "±": r"$\pm$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "·": r"$\cdot$",
    "\u00d7": r"$\times$",
    "∞": r"$\infty$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    MINUS: "$-$",
    "…": r"\ldots{}",
    "[": "{[}",  # at the start of a line, it would be what a line break takes
    "]": "{]}",
}


def as_latex(outline: Outline, rows: Sequence[Row]) -> str:
    """The content of ``table.tex``: the tables of ``table.md``, each in a ``table`` with a caption and a label.

    Args:
        outline: The grid's outline.
        rows: Its finished runs.
    """
    about, title = explanation(outline, rows), outline.title
    beside = [*listings_of(outline, rows), *tests_of(outline, rows)]
    outline, rows = chosen(outline, rows)
    tables = list[str]()
    for panel in outline.panels:
        body, name = body_of(outline, rows, panel), panel_title(panel)
        lines = [
            [readable(outline.rows), *(label or outline.scale_of(outline.shown[0]).name for label in body.columns)]
        ]
        lines += [
            [row, *(text_of(outline, body.entries[y, x]) or "-" for x in range(len(body.columns)))]
            for y, row in enumerate(body.rows)
        ]
        bold = {
            place for place, entry in body.entries.items() if exceeds(entry.values, outline.tolerance_of(entry.labels))
        }
        tables.append(_table(lines, " · ".join(filter(None, (title, name))) + ". " + about, f"{title} {name}", bold))
    tables += [_table(listing.lines, f"{title}: {listing.title}.", f"{title} {listing.title}") for listing in beside]
    return "\n".join([HEAD, *tables])


def _table(lines: Lines, caption: str, name: str, bold: set[tuple[int, int]] | None = None) -> str:
    """One table; the first line is its header, and places are counted from the first cell below it."""
    header, *others = lines
    made = [_line(header)]
    for y, line in enumerate(others):
        made.append(_line([line[0]]) if len(line) == 1 else _line(line, {x + 1 for row, x in bold or () if row == y}))
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escaped(caption)}}}",
            rf"\label{{tab:{slug(name)}}}",
            rf"\begin{{tabular}}{{l{'c' * (len(header) - 1)}}}",
            r"\toprule",
            made[0],
            r"\midrule",
            *made[1:],
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _line(words: Sequence[str], bold: set[int] | None = None) -> str:
    written = [rf"\textbf{{{escaped(word)}}}" if x in (bold or ()) else escaped(word) for x, word in enumerate(words)]
    return " & ".join(written) + r" \\"


def escaped(text: str) -> str:
    r"""Text as LaTeX prints it; a number's minus is one, and Greek letters stand in formulas.

    Example:
        >>> escaped("50 % of <a_b>, -0.1 ±0.2")
        '50 \\% of \\textless{}a\\_b\\textgreater{}, $-$0.1 $\\pm$0.2'
    """
    signed = re.sub(r"(?<![\w.)-])-(?=\d)", MINUS, " ".join(text.split()))
    return "".join(map(_letter, signed))


def _letter(letter: str) -> str:
    if letter in WRITTEN:
        return WRITTEN[letter]
    greek = re.fullmatch(r"GREEK SMALL LETTER (\w+)", unicodedata.name(letter, ""))
    if greek:
        name = greek[1].lower()
        return {"lamda": r"$\lambda$", "omicron": "o"}.get(name, rf"$\{name}$")
    return letter if letter.isprintable() else ""
