"""What passes through a round and what plugs into it: all that a rule or an attack has to import."""

from flt.data.backdoor import Backdoor
from flt.federation.aggregation import Aggregation, ClientWeights, Coordinatewise, Streaming
from flt.federation.around import RuleAround
from flt.federation.attack import Attack
from flt.federation.byzantine import Byzantine, check_fewest
from flt.federation.hooks import FederatedCallback, by_client
from flt.federation.judgement import Judgement
from flt.federation.memory import ClientMemory, Memory
from flt.federation.partial import PartialAggregate
from flt.federation.preaggregation import PreAggregation
from flt.federation.round import Aggregate, Federation, Round
from flt.federation.server import Server

__all__ = [
    "Aggregate",
    "Aggregation",
    "Attack",
    "Backdoor",
    "Byzantine",
    "ClientMemory",
    "ClientWeights",
    "Coordinatewise",
    "FederatedCallback",
    "Federation",
    "Judgement",
    "Memory",
    "PartialAggregate",
    "PreAggregation",
    "Round",
    "RuleAround",
    "Server",
    "Streaming",
    "by_client",
    "check_fewest",
]
