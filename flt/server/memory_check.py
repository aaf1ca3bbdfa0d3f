"""The memory that a round's batches need, said before the first round."""

import os

import torch

from flt.clients.draws import BLOCK
from flt.errors import InputError
from flt.federation import Federation


def check_memory(federation: Federation, *, local_steps: int, batch_size: int) -> None:
    """Raises an `InputError` if the batches of a round need more memory than the machine has.

    What is counted is the least that a round holds at once: the rows that are drawn for all of its clients, and the
    random numbers of a draw or the examples of one client. Updates and activations come on top of it.

    Args:
        federation: The clients and their data, on the device.
        local_steps: Batches each client trains on in a round.
        batch_size: Examples in a batch.
    """
    features = federation.clients.features
    largest = max(int(federation.clients.sizes.max()), 1)
    batch = min(batch_size, largest)
    clients_per_draw = min(federation.clients_per_round, max(1, BLOCK // largest))
    rows = federation.clients_per_round * local_steps * batch * torch.long.itemsize
    draw = clients_per_draw * local_steps * largest * torch.float.itemsize
    examples = local_steps * batch * features[0].numel() * features.element_size()
    on_gpu = features.is_cuda
    needs = [(rows + max(draw, 0 if on_gpu else examples), _of_machine(), "memory")]
    if on_gpu:
        needs.append((examples, torch.cuda.get_device_properties(features.device).total_memory, "GPU memory"))
    for need, there_is, kind in needs:
        if need > there_is:
            raise InputError(
                f"model.local_steps={local_steps} would need {need / 1e9:.3g} GB of {kind} for the batches of a round,"
                f" of {there_is / 1e9:.3g} GB in all: take fewer, or a smaller data.batch_size"
            )


def _of_machine() -> int:
    """Bytes of the machine's memory."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
