"""What a round's aggregate could have been under the worst attack, and how much of that the attack has made of it."""

import math

import torch
from lightning.pytorch import LightningModule, Trainer

from callbacks.reporting.evaluation import log_finite
from callbacks.reporting.metrics import is_due
from flt.errors import InputError
from flt.federation import Aggregate, Aggregation, FederatedCallback, Round
from flt.federation.plugins import callbacks_of, only
from flt.functional.guarantees.benign_mean import BenignMean
from flt.functional.guarantees.robustness import realised_kappa
from flt.functional.guarantees.trust_bounds import displacement_bound, guaranteed_progress, leverage
from flt.functional.trust import TrustShape


class Certificates(FederatedCallback):
    """Adds guarantees to each logged round: numbers that held whatever its malicious clients had sent.

    Of FLTrust and its variants, in rounds with malicious clients: ``guaranteed_progress``, the least part of the root
    update that the aggregate could have had, and ``leverage``, how far at most it could have been from the mean of the
    benign updates, in lengths of that mean. ``progress_taken`` and ``leverage_used`` are what the attack made of what
    it could have done, from 0 to 1. Of any rule: ``kappa``, the squared distance of the aggregate from the mean of the
    honest updates over their own from it, beside ``kappa_bound``, its published bound.

    Args:
        trust: Whether to log the first four, of rules that are of FLTrust's shape.
        kappa: Whether to log the last two, of any rule; it takes one more pass over the updates.

    Reading:
        Malicious clients are those that attack in the round and whose updates reached the rule. Of a round that came in
        parts the updates are no longer there: it has no leverage and no kappa. A bound that is infinite is not logged.
    """

    def __init__(self, trust: bool = True, kappa: bool = False) -> None:
        self.trust = trust
        self.kappa = kappa
        self._shape: TrustShape | None = None
        self._rule: Aggregation | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Looks at the rule."""
        if len([own for own in callbacks_of(trainer) if isinstance(own, Certificates)]) > 1:
            raise InputError("trainer.callbacks: two Certificates would log the same metrics: keep one")
        self._rule = only(trainer, Aggregation)
        self._shape = None if self._rule is None or not self.trust else self._rule.trust_shape

    def on_round_end(self, trainer: Trainer, round: Round, aggregate: Aggregate) -> None:
        """Measures and logs a round that is logged."""
        if not is_due(trainer, round.number + 1) or not len(round):
            return
        values: dict[str, float] = {}
        if self._shape is not None and round.malicious.any():
            values |= of_trust(round, aggregate, self._shape)
        if self.kappa and round.rows.num_params:
            values |= of_kappa(round, aggregate, self._rule)
        if values:
            log_finite(trainer, trainer.lightning_module, values)


def of_trust(round: Round, aggregate: Aggregate, shape: TrustShape) -> dict[str, float]:
    """The certificates of a rule of FLTrust's shape, those that are infinite or not known among them.

    Args:
        round: The round, as the rule saw it.
        aggregate: What the rule made of it.
        shape: The rule's settings.
    """
    judgement, root = aggregate.judgement, round.require_root_update()
    if judgement.cosines is None or judgement.norm_ratios is None or not bool(root.any()):
        return {}
    malicious = round.malicious.to(judgement.cosines.device)
    rows = round.rows if round.rows.num_params else None
    cosines = judgement.cosines.double().masked_fill(malicious, math.nan)
    benign = BenignMean.judged(cosines, judgement.norm_ratios, shape, rows, root)
    num_malicious = int(malicious.sum())
    root_norm = torch.linalg.vector_norm(root, dtype=torch.float64)
    update = aggregate.update.double() / root_norm
    least = guaranteed_progress(benign, num_malicious)
    values = {
        "guaranteed_progress": least,
        "progress_taken": _share(benign.along - float(update @ root.double() / root_norm), benign.along - least),
    }
    if benign.vector is not None:
        bound = displacement_bound(benign, num_malicious)
        values["leverage"] = leverage(benign, num_malicious, bound=bound)
        values["leverage_used"] = _share(float(torch.linalg.vector_norm(update - benign.vector)), bound)
    return values


def of_kappa(round: Round, aggregate: Aggregate, rule: Aggregation | None) -> dict[str, float]:
    """The kappa of a round, and its bound, where one is published and the rule tolerates as many as attacked.

    Args:
        round: The round, as the rule saw it.
        aggregate: What the rule made of it.
        rule: The rule.
    """
    honest = ~round.malicious.to(round.device)
    bound = None if rule is None else rule.kappa_bound(round)
    values = {"kappa": realised_kappa(aggregate.update, round.updates, honest)}
    return values | ({} if bound is None else {"kappa_bound": bound})


def _share(made: float, possible: float) -> float:
    """What was made of what is possible, from 0 to 1; NaN where nothing is, or everything."""
    return min(max(made / possible, 0.0), 1.0) if 0.0 < possible < math.inf else math.nan
