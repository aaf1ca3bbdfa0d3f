"""What a table says of itself: the data, rounds and seeds, and the meaning of its numbers and marks."""

import math
from collections.abc import Sequence

from flt.grid.plan.naming import readable
from flt.grid.plan.outline import Outline
from flt.grid.plan.reference import SPREAD
from flt.grid.results.breaking import points_of
from flt.grid.results.paired import smallest_p
from flt.grid.results.rows import OF_WORST, REFERENCE, Row
from flt.grid.results.selection import chosen
from flt.runs.measures import described


def explanation(outline: Outline, rows: Sequence[Row], *, below: bool = False, brief: bool = False) -> str:
    """Explains a table: the data, rounds and seeds that were run, and the meaning of numbers and marks.

    Args:
        outline: The grid's outline.
        rows: Its finished runs.
        below: Whether the measures of a cell stand below one another.
        brief: Whether cells have no spreads, and an asterisk in place of bold letters, as in a terminal.
    """
    outline, rows = chosen(outline, rows)
    data = ", ".join(dict.fromkeys(row["data_used"] for row in rows)) or "nothing finished"
    rounds = " or ".join(dict.fromkeys(f"{int(row['rounds']):,}" for row in rows)) or "no"
    seeds = ", ".join(map(str, outline.seeds))
    statistic = "mean" if brief else "mean ± standard deviation"
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
        mark = "*" if brief else "Bold"
        text += f"; in brackets {outline.source} value. {mark}: further from it than {outline.limits}"
        spreads = {row.get(f"{prefix}{SPREAD}") for row in rows for prefix in (REFERENCE, OF_WORST)} - {None}
        text += " and its own spread" if spreads - {math.inf} else ""
        text += "; !: no target, as published runs disagree" if math.inf in spreads else ""
    if outline.worst is not None:
        each = " of each" if others else ""
        end = "largest" if outline.scale_of(outline.shown[0]).factor > 0 else "worst"
        text += f". Worst: over {readable(outline.worst)} the {end} mean{each}, and whose it is; then the runner-up"
    return ". ".join([text, *_of_select(outline), *_of_compare(outline), *_of_breaks(outline, rows)]) + "."


def _of_select(outline: Outline) -> list[str]:
    select = outline.select
    if select is None:
        return []
    where = (
        ""
        if select.axis is None
        else f" in the {select.statistic}{' over' * (select.statistic == 'mean')} {readable(select.axis)}"
    )
    what = ", ".join(map(readable, select.over)).capitalize()
    return [f"{what}: as chosen by the lowest {readable(select.metric)}{where}"]


def _of_compare(outline: Outline) -> list[str]:
    compare, num_seeds = outline.compare, len(outline.seeds)
    if compare is None:
        return []
    if smallest_p(num_seeds) > compare.level:
        return [
            f"{num_seeds} seeds cannot show p < {smallest_p(num_seeds):.3g}: no difference from {compare.to} is marked"
        ]
    return [
        f"↑, ↓: higher, lower than {compare.to} over the same seeds, p of at most {compare.level:g} in a sign-flip test"
        " of each cell by itself"
    ]


def _of_breaks(outline: Outline, rows: Sequence[Row]) -> list[str]:
    if outline.breaks is None:
        return []
    axis = readable(outline.breaks.axis)
    text = f"Breaks at: the smallest {axis} with a mean {bound_of(outline)}; after a >, at none up to that"
    has_gaps = any(not point.is_first for point in points_of(outline, rows).values())
    return [text + "; after a <=, smaller ones are not all known" * has_gaps]


def bound_of(outline: Outline) -> str:
    """The bound at which a rule counts as broken, in words; nothing where there is none."""
    breaks, scale = outline.breaks, outline.scale_of(outline.shown[0])
    if breaks is None:
        return ""
    side = "above" if scale.factor > 0 else "below"
    if breaks.than is None:
        return f"{scale.name} {side} {scale.number(breaks.at):g}"
    return f"{scale.name} more than {abs(scale.factor) * breaks.at:g} {side} that at {breaks.than}"
