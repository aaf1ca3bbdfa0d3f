"""What the server's part of a Flower round costs, beside Flower's own FedAvg, on the same replies.

python benchmarks/flower.py
"""

import argparse
import logging
import statistics
import time
from collections.abc import Callable

import torch
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.serverapp.strategy import FedAvg, Strategy

import callbacks
from flt.flower import RobustStrategy
from flt.models import CNN

try:  # newer versions of Flower ask the process which run it belongs to
    from flwr.supercore.task_identity import TaskIdentity

    TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = 1, 1, 1
except ImportError:
    pass


class Nodes:
    """A grid of which nothing but its nodes is asked."""

    def __init__(self, count: int) -> None:
        self.count = count

    def get_node_ids(self) -> list[int]:
        return list(range(1, self.count + 1))


def replies_to(messages: list[Message], network: torch.nn.Module) -> list[Message]:
    """Each node's weights, made once and sent again and again."""
    replies = []
    for number, message in enumerate(messages):
        source = torch.Generator().manual_seed(number)
        state = network.state_dict().items()
        new = {name: value + 0.01 * torch.randn(value.shape, generator=source) for name, value in state}
        arrays = ArrayRecord({name: Array(value.numpy()) for name, value in new.items()})
        metrics = MetricRecord({"num-examples": 600, "train-loss": 1.0})
        reply = Message(RecordDict({"arrays": arrays, "metrics": metrics}), reply_to=message)
        reply.metadata.__dict__["_src_node_id"] = message.metadata.dst_node_id
        replies.append(reply)
    return replies


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    torch.set_num_threads(1)
    logging.getLogger("flwr").setLevel(logging.ERROR)
    network = CNN()
    start = ArrayRecord({name: Array(value.numpy()) for name, value in network.state_dict().items()})
    nodes, settings = Nodes(options.clients), {"min_available_nodes": options.clients}

    def root(state: dict[str, torch.Tensor], number: int) -> dict[str, torch.Tensor]:
        return {name: value + 0.01 for name, value in state.items()}

    makers: dict[str, Callable[[], Strategy]] = {
        "Flower's FedAvg": lambda: FedAvg(fraction_evaluate=0.0, **settings),
        "FedAvg": lambda: RobustStrategy(callbacks.FedAvg(), **settings),
        "FLTrust": lambda: RobustStrategy(callbacks.FLTrust(), root, **settings),
        "Krum": lambda: RobustStrategy(callbacks.Krum(20), **settings),
        "Median": lambda: RobustStrategy(callbacks.Median(), **settings),
    }
    strategies = {name: make() for name, make in makers.items()}
    sent = list(FedAvg(fraction_evaluate=0.0, **settings).configure_train(1, start, ConfigRecord(), nodes))
    replies = replies_to(sent, network)
    seconds: dict[str, list[float]] = {name: [] for name in strategies}
    for number in range(1, options.repeats + 2):
        for name, strategy in strategies.items():  # in turn, so that a busy machine is busy for all of them
            began = time.process_time()
            strategy.configure_train(number, start, ConfigRecord(), nodes)
            arrays, _ = strategy.aggregate_train(number, replies)
            seconds[name].append(time.process_time() - began)
            assert arrays, (name, getattr(strategy, "dropped", None))
    size = sum(value.numel() for value in network.state_dict().values())
    print(f"{options.clients} clients, {size:,} parameters; processor time of a round on the server, median and least:")
    first = statistics.median(seconds["Flower's FedAvg"][1:])
    for name, times in seconds.items():
        found = statistics.median(times[1:])
        print(f"{name:20}{1000 * found:8.0f}{1000 * min(times[1:]):8.0f} ms   {found / first:.2f} times FedAvg")


if __name__ == "__main__":
    main()
