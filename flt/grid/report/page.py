"""The document of a report as one page of HTML, which needs nothing else: no network, no other file."""

import base64
import hashlib
import json
import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from flt.grid.plan.naming import readable
from flt.grid.plan.scale import ERRORS, SUCCESSES

EDGES = (0.02, 0.04, 0.06, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75)
"""Rates at which a cell's colour changes: the same in every report, finer where good rules differ."""

SCRIPTS = ("uPlot.iife.min.js", "report.js")
ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
"""What could end a script, or start another element, in JSON within HTML."""


def page_of(document: Mapping[str, Any], *, template: str = "report.html.j2", is_live: bool = False) -> str:
    """The page of a document.

    Args:
        document: What `flt.grid.report.document.document_of` has made.
        template: Which of the templates in ``flt/grid/report/assets``.
        is_live: Whether the page asks its server for news.
    """
    scripts = [Markup(_text_of(name)) for name in SCRIPTS]  # noqa: S704  # our own files
    allowed = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    policy = f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src {allowed}"
    return (
        _environment()
        .get_template(template)
        .render(
            document=document,
            data=Markup(as_json(document)),  # noqa: S704  # escaped there
            scripts=scripts,
            styles=[Markup(_text_of(name)) for name in ("uPlot.min.css", "report.css")],  # noqa: S704  # our own files
            licence=Markup(_text_of("uPlot.LICENSE").strip()),  # noqa: S704  # our own file
            policy=policy + ("; connect-src 'self'" if is_live else ""),
            is_live=is_live,
            edges=EDGES,
        )
    )


def as_json(document: Mapping[str, Any]) -> str:
    r"""A document as JSON that may stand within HTML.

    Example:
        >>> as_json({"title": "</script>"})
        '{"title":"\\u003c/script\\u003e"}'
    """
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return "".join(ESCAPES.get(letter, letter) for letter in text) if set(ESCAPES) & set(text) else text


def shade(measure: str, mean: float, highest: float) -> str:
    """The class that colours a number: rates by fixed steps, other measures by their share of the highest.

    Example:
        >>> shade("testing_error_rate", 0.05, 1.0), shade("attack_success_rate", 0.9, 1.0), shade("length", 1.0, 2.0)
        ('e2', 's9', 'g5')
    """
    if SUCCESSES.fullmatch(measure):
        return f"s{bisect_right(EDGES, mean)}"
    if ERRORS.fullmatch(measure):
        return f"e{bisect_right(EDGES, mean)}"
    return f"g{min(9, max(0, int(10 * mean / highest)))}" if highest > 0 else "g0"


def _highest(part: Mapping[str, Any]) -> dict[str, float]:
    """The highest mean of each measure in a table or a ranking."""
    lines = part["entries"] if "entries" in part else [(row["worst"], row["clean"]) for row in part["rows"]]
    found: dict[str, float] = {}
    for entry in (entry for line in lines for entry in line if entry):
        for measure, value in entry["values"].items():
            found[measure] = max(found.get(measure, value["mean"]), value["mean"])
    return found


def _rates(grid: Mapping[str, Any]) -> list[str]:
    """The measures of a grid that have the colours of rates, and a value."""
    there = {name for table in grid["tables"] for name in _highest(table)}
    return [
        name for name in grid["measures"] if name in there and (ERRORS.fullmatch(name) or SUCCESSES.fullmatch(name))
    ]


def _by_worst(rows: Sequence[Mapping[str, Any]], measure: str) -> list[Mapping[str, Any]]:
    """The lines of a ranking, the lowest first; those without a value last."""

    def worst(row: Mapping[str, Any]) -> float:
        value = row["worst"]["values"].get(measure)
        return float(value["mean"]) if value else math.inf

    return sorted(rows, key=worst)


def _written(edges: Sequence[float], measure: Mapping[str, Any]) -> list[str]:
    """Where each colour begins, as a measure is written."""
    return [f"{measure['offset'] + measure['factor'] * edge:g}" for edge in (0.0, *edges)]


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FunctionLoader(_text_of),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    made.filters |= {"shade": shade, "readable": readable, "highest": _highest, "rates": _rates}
    made.filters |= {"written": _written, "by_worst": _by_worst}
    return made


@cache
def _text_of(name: str) -> str:
    """The text of a file beside the templates."""
    return (resources.files("flt.grid.report") / "assets" / name).read_text("utf-8")


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
