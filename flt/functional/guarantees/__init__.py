"""Numbers that hold whatever malicious clients send, tensors to numbers."""

from flt.functional.guarantees.benign_mean import BenignMean
from flt.functional.guarantees.robustness import (
    kappa_of_any,
    kappa_of_krum,
    kappa_of_median,
    kappa_of_mixing,
    kappa_of_trimmed_mean,
    realised_kappa,
)
from flt.functional.guarantees.trust_bounds import displacement_bound, guaranteed_progress, leverage
from flt.functional.guarantees.votes import (
    certified_by_all,
    certified_by_groups,
    certified_by_sample,
    certified_shares,
    count_votes,
    elected,
    least_share,
    vote_margin,
)

__all__ = ["BenignMean", "displacement_bound", "guaranteed_progress", "leverage"]
__all__ += ["kappa_of_any", "kappa_of_krum", "kappa_of_median", "kappa_of_mixing", "kappa_of_trimmed_mean"]
__all__ += ["realised_kappa"]
__all__ += ["certified_by_all", "certified_by_groups", "certified_by_sample", "certified_shares"]
__all__ += ["count_votes", "elected", "least_share", "vote_margin"]
