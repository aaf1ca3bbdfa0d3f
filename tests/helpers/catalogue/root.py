"""Rules that measure updates by data of the server's own."""

from collections.abc import Callable
from functools import partial
from typing import Any

import agreement
import numpy as np
import reference
import reference.root as root_rules
import torch
from torch import Tensor

import callbacks
from catalogue.row import Golden, Rule
from flt import functional as F
from flt.federation import Round
from flt.functional.aggregation.root.measures import error_rates, mean_entropies, mean_losses

FIRST_SIX = (1.2, 1.216667)  # the mean of the benign clients of `EXAMPLE`
SAGEFLOW = {"max_entropy": 1.0, "exponent": 1.0}


class Known:
    """What the server knew in a round, for references."""

    def __init__(self, round: Round, guides: Tensor | None = None) -> None:
        self.server, self.guides = round.require_server(), guides
        self.updates, self.moved = round.updates.double().numpy(), round.statistics.double().numpy()

    def _logits(self, update: np.ndarray) -> Tensor:
        # The statistics of a mean of updates are the same mean of theirs; updates are linearly independent.
        shares = np.linalg.lstsq(self.updates.T, update, rcond=None)[0]
        return self.server.logits(
            torch.from_numpy(update).float()[None], torch.from_numpy(shares @ self.moved).float()[None]
        )

    def loss(self, update: np.ndarray) -> float:
        return float(mean_losses(self._logits(update), self.server.root.labels))

    def error(self, update: np.ndarray) -> float:
        return float(error_rates(self._logits(update), self.server.root.labels))

    def entropy(self, update: np.ndarray) -> float:
        return float(mean_entropies(self._logits(update)))

    def guide(self, number: int) -> np.ndarray:
        assert self.guides is not None
        return self.guides[number].double().numpy()


def with_guides(round: Round) -> Known:
    server = round.require_server()
    return Known(round, server.train(server.shared(0.3), round.client_ids, stand_for=round.num_examples).updates)


def of_the_only_group(round: Round) -> np.ndarray:
    server = round.require_server()
    return server.train(server.root_parts(1)).updates[0].double().numpy()


