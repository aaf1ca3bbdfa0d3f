"""The server's part of a run, put together and checked against the data before the first round."""

from collections.abc import Sequence
from dataclasses import replace

from lightning.pytorch import Callback
from lightning.pytorch.utilities import rank_zero_warn

from flt.clients.training import LocalTraining
from flt.data.datamodule import FederatedDataModule
from flt.errors import InputError
from flt.federation import Aggregation, Attack
from flt.federation.membership import form_federation
from flt.federation.plugins import only_of, through_hooks
from flt.functional.layout import layout_of
from flt.server.benign_mean import with_benign_mean
from flt.server.checks.added import check_added
from flt.server.checks.network import check_trainable
from flt.server.checks.settings import check_effects, check_malicious
from flt.server.cohort import Cohort
from flt.server.draws import RandomLayerDraws, RoundDraws
from flt.server.processes import Processes
from flt.server.reception import Reception
from flt.server.root_data import RootData


def assemble(
    training: LocalTraining,
    data: FederatedDataModule,
    callbacks: Sequence[Callback],
    *,
    local_steps: int,
    local_epochs: int | None,
    root_batch_size: int | None,
    clients_per_round: int | None,
    num_byzantine: int | None,
    server_lr: float,
    random_layers: RandomLayerDraws,
    processes: Processes,
) -> Reception:
    """Forms the federation, lets the attack poison local data, and puts together what a round needs.

    Args:
        training: Local training of the global model.
        data: The data, on the device.
        callbacks: The plug-ins in the order in which a round calls them, among them one rule and at most one attack.
        local_steps: Batches each client trains on in a round.
        local_epochs: Passes over its examples in place of them; None for none.
        root_batch_size: Examples of the root dataset per step; None is all of them, or in passes as many as clients'.
        clients_per_round: Clients sampled for each round; None is all.
        num_byzantine: Malicious clients that rules assume; None is as many as there are.
        server_lr: Factor of the aggregate in the global model's step.
        random_layers: How random layers of the network draw.
        processes: Who shares the work.

    Raises:
        InputError: If settings do not fit the data or each other.
    """
    rule, attack = only_of(callbacks, Aggregation), only_of(callbacks, Attack)
    if rule is None:
        raise InputError("there is no aggregation rule: add one, such as callbacks.FLTrust(), to trainer.callbacks")
    if root_batch_size is not None and root_batch_size > len(data.root):
        raise InputError(
            f"model.root_batch_size={root_batch_size} exceeds data.root_size={len(data.root)}; null takes all of the"
            " root dataset"
        )
    layout = layout_of({name: parameter.shape for name, parameter in training.flat.trained.items()})
    federation = form_federation(
        data,
        attack,
        clients_per_round=clients_per_round,
        num_byzantine=num_byzantine,
        layout=layout,
        server_lr=server_lr,
    )
    check_added(data, federation, attack)
    callbacks = with_benign_mean(callbacks, data)
    federation = through_hooks(callbacks, federation)
    needs_root = any(getattr(callback, "needs_root_update", False) for callback in callbacks)
    needs_data = any(getattr(callback, "needs_root_data", False) for callback in callbacks)
    check_effects(data, needs_update=needs_root, needs_data=needs_data, root_batch_size=root_batch_size)
    check_malicious(federation, attack, rule, num_byzantine=num_byzantine)
    if training.clients_per_chunk != "auto" and training.needs_one_by_one:
        what = "the clients' optimizer" if training.steps.asks else "batch normalisation"
        rank_zero_warn(f"model.clients_per_chunk has no effect: {what} takes one client at a time")
    if not training.settings.momentum and not all(group.has_momentum for group in federation.groups):
        rank_zero_warn("attack.momentum=false has no effect without model.client_momentum")
    draws = RoundDraws(data, federation, local_steps, local_epochs, root_batch_size, needs_root)
    if training.settings.proximal and draws.most_steps == 1:
        rank_zero_warn(
            f"model.proximal={training.settings.proximal:g} has no effect with one local step, at whose start clients"
            " are where the global model is"
        )
    if check_trainable(training.network, federation.clients.features[: draws.smallest_batch]).draws:
        draws = replace(draws, random_layers=random_layers)
    elif random_layers != "fresh":
        rank_zero_warn(f"model.random_layers={random_layers} has no effect: the network draws no random numbers")
    server = RootData(training, draws) if needs_data else None
    return Reception(Cohort(training, draws, server), rule, callbacks, processes)
