"""Rules that choose some of the updates, by distances or spectrum."""

from catalogue.row import Rule

RULES: list[Rule] = []
