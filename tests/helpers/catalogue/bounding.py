"""Rules that bound what an update can do: geometric medians, clipping, signs."""

from catalogue.row import Rule

RULES: list[Rule] = []
