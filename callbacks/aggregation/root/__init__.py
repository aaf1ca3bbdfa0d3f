"""Rules that measure updates by data of the server's own."""

from callbacks.aggregation.root.aflguard import AFLGuard
from callbacks.aggregation.root.diversefl import DiverseFL
from callbacks.aggregation.root.fedgreed import FedGreed
from callbacks.aggregation.root.flod import FLOD
from callbacks.aggregation.root.fltg import FLTG
from callbacks.aggregation.root.hierarchical_fltrust import HierarchicalFLTrust
from callbacks.aggregation.root.rejection import ERR, LFR, Union
from callbacks.aggregation.root.sageflow import Sageflow
from callbacks.aggregation.root.zeno import Zeno
from callbacks.aggregation.root.zeno_plus_plus import ZenoPlusPlus

__all__ = [
    "ERR",
    "FLOD",
    "FLTG",
    "LFR",
    "AFLGuard",
    "DiverseFL",
    "FedGreed",
    "HierarchicalFLTrust",
    "Sageflow",
    "Union",
    "Zeno",
    "ZenoPlusPlus",
]
