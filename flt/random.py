"""Randomness by counter: every draw is a function of (seed, stream, round), so nothing has to be remembered."""

import hashlib
import os

import torch
from torch import Tensor


def run_seed() -> int:
    """Seed of this run: what ``--seed_everything`` (``lightning.seed_everything``) was given, 0 if it was not used."""
    return int(os.environ.get("PL_GLOBAL_SEED", "0"))


def generator(seed: int, stream: str, round_number: int = 0, *, device: torch.device | str = "cpu") -> torch.Generator:
    """A fresh generator for one stream of one round.

    Args:
        seed: The run's seed.
        stream: What the numbers are for, such as ``"batches"``; different streams are independent.
        round_number: The round, counted from 0; 0 for what is drawn once a run.
        device: Device on which the numbers will be drawn.

    Example:
        >>> a = torch.rand(2, generator=generator(1, "batches", 7))
        >>> b = torch.rand(2, generator=generator(1, "batches", 7))
        >>> bool((a == b).all())
        True
    """
    digest = hashlib.blake2b(f"{seed}/{stream}/{round_number}".encode(), digest_size=8).digest()
    return torch.Generator(device=device).manual_seed(int.from_bytes(digest, "big") >> 1)


def sample_clients(num_clients: int, num_sampled: int, *, seed: int, round_number: int) -> Tensor:
    """Indices of the clients of one round, drawn uniformly without replacement and sorted, shape ``[num_sampled]``."""
    if num_sampled == num_clients:
        return torch.arange(num_clients)
    order = torch.randperm(num_clients, generator=generator(seed, "clients", round_number))
    return order[:num_sampled].sort().values
