"""Rules that measure updates by data of the server's own."""

from catalogue.row import Rule

RULES: list[Rule] = []
