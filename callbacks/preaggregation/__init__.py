"""Pre-aggregations, rules around a rule: thin classes over `flt.functional`."""

from callbacks.preaggregation.bucketing import Bucketing
from callbacks.preaggregation.clipping import ARC, Clipping
from callbacks.preaggregation.foundation import FoundationFL
from callbacks.preaggregation.nearest_neighbor_mixing import NNM
from callbacks.preaggregation.rescaling import Rescaling

__all__ = ["ARC", "NNM", "Bucketing", "Clipping", "FoundationFL", "Rescaling"]
