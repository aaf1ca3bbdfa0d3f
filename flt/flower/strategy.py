"""Any rule of this package as a strategy of Flower."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from statistics import median
from typing import Any

import torch
from flwr.app import ArrayRecord, ConfigRecord, Message, MessageType, MetricRecord, RecordDict
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedAvg, Result
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from flt.errors import InputError, check_choice, check_count, check_positive
from flt.federation import Aggregate, Aggregation, FederatedCallback, Round
from flt.federation.plugins import through_hooks
from flt.flower.grid import PatientGrid
from flt.flower.layout import Layout, Replies
from flt.flower.measures import metrics_of
from flt.flower.members import Members, federation_of
from flt.flower.replies import Readings, Space, kind_of, numbers_of, read_replies
from flt.flower.report import Report
from flt.flower.root import Root, RootServer, Train
from flt.functional.choice import whole_part
from flt.functional.rows import Rows
from flt.random import sample_clients
from flt.server.hearing import Hearing
from flt.server.processes import Processes

LOG = logging.getLogger("flwr")
LOSS = "train-loss"
"""Name of the metric in which clients say their training loss."""

Evaluate = Callable[[int, ArrayRecord], MetricRecord | None]


class RobustStrategy(FedAvg):
    """A rule of `flt` on what the clients of a Flower federation send.

    Clients get the global model and send back what training has made of it, as for Flower's FedAvg: one record of
    arrays. Which reply can be used is decided here: errors, late and second ones, other names, shapes or dtypes,
    damaged and non-finite ones are dropped, counted and named in the log, and the round goes on without them. A round
    of which nothing can be made leaves the model as it is.

    What the rule remembers, it remembers by node: a node has one place among the clients for the whole run.

    Args:
        rule: The rule, such as ``callbacks.FLTrust()``; pre-aggregations around a rule as well.
        root: The server's own training, for rules that need it: a `RootTraining`, or a function from the model's state
            (tensors by name) and the round's number, from 0, to its state after training on the root dataset.
        server_lr: Factor of the aggregate in the global model's step (alpha).
        num_examples: Sizes of the clients' data, by place, or one number for all; None believes what a node says in its
            first reply (metric ``weighted_by_key``), and nothing that it says later.
        num_clients: How many clients there are; None is ``min_available_nodes``, and more where more connect.
        num_byzantine: Malicious clients that rules assume (f), unless a setting of their own says otherwise.
        place_key: Metric in which a node says once which client it is, counted from 0 and below ``num_clients``; None
            for places in the order of first replies. A node that is started anew takes its client's place again only
            with it, or where Flower authenticates nodes. Who says nothing, or claims the place of a node that is
            connected, is not heard.
        replies: Whether clients send "weights", as with Flower's FedAvg, or "updates", by how much training has changed
            them: differences of weights lose what is below their rounding, which rules by signs see.
        fixed: Names of floating-point arrays that nobody trains, such as frozen parameters.
        callbacks: What the server does to updates before the rule, such as clipping; hooks of `FederatedCallback`.
        malicious: Clients known to attack, in a test: metrics then tell them from the others. No rule sees them.
        seed: Of the draws that rules and the sampling of clients make.
        report: What writes ``metrics.csv``, W&B and ``curves.png``; None for Flower's own result alone.
        settings: Those of Flower's FedAvg, such as ``fraction_train`` and ``min_available_nodes``. Clients evaluate
            nothing unless ``fraction_evaluate`` says so.

    Raises:
        InputError: If settings do not fit each other, or the rule not the number of clients.

    Example:
        >>> from callbacks import Median
        >>> strategy = RobustStrategy(Median(), min_available_nodes=10)
        >>> strategy.rule.label
        'Median'
    """

    def __init__(
        self,
        rule: Aggregation,
        root: Root | Train | None = None,
        server_lr: float = 1.0,
        *,
        num_examples: int | Mapping[int, int] | None = None,
        num_clients: int | None = None,
        num_byzantine: int = 0,
        place_key: str | None = None,
        replies: Replies = "weights",
        fixed: Collection[str] = (),
        callbacks: Sequence[FederatedCallback] = (),
        malicious: Collection[int] = (),
        seed: int = 0,
        report: Report | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(**{"fraction_evaluate": 0.0, **settings})
        if not isinstance(rule, Aggregation):
            raise InputError(f"rule={rule!r} is no aggregation rule: give an object such as callbacks.FLTrust()")
        check_positive("server_lr", server_lr)
        check_count("num_clients", num_clients)
        if num_byzantine < 0:
            raise InputError(f"num_byzantine={num_byzantine} must be 0 or more")
        if not 0 <= self.fraction_train <= 1:
            raise InputError(f"fraction_train={self.fraction_train} must be from 0 to 1")
        self.rule, self.root, self.server_lr, self.seed, self.report = rule, root, server_lr, seed, report
        check_choice("replies", replies, Replies)
        self.replies: Replies = replies
        self.fixed, self.malicious, self.num_byzantine = fixed, frozenset(malicious), num_byzantine
        self.dropped: Counter[str] = Counter()
        self._most = num_clients or max(1, self.min_available_nodes)
        self.members = Members(num_examples, self.weighted_by_key, place_key, self._most)
        plugins = [*callbacks, rule]
        self._needs_root = any(each.needs_root_update for each in plugins)
        self._needs_server = any(each.needs_root_data for each in plugins)
        self._check_root()
        self._federation = through_hooks(plugins, self._formed(self._most))
        self._hearing = Hearing(rule, plugins, Processes(), torch.device("cpu"))
        self._layout: Layout | None = None
        self._space = Space()
        self._asked: list[int] = []
        self._connected: list[int] = []

    def _check_root(self) -> None:
        name, needed = self.rule.label, self._needs_root or self._needs_server
        if needed and self.root is None:
            raise InputError(
                f"{name} needs the server's root dataset: pass root=RootTraining(network, features, labels, ...)"
            )
        if self._needs_server and not isinstance(self.root, RootServer):
            raise InputError(
                f"{name} evaluates models on the server's data: pass the root of a configuration, such as"
                " ConfiguredClients(config).root"
            )
        if not needed and self.root is not None:
            rank_zero_warn(f"root= has no effect: {name} needs no root dataset")

    def _formed(self, num_clients: int) -> Any:
        return federation_of(
            num_clients,
            self.members.sizes_of(torch.arange(num_clients)),
            malicious=self.malicious,
            num_byzantine=self.num_byzantine,
            clients_per_round=self._sample_size(num_clients, self.fraction_train, self.min_train_nodes),
            seed=self.seed,
            root_size=getattr(self.root, "num_examples", None),
            server_lr=self.server_lr,
        )

    # A run

    def start(
        self,
        grid: Grid,
        initial_arrays: ArrayRecord,
        num_rounds: int = 3,
        timeout: float = 3600,
        train_config: ConfigRecord | None = None,
        evaluate_config: ConfigRecord | None = None,
        evaluate_fn: Evaluate | None = None,
    ) -> Result:
        """Runs the federation; arguments are those of Flower's strategies.

        Args:
            grid: What connects the nodes.
            initial_arrays: The global model before the first round.
            num_rounds: Rounds.
            timeout: Seconds that the server waits for replies in a round.
            train_config: Sent to nodes with the model; ``server-round`` is added.
            evaluate_config: The same for evaluations by clients.
            evaluate_fn: Measures the global model on the server; ``report`` gets what it returns.
        """
        self._take(initial_arrays)

        def evaluated(server_round: int, arrays: ArrayRecord) -> MetricRecord | None:
            found = None if evaluate_fn is None else evaluate_fn(server_round, arrays)
            if found is not None and self.report is not None:
                self.report.add_evaluation(server_round, numbers_of(found))
            return found

        own = None if evaluate_fn is None else evaluated
        try:
            return super().start(
                PatientGrid(grid), initial_arrays, num_rounds, timeout, train_config, evaluate_config, own
            )
        finally:
            if self.report is not None:
                self.report.finish(f"Flower · {self.rule.label} · {len(self.members.places)} clients")

    def summary(self) -> None:
        """Logs the rule and Flower's settings."""
        super().summary()
        LOG.info("\t└──> Rule: %s, server_lr %g", self.rule.describe(self._federation), self.server_lr)

    # A round

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Sends the model to the clients of a round, drawn by the seed."""
        self._take(arrays)
        self._asked = self._drawn(grid, server_round, self.fraction_train, self.min_train_nodes)
        return self._messages(self._asked, MessageType.TRAIN, server_round, arrays, config)

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """What the rule makes of the replies: the new model, and what it says of each client.

        Args:
            server_round: The round, counted from 1.
            replies: What came back; anything may be in it.

        Returns:
            The global model, None where nothing can be made of the round; and metrics: lists with an entry for each
            client that was heard (``clients``, their places, and the rule's judgement), and numbers.
        """
        if self._layout is None:
            raise InputError("aggregate_train was called before configure_train: nobody has been sent a model")
        readings = read_replies(replies, self._asked, self._layout, self._space)
        readings = readings.without(
            {
                node: why
                for node, reply in readings.replies.items()
                if (why := self.members.meet(node, reply.metrics, self._connected))
            }
        )
        self._tell(server_round, readings)
        round, found = self._hearing.judged(self._round(server_round - 1, readings, self._layout))
        aggregate = found or Aggregate(torch.zeros(self._layout.num_params))
        metrics = metrics_of(round, aggregate, readings)
        if self.report is not None:
            counts = numbers_of({name: value for name, value in metrics.items() if name.startswith("dropped/")})
            self.report.add(round, aggregate, counts)
        if found is None:
            LOG.warning("round %d: nothing can be made of it, the model stays as it is", server_round)
            return None, metrics
        return self._layout.moved(self.server_lr * aggregate.update, aggregate.statistics), metrics

    def configure_evaluate(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Asks clients to evaluate, if ``fraction_evaluate`` says so."""
        if not self.fraction_evaluate:
            return []
        nodes = self._drawn(grid, server_round, self.fraction_evaluate, self.min_evaluate_nodes)
        return self._messages(nodes, MessageType.EVALUATE, server_round, arrays, config)

    def aggregate_evaluate(self, server_round: int, replies: Iterable[Message]) -> MetricRecord | None:
        """The median of each number that clients say; what is no finite number is left out."""
        said: dict[str, list[float]] = {}
        for message in replies:
            if not message.has_error():
                for record in message.content.metric_records.values():
                    for name, value in numbers_of(record).items():
                        said.setdefault(name, []).append(value)
        return MetricRecord({name: float(median(values)) for name, values in said.items()}) if said else None

    # Helpers

    def _take(self, arrays: ArrayRecord) -> None:
        """Looks at the model that is about to be sent."""
        layout = Layout.of(arrays, self.fixed, self.replies)
        self._federation = self._federation.replace(layout=layout.parameters)
        self._layout = layout

    def _messages(
        self, nodes: Sequence[int], kind: str, server_round: int, arrays: ArrayRecord, config: ConfigRecord
    ) -> list[Message]:
        config["server-round"] = server_round
        record = RecordDict({self.arrayrecord_key: arrays, self.configrecord_key: config})
        return [Message(content=record, message_type=kind, dst_node_id=node) for node in nodes]

    def _drawn(self, grid: Grid, server_round: int, fraction: float, fewest: int) -> list[int]:
        """Nodes of a round by place, strangers last; before the first reply it waits for all that are to be there."""
        if fraction == 0.0:
            return []
        enough = max(self.min_available_nodes, fewest) if not self.members.places else max(1, fewest)
        while len(nodes := list(grid.get_node_ids())) < enough:
            LOG.info("Waiting for nodes to connect: %d of %d are there", len(nodes), enough)
            time.sleep(1)
        self._connected = nodes
        nodes.sort(key=lambda node: (self.members.places.get(node, 2**63), node))
        size = self._sample_size(len(nodes), fraction, fewest)
        chosen = sample_clients(len(nodes), size, seed=self.seed, round_number=server_round - 1)
        return [nodes[place] for place in chosen.tolist()]

    @staticmethod
    def _sample_size(num_nodes: int, fraction: float, fewest: int) -> int:
        return min(num_nodes, max(whole_part(fraction, num_nodes), fewest, 1))

    def _tell(self, server_round: int, readings: Readings) -> None:
        """Counts and names what was dropped."""
        for node, reason in readings.dropped:
            place = self.members.places.get(node)
            who = f"node {node}" + ("" if place is None else f" (client {place})")
            LOG.warning("round %d: %s %s", server_round, who, f"was dropped: {reason}")
        self.dropped.update(kind_of(reason) for _, reason in readings.dropped)

    def _round(self, number: int, readings: Readings, layout: Layout) -> Round:
        """The round that the hooks and the rule see, its clients by place."""
        count = max(self._most, self.members.count)
        if count > self._federation.num_clients:
            self._hearing.memories.grow(count)
            self._federation = self._formed(count).replace(layout=layout.parameters)
        places = torch.tensor([self.members.places[node] for node in readings.nodes], dtype=torch.long)
        order = places.argsort()
        is_sorted = bool((places[1:] > places[:-1]).all())  # as it is where nodes are not new; nothing is copied then
        ids = places[order]
        root_update, root_statistics, server = self._of_root(number, layout)
        updates = readings.updates if is_sorted else readings.updates[order]
        losses = [reply.metrics.get(LOSS, float("nan")) for reply in readings.replies.values()]
        return Round(
            number=number,
            client_ids=ids,
            malicious=self._federation.malicious[ids],
            num_examples=self.members.sizes_of(ids),
            updates=updates,
            root_update=root_update,
            losses=torch.tensor(losses)[order] if losses else torch.zeros(0),
            statistics=readings.statistics if is_sorted else readings.statistics[order],
            root_statistics=root_statistics,
            parameters=layout.vector,
            federation=self._federation.replace(
                num_examples=self.members.sizes_of(torch.arange(self._federation.num_clients))
            ),
            server=server,
            num_dropped=len(readings.dropped),
        ).replace(updates=Rows(updates, is_finite=True))

    def _of_root(self, number: int, layout: Layout) -> tuple[Tensor | None, Tensor | None, Any]:
        """The server's own update, its statistics, and what it computes for rules that ask."""
        server, update, statistics = None, None, None
        if self._needs_server:
            assert isinstance(self.root, RootServer)
            server = self.root.server(layout.state, number)
        if self._needs_root:
            assert self.root is not None
            if isinstance(self.root, Root):
                trained = self.root.update(layout.state, number)
                update, statistics = (each[0].cpu() for each in (trained.updates, trained.statistics))
            else:
                update, statistics = layout.change(layout.state, self.root(layout.state, number))
        return update, statistics, server