def loss_near(root: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda updates: (updates.double() - root.double()).square().sum(dim=1)


def error_near(root: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda updates: ((-loss_near(root)(updates)).exp() < 0.5).double()


def _sageflow(u: Tensor, root: Tensor, sizes: Tensor, f: int, **settings: Any) -> Tensor:
    losses = loss_near(root)(u)
    right = torch.stack([(-losses).exp(), -torch.expm1(-losses)], dim=1)
    return F.sageflow(u, losses, torch.special.entr(right).sum(dim=1), sizes, **SAGEFLOW | settings)


def _rejection(name: str, names: tuple[str, ...], golden: list[Golden], **row: Any) -> Rule:
    """One of those that reject by what lies near the root update."""

    def function(u: Tensor, root: Tensor, sizes: Tensor, f: int) -> Tensor:
        # The rule counts rows, of which it cannot tell whose they are: they are marked by their numbers of examples.
        marked = torch.cat([u, sizes.to(u)[:, None]], dim=1)
        near = {"loss": loss_near(root), "error": error_near(root)}
        measures = [lambda rows, measure=near[each]: measure(rows[:, :-1]) for each in names]

        def mean(rows: Tensor) -> Tensor:
            return torch.cat([F.fedavg(rows[:, :-1], rows[:, -1]), rows.new_zeros(1)])

        return F.rejection(marked, mean, *measures, num_byzantine=f)[0][:-1]

    return Rule(
        f"{name}(FedAvg)",
        getattr(callbacks, name),
        function,
        partial(root_rules.rejection, names=names),
        golden,
        fewest=lambda f: len(names) * f + 1,
        compare=agreement.bounded,
        weights=partial(root_rules.rejection_shares, names=names),
        knows=Known,
        translates=True,
        averages=True,
        **row,
    )


RULES: list[Rule] = [
    Rule(
        "AFLGuard",
        callbacks.AFLGuard,
        lambda u, root, sizes, f, **settings: F.aflguard(u, root, **settings),
        lambda u, root, sizes, f, **settings: root_rules.aflguard(u, root, **settings),
        [Golden((1.04, 1.02), {"tolerance": 1.0}), Golden((1.2, 1.216667))],
        weights=lambda u, root, sizes, f: root_rules.accepted(u, root),
    ),
    Rule(
        "FLOD",
        partial(callbacks.FLOD, step=0.1),
        lambda u, root, sizes, f, step=0.1, **settings: F.flod(u, root, step=step, **settings),
        lambda u, root, sizes, f, step=0.1, **settings: root_rules.flod(u, root, step, **settings),
        [Golden((1.0, 1.0), {"step": 1.0}), Golden((0.1, 11 / 130), {"tolerance": 1.0})],
        compare=partial(agreement.entries, longest=0.1),
        weights=lambda u, root, sizes, f: root_rules.flod_weights(u, root),
        unanimous=False,
        scales=False,
        follows=False,
    ),
    Rule(
        "FLTG",
        callbacks.FLTG,
        lambda u, root, sizes, f: F.fltg(u, root),
        lambda u, root, sizes, f: root_rules.fltg([(u, root)])[0],
        [],
        compare=agreement.as_root,
        weights=lambda u, root, sizes, f: root_rules.fltg_weights(u, root, np.zeros(len(root))),
        rounds=lambda given, f: root_rules.fltg([(u, root) for u, root, *_ in given]),
        anonymous=False,
        bounded=False,
        follows=False,
    ),
    Rule(
        "Zeno",
        partial(callbacks.Zeno, rho=0.1),
        lambda u, root, sizes, f, rho=0.1, **s: F.zeno(u, loss_near(root), num_byzantine=f, rho=rho, **s),
        root_rules.zeno,
        [Golden(FIRST_SIX), Golden(FIRST_SIX, {"rho": 0.0005}), Golden(FIRST_SIX, {"penalty": "mean"})],
        fewest=lambda f: f + 1,
        compare=agreement.bounded,
        weights=root_rules.zeno_shares,
        knows=Known,
        averages=True,
    ),
    _rejection("ERR", ("error",), [], anonymous=False, scales=False, robust=False),
    _rejection("LFR", ("loss",), [Golden(FIRST_SIX)]),
    _rejection("Union", ("error", "loss"), [], anonymous=False, scales=False),
    Rule(
        "FedGreed",
        callbacks.FedGreed,
        lambda u, root, sizes, f: F.fedgreed(u, loss_near(root)),
        root_rules.fedgreed,
        [Golden((1.2, 0.9))],
        compare=agreement.bounded,
        weights=root_rules.fedgreed_shares,
        knows=Known,
        translates=True,
    ),
    Rule(
        "Sageflow",
        partial(callbacks.Sageflow, **SAGEFLOW),
        _sageflow,
        partial(root_rules.sageflow, **SAGEFLOW),
        [],
        compare=partial(agreement.bounded, or_zero=True),
        weights=partial(root_rules.sageflow_shares, **SAGEFLOW),
        knows=Known,
        translates=True,
    ),
    Rule(
        "ZenoPlusPlus",
        callbacks.ZenoPlusPlus,
        lambda u, root, sizes, f, **s: F.zeno_plus_plus(u, root, **s),
        root_rules.zeno_plus_plus,
        [Golden((0.903328, 0.894195))],
        compare=agreement.no_longer,
        weights=root_rules.zeno_plus_plus_shares,
        rounds=root_rules.zeno_plus_plus_rounds,
    ),
    Rule(
        "DiverseFL",
        partial(callbacks.DiverseFL, sample_fraction=0.3),
        lambda u, root, sizes, f, **s: F.diversefl(u, root.expand_as(u), **s),
        root_rules.diversefl,
        [Golden((1.04, 1.02))],
        compare=partial(agreement.bounded, or_zero=True),
        weights=root_rules.diversefl_shares,
        knows=with_guides,
    ),
    Rule(
        "HierarchicalFLTrust(NormClipping)",
        lambda max_norm=0.5: callbacks.HierarchicalFLTrust(callbacks.NormClipping(max_norm), num_groups=1),
        lambda u, root, sizes, f, max_norm=0.5: F.norm_clipping(
            F.hierarchical_fltrust(u, root[None], torch.zeros(len(u), dtype=torch.long)), max_norm=max_norm
        ),
        lambda u, root, sizes, f, max_norm=0.5: reference.norm_bounded_mean(
            reference.fltrust(u, root)[None], np.ones(1), max_norm
        ),
        [Golden((0.916777, 0.900505), {"max_norm": 15.0})],
        compare=partial(agreement.no_longer, longest=0.5),
        weights=lambda u, root, sizes, f: reference.trust_scores(u, root) / reference.trust_scores(u, root).sum(),
        knows=of_the_only_group,
        scales=False,
    ),
]
