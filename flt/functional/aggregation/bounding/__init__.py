"""Rules that bound what an update can do: geometric medians, clipping, signs, tensors to tensors."""

from flt.functional.aggregation.bounding.afa import afa
from flt.functional.aggregation.bounding.centered_clipping import centered_clipping
from flt.functional.aggregation.bounding.crfl import crfl
from flt.functional.aggregation.bounding.geometric_median import geometric_median
from flt.functional.aggregation.bounding.lasa import lasa
from flt.functional.aggregation.bounding.norm_clipping import norm_clipping
from flt.functional.aggregation.bounding.signs import robust_learning_rate, sign_sgd

__all__: list[str] = [
    "afa",
    "centered_clipping",
    "crfl",
    "geometric_median",
    "lasa",
    "norm_clipping",
    "robust_learning_rate",
    "sign_sgd",
]
