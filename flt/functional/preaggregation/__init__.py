"""What mixes the updates before a rule sees them, tensors to tensors."""

from flt.functional.preaggregation.bucketing import bucketing, resampling
from flt.functional.preaggregation.clipping import adaptive_robust_clipping, clipping
from flt.functional.preaggregation.foundation import foundation
from flt.functional.preaggregation.mixing import nearest_neighbor_mixing
from flt.functional.preaggregation.rescaling import rescaling

__all__ = [
    "adaptive_robust_clipping",
    "bucketing",
    "clipping",
    "foundation",
    "nearest_neighbor_mixing",
    "resampling",
    "rescaling",
]
