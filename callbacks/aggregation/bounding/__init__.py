"""Rules that bound what an update can do: geometric medians, clipping, signs."""

from callbacks.aggregation.bounding.afa import AFA
from callbacks.aggregation.bounding.centered_clipping import CenteredClipping
from callbacks.aggregation.bounding.crfl import CRFL
from callbacks.aggregation.bounding.geometric_median import RFA, GeometricMedian
from callbacks.aggregation.bounding.lasa import LASA
from callbacks.aggregation.bounding.norm_clipping import NormClipping
from callbacks.aggregation.bounding.signs import RLR, SignSGD

__all__: list[str] = [
    "AFA",
    "CRFL",
    "LASA",
    "RFA",
    "RLR",
    "CenteredClipping",
    "GeometricMedian",
    "NormClipping",
    "SignSGD",
]
