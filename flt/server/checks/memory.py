"""The memory that a run needs, said before the first round: for a round's batches, and for what plug-ins keep."""

import os
from collections.abc import Iterable, Mapping
from typing import Any

import torch

from flt.clients.draws import BLOCK
from flt.errors import InputError
from flt.federation import Aggregation, FederatedCallback, Federation
from flt.federation.memory import NOTHING


def check_memory(federation: Federation, *, local_steps: int, local_epochs: int | None, batch_size: int) -> None:
    """Raises an `InputError` if the batches of a round need more memory than the machine has.

    What is counted is the least that a round holds at once: the rows that are drawn for all of its clients, and the
    random numbers of a draw or the examples of one client. Rows of passes are drawn for one client at a time. Updates
    and activations come on top of it.

    Args:
        federation: The clients and their data, on the device.
        local_steps: Batches each client trains on in a round.
        local_epochs: Passes over its examples in place of them; None for none.
        batch_size: Examples in a batch.
    """
    features = federation.clients.features
    largest = max(1, *(int(each.sizes.max()) for each in federation.local_data))
    batch = min(batch_size, largest)
    if local_epochs is None:
        setting, held = f"model.local_steps={local_steps}", local_steps * batch
        clients_per_draw = min(federation.clients_per_round, max(1, BLOCK // largest))
        rows = federation.clients_per_round * held * torch.long.itemsize
        draw = clients_per_draw * local_steps * largest * torch.float.itemsize
    else:
        setting, held, draw = f"model.local_epochs={local_epochs}", local_epochs * -(-largest // batch) * batch, 0
        rows = held * torch.long.itemsize
    examples = held * features[0].numel() * features.element_size()
    needs = [(rows + max(draw, 0 if features.is_cuda else examples), _of_machine(), "memory")]
    if features.is_cuda:
        needs.append((examples, _of_gpu(features.device), "GPU memory"))
    for need, there_is, kind in needs:
        if need > there_is:
            raise InputError(
                f"{setting} would need {need / 1e9:.3g} GB of {kind} for the batches of a round,"
                f" of {there_is / 1e9:.3g} GB in all: take fewer, or a smaller data.batch_size"
            )


def check_kept(
    callbacks: Iterable[Any], federation: Federation, num_params: int, *, by_clients: Mapping[str, int] = NOTHING
) -> dict[str, int]:
    """How many bytes plug-ins and clients keep from round to round, of those that keep any, by label or setting.

    Args:
        callbacks: The plug-ins.
        federation: The clients and their data, on the device.
        num_params: Length of an update.
        by_clients: Numbers that clients keep, by the setting of the model that asks for it.

    Raises:
        InputError: If there is not memory for it; for what a plug-in keeps, for twice as much: it is there twice while
            the next round's takes its place.
    """
    device = federation.clients.features.device
    there_is, kind = (_of_gpu(device), "GPU memory") if device.type == "cuda" else (_of_machine(), "memory")
    kept = {f"{name} of clients": torch.float.itemsize * numbers for name, numbers in by_clients.items()}
    for name, size in zip(by_clients, kept.values(), strict=True):
        if size > there_is:
            raise InputError(
                f"model.{name} has {federation.num_clients:,} clients keep {size / 1e9:.3g} GB from round to round, of"
                f" {there_is / 1e9:.3g} GB of {kind} in all: do without, or take fewer clients or a smaller network"
            )
    for callback in callbacks:
        numbers = callback.numbers_kept(federation, num_params) if isinstance(callback, FederatedCallback) else 0
        size = torch.float.itemsize * numbers
        if 2 * size > there_is:
            setting = "aggregation" if isinstance(callback, Aggregation) else "callback"
            raise InputError(
                f"{setting}={callback.label} keeps {size / 1e9:.3g} GB from round to round, and needs twice as much,"
                f" of {there_is / 1e9:.3g} GB of {kind} in all: take another, fewer clients or a smaller network"
            )
        if size:
            kept[callback.label] = size
    return kept


def _of_gpu(device: torch.device) -> int:
    """Bytes of a GPU's memory."""
    return torch.cuda.get_device_properties(device).total_memory


def _of_machine() -> int:
    """Bytes of the machine's memory."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
