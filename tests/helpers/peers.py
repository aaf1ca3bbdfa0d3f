"""ByzFL's rules and attacks beside ours, wherever both read a paper the same way.

Rules that are left out, and why: its Krum scores by one neighbour more than the paper, so ours is asked for as many;
its geometric median starts at zero with a smoothing of 0.1, and so does ours here; CAF and SMEA take one power step
from a random vector for the top eigenvector; its bucketing permutes by itself.

Attacks that are left out: its Gaussian noise is one draw that all malicious clients send, and its label flipping hands
on the mean of whatever it is given. Its FedAvg mode gives attacks weights in the place of gradients.

Reference:
    González et al., ByzFL: Research Framework for Robust Federated Learning, 2025.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from flt import functional as F
from flt.functional.attacks.tailored.line_search import LineSearch


class Peer(NamedTuple):
    """One of ByzFL's rules.

    Attributes:
        name: The row of `catalogue.RULES` that it is compared with in speed.
        theirs: Makes the rule, given the module ``byzfl`` and f.
        ours: The same by `flt.functional`, given updates and f.
        inner: Their rule that gets the rows of a pre-aggregation; None for a rule.
    """

    name: str
    theirs: Callable[[Any, int], Callable[[Tensor], Tensor]]
    ours: Callable[[Tensor, int], Tensor]
    inner: str | None = None


def _sizes(updates: Tensor) -> Tensor:
    return torch.ones(len(updates))


PEERS = [
    Peer("FedAvg", lambda byzfl, f: byzfl.Average(), lambda u, f: F.fedavg(u, _sizes(u))),
    Peer("TrimmedMean", lambda byzfl, f: byzfl.TrMean(f), lambda u, f: F.trimmed_mean(u, trim=f)),
    Peer("Median", lambda byzfl, f: byzfl.Median(), lambda u, f: F.median(u)),
    Peer(
        "Krum",
        lambda byzfl, f: byzfl.Krum(f),
        lambda u, f: F.krum(u, num_byzantine=f, num_neighbours=len(u) - f - 1),
    ),
    Peer(
        "MultiKrum",
        lambda byzfl, f: byzfl.MultiKrum(f),
        lambda u, f: F.multi_krum(u, num_byzantine=f, num_neighbours=len(u) - f - 1),
    ),
    Peer(
        "GeometricMedian",
        lambda byzfl, f: byzfl.GeometricMedian(),
        lambda u, f: F.geometric_median(u, num_steps=3, start="zero", smoothing=0.1),
    ),
    Peer(
        "CenteredClipping",
        lambda byzfl, f: byzfl.CenteredClipping(L=3, tau=2.0),
        lambda u, f: F.centered_clipping(u, num_steps=3, max_norm=2.0),
    ),
    Peer("MDA", lambda byzfl, f: byzfl.MDA(f), lambda u, f: F.mda(u, num_byzantine=f)),
    Peer("MeaMed", lambda byzfl, f: byzfl.Meamed(f), lambda u, f: F.meamed(u, num_byzantine=f)),
    Peer("MoNNA", lambda byzfl, f: byzfl.MoNNA(f, 0), lambda u, f: F.monna(u, u[0], num_byzantine=f)),
    Peer(
        "NNM(Median)",
        lambda byzfl, f: byzfl.NNM(f),
        lambda u, f: F.nearest_neighbor_mixing(u, num_byzantine=f) @ u,
        inner="Median",
    ),
    Peer(
        "Clipping(Median)",
        lambda byzfl, f: byzfl.Clipping(1.5),
        lambda u, f: F.clipping(u, max_norm=1.5) @ u,
        inner="Median",
    ),
    Peer(
        "ARC(FedAvg)",
        lambda byzfl, f: byzfl.ARC(f),
        lambda u, f: F.adaptive_robust_clipping(u, num_byzantine=f) @ u,
        inner="Average",
    ),
]


class AttackPeer(NamedTuple):
    """One of ByzFL's attacks, which are on gradients; ours are on updates, which go the other way.

    Attributes:
        name: Our name of it.
        theirs: Makes the attack, given the module ``byzfl``, updates and who is malicious.
        ours: The same by `flt.functional`, given updates and who is malicious.
        rule: The rule that the attack asks; what then is to be the same is how far its aggregate is off the mean.
    """

    name: str
    theirs: Callable[[Any, Tensor, Tensor], Callable[[Tensor], Tensor]]
    ours: Callable[[Tensor, Tensor], Tensor]
    rule: Callable[[Tensor], Tensor] | None = None


def _copied(updates: Tensor, malicious: Tensor) -> int:
    """The place among the benign clients of the one that Mimic copies, of which ByzFL has to be told."""
    _, learnt = F.mimic(updates, malicious, torch.arange(len(updates)), start=updates[0])
    assert learnt is not None
    return int((~malicious)[: learnt.client].sum())


def _mimic(updates: Tensor, malicious: Tensor) -> Tensor:
    return F.mimic(updates, malicious, torch.arange(len(updates)), start=updates[0])[0]


THEIR_SEARCH = LineSearch("byzfl", cap=1e9)  # which it has not: where attackers are many it gets to 5 million

ATTACK_PEERS = [
    AttackPeer("SignFlip", lambda byzfl, u, m: byzfl.SignFlipping(), lambda u, m: F.sign_flip(u, m, variant="mean")),
    AttackPeer(
        "IPM", lambda byzfl, u, m: byzfl.InnerProductManipulation(tau=2.0), lambda u, m: F.ipm(u, m, epsilon=2.0)
    ),
    AttackPeer("ALIE", lambda byzfl, u, m: byzfl.ALittleIsEnough(tau=1.5), lambda u, m: F.alie(u, m, z=1.5, ddof=1)),
    AttackPeer("Mimic", lambda byzfl, u, m: byzfl.Mimic(epsilon=_copied(u, m)), _mimic),
    AttackPeer(
        "NonFinite", lambda byzfl, u, m: byzfl.Inf(), lambda u, m: torch.where(m[:, None], -F.non_finite(u, m), u)
    ),
    AttackPeer(
        "OptimizedIPM",
        lambda byzfl, u, m: byzfl.Optimal_InnerProductManipulation(agg=byzfl.Median(), pre_agg_list=[], f=int(m.sum())),
        lambda u, m: F.optimized_ipm(u, m, F.median, search=THEIR_SEARCH),
        rule=F.median,
    ),
    AttackPeer(
        "OptimizedALIE",
        lambda byzfl, u, m: byzfl.Optimal_ALittleIsEnough(agg=byzfl.Median(), pre_agg_list=[], f=int(m.sum())),
        lambda u, m: F.optimized_alie(u, m, F.median, sign="minus", ddof=1, search=THEIR_SEARCH),
        rule=F.median,
    ),
]
