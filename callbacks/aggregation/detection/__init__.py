"""Rules that look for attackers: clusters, histories, reputations."""

from callbacks.aggregation.detection.flame import FLAME
from callbacks.aggregation.detection.foolsgold import FoolsGold

__all__ = ["FLAME", "FoolsGold"]
