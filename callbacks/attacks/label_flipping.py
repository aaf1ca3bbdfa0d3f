"""Label flipping as a callback."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Literal

import torch
from lightning.pytorch.utilities import rank_zero_warn

from flt.data.backdoor import draw_rows
from flt.data.examples import ClientData
from flt.errors import InputError, check_choice, check_share
from flt.federation import Attack, Federation, LocalUpdates, LocalWork
from flt.functional import flip_labels
from flt.functional.attacks.label_flipping import both_ways
from flt.random import generator

Variant = Literal["static", "targeted", "pairwise", "cyclic", "random", "all_to_one", "dynamic"]
TAKES = {
    "targeted": {"mapping", "source", "target"},
    "pairwise": {"mapping", "source", "target"},
    "all_to_one": {"target"},
}
"""Which of these settings a variant knows."""


class LabelFlipping(Attack):
    """Malicious clients train on wrong labels of their own examples.

    A client without examples of the classes in question sends its honest update.

    Args:
        fraction: Fraction of the clients that are malicious.
        variant: What becomes of label l of M classes. "static" is ``M - 1 - l``; "targeted" gives source classes
            another one; "pairwise" swaps classes (without further settings 0 and 1, 2 and 3, and so on); "cyclic" is
            the next class, and 0 for the last; "random" is any other class, drawn once for each example; "all_to_one"
            is the target class; "dynamic" is the class that the global model of the round takes an example for least.
        flip_fraction: Fraction of a malicious client's examples in question that get the wrong label; with "dynamic"
            each example of a batch does with this probability.
        mapping: New class of each source class, such as {3: 7}, for "targeted" and "pairwise".
        source: In its place, the class or classes that become ``target``.
        target: The class that they become; null is the data set's own target of backdoors.

    Raises:
        InputError: If an argument is out of range, or "targeted" has neither ``mapping`` nor ``source``.

    Reference:
        Cao et al., FLTrust, NDSS 2021, section VI-A (static); Tolpegin et al., Data Poisoning Attacks Against Federated
        Learning Systems, ESORICS 2020 (targeted); Shejwalkar et al., Back to the Drawing Board, S&P 2022 (dynamic).

    Reading:
        "random" never draws the right label. Shejwalkar et al. train a model of their own for "dynamic"; here it is the
        global model.
    """

    def __init__(
        self,
        fraction: float = 0.2,
        variant: Variant = "static",
        flip_fraction: float = 1.0,
        mapping: dict[int, int] | None = None,
        source: int | list[int] | None = None,
        target: int | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(fraction, **settings)
        check_choice("attack.variant", variant, Variant)
        check_share("attack.flip_fraction", flip_fraction)
        for name, value in {"mapping": mapping, "source": source, "target": target}.items():
            if value is not None and name not in TAKES.get(variant, ()):
                rank_zero_warn(f"attack.{name}={value} has no effect with variant={variant}")
        if mapping is not None and (source is not None or target is not None):
            raise InputError(f"attack.mapping={mapping} says it all: leave out source and target")
        if variant == "targeted" and not mapping and source in (None, []):
            raise InputError(
                "attack.variant=targeted: give attack.source, such as 3, or attack.mapping, such as {3: 7}"
            )
        self.variant: Variant = variant
        self.flip_fraction = flip_fraction
        self.mapping = mapping
        self.source = [source] if isinstance(source, int) else source
        self.target = target

    def check(self, federation: Federation) -> None:
        """Refuses classes that there are not, and a single class."""
        if federation.num_classes < 2:
            raise InputError(f"{self.label} needs 2 classes or more: there is no wrong label with 1")
        mapping, target = self._mapping(federation), self._target(federation)
        last = federation.num_classes - 1
        _check_classes("attack.mapping" if self.mapping else "attack.source", mapping, last)
        _check_classes("attack.mapping" if self.mapping else "attack.target", [*mapping.values(), target], last)
        if self.source and target in self.source and "source" in TAKES.get(self.variant, ()):
            raise InputError(f"attack.source={self.source} has the target class {target}: name classes other than it")
        if self.variant == "pairwise":
            both_ways(mapping, "attack.mapping")

    def overrides(self, hook: str) -> bool:
        """Whether it has a hook of its own; of the variants here "dynamic" alone trains in its own way."""
        is_idle = type(self).train is LabelFlipping.train and self.variant != "dynamic"
        return super().overrides(hook) and not (hook == "train" and is_idle)

    def poison(self, federation: Federation) -> ClientData | None:
        """Flips labels of the malicious clients."""
        if self.variant == "dynamic":
            return None
        clients, source = federation.clients, generator(federation.seed, "label flipping")
        flipped = flip_labels(
            clients.labels,
            federation.num_classes,
            variant=self.variant,
            mapping=self._mapping(federation),
            target=self._target(federation),
            generator=source,
        )
        rows, _ = draw_rows(
            clients, federation.malicious, flipped != clients.labels, fraction=self.flip_fraction, generator=source
        )
        chosen = torch.zeros_like(clients.labels, dtype=torch.bool).index_fill_(0, rows.to(clients.labels.device), True)
        return replace(clients, labels=torch.where(chosen, flipped, clients.labels))

    def train(self, local: LocalWork) -> LocalUpdates | None:
        """Trains on the labels that the global model finds least likely."""
        if self.variant != "dynamic":
            return None
        batches, ids = local.batches, local.client_ids.tolist()
        scores = local.logits(torch.zeros_like(local.parameters), batches.features.flatten(0, 2))
        labels = scores.argmin(dim=1).view_as(batches.labels)
        if self.flip_fraction < 1:
            sources = [local.generator("label flipping", client) for client in ids]
            draws = torch.stack([torch.rand(batches.labels.shape[1:], generator=source) for source in sources])
            labels = torch.where((draws < self.flip_fraction).to(labels.device), labels, batches.labels)
        return local.sgd(batches._replace(labels=labels))

    def _mapping(self, federation: Federation) -> dict[int, int]:
        """The new class of each class that has been named."""
        return self.mapping or dict.fromkeys(self.source or [], self._target(federation))

    def _target(self, federation: Federation) -> int:
        return federation.backdoor.target_class if self.target is None else self.target


def _check_classes(name: str, classes: Iterable[int], last: int) -> None:
    wrong = [each for each in classes if not 0 <= each <= last]
    if wrong:
        raise InputError(f"{name}: there is no class {wrong[0]}, the classes are 0 to {last}")


LabelFlippingAttack = LabelFlipping
"""Its name in version 0.1."""
