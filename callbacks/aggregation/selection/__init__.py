"""Rules that choose some of the updates, by distances or spectrum."""

from callbacks.aggregation.selection.bulyan import Bulyan
from callbacks.aggregation.selection.meamed import MeaMed
from callbacks.aggregation.selection.multi_krum import MultiKrum

__all__ = ["Bulyan", "MeaMed", "MultiKrum"]
