"""Rules and attacks as pure functions on ``[num_clients, num_params]`` tensors; nothing here needs Lightning."""

from flt.functional import aggregation, attacks, guarantees, preaggregation
from flt.functional.aggregation import *  # noqa: F403
from flt.functional.attacks import *  # noqa: F403
from flt.functional.distances import all_finite, cosine_similarity, finite_rows
from flt.functional.gram import Gram, pairwise_squared_distances
from flt.functional.guarantees import *  # noqa: F403
from flt.functional.preaggregation import *  # noqa: F403
from flt.functional.trust import TrustShape

__all__ = ["Gram", "TrustShape", "all_finite", "cosine_similarity", "finite_rows", "pairwise_squared_distances"]
__all__ += aggregation.__all__
__all__ += attacks.__all__
__all__ += guarantees.__all__
__all__ += preaggregation.__all__
