"""Rules that measure updates by data of the server's own, tensors to tensors."""

from flt.functional.aggregation.root.aflguard import aflguard
from flt.functional.aggregation.root.diversefl import diversefl
from flt.functional.aggregation.root.fedgreed import fedgreed
from flt.functional.aggregation.root.flod import flod
from flt.functional.aggregation.root.fltg import fltg
from flt.functional.aggregation.root.hierarchical import hierarchical_fltrust
from flt.functional.aggregation.root.rejection import rejection
from flt.functional.aggregation.root.sageflow import sageflow
from flt.functional.aggregation.root.zeno import zeno
from flt.functional.aggregation.root.zeno_plus_plus import zeno_plus_plus

__all__ = [
    "aflguard",
    "diversefl",
    "fedgreed",
    "flod",
    "fltg",
    "hierarchical_fltrust",
    "rejection",
    "sageflow",
    "zeno",
    "zeno_plus_plus",
]
