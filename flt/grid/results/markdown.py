"""A grid's results as a table in Markdown and for the terminal."""

from collections.abc import Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from flt.grid.plan.naming import readable
from flt.grid.plan.outline import Outline
from flt.grid.results.explaining import explanation
from flt.grid.results.listings import Listing, listings_of, tests_of
from flt.grid.results.rows import Row, panel_title
from flt.grid.results.selection import chosen
from flt.grid.results.table import Entry, body_of, lines_of, mark_of, published_text


def as_markdown(outline: Outline, rows: Sequence[Row], failures: Mapping[str, str], *, left: int = 0) -> str:
    """The content of ``table.md``.

    Args:
        outline: The grid's outline.
        rows: Its finished runs.
        failures: What went wrong in others, by what they are called.
        left: How many were not run to their end.
    """
    lines = [f"# {outline.title}", "", explanation(outline, rows)]
    if left:
        lines += ["", f"Incomplete: {left} of {len(rows) + len(failures) + left} runs are still to be made."]
    beside = [*listings_of(outline, rows), *tests_of(outline, rows)]
    outline, rows = chosen(outline, rows)
    for panel in outline.panels:
        lines += ["", f"## {panel_title(panel)}"] if panel else []
        lines += ["", *_aligned(lines_of(outline, body_of(outline, rows, panel), _written))]
    for listing in beside:
        lines += ["", f"## {listing.title}", "", *_aligned(listing.lines)]
    if failures:
        lines += ["", f"{len(failures)} {'run' if len(failures) == 1 else 'runs'} failed:", ""]
        lines += [f"- {name}: {error}" for name, error in failures.items()]
    return "\n".join(lines) + "\n"


def as_rich(outline: Outline, rows: Sequence[Row]) -> list[Table]:
    """The means for a terminal, a table for each panel, in which what is far from the reference stands out.

    The settings that were chosen, and where rules break, follow in tables of their own.
    """
    tables, beside = [], listings_of(outline, rows)
    outline, rows = chosen(outline, rows)
    for panel in outline.panels:
        title = " · ".join(part for part in (outline.title, panel_title(panel)) if part)
        table = Table(title=escape(title), title_justify="left", title_style="bold", box=SIMPLE_HEAD)
        table.add_column(escape(readable(outline.rows)), style="cyan", no_wrap=True)
        body = body_of(outline, rows, panel)
        for label in body.columns:
            table.add_column(escape(label or ""))
        for y, row in enumerate(body.rows):
            table.add_row(escape(row), *(_compact(outline, body.entries[y, x]) for x in range(len(body.columns))))
        tables.append(table)
    return tables + [_listed(listing) for listing in beside]


def _listed(listing: Listing) -> Table:
    header, *lines = listing.lines
    table = Table(title=escape(listing.title), title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    for name in header:
        table.add_column(escape(name))
    for line in lines:
        table.add_row(*map(escape, line))
    return table


def _compact(outline: Outline, entry: Entry) -> Text:
    if entry.point:
        return Text(entry.point.text)
    lines, tolerance = list[Text](), outline.tolerance_of(entry.labels)
    for measure, value in entry.values.items():
        scale, arrow = outline.scale_of(measure), "" if lines else mark_of(outline, entry)
        published = f" ({published_text(scale, value)})" if value.published is not None else ""
        mark = " *" if value.is_beyond(tolerance) else ""
        level = f" {entry.levels[measure]}" if entry.levels else ""
        lines.append(
            Text(f"{scale.measured(value.mean)}{arrow}{published}{mark}{level}", style="bold yellow" if mark else "")
        )
    if aside := entry.aside(outline.scale_of(outline.shown[0])):
        lines.insert(1, Text(aside))
    return Text("\n").join(lines) if lines else Text("-")


def _written(text: str, is_far: bool) -> str:
    return f"**{text}**" if is_far else text


def _escaped(word: str) -> str:
    return " ".join(word.splitlines()).replace("|", "\\|")  # a line of its own would end the table


def _aligned(table: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table; the first row is its header."""
    table = [[_escaped(word) for word in line] for line in table]
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]

    def line(words: Sequence[str]) -> str:
        return "| " + " | ".join(word.ljust(width) for word, width in zip(words, widths, strict=True)) + " |"

    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return [line(table[0]), rule, *map(line, table[1:])]
