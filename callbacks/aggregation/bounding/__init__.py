"""Rules that bound what an update can do: geometric medians, clipping, signs."""

from callbacks.aggregation.bounding.centered_clipping import CenteredClipping
from callbacks.aggregation.bounding.geometric_median import RFA, GeometricMedian
from callbacks.aggregation.bounding.norm_clipping import NormClipping
from callbacks.aggregation.bounding.signs import RLR, SignSGD

__all__: list[str] = ["RFA", "RLR", "CenteredClipping", "GeometricMedian", "NormClipping", "SignSGD"]
