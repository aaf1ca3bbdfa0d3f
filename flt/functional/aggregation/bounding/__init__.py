"""Rules that bound what an update can do: geometric medians, clipping, signs."""

from flt.functional.aggregation.bounding.geometric_median import geometric_median

__all__: list[str] = ["geometric_median"]
