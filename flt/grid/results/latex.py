"""A grid's tables for LaTeX, to be read in as they are: booktabs, everything escaped."""

import re
import unicodedata
from collections.abc import Sequence

from flt.grid.plan.naming import slug
from flt.grid.plan.outline import Outline
from flt.grid.results.explaining import explanation
from flt.grid.results.listings import Lines, listings_of, tests_of
from flt.grid.results.rows import Row, panel_title
from flt.grid.results.selection import chosen
from flt.grid.results.table import body_of, lines_of

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
        lines, name = lines_of(outline, body_of(outline, rows, panel), _written), panel_title(panel)
        tables.append(_table(lines, " · ".join(filter(None, (title, name))) + ". " + about, f"{title} {name}"))
    for listing in beside:
        lines = [[escaped(word) for word in line] for line in listing.lines]
        tables.append(_table(lines, f"{title}: {listing.title}.", f"{title} {listing.title}"))
    return "\n".join([HEAD, *tables])


def _table(lines: Lines, caption: str, name: str) -> str:
    """One table, of lines that are written for LaTeX; the first is its header."""
    header, *others = [" & ".join(line) + r" \\" for line in lines]
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escaped(caption)}}}",
            rf"\label{{tab:{slug(name)}}}",
            rf"\begin{{tabular}}{{l{'c' * (len(lines[0]) - 1)}}}",
            r"\toprule",
            header,
            r"\midrule",
            *others,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _written(text: str, is_far: bool) -> str:
    return rf"\textbf{{{escaped(text)}}}" if is_far else escaped(text)


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
