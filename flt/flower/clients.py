"""A configuration's clients, root dataset and test set, as the apps of Flower need them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from torch import Tensor

from flt.cli.training import Run, assemble
from flt.clients.one_by_one import LocalUpdates
from flt.errors import InputError
from flt.federation import Attack, Federation, Memory, Round
from flt.federation.plugins import callbacks_of, in_order, only
from flt.flower.configured_root import ConfiguredRoot
from flt.flower.layout import Layout
from flt.flower.obstacles import check, is_server_hook
from flt.flower.report import Report
from flt.flower.strategy import LOSS, RobustStrategy
from flt.flower.tensors import arrays_of, fixed_arrays, take_arrays
from flt.module import FederatedModule
from flt.runs.folder import run_folder
from flt.server.cohort import Cohort
from flt.server.draws import DrawnRound, RoundDraws
from flt.server.local_work import Attackers, LocalData, LocalRound

PARTITION = "partition-id"
"""Setting of a SuperNode (``--node-config``) and metric of a reply that say which client a node is."""
CLIENT = "client"
"""Metric in which a client says which one it is."""


MADE: dict[tuple[object, ...], ConfiguredClients] = {}
"""What `ConfiguredClients.of` has made."""


class ConfiguredClients:
    """What a configuration of ``flt fit`` makes of the parts of a Flower federation.

    Client i trains in round t on the very batches that it has in the simulator: all draws are functions of seed, round
    and client. Every node has all data of the configuration at hand, as in a test of a federation, and takes its part.

    Args:
        args: Arguments of ``flt fit``, such as ``["--config", "configs/har_fltrust.yaml"]``, or what was made of some.
        logs: Whether the configuration's loggers are made, as the server needs them.

    Raises:
        InputError: If the settings do not fit each other, or cannot be had in Flower.
    """

    def __init__(self, args: Sequence[str] | Run, *, logs: bool = False) -> None:
        quiet = ["--trainer.enable_progress_bar=false", *([] if logs else ["--trainer.logger=false"])]
        self.run = args if isinstance(args, Run) else assemble("fit", [*args, *quiet])
        check(self.run)
        _set_up(self.run)

    @classmethod
    def of(cls, args: Sequence[str], *, logs: bool = False) -> ConfiguredClients:
        """The clients of these arguments, made once a process for files of one content."""
        key = (*(Path(word).read_text() if Path(word).is_file() else word for word in args), logs)
        if key not in MADE:
            MADE[key] = cls(args, logs=logs)
        return MADE[key]

    # Who takes part

    @property
    def module(self) -> FederatedModule:
        """The server of the simulator."""
        return self.run.model

    @property
    def attack(self) -> Attack | None:
        """The configuration's attack, None where nobody is malicious."""
        attack: Attack | None = only(self.run.trainer, Attack)
        return attack if self.module.federation.num_malicious else None

    def client_of(self, context: Context) -> int:
        """Which client a node is.

        Raises:
            InputError: If the node was not told, or told a number that there is not.
        """
        number, count = context.node_config.get(PARTITION), self.module.federation.num_clients
        if not isinstance(number, int) or not 0 <= number < count:
            raise InputError(
                f'{PARTITION}={number}: start the node with --node-config "{PARTITION}=I", I below {count}'
            )
        return number

    def attacks(self, message: Message, context: Context) -> bool:
        """Whether a node is malicious in the round of a message."""
        return bool(self.module.federation.attackers(round_of(message))[self.client_of(context)])

    @property
    def folder(self) -> Path:
        """The folder of the run's files; the working directory where the configuration has no logger."""
        return run_folder(self.run.trainer) or Path()

    # What clients do

    def train(self, message: Message, context: Context) -> Message:
        """Trains as an honest client and replies with its update, the training loss and the number of examples."""
        client, number = self.client_of(context), round_of(message)
        self._load(message)
        return self._reply(
            message, client, self._trained(self._drawn(self._local.honest_draws, number, client), client)
        )

    def attacked(self, message: Message, context: Context, attack: Attack, memory: Memory) -> tuple[Message, Memory]:
        """Trains and crafts as a malicious client.

        Args:
            message: The server's.
            context: The node's.
            attack: The attack, by which the local data have been poisoned.
            memory: What it has kept.

        Returns:
            The reply, and what the attack keeps.
        """
        client, number = self.client_of(context), round_of(message)
        self._load(message)
        parameters, client_lr = self._cohort.training.flat.flatten(), self.module.round_lr(number)
        drawn = self._drawn(self._cohort.draws, number, client)
        trained, ids, everyone = self._trained(drawn, client), torch.tensor([client]), torch.tensor([True])
        if attack.overrides("train"):
            work = LocalRound(self._local, number, client_lr, parameters, drawn, ids).work(memory)
            trained = Attackers(attack, work).retrained(ids, everyone, trained)
        if attack.draws_by_row:  # as in the simulator, where all of them draw together
            ids = drawn.client_ids[self.module.federation.attackers(number)[drawn.client_ids]]
        sent, memory = crafted(
            attack,
            trained,
            number=number,
            client=client,
            parameters=parameters,
            federation=self.module.federation,
            memory=memory,
            ids=ids,
        )
        return self._reply(message, client, sent), memory

    # What the server does

    @property
    def initial_arrays(self) -> ArrayRecord:
        """The global model as the network has it, before the first round."""
        return arrays_of(self.module.network)

    @property
    def root(self) -> ConfiguredRoot | None:
        """The server's training on its root dataset; None where the rule needs none."""
        rule = self.module.rule
        return ConfiguredRoot(self.module) if rule.needs_root_update or rule.needs_root_data else None

    def strategy(self, *, report: bool = True, **settings: Any) -> RobustStrategy:
        """The configuration's rule as a strategy that waits for all clients.

        Args:
            report: Whether rows and curves go to the configuration's loggers.
            settings: Other settings of the strategy, which win.
        """
        module, trainer = self.module, self.run.trainer
        federation, rule = module.federation, module.rule
        title = f"Flower · {module.data.display_name} · {rule.label} ({federation.describe_malicious()})"
        given: dict[str, Any] = {
            "num_examples": dict(enumerate(federation.num_examples.tolist())),
            "num_clients": federation.num_clients,
            "num_byzantine": federation.num_byzantine,
            "place_key": CLIENT,
            "replies": "updates",
            "fixed": fixed_arrays(module.network),
            "callbacks": [each for each in in_order(callbacks_of(trainer)) if is_server_hook(each)],
            "malicious": federation.malicious.nonzero().flatten().tolist(),
            "seed": module.seed,
            "fraction_train": federation.clients_per_round / federation.num_clients,
            "min_train_nodes": 1,
            "min_available_nodes": federation.num_clients,
            "report": None,
        }
        if report and trainer.loggers:
            every = max(1, trainer.log_every_n_steps)  # type: ignore[attr-defined]  # set by Lightning's connectors
            given["report"] = Report(loggers=trainer.loggers, title=title, data=module.data.display_name, every=every)
        return RobustStrategy(rule, self.root, module.server_lr, **{**given, **settings})

    def evaluate(self, server_round: int, arrays: ArrayRecord) -> MetricRecord | None:
        """Measures the global model on the test set as often as the configuration says, and after the last round."""
        trainer, rounds = self.run.trainer, self.run.trainer.max_steps
        every = int(trainer.val_check_interval or 1)
        if server_round % every and server_round != rounds:
            return None
        self.load(arrays)
        return MetricRecord(self.module.rates_on([self.module.data.test_dataloader()]))

    # Helpers

    def load(self, arrays: ArrayRecord) -> None:
        """Gives the network the tensors that the server has sent."""
        take_arrays(self.module.network, arrays)

    def _load(self, message: Message) -> None:
        self.load(next(iter(message.content.array_records.values())))

    @property
    def _cohort(self) -> Cohort:
        return self.module.cohort

    @cached_property
    def _local(self) -> LocalData:
        return LocalData(self._cohort.training, self._cohort.draws)

    @staticmethod
    def _drawn(draws: RoundDraws, number: int, client: int) -> DrawnRound:
        """The round as it was drawn; where the client is not in it, as if everyone were."""
        drawn = replace(draws, needs_root=False)(number)
        if bool((drawn.client_ids == client).any()):
            return drawn
        federation = draws.federation
        everyone = federation.replace(clients_per_round=federation.num_clients, num_added=0)
        return replace(draws, federation=everyone, needs_root=False)(number)

    def _trained(self, drawn: DrawnRound, client: int) -> LocalUpdates:
        place = (drawn.client_ids == client).nonzero().flatten()
        batches = self._cohort.client_batches(drawn, place)
        return self._cohort.training(batches, client_lr=self.module.round_lr(drawn.number))

    def _reply(self, message: Message, client: int, trained: LocalUpdates) -> Message:
        metrics = {
            "num-examples": int(self.module.federation.num_examples[client]),
            LOSS: float(trained.losses[0]),
            CLIENT: client,
        }
        layout = Layout.of(self.initial_arrays, fixed_arrays(self.module.network), "updates")
        arrays = layout.reply(trained.updates[0].cpu(), trained.statistics[0].cpu())
        return Message(RecordDict({"arrays": arrays, "metrics": MetricRecord(metrics)}), reply_to=message)


