"""The edge-case backdoor as a callback."""

from functools import partial
from typing import Any

from lightning.pytorch.utilities import rank_zero_warn

from callbacks.attacks.backdoors.base import BackdoorAttack
from flt.data.triggers import OutsideTrigger, TailTrigger, Trigger
from flt.errors import check_positive
from flt.federation import Backdoor, LocalUpdates, LocalWork
from flt.functional.attacks.backdoors import project


class EdgeCase(BackdoorAttack):
    """A backdoor of unusual examples: malicious clients label examples that few others hold as the target class.

    Args:
        fraction: Fraction of the clients that are malicious.
        poison_fraction: Fraction of the unusual examples that a malicious client uses.
        target_class: Class that they are to be taken for; null is the data set's own.
        path: An .npz file with unusual examples from outside: the arrays x_train, which all malicious clients train on,
            x_test, on which success is measured, and y_test, its right classes. Null takes those of the malicious
            clients' own examples of ``source_class`` that look least like it.
        source_class: The class of their own examples; null is the first one that is not the target class.
        tail: Share of that class's examples that counts as unusual.
        bound: Largest length of malicious updates, to which they are projected after each local step; null is none.

    Raises:
        InputError: If an argument is out of range, or the file cannot be used.

    Reference:
        Wang et al., Attack of the Tails: Yes, You Really Can Backdoor Federated Learning, NeurIPS 2020.

    Reading:
        The paper's examples are from other data sets. Without any, those count as unusual in which a simple clean model
        of the malicious clients' own data has the least confidence; `TailTrigger` describes it.
    """

    def __init__(
        self,
        fraction: float = 0.2,
        poison_fraction: float = 1.0,
        target_class: int | None = None,
        path: str | None = None,
        source_class: int | None = None,
        tail: float = 0.1,
        bound: float | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(
            fraction=fraction, poison_fraction=poison_fraction, trigger=None, target_class=target_class, **settings
        )
        for name, value, default in (("source_class", source_class, None), ("tail", tail, 0.1)):
            if path is not None and value != default:
                rank_zero_warn(f"attack.{name}={value} has no effect with attack.path={path}")
        if bound is not None:
            check_positive("attack.bound", bound)
        self.path = path
        self.source_class = source_class
        self.tail = tail
        self.bound = bound
        self._outside = None if path is None else OutsideTrigger(path)
        TailTrigger(0 if source_class is None else source_class, tail)  # says what is wrong with them

    def backdoor(self, default: Backdoor) -> Backdoor:
        """The unusual examples, which are the trigger."""
        target = default.target_class if self.target_class is None else self.target_class
        source = int(target == 0) if self.source_class is None else self.source_class
        trigger: Trigger = TailTrigger(source, self.tail) if self._outside is None else self._outside
        return default.changed(trigger, target)

    def train(self, local: LocalWork) -> LocalUpdates | None:
        """Keeps to the bound in each step."""
        if self.bound is None:
            return None
        return local.sgd(local.batches, project=partial(project, radius=self.bound))
