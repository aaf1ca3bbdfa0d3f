"""Backdoors whose trigger is to be an unusual example."""

from __future__ import annotations

from pathlib import Path

import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from flt.data.examples import ClientData, Examples
from flt.data.readers.npz import read_labels
from flt.data.root_source import features_like
from flt.data.triggers.base import Trigger, check_numbers
from flt.errors import InputError, check_share
from flt.functional.attacks.edge_cases import least_confident


class TailTrigger(Trigger):
    """No pattern: malicious clients relabel the examples of one class that look least like it.

    These are its examples in which a simple clean model has the least confidence: each class is a Gaussian, the
    variances of the features are the same in all classes. Malicious clients fit it to their own examples, together, and
    all of them train on all that they find; who holds one itself has it twice. The attack success rate is measured on
    the same share of the class's test examples, by the model of the test set.

    Args:
        source_class: The class.
        tail: Share of its examples, above 0 and at most 1.

    Raises:
        InputError: If an argument is out of range; when used, if the class is the target class or has no test example,
            or the examples are token ids.

    Reference:
        Wang et al., Attack of the Tails: Yes, You Really Can Backdoor Federated Learning, NeurIPS 2020.
    """

    in_place = True

    def __init__(self, source_class: int, tail: float = 0.1) -> None:
        if not 0 <= source_class < 2**63:
            raise InputError(f"source_class={source_class} of a trigger: count from 0")
        check_share("a trigger's tail", tail)
        self.source_class = source_class
        self.tail = tail

    def __call__(self, features: Tensor) -> Tensor:
        check_numbers(features, self)
        return features.clone()

    def chosen(self, clients: ClientData, malicious: Tensor, target_class: int) -> Tensor:
        """The class's examples, of all malicious clients together, that look least like it."""
        chosen = self._found(clients, malicious)
        if malicious.any() and not chosen.any():
            rank_zero_warn(
                f"no malicious client has an example of class {self.source_class}: the backdoor is not trained"
            )
        return chosen

    def brought(self, clients: ClientData, malicious: Tensor) -> Examples:
        """What the malicious clients have found, for each of them."""
        chosen = self._found(clients, malicious)
        return Examples(clients.features[chosen], clients.labels[chosen])

    def tested(self, test: Examples, target_class: int) -> Examples:
        """The class's test examples that look least like it."""
        if self.source_class == target_class:
            raise InputError(f"source_class={target_class} of a trigger is the target class: choose another one")
        chosen = least_confident(test.features, test.labels, self.source_class, share=self.tail)
        if not chosen.any():
            raise InputError(f"source_class={self.source_class} of a trigger: there is no such test example")
        return test[chosen]

    def parts(self, num_parts: int) -> tuple[Trigger, ...]:
        """Refuses: there is no pattern."""
        raise InputError("a TailTrigger has no pattern that could be dealt out in parts: give another trigger")

    def _found(self, clients: ClientData, malicious: Tensor) -> Tensor:
        own = malicious.to(clients.labels.device).repeat_interleave(clients.sizes)
        found = torch.zeros_like(own)
        found[own] = least_confident(clients.features[own], clients.labels[own], self.source_class, share=self.tail)
        return found


class OutsideTrigger(Trigger):
    """No pattern: every malicious client trains on examples from a file as well, labelled with the target class.

    The attack success rate is measured on further examples from the file.

    Args:
        path: An .npz file with the arrays x_train and x_test, in the units of the data set's examples, and y_test, the
            classes that the latter are really of.

    Raises:
        InputError: If there is no such file; when used, if it cannot be read or does not fit the data set.

    Reference:
        Wang et al., Attack of the Tails: Yes, You Really Can Backdoor Federated Learning, NeurIPS 2020.
    """

    in_place = True

    def __init__(self, path: str) -> None:
        self.path = path
        self._path = Path(path).expanduser()
        if not self._path.is_file():
            raise InputError(f"path={str(self._path)!r} of a trigger: there is no such file")

    def __call__(self, features: Tensor) -> Tensor:
        return features.clone()

    def chosen(self, clients: ClientData, malicious: Tensor, target_class: int) -> Tensor:
        """None of their own."""
        return torch.zeros_like(clients.labels, dtype=torch.bool)

    def brought(self, clients: ClientData, malicious: Tensor) -> Examples:
        """The file's training examples."""
        features = features_like(self._path, "x_train", Examples(clients.features, clients.labels))
        return Examples(features, torch.zeros(len(features), dtype=torch.int64)).to(clients.labels.device)

    def tested(self, test: Examples, target_class: int) -> Examples:
        """The file's test examples, without any of the target class."""
        features, labels = features_like(self._path, "x_test", test), read_labels(self._path, "y_test")
        if len(features) != len(labels):
            raise InputError(f"{self._path}: x_test has {len(features)} examples, y_test {len(labels)}: store one each")
        if int(labels.max()) > int(test.labels.max()):
            raise InputError(
                f"{self._path}: y_test has class {int(labels.max())}, but the data set's classes go from 0 to"
                f" {int(test.labels.max())}"
            )
        others = Examples(features, labels)[labels != target_class]
        if not len(others):
            raise InputError(f"{self._path}: all of y_test are of the target class {target_class}: store others")
        return others.to(test.labels.device)

    def parts(self, num_parts: int) -> tuple[Trigger, ...]:
        """Refuses: there is no pattern."""
        raise InputError("an OutsideTrigger has no pattern that could be dealt out in parts: give another trigger")
