"""Rules that choose some of the updates, by distances or spectrum."""

from callbacks.aggregation.selection.bulyan import Bulyan
from callbacks.aggregation.selection.caf import CAF
from callbacks.aggregation.selection.dnc import DnC
from callbacks.aggregation.selection.gas import GAS
from callbacks.aggregation.selection.mda import MDA
from callbacks.aggregation.selection.meamed import MeaMed
from callbacks.aggregation.selection.monna import MoNNA
from callbacks.aggregation.selection.multi_krum import MultiKrum
from callbacks.aggregation.selection.smea import SMEA

__all__ = ["CAF", "GAS", "MDA", "SMEA", "Bulyan", "DnC", "MeaMed", "MoNNA", "MultiKrum"]
