"""Updates that nobody has to compute: nothing, the way back to a zero model, and what is no number."""

import math
from typing import Literal

from torch import Tensor

from flt.errors import check_choice
from flt.functional.attacks.knowledge import sent

Value = Literal["inf", "nan"]


def zero_update(updates: Tensor, malicious: Tensor, parameters: Tensor | None = None) -> Tensor:
    """Updates of all clients with zero in the place of the malicious ones, or a step to the zero model.

    Args:
        updates: Honest updates of all clients, shape ``[num_clients, num_params]``.
        malicious: Boolean mask, shape ``[num_clients]``.
        parameters: The global model w, shape ``[num_params]``, from which ``-w`` leads to zero; None for no step.

    Returns:
        What the server receives, a new tensor of shape ``[num_clients, num_params]``.

    Example:
        >>> import torch
        >>> zero_update(torch.ones(2, 2), torch.tensor([True, False])).tolist()
        [[0.0, 0.0], [1.0, 1.0]]
        >>> zero_update(torch.ones(2, 2), torch.tensor([True, False]), torch.tensor([3.0, 4.0])).tolist()
        [[-3.0, -4.0], [1.0, 1.0]]
    """
    return sent(updates, malicious, updates.new_zeros(updates.shape[1]) if parameters is None else -parameters)


def non_finite(updates: Tensor, malicious: Tensor, *, value: Value = "inf") -> Tensor:
    """Updates of all clients with infinities or NaNs in the place of the malicious ones.

    Args:
        updates: Honest updates of all clients, shape ``[num_clients, num_params]``.
        malicious: Boolean mask, shape ``[num_clients]``.
        value: "inf" or "nan".

    Returns:
        What the server receives, a new tensor of shape ``[num_clients, num_params]``.

    Example:
        >>> import torch
        >>> non_finite(torch.ones(2, 1), torch.tensor([True, False])).tolist()
        [[inf], [1.0]]
    """
    check_choice("value", value, Value)
    number = math.inf if value == "inf" else math.nan
    return sent(updates, malicious, updates.new_full(updates.shape[1:], number))
