"""Rules that bound what an update can do: geometric medians, clipping, signs."""

from callbacks.aggregation.bounding.geometric_median import RFA, GeometricMedian

__all__: list[str] = ["RFA", "GeometricMedian"]
