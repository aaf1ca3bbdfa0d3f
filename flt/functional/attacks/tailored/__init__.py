"""Attacks that ask the rule in force, tensors to tensors."""

from flt.functional.attacks.tailored.line_search import LineSearch
from flt.functional.attacks.tailored.optimized import optimized_alie, optimized_ipm

__all__ = ["LineSearch", "optimized_alie", "optimized_ipm"]
