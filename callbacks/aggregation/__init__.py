"""Aggregation rules: thin classes over `flt.functional`."""

from callbacks.aggregation.fedavg import FedAvg
from callbacks.aggregation.fltrust import FLTrust
from callbacks.aggregation.krum import Krum
from callbacks.aggregation.median import Median
from callbacks.aggregation.norm_bounded_mean import NormBoundedMean
from callbacks.aggregation.trimmed_mean import TrimmedMean

__all__ = ["FLTrust", "FedAvg", "Krum", "Median", "NormBoundedMean", "TrimmedMean"]
