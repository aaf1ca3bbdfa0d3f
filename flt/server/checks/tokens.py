"""Whether the global model knows every token id of the data, found before work starts."""

import torch
from torch import Tensor, nn

from flt.clients.conduct import copied
from flt.clients.randomness.state import random_state_kept
from flt.data.datamodule import FederatedDataModule
from flt.data.examples import extremes
from flt.errors import InputError
from flt.federation import Backdoor


def check_token_ids(network: nn.Module, data: FederatedDataModule, backdoor: Backdoor | None) -> None:
    """Checks that ``network`` can look up every token id that it will be given; nothing to do for other examples.

    Args:
        network: The global model.
        data: The data, set up.
        backdoor: Its trigger may write ids that no example has; None where there is no backdoor.

    Raises:
        InputError: If the smallest or largest id of the data, or of the backdoor, is none of the network's.
    """
    if not data.test.are_integers:
        return
    sets = data.root, data.test, data.validation, backdoor.examples if backdoor else None
    held = [data.clients.features, *(each.features for each in sets if each is not None)]
    marked = [] if backdoor is None else [backdoor.trigger(data.test.features[:1])]
    examples = torch.cat([*map(extremes, filter(len, held)), *marked]).cpu()
    error = _error_of(network, examples)
    if error is None:
        return
    name, told = f"model.network {type(network).__name__}", str(error).splitlines()[0]
    if _error_of(network, torch.zeros_like(examples)) is None:
        low, high = int(examples.min()), int(examples.max())
        raise InputError(
            f"{name} cannot take the token ids of {data.dataset_name}, from {low} to {high}"
            f"{' with the trigger' if marked else ''}: {told}; an embedding needs {high + 1} entries, and no id is"
            " negative"
        ) from error
    if isinstance(error, IndexError):  # `check_network` says what else is wrong, but not where a GPU ends the process
        shape = list(data.test.features.shape[1:])
        raise InputError(f"{name} cannot take examples of shape {shape}: {told}; are they too long for it?") from error


def _error_of(network: nn.Module, examples: Tensor) -> Exception | None:
    """What a network raises in an evaluation of these examples; None if nothing."""
    try:  # on the CPU: a GPU ends the process where an index is out of range
        with torch.no_grad(), random_state_kept():
            copied(network).cpu().eval()(examples)
    except Exception as error:
        return error
    return None
