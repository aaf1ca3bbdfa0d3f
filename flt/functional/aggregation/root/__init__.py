"""Rules that measure updates by data of the server's own, tensors to tensors."""

from flt.functional.aggregation.root.aflguard import aflguard
from flt.functional.aggregation.root.flod import flod
from flt.functional.aggregation.root.fltg import fltg

__all__ = ["aflguard", "flod", "fltg"]
