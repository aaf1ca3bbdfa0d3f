"""What passes through a round and what plugs into it: all that a rule or an attack has to import."""

from flt.clients.batches import LocalBatches
from flt.clients.one_by_one import LocalUpdates
from flt.data.backdoor import Backdoor
from flt.federation.aggregation import Aggregation, ClientWeights, Coordinatewise, PartialAggregate, Streaming
from flt.federation.around import RuleAround
from flt.federation.attack import Attack
from flt.federation.byzantine import Byzantine, check_fewest
from flt.federation.hooks import FederatedCallback, by_client
from flt.federation.judgement import Judgement
from flt.federation.local import LocalWork
from flt.federation.memory import ClientMemory, Memory
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
    "LocalBatches",
    "LocalUpdates",
    "LocalWork",
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
