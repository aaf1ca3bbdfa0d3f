"""The names that rules of version 0.1 import; `flt.federation` is their place now."""

from flt.federation import *  # noqa: F403
from flt.federation import Streaming as WeightedAggregation  # noqa: F401
