"""A choice between equivalent ways of computing, by trying them once and remembering which was fastest."""

import contextlib
import json
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from lightning.pytorch.utilities import rank_zero_only

from flt.files import cache_folder, write_atomically

# By how much a larger value has to be faster than a smaller one, which needs less memory.
MARGIN = 0.9
# How much slower than the best so far a value may be before larger ones are not tried.
GIVE_UP = 2.0


def fastest(name: str, values: Sequence[int], run: Callable[[int], int], *, key: str, device: torch.device) -> int:
    """Returns the fastest of several values of a setting; measures them unless an earlier run did.

    Args:
        name: The setting, for the message.
        values: The values, ascending.
        run: Works with a value and says how many units of work it did.
        key: What the answer depends on. Answers are kept in ``fastest.json`` in the folder for caches.
        device: Where the work is done.
    """
    remembered = _read()
    if remembered.get(key) in values:
        return remembered[key]
    seconds: dict[int, float] = {}
    best = values[0]
    for value in values:
        run(value)  # not measured: the first time, memory is taken and kernels are chosen
        seconds[value] = min(_seconds(run, value, device) for _ in range(2))
        if seconds[value] < seconds[best] * MARGIN:
            best = value
        if seconds[value] > seconds[best] * GIVE_UP:
            break
    measured = ", ".join(f"{value}: {1e3 * each:.3g} ms" for value, each in seconds.items())
    tell(f"{name} auto: {best} is the fastest (a client takes, with {measured})")
    with contextlib.suppress(OSError):  # where the folder cannot be written to, the next run measures again
        write_atomically(_path(), json.dumps({**_read(), key: best}, indent=1))
    return best


@rank_zero_only
def tell(message: str) -> None:
    """Tells the user something about how a run is computed, in one line."""
    logging.getLogger("flt").info(message)


def _seconds(run: Callable[[int], int], value: int, device: torch.device) -> float:
    _wait_for(device)
    start = time.perf_counter()
    units = run(value)
    _wait_for(device)
    return (time.perf_counter() - start) / units


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _path() -> Path:
    return cache_folder() / "fastest.json"


def _read() -> dict[str, int]:
    try:
        found = json.loads(_path().read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
