"""The names that streaming rules of version 0.1 import; `flt.federation` is their place now."""

from flt.federation import PartialAggregate  # noqa: F401
from flt.federation import Streaming as WeightedAggregation  # noqa: F401
