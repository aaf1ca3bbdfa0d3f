"""Rules and attacks as pure functions on ``[num_clients, num_params]`` tensors; nothing here needs Lightning."""

from flt.functional.aggregation.coordinatewise import median, trimmed_mean
from flt.functional.aggregation.fedavg import fedavg
from flt.functional.aggregation.fltrust import fltrust, trust_scores
from flt.functional.aggregation.krum import krum, krum_scores, krum_select
from flt.functional.aggregation.norm_bounded_mean import norm_bounded_mean
from flt.functional.attacks.adaptive import adaptive_attack, adaptive_objective
from flt.functional.attacks.krum import krum_attack
from flt.functional.attacks.label_flipping import flip_labels
from flt.functional.attacks.trim import trim_attack
from flt.functional.distances import all_finite, cosine_similarity, finite_rows, pairwise_squared_distances
from flt.functional.preaggregation.bucketing import bucketing
from flt.functional.preaggregation.mixing import nearest_neighbor_mixing

__all__ = [
    "adaptive_attack",
    "adaptive_objective",
    "all_finite",
    "bucketing",
    "cosine_similarity",
    "fedavg",
    "finite_rows",
    "flip_labels",
    "fltrust",
    "krum",
    "krum_attack",
    "krum_scores",
    "krum_select",
    "median",
    "nearest_neighbor_mixing",
    "norm_bounded_mean",
    "pairwise_squared_distances",
    "trim_attack",
    "trimmed_mean",
    "trust_scores",
]
