"""Aggregation rules: thin classes over `flt.functional`."""

from callbacks.aggregation import bounding, detection, root, selection
from callbacks.aggregation.bounding import *  # noqa: F403
from callbacks.aggregation.detection import *  # noqa: F403
from callbacks.aggregation.fedavg import FedAvg
from callbacks.aggregation.fltrust import FLTrust
from callbacks.aggregation.krum import Krum
from callbacks.aggregation.median import Median
from callbacks.aggregation.norm_bounded_mean import NormBoundedMean
from callbacks.aggregation.root import *  # noqa: F403
from callbacks.aggregation.selection import *  # noqa: F403
from callbacks.aggregation.trimmed_mean import TrimmedMean

__all__ = ["FLTrust", "FedAvg", "Krum", "Median", "NormBoundedMean", "TrimmedMean"]
__all__ += bounding.__all__
__all__ += detection.__all__
__all__ += root.__all__
__all__ += selection.__all__
