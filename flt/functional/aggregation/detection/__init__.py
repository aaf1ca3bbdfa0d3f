"""Rules that look for attackers: clusters, histories, reputations, tensors to tensors."""

from flt.functional.aggregation.detection.clipped_clustering import clipped_clustering
from flt.functional.aggregation.detection.flame import flame
from flt.functional.aggregation.detection.fldetector import curvature_times, prediction_errors
from flt.functional.aggregation.detection.foolsgold import foolsgold
from flt.functional.aggregation.detection.signguard import signguard

__all__ = ["clipped_clustering", "curvature_times", "flame", "foolsgold", "prediction_errors", "signguard"]
