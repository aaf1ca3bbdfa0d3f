"""Rules that look for attackers: clusters, histories, reputations."""

from callbacks.aggregation.detection.clipped_clustering import ClippedClustering
from callbacks.aggregation.detection.flame import FLAME
from callbacks.aggregation.detection.fldetector import FLDetector
from callbacks.aggregation.detection.foolsgold import FoolsGold
from callbacks.aggregation.detection.signguard import SignGuard

__all__ = ["FLAME", "ClippedClustering", "FLDetector", "FoolsGold", "SignGuard"]
