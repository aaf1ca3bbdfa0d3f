"""The learning rate of clients in each round, by a schedule of torch's that is read before the first of them."""

import inspect
import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, OneCycleLR, ReduceLROnPlateau

from flt.errors import LARGEST, InputError, one_line
from flt.server.quiet import quiet

MakeSchedule = Callable[[torch.optim.Optimizer], LRScheduler]
# What rounding may leave of a rate that is to be zero, beside the highest.
NOTHING = 1e-12


@dataclass(frozen=True)
class Rates:
    """The learning rates of a run, one a round, so that a resumed run needs no state of a scheduler.

    Attributes:
        label: The schedule, for people, such as ``StepLR(step_size=10, gamma=0.1)``.
        values: The rate of each round.
        moves_momentum: Whether the schedule would move an optimizer's momentum, too.
        base: What the schedule takes as the rate before any schedule: the clients', or one of its own.
    """

    label: str
    values: tuple[float, ...]
    moves_momentum: bool
    base: float

    def check(self, client_lr: float, *, momentum: float) -> None:
        """Raises an `InputError` for rates that are none or come to their end too early; warns of those that stay.

        Args:
            client_lr: The rate that the schedule was given.
            momentum: Of the clients.
        """
        setting, num_rounds = f"model.lr_schedule={self.label}", len(self.values)
        nothing = NOTHING * max(self.values)
        for number, rate in enumerate(self.values):
            if not -nothing <= rate <= LARGEST:
                raise InputError(
                    f"{setting} makes {rate:g} of model.client_lr={client_lr:g} in round {number}, counted from 0: take"
                    f" rates from 0 to {LARGEST:.1e}"
                )
        idle = [number for number, rate in enumerate(self.values) if rate <= nothing]
        if idle and idle[-1] == num_rounds - 1:
            last = max((number for number, rate in enumerate(self.values) if rate > nothing), default=-1)
            raise InputError(
                f"{setting} ends after {last + 1} of the {num_rounds} rounds of trainer.max_steps, with a learning rate"
                " of 0 in the others: let it last longer, or take fewer rounds"
            )
        if idle:
            rank_zero_warn(f"{setting}: the learning rate is 0 in round {idle[0]}, counted from 0; it learns nothing")
        if len(set(self.values)) == 1:
            rank_zero_warn(
                f"{setting} has no effect: the learning rate is {self.values[0]:g} in all {num_rounds} rounds"
            )
        if not math.isclose(self.base, client_lr):
            rank_zero_warn(
                f"{setting} sets rates of its own, from {self.base:g}, so that model.client_lr={client_lr:g} has no"
                " effect on what clients learn: change the rates of the schedule"
            )
        if self.moves_momentum and momentum:
            rank_zero_warn(f"{setting} leaves model.client_momentum={momentum:g} alone: only learning rates follow it")


def rates_of(make: MakeSchedule, client_lr: float, *, num_rounds: int) -> Rates:
    """The rates that a schedule of torch's gives, stepped once a round.

    Args:
        make: Makes the scheduler of an optimizer.
        client_lr: The learning rate before any schedule.
        num_rounds: Rounds of the run.

    Raises:
        InputError: If it cannot be made, goes by a metric, or ends before the last round.

    Example:
        >>> from functools import partial
        >>> halved = partial(torch.optim.lr_scheduler.StepLR, step_size=2, gamma=0.5)
        >>> rates_of(halved, 0.1, num_rounds=4)
        Rates(label='StepLR(step_size=2, gamma=0.5)', values=(0.1, 0.1, 0.05, 0.05), moves_momentum=False, base=0.1)
    """
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(()))], lr=client_lr)
    with quiet():  # SequentialLR uses what torch itself warns of
        try:
            scheduler = make(optimizer)
        except (TypeError, ValueError, AttributeError, ArithmeticError) as error:
            raise InputError(f"model.lr_schedule cannot be used: {one_line(error)}") from error
        if isinstance(scheduler, ReduceLROnPlateau):
            raise InputError(
                "model.lr_schedule=ReduceLROnPlateau goes by a metric: take a schedule by rounds, such as StepLR"
            )
        if not isinstance(scheduler, LRScheduler):
            raise InputError(
                f"model.lr_schedule made a {type(scheduler).__name__}: give a torch.optim.lr_scheduler class"
            )
        label, values = _label(scheduler), [_rate(optimizer)]
        _check_end(scheduler, label, num_rounds)
        for number in range(1, num_rounds):
            optimizer.step()
            try:
                scheduler.step()
            except (ValueError, ArithmeticError) as error:
                raise InputError(
                    f"model.lr_schedule={label} ends after {number} of the {num_rounds} rounds of trainer.max_steps:"
                    f" {one_line(error)}"
                ) from error
            values.append(_rate(optimizer))
    group = optimizer.param_groups[0]
    # OneCycleLR and CyclicLR put their own in the place of the optimizer's.
    return Rates(label, tuple(values), moves_momentum=bool(group["momentum"]), base=float(group["initial_lr"]))


def _check_end(scheduler: LRScheduler, label: str, num_rounds: int) -> None:
    """Raises an `InputError` for a scheduler that goes on after its end, where rates rise again."""
    for kind, setting, more in ((CosineAnnealingLR, "T_max", 1), (OneCycleLR, "total_steps", 0)):
        if isinstance(scheduler, kind) and getattr(scheduler, setting) + more < num_rounds:
            raise InputError(
                f"model.lr_schedule={label} ends after {getattr(scheduler, setting)} of the {num_rounds} rounds of"
                f" trainer.max_steps: set {setting}={num_rounds}"
            )


def _rate(optimizer: torch.optim.Optimizer) -> float:
    return float(optimizer.param_groups[0]["lr"])


def _label(scheduler: LRScheduler) -> str:
    """Class and arguments of a scheduler, as far as it remembers them."""
    others = ("optimizer", "last_epoch", "schedulers")
    names = [name for name in inspect.signature(type(scheduler)).parameters if name not in others]
    # Some keep arguments among the optimizer's, some under another name; milestones may be kept as a count of each.
    known = {**scheduler.optimizer.param_groups[0], **vars(scheduler)}
    kept = {name: next((known[key] for key in (name, f"_{name}", f"{name}s") if key in known), None) for name in names}
    settings = {
        name: sorted(value.elements()) if isinstance(value, Counter) else value
        for name, value in kept.items()
        if value is not None
    }
    parts: Iterable[LRScheduler] = getattr(scheduler, "_schedulers", ())
    inner = [_label(part) for part in parts]
    return (
        f"{type(scheduler).__name__}({', '.join([*inner, *(f'{name}={value}' for name, value in settings.items())])})"
    )
