"""Attacks that ask the rule in force, tensors to tensors."""

from flt.functional.attacks.tailored.cosine import cosine_attack
from flt.functional.attacks.tailored.line_search import LineSearch
from flt.functional.attacks.tailored.optimized import optimized_alie, optimized_ipm
from flt.functional.attacks.tailored.tailored import tailored_attack

__all__ = ["LineSearch", "cosine_attack", "optimized_alie", "optimized_ipm", "tailored_attack"]
