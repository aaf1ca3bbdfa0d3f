"""FLDetector: how far clients' updates are from what their last ones and the global model's curvature predict."""

import torch
from torch import Tensor

from flt.functional.distances import norms


def curvature_times(steps: Tensor, changes: Tensor, vector: Tensor) -> Tensor:
    """The product of the L-BFGS approximation of a Hessian with a vector, shape ``[num_params]``.

    Zero, which predicts no change, where the numbers overflow.

    Args:
        steps: Differences of points, oldest first, shape ``[num_pairs, num_params]``; none of them zero.
        changes: Differences of the gradients there, shape ``[num_pairs, num_params]``.
        vector: Shape ``[num_params]``.

    Reference:
        Byrd, Nocedal and Schnabel, Representations of Quasi-Newton Matrices and Their Use in Limited Memory Methods,
        Mathematical Programming 1994.

    Example:
        >>> steps, changes = torch.tensor([[1.0, 0.0], [1.0, 2.0]]), torch.tensor([[2.0, 0.0], [2.0, 6.0]])
        >>> curvature_times(steps, changes, torch.tensor([1.0, 2.0]))
        tensor([2., 6.])
    """
    s, y, v = steps.double(), changes.double(), vector.double()
    products, squares = s @ y.T, s @ s.T
    scale = products[-1, -1] / squares[-1, -1]
    lower = products.tril(-1)
    middle = torch.cat(
        [torch.cat([scale * squares, lower], 1), torch.cat([lower.T, -products.diagonal().diag()], 1)], 0
    )
    ends = torch.cat([scale * (s @ v), y @ v])
    if not bool(middle.isfinite().all() & ends.isfinite().all()):  # of a model that has overflowed
        return torch.zeros_like(vector)
    solved = torch.linalg.solve_ex(middle, ends).result
    if not bool(solved.isfinite().all()):
        solved = torch.linalg.pinv(middle, hermitian=True) @ ends
    found: Tensor = scale * v - scale * (solved[: len(s)] @ s) - solved[len(s) :] @ y
    return found.to(vector.dtype)


def prediction_errors(updates: Tensor, previous: Tensor, correction: Tensor) -> Tensor:
    """Shares of ``|g_i(t-1) + H v - g_i(t)|``, float64 of shape ``[num_clients]``; they add up to 1, or all are 0.

    Args:
        updates: The clients' updates g_i(t), shape ``[num_clients, num_params]``.
        previous: Their last ones, g_i(t-1), shape ``[num_clients, num_params]``.
        correction: The product H v of `curvature_times`, shape ``[num_params]``.

    Reference:
        Zhang et al., FLDetector: Defending Federated Learning Against Model Poisoning Attacks via Detecting Malicious
        Clients, KDD 2022.

    Example:
        >>> prediction_errors(torch.tensor([[1.0], [4.0]]), torch.tensor([[0.0], [1.0]]), torch.tensor([0.0]))
        tensor([0.2500, 0.7500], dtype=torch.float64)
    """
    distances = norms((previous + correction).sub_(updates))
    has_overflown = ~distances.isfinite()  # its error is beyond all others
    if bool(has_overflown.any()):
        distances = has_overflown.double()
    total = distances.sum()
    return distances / torch.where(total > 0, total, 1.0)
