"""Rules that look for attackers: clusters, histories, reputations, tensors to tensors."""

from flt.functional.aggregation.detection.flame import flame

__all__ = ["flame"]
