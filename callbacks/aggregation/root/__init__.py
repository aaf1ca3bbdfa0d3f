"""Rules that measure updates by data of the server's own."""

from callbacks.aggregation.root.aflguard import AFLGuard
from callbacks.aggregation.root.flod import FLOD
from callbacks.aggregation.root.fltg import FLTG

__all__ = ["FLOD", "FLTG", "AFLGuard"]
