"""What mixes the updates before a rule sees them, tensors to tensors."""

from flt.functional.preaggregation.bucketing import bucketing
from flt.functional.preaggregation.mixing import nearest_neighbor_mixing

__all__ = ["bucketing", "nearest_neighbor_mixing"]
