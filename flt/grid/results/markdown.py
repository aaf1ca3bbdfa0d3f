"""A grid's results as a table in Markdown and for the terminal."""

from collections.abc import Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from flt.grid.plan.naming import readable
from flt.grid.plan.outline import Outline
from flt.grid.results.rows import Row, exceeds, panel_title
from flt.grid.results.table import Entry, body_of
from flt.runs.measures import described


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
    for panel in outline.panels:
        lines += ["", f"## {panel_title(panel)}"] if panel else []
        body = body_of(outline, rows, panel)
        table = [
            [readable(outline.rows), *(label or outline.scale_of(outline.shown[0]).name for label in body.columns)]
        ]
        for y, row in enumerate(body.rows):
            table.append([row, *(_written(outline, body.entries[y, x]) for x in range(len(body.columns)))])
        lines += ["", *_aligned([[_escaped(word) for word in line] for line in table])]
    if failures:
        lines += ["", f"{len(failures)} {'run' if len(failures) == 1 else 'runs'} failed:", ""]
        lines += [f"- {name}: {error}" for name, error in failures.items()]
    return "\n".join(lines) + "\n"


def as_rich(outline: Outline, rows: Sequence[Row]) -> list[Table]:
    """The means for a terminal, a table for each panel; what is far from the reference stands out."""
    tables = []
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
    return tables


def _compact(outline: Outline, entry: Entry) -> Text:
    lines, tolerance = [], outline.tolerance_of(entry.labels)
    for measure, value in entry.values.items():
        scale = outline.scale_of(measure)
        published = "" if value.published is None else f" ({scale.published(value.published)})"
        mark = " *" if value.is_beyond(tolerance) else ""
        level = f" {entry.levels[measure]}" if entry.levels else ""
        lines.append(Text(f"{scale.measured(value.mean)}{published}{mark}{level}", style="bold yellow" if mark else ""))
    if entry.runner_up:
        lines.insert(1, Text(entry.second(outline.scale_of(outline.shown[0]))))
    return Text("\n").join(lines) if lines else Text("-")


def text_of(outline: Outline, entry: Entry) -> str:
    """A cell: mean and standard deviation of each measure, and the reference's values in brackets."""
    parts, published = [], []
    for measure, value in entry.values.items():
        level, scale = f" {entry.levels[measure]}" if entry.levels else "", outline.scale_of(measure)
        spread = "" if value.spread is None else f" ±{scale.spread(value.spread)}"
        parts.append(scale.measured(value.mean) + spread + level)
        if value.published is not None:
            published.append(scale.published(value.published))
    if entry.runner_up:
        parts[0] += f"; {entry.second(outline.scale_of(outline.shown[0]))}"
    return " / ".join(parts) + (f" ({' / '.join(published)})" if published else "")


def _written(outline: Outline, entry: Entry) -> str:
    """A cell in Markdown."""
    text = text_of(outline, entry) or "-"
    return f"**{text}**" if exceeds(entry.values, outline.tolerance_of(entry.labels)) else text


def explanation(outline: Outline, rows: Sequence[Row], *, below: bool = False) -> str:
    """Explains a table: the data, rounds and seeds that were run, and the meaning of numbers and marks.

    Args:
        outline: The grid's outline.
        rows: Its finished runs.
        below: Whether the measures of a cell stand below one another, as in a terminal.
    """
    data = ", ".join(dict.fromkeys(row["data_used"] for row in rows)) or "nothing finished"
    rounds = " or ".join(dict.fromkeys(f"{int(row['rounds']):,}" for row in rows)) or "no"
    seeds = ", ".join(map(str, outline.seeds))
    statistic = "mean" if below else "mean ± standard deviation"
    over = f"{statistic} over the seeds" if len(outline.seeds) > 1 else "seed"
    text = f"{data}; {rounds} rounds; {over} {seeds}. Each cell: {outline.scale_of(outline.shown[0]).name}"
    others = [name for name in outline.shown[1:] if any(row.get(name) is not None for row in rows)]
    if others:
        where = "below it" if below else "after the slash"
        text += f", {where} {', '.join(outline.scale_of(name).name for name in others)}"
        text += " where there is a backdoor" if others == ["attack_success_rate"] else ""
    if how := described(outline.measure):
        text += f", {how}"
    if outline.source is not None:
        mark = "*" if below else "Bold"
        text += f"; in brackets {outline.source} value. {mark}: further from it than {outline.limits}"
    if outline.worst is not None:
        each = " of each" if others else ""
        end = "largest" if outline.scale_of(outline.shown[0]).factor > 0 else "worst"
        text += f". Worst: over {readable(outline.worst)} the {end} mean{each}, and whose it is; then the runner-up"
    return f"{text}."


def _escaped(word: str) -> str:
    return word.replace("|", "\\|")


def _aligned(table: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table; the first row is its header."""
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]

    def line(words: Sequence[str]) -> str:
        return "| " + " | ".join(word.ljust(width) for word, width in zip(words, widths, strict=True)) + " |"

    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return [line(table[0]), rule, *map(line, table[1:])]
