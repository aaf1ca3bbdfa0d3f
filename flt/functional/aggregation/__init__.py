"""Aggregation rules, tensors to tensors."""

from flt.functional.aggregation import bounding, detection, root, selection
from flt.functional.aggregation.bounding import *  # noqa: F403
from flt.functional.aggregation.coordinatewise import meamed, median, trimmed_mean
from flt.functional.aggregation.detection import *  # noqa: F403
from flt.functional.aggregation.fedavg import fedavg
from flt.functional.aggregation.fltrust import fltrust, trust_scores
from flt.functional.aggregation.krum import krum, krum_scores, krum_select
from flt.functional.aggregation.norm_bounded_mean import norm_bounded_mean
from flt.functional.aggregation.root import *  # noqa: F403
from flt.functional.aggregation.selection import *  # noqa: F403

__all__ = [
    "fedavg",
    "fltrust",
    "krum",
    "krum_scores",
    "krum_select",
    "meamed",
    "median",
    "norm_bounded_mean",
    "trimmed_mean",
    "trust_scores",
]
__all__ += bounding.__all__
__all__ += detection.__all__
__all__ += root.__all__
__all__ += selection.__all__
