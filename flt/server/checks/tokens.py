"""Whether the global model knows every token id of the data, found before work starts."""

import torch
from torch import nn

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
        InputError: If the smallest or largest id of the data, or of the trigger, is none of the network's.
    """
    if not data.test.are_integers:
        return
    held = [extremes(features) for features in (data.clients.features, data.root.features, data.test.features)]
    marked = [] if backdoor is None else [backdoor.trigger(data.test.features[:1])]
    examples = torch.cat([*held, *marked]).cpu()
    try:  # on the CPU: a GPU ends the process where an index is out of range
        with torch.no_grad(), random_state_kept():
            copied(network).cpu().eval()(examples)
    except IndexError as error:
        low, high = int(examples.min()), int(examples.max())
        raise InputError(
            f"model.network {type(network).__name__} cannot take the token ids of {data.dataset_name}, from {low} to"
            f" {high}{' with the trigger' if marked else ''}: {str(error).splitlines()[0]}; an embedding needs"
            f" {high + 1} entries, and no id is negative"
        ) from error
    except Exception:
        return  # `check_network` says what else is wrong
