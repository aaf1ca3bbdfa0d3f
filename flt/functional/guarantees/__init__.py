"""Numbers that hold whatever malicious clients send, tensors to numbers."""

from flt.functional.guarantees.benign_mean import BenignMean
from flt.functional.guarantees.trust_bounds import displacement_bound, guaranteed_progress, leverage

__all__ = ["BenignMean", "displacement_bound", "guaranteed_progress", "leverage"]
