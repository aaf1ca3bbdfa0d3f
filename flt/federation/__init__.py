"""What passes through a round and what plugs into it: all that a rule or an attack has to import."""

from flt.federation.aggregation import Aggregation, WeightedAggregation
from flt.federation.attack import Attack
from flt.federation.hooks import FederatedCallback
from flt.federation.judgement import Judgement
from flt.federation.partial import PartialAggregate
from flt.federation.round import Aggregate, Backdoor, Federation, Round

__all__ = [
    "Aggregate",
    "Aggregation",
    "Attack",
    "Backdoor",
    "FederatedCallback",
    "Federation",
    "Judgement",
    "PartialAggregate",
    "Round",
    "WeightedAggregation",
]
