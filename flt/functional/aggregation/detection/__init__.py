"""Rules that look for attackers: clusters, histories, reputations, tensors to tensors."""

from flt.functional.aggregation.detection.flame import flame
from flt.functional.aggregation.detection.foolsgold import foolsgold

__all__ = ["flame", "foolsgold"]
