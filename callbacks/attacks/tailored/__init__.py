"""Attacks that ask the rule in force."""

from callbacks.attacks.tailored.cosine import CosineAttack
from callbacks.attacks.tailored.optimized import OptimizedALIE, OptimizedIPM
from callbacks.attacks.tailored.tailored import TailoredAttack

__all__ = ["CosineAttack", "OptimizedALIE", "OptimizedIPM", "TailoredAttack"]
