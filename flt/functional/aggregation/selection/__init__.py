"""Rules that choose some of the updates, by distances or spectrum, tensors to tensors."""

from flt.functional.aggregation.selection.bulyan import bulyan
from flt.functional.aggregation.selection.multi_krum import multi_krum

__all__ = ["bulyan", "multi_krum"]
