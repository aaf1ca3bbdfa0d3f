"""What a run keeps in a checkpoint to go on from: its settings as plain values, and what rounds have left behind."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from lightning.pytorch import Callback
from lightning.pytorch.utilities import rank_zero_warn

from flt.data.datamodule import FederatedDataModule
from flt.federation import Aggregation, Attack, Federation, Memory
from flt.federation.memory import NOTHING, restored
from flt.runs.checkpoints import CHUNKS, CLIENTS, FORGOTTEN, MEMORY
from flt.runs.unsaved import Tensors, forgetful, own_tensors, warn_of_forgotten
from flt.server.reception import Reception

OF_MODEL = (
    "client_lr",
    "server_lr",
    "local_steps",
    "local_epochs",
    "root_batch_size",
    "lr_milestones",
    "lr_gamma",
    "random_layers",
)
"""Settings of the model that matter for training on."""


def settings_of_data(data: FederatedDataModule, *, seed: int) -> dict[str, Any]:
    """Settings that even an evaluation must share."""
    return {
        "data": data.display_name,
        "seed": seed,
        "data.seed": data.seed,
        "validation_fraction": data.validation_fraction,
        "long_tail": data.describe_long_tail(),
        "root_size": data.root_size,
        "bias_probability": data.bias_probability,
        "biased_class": data.biased_class,
        "root_path": data.root_path and str(data.root_path.resolve()),
        "normalize": data.inputs.normalize and (data.inputs.constants or True),
    }


def settings_of_rounds(
    data: FederatedDataModule, federation: Federation, rule: Aggregation, attack: Attack | None
) -> dict[str, Any]:
    """Settings of the rounds that matter for training on, less those of the model."""
    malicious = f"{federation.num_malicious} malicious{federation.describe_schedule()}"
    return {
        "aggregation": rule.describe(federation),
        "attack": f"{attack.label}, {malicious}" if attack else "NoAttack",
        "batch_size": data.batch_size,
        "clients_per_round": federation.clients_per_round,
        "num_clients": data.num_clients,
        "num_added_clients": data.num_added_clients,
        "added_data": data.added_data,
        "partition": data.describe_partition(),
        "inputs": data.inputs.describe(),
        "only_clients": data.only_clients,
        "test_size": data.test_size,
    }


def keep(reception: Reception, callbacks: Sequence[Callback], at_start: Tensors) -> dict[str, Any]:
    """What rounds have left behind, for a checkpoint.

    Args:
        reception: The server's part of the rounds.
        callbacks: The callbacks of the run.
        at_start: Tensors that the callbacks had at its start.
    """
    by_clients = reception.cohort.kept
    return {
        **({} if by_clients is None else {CLIENTS: by_clients.state()}),
        CHUNKS: reception.cohort.training.chosen_chunks,
        MEMORY: reception.memories.state(),
        FORGOTTEN: forgetful(at_start, own_tensors(callbacks)),
    }


def take_up(checkpoint: Mapping[str, Any], reception: Reception, callbacks: Sequence[Callback]) -> None:
    """Gives the server's part of the rounds what `keep` has put into a checkpoint, and warns of what it could not."""
    reception.cohort.training.chosen_chunks.update(checkpoint.get(CHUNKS, {}))
    reception.memories.load(checkpoint.get(MEMORY, {}))
    by_clients = reception.cohort.kept
    if by_clients is not None and CLIENTS in checkpoint and not by_clients.load(checkpoint[CLIENTS]):
        rank_zero_warn("what the checkpoint's clients have kept for their steps does not fit: they keep nothing of it")
    warn_of_forgotten(checkpoint.get(FORGOTTEN, []), callbacks)


def memory_in(checkpoint: Mapping[str, Any], attack: Attack, device: torch.device) -> Memory:
    """What an attack had kept by the time of a checkpoint, also for an evaluation, which has no rounds."""
    memory: Memory = restored(checkpoint.get(MEMORY, {}).get(type(attack).__name__, NOTHING), device)
    return memory
