"""Rules that bound what an update can do: geometric medians, clipping, signs."""

from flt.functional.aggregation.bounding.centered_clipping import centered_clipping
from flt.functional.aggregation.bounding.geometric_median import geometric_median
from flt.functional.aggregation.bounding.norm_clipping import norm_clipping
from flt.functional.aggregation.bounding.signs import robust_learning_rate, sign_sgd

__all__: list[str] = ["centered_clipping", "geometric_median", "norm_clipping", "robust_learning_rate", "sign_sgd"]
