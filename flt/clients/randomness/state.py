"""The global random states of torch, NumPy and Python, on which no round may depend."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


@contextmanager
def random_state_kept() -> Iterator[None]:
    """Puts the global random states back at its end."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002  # whoever uses the global generator
    try:
        with torch.random.fork_rng(devices=_devices()):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002


def random_state() -> tuple[Any, ...]:
    """The global random states, to be compared with `==`."""
    name, keys, position, *_ = np.random.get_state()  # noqa: NPY002
    tensors = [torch.get_rng_state(), *map(torch.cuda.get_rng_state, _devices())]
    states = (tensor.numpy().tobytes() for tensor in tensors)
    return (*states, name, np.asarray(keys).tobytes(), position, random.getstate())


def _devices() -> list[int]:
    is_used: bool = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    return list(range(torch.cuda.device_count())) if is_used else []
