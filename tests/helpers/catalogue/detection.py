"""Rules that look for attackers: clusters, histories, reputations."""

from catalogue.row import Rule

RULES: list[Rule] = []
