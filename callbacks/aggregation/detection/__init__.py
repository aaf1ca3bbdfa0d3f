"""Rules that look for attackers: clusters, histories, reputations."""

from callbacks.aggregation.detection.flame import FLAME

__all__ = ["FLAME"]
