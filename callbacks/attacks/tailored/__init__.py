"""Attacks that ask the rule in force."""

from callbacks.attacks.tailored.optimized import OptimizedALIE, OptimizedIPM

__all__ = ["OptimizedALIE", "OptimizedIPM"]
