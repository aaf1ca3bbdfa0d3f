"""Numbers for each client of a round, such as its trust score; histograms and means over clients are made of them."""

import numpy as np
import torch
from torch import Tensor

from flt.federation import Aggregate, Round
from flt.functional.distances import cosines_of_length, norms

NAMES = {
    "trust_scores": "trust_scores",
    "weights": "weights",
    "cosines": "cosine_to_root",
    "norm_ratios": "norm_ratio_to_root",
}
TO_AGGREGATE = ("cosine_to_aggregate", "norm_ratio_to_aggregate")
DISTRIBUTIONS = (*NAMES.values(), *TO_AGGREGATE)
"""The names of all vectors that `by_client` may return."""

NUM_BINS = 64


def by_client(round: Round, aggregate: Aggregate) -> dict[str, Tensor]:
    """Collects the rule's judgement of each client: vectors of shape ``[num_clients]``, float64 on the CPU.

    A rule without cosines gets those of the updates and the aggregate, and their lengths over the aggregate's. A round
    that came in parts has no updates left to compare.

    Args:
        round: The round, as the rule saw it.
        aggregate: The rule's aggregate.

    Returns:
        Vectors by name, which is one of `DISTRIBUTIONS`.
    """
    judgement = aggregate.judgement
    values = {NAMES[name]: vector for name, vector in judgement.vectors.items() if name in NAMES}
    if judgement.cosines is None and round.updates.numel():
        with torch.autocast(round.updates.device.type, enabled=False):
            lengths, length = norms(round.updates), norms(aggregate.update[None])[0]
            cosines = cosines_of_length(round.updates, lengths, aggregate.update, length)
        values |= dict(zip(TO_AGGREGATE, (cosines, lengths / length), strict=True))
    return {name: vector.double().cpu() for name, vector in values.items()}


def benign_and_malicious(values: dict[str, Tensor], malicious: Tensor) -> dict[str, Tensor]:
    """Splits vectors into the finite values of benign and of malicious clients; an empty group is left out.

    Args:
        values: The vectors that `by_client` returns.
        malicious: Which clients are malicious, boolean of shape ``[num_clients]``.

    Returns:
        The values under ``NAME/benign`` and ``NAME/malicious``.

    Example:
        >>> values = {"weights": torch.tensor([0.5, 0.25, 0.25])}
        >>> sorted(benign_and_malicious(values, torch.tensor([True, False, False])))
        ['weights/benign', 'weights/malicious']
    """
    split = {
        f"{name}/{who}": vector[mask & vector.isfinite()]
        for name, vector in values.items()
        for who, mask in (("benign", ~malicious), ("malicious", malicious))
    }
    return {name: vector for name, vector in split.items() if len(vector)}


def histogram(name: str, values: Tensor, num_clients: int) -> tuple[np.ndarray, np.ndarray]:
    """Counts clients by their value, in bins that are the same in every round, so that rounds can be compared.

    The bins of trust scores and cosines range from -1 to 1, those of ratios of lengths from 0 to 10, those of weights
    from 0 to 5 times an equal share. A value beyond them is counted in the first or the last bin.

    Args:
        name: One of `DISTRIBUTIONS`.
        values: The clients' values.
        num_clients: Clients in a round.

    Returns:
        Numbers of clients, and the edges of the bins, one more.

    Example:
        >>> counts, edges = histogram("cosine_to_root", torch.tensor([-1.0, 0.99, 1.0001]), 3)
        >>> int(counts[0]), int(counts[-1]), float(edges[0]), float(edges[-1])
        (1, 2, -1.0, 1.0)
    """
    low, high = (0.0, 10.0) if "norm_ratio" in name else (-1.0, 1.0)
    if name == "weights":
        low, high = 0.0, min(1.0, 5.0 / num_clients)
    return np.histogram(values.clamp(low, high).numpy(), bins=NUM_BINS, range=(low, high))


class ClientMeans:
    """Averages each client's numbers over the rounds in which the client took part.

    Args:
        num_clients: Number of clients.
    """

    def __init__(self, num_clients: int) -> None:
        self._num_clients = num_clients
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, Tensor] = {}

    def add(self, client_ids: Tensor, values: dict[str, Tensor]) -> None:
        """Adds the numbers of a round: vectors of shape ``[len(client_ids)]`` by name."""
        for name, vector in values.items():
            if name not in self._sums:
                self._sums[name] = torch.zeros(self._num_clients, dtype=torch.float64)
                self._counts[name] = torch.zeros(self._num_clients, dtype=torch.float64)
            self._sums[name].index_add_(0, client_ids, vector)
            self._counts[name].index_add_(0, client_ids, torch.ones_like(vector))

    def __getitem__(self, name: str) -> list[float | None]:
        """Returns each client's mean; None for a client, or a name, without numbers."""
        if name not in self._sums:
            return [None] * self._num_clients
        means = (self._sums[name] / self._counts[name]).tolist()
        return [mean if count else None for mean, count in zip(means, self._counts[name].tolist(), strict=True)]

    def state_dict(self) -> dict[str, dict[str, Tensor]]:
        """Returns the state that checkpoints keep."""
        return {"sums": self._sums, "counts": self._counts}

    def load_state_dict(self, state_dict: dict[str, dict[str, Tensor]]) -> None:
        """Restores the state from a checkpoint."""
        self._sums, self._counts = state_dict["sums"], state_dict["counts"]