def crafted(
    attack: Attack,
    trained: LocalUpdates,
    *,
    number: int,
    client: int,
    parameters: Tensor,
    federation: Federation,
    memory: Memory,
    ids: Tensor | None = None,
) -> tuple[LocalUpdates, Memory]:
    """What an attack sends for one malicious client, and what it keeps.

    Args:
        attack: The attack.
        trained: What the client's training has made.
        number: The round, counted from 0.
        client: The client.
        parameters: Those of the global model.
        federation: Who takes part in the run.
        memory: What the attack has kept.
        ids: All clients that attack, in whose place the client puts its own update, as it knows no other; None for it
            alone.
    """
    ids = torch.tensor([client]) if ids is None else ids
    row = ids == client
    everyone = LocalUpdates(*(each.expand(len(ids), *each.shape[1:]) for each in trained))
    round = Round(
        number=number,
        client_ids=ids,
        malicious=torch.ones_like(row),
        num_examples=federation.num_examples[ids],
        updates=everyone.updates,
        root_update=None,
        losses=everyone.losses,
        statistics=everyone.statistics,
        root_statistics=None,
        parameters=parameters,
        federation=federation,
        memory=memory,
    )
    sent = attack.on_client_updates(round) or round
    return LocalUpdates(sent.updates[row], sent.losses[row], sent.statistics[row]), sent.memory


def round_of(message: Message) -> int:
    """The round of a server's message, counted from 0; 0 where it does not say."""
    said = next((record.get("server-round") for record in message.content.config_records.values()), None)
    return int(said) - 1 if isinstance(said, int) else 0


def _set_up(run: Run) -> None:
    """What `Trainer.fit` does before the first round."""
    run.data.prepare_data()
    run.data.setup("fit")
    run.trainer._data_connector.attach_datamodule(run.model, datamodule=run.data)  # there is no public way but fit
    run.model.trainer = run.trainer
    run.model.to(run.trainer.strategy.root_device)
    run.model.configure_callbacks()
    run.model.setup("fit")
