"""Rules that choose some of the updates, by distances or spectrum, tensors to tensors."""

from flt.functional.aggregation.selection.bulyan import bulyan
from flt.functional.aggregation.selection.caf import caf
from flt.functional.aggregation.selection.dnc import dnc
from flt.functional.aggregation.selection.gas import gas
from flt.functional.aggregation.selection.mda import mda
from flt.functional.aggregation.selection.monna import monna
from flt.functional.aggregation.selection.multi_krum import multi_krum
from flt.functional.aggregation.selection.smea import smea

__all__ = ["bulyan", "caf", "dnc", "gas", "mda", "monna", "multi_krum", "smea"]
