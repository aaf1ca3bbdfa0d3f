"""CRFL: the global model is kept within a length, and noise is added to it."""

from torch import Tensor

from flt.errors import check_positive
from flt.functional.distances import norms, shortening


def crfl(aggregate: Tensor, parameters: Tensor, noise: Tensor | None = None, *, max_norm: float) -> Tensor:
    """The update to a model that is no longer than ``max_norm``, and noise on it.

    ``(w + g) min(1, rho / |w + g|) - w`` for the aggregate g and the model w.

    Args:
        aggregate: What a rule has made of the updates, g, shape ``[num_params]``.
        parameters: Those of the global model at the start of the round, w, shape ``[num_params]``.
        noise: What is added, shape ``[num_params]``; None for nothing.
        max_norm: The bound rho on the length of the model, above 0.

    Returns:
        The update, shape ``[num_params]``.

    Raises:
        InputError: If ``max_norm`` is not above 0.

    Reference:
        Xie, Chen, Chen and Li, CRFL: Certifiably Robust Federated Learning against Backdoor Attacks, ICML 2021.

    Example:
        >>> import torch
        >>> crfl(torch.tensor([3.0, 3.0]), torch.tensor([0.0, 1.0]), max_norm=2.0)
        tensor([1.2000, 0.6000])
    """
    check_positive("max_norm", max_norm)
    # In float64, so that a model within the bound takes the aggregate's step and no other.
    model = parameters.double() + aggregate.double()
    scale = shortening(norms(model[None]), max_norm)
    update = (scale * model - parameters.double()).to(aggregate.dtype)
    return update if noise is None else update + noise
