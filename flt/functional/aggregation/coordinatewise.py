"""Rules that look at one coordinate at a time: trimmed mean, median, and mean around the median."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from flt.errors import InputError
from flt.functional.blocks import as_numpy_holds, column_blocks, in_threads
from flt.functional.choice import check_some
from flt.functional.sorting_network import FEW, mean_of_rows, ordered_rows


def trimmed_mean(updates: Tensor, *, trim: int) -> Tensor:
    """Per coordinate, the mean of what is left after dropping the ``trim`` largest and ``trim`` smallest values.

    Args:
        updates: Client updates, shape ``[num_clients, num_params]``.
        trim: Values dropped at each end, ``0 <= trim`` and ``2 * trim < num_clients``; the paper's k.

    Returns:
        The aggregate, shape ``[num_params]``.

    Raises:
        InputError: If ``trim`` is out of range.

    Reference:
        Yin et al., Byzantine-Robust Distributed Learning: Towards Optimal Statistical Rates, ICML 2018.

    Example:
        >>> trimmed_mean(torch.tensor([[1.0], [2.0], [3.0], [100.0]]), trim=1)
        tensor([2.5000])
    """
    num_clients = len(updates)
    check_trim(trim, num_clients)

    def mean(values: Any) -> Any:
        return mean_of_rows(values) if isinstance(values, list) else values.mean(0)

    return _of_places(updates, range(trim, num_clients - trim), mean)


def median(updates: Tensor) -> Tensor:
    """Per coordinate, the median; for an even number of clients the mean of the two middle values.

    Args:
        updates: Client updates, shape ``[num_clients, num_params]``.

    Returns:
        The aggregate, shape ``[num_params]``.

    Raises:
        InputError: If there are no updates.

    Reference:
        Yin et al., Byzantine-Robust Distributed Learning: Towards Optimal Statistical Rates, ICML 2018.

    Example:
        >>> median(torch.tensor([[1.0], [2.0], [4.0], [100.0]]))
        tensor([3.])
    """
    check_some(updates)
    middle = range((len(updates) - 1) // 2, len(updates) // 2 + 1)

    def halves(values: Any) -> Any:
        return values[0] / 2 + values[-1] / 2  # halving before adding: the sum of large finite values could overflow

    return _of_places(updates, middle, halves)


def meamed(updates: Tensor, *, num_byzantine: int) -> Tensor:
    """Per coordinate, the mean of the ``n - f`` values closest to the median.

    Args:
        updates: Client updates, shape ``[num_clients, num_params]``.
        num_byzantine: Malicious clients to tolerate, the paper's f; ``num_clients >= 2 f + 1``.

    Returns:
        The aggregate, shape ``[num_params]``.

    Raises:
        InputError: If there are too few clients for ``num_byzantine``.

    Reference:
        Xie, Koyejo and Gupta, Generalized Byzantine-tolerant SGD, arXiv 1802.10116, 2018.

    Example:
        >>> meamed(torch.tensor([[1.0], [2.0], [3.0], [100.0]]), num_byzantine=1)
        tensor([2.])
    """
    num_clients = len(updates)
    if num_byzantine < 0 or num_clients < 2 * num_byzantine + 1:
        raise InputError(
            f"num_byzantine={num_byzantine}: the mean around the median needs num_clients >= 2 * num_byzantine + 1, and"
            f" there are {num_clients} clients (at most {max(0, (num_clients - 1) // 2)})"
        )
    return mean_around_median(updates, num_values=num_clients - num_byzantine)


def mean_around_median(updates: Tensor, *, num_values: int) -> Tensor:
    """Per coordinate, the mean of the ``num_values`` values closest to the median, shape ``[num_params]``.

    Of two values equally far from the median the lower one is taken, whichever client it is from.
    """
    lower, upper = (len(updates) - 1) // 2, len(updates) // 2
    spare = len(updates) - num_values

    def statistic(ordered: Any) -> Any:
        twice_median = _sum(ordered[:, lower : lower + 1], ordered[:, upper : upper + 1])
        # The closest values lie side by side. The window of them moves up by one as long as the value that it leaves
        # behind is farther from the median than the one that it gains, which takes its place.
        moving, settled = ordered[:, : min(spare, num_values)], ordered[:, spare:num_values]
        for start in range(0, spare, num_values):
            left = ordered[:, start:spare][:, :num_values]
            gained = ordered[:, start + num_values :][:, :num_values]
            moves = _sum(left, gained) < twice_median
            moved = _where(moves, gained, moving[:, : left.shape[1]])
            moving = moved if moved.shape == moving.shape else _joined(moved, moving[:, left.shape[1] :])
        return (_row_sums(moving) + _row_sums(settled)) / num_values

    return _of_sorted(updates, statistic)


def check_trim(trim: int, num_clients: int) -> None:
    """Raises an `InputError` unless ``trim`` values can be dropped at both ends of ``num_clients``."""
    if trim < 0 or 2 * trim >= num_clients:
        raise InputError(
            f"trim={trim} must be at least 0 and less than half of the {num_clients} clients "
            f"(at most {max(0, (num_clients - 1) // 2)})"
        )


def _of_places(updates: Tensor, places: range, statistic: Callable[[Any], Any]) -> Tensor:
    """A statistic of some of each coordinate's values in order, shape ``[num_params]``.

    ``statistic`` maps the values at these places, of shape ``[len(places), num_columns]`` or a list of as many rows, to
    ``[num_columns]``.
    """
    is_half = updates.dtype == torch.float16  # of which NumPy takes means in float32
    if updates.device.type == "cpu" and not is_half and len(updates) * torch.get_num_threads() <= FEW:

        def fill(result: Tensor, block: Tensor) -> None:
            with np.errstate(all="ignore"):
                result.numpy()[:] = statistic(ordered_rows(block.numpy(), places))

        found = _filled(updates, fill, in_turn=True)
        if found.isfinite().all():
            return found
    # A NaN has its place behind all numbers, and a sum of large ones may have overflowed.
    return _of_sorted(updates, lambda ordered: statistic(ordered.T[places.start : places.stop]))


def _of_sorted(updates: Tensor, statistic: Callable[[Any], Any]) -> Tensor:
    """A statistic of each coordinate's values in order, shape ``[num_params]``.

    ``statistic`` maps ``[num_columns, num_clients]`` to ``[num_columns]``; tensors on a GPU, NumPy's arrays on a CPU.
    """
    if updates.device.type != "cpu":
        ordered = updates.T.contiguous().sort(dim=1).values
        of_all: Tensor = statistic(ordered)
        return of_all if of_all.isfinite().all() else statistic(ordered.double()).to(updates.dtype)

    # NumPy's vectorised sort is several times as fast as torch's on short rows, and leaves other threads free to run.
    def fill(result: Tensor, block: Tensor) -> None:
        columns = np.array(block.numpy().T, order="C")
        columns.sort(axis=1)
        with np.errstate(all="ignore"):  # torch does not warn of infinite values either
            found = result.numpy()
            found[:] = statistic(columns)
            if not np.isfinite(found).all():  # a sum of large values may have overflowed on the way to a mean
                found[:] = statistic(columns.astype(np.float64))

    return _filled(updates, fill)


def _filled(updates: Tensor, fill: Callable[[Tensor, Tensor], None], *, in_turn: bool = False) -> Tensor:
    """What ``fill`` writes down of each block of updates on a CPU, shape ``[num_params]``; in threads or in turn."""
    given = as_numpy_holds(updates)
    results = given.new_empty(1, given.shape[1])
    if in_turn:
        for result, block in zip(column_blocks(results), column_blocks(given), strict=True):
            fill(result, block)
    else:
        in_threads(fill, column_blocks(results), column_blocks(given))
    return results[0].to(updates.dtype)


def _sum(values: Any, others: Any) -> Any:
    """In float64, which knows ties from others and does not overflow."""
    if isinstance(values, np.ndarray):
        return np.add(values, others, dtype=np.float64)
    return values.double() + others.double()


def _row_sums(values: Any) -> Any:
    return np.einsum("ij->i", values) if isinstance(values, np.ndarray) else values.sum(1)  # twice as fast as np.sum


def _where(condition: Any, values: Any, others: Any) -> Any:
    return (np if isinstance(values, np.ndarray) else torch).where(condition, values, others)


def _joined(values: Any, others: Any) -> Any:
    return np.concatenate([values, others], 1) if isinstance(values, np.ndarray) else torch.cat([values, others], 1)
