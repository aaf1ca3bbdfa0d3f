"""Checks of a run's parts against each other, before work starts."""

import math
from bisect import bisect_right
from reprlib import repr as shortened

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.cli import OptimizerCallable
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy, Strategy
from lightning.pytorch.utilities import rank_zero_warn
from torch import nn

from flt.data.datamodule import FederatedDataModule
from flt.errors import LARGEST, InputError
from flt.federation import Aggregation, Attack, Federation
from flt.random import run_seed


def check_trainer(trainer: Trainer, data: FederatedDataModule) -> None:
    """Raises an `InputError` for a trainer whose precision, processes or seed do not go with rounds on these data."""
    check_precision(trainer.precision)
    check_strategy(trainer.strategy)
    for name, examples in (("test", data.test), ("validation", data.validation)):
        if examples is not None and len(examples) < trainer.world_size:
            raise InputError(f"{trainer.world_size} processes share {len(examples)} {name} examples: take fewer")
    if data.run_seed != run_seed():
        raise InputError(
            f"the data were set up with seed {data.run_seed}, the run's is {run_seed()}: make a new data module"
        )


def check_precision(precision: str) -> None:
    """Raises an `InputError` for a precision in which updates would not be what they seem."""
    if precision not in ("32-true", "bf16-mixed"):
        raise InputError(precision_problem(precision))


def precision_problem(precision: str) -> str:
    """What to say of a precision that cannot be used."""
    return (
        f"trainer.precision={precision} is not supported (its gradient scaler or rounding would change the "
        "updates): use 32-true or bf16-mixed"
    )


def check_strategy(strategy: Strategy) -> None:
    """Raises an `InputError` for a strategy of Lightning's that splits the model, its steps or its statistics."""
    if getattr(strategy, "_layer_sync", None) is not None:
        raise InputError("trainer.sync_batchnorm=True would mix the statistics of clients: leave it False")
    if not isinstance(strategy, SingleDeviceStrategy | DDPStrategy):
        name = type(strategy).__name__
        raise InputError(f"trainer.strategy {name} is not supported: rounds run in one process, or in several with ddp")


def check_server_optimizer(make: OptimizerCallable, network: nn.Module) -> None:
    """Raises an `InputError` unless the optimizer takes a step for nothing but gradients."""
    probe = [nn.Parameter(torch.zeros_like(parameter)) for parameter in network.parameters()]
    try:
        optimizer = make(probe)
        for parameter in probe:
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"model.server_optimizer cannot be used: {error}") from error


def check_milestones(milestones: list[int], gamma: float, client_lr: float, *, num_rounds: int) -> None:
    """Raises an `InputError` for a learning rate that leaves float32; warns where a decay never happens."""
    decays = bisect_right(milestones, num_rounds - 1)
    if math.log2(client_lr) + decays * math.log2(gamma) > math.log2(LARGEST):
        raise InputError(
            f"model.lr_gamma={gamma} makes the clients' learning rate larger than float32 can hold after {decays} of"
            " model.lr_milestones: take a factor below 1"
        )
    if not milestones and gamma != 0.9:
        rank_zero_warn(f"model.lr_gamma={gamma} has no effect without model.lr_milestones")
    if milestones and gamma == 1:
        rank_zero_warn(f"model.lr_milestones={shortened(milestones)} have no effect with model.lr_gamma=1")
    if milestones and milestones[-1] >= num_rounds:
        rank_zero_warn(f"model.lr_milestones holds {milestones[-1]}, and training ends after {num_rounds} rounds")


def check_effects(
    data: FederatedDataModule, *, needs_update: bool, needs_data: bool = False, root_batch_size: int | None
) -> None:
    """Warns of settings of the data and the root update that have no effect under the others.

    Args:
        data: The data.
        needs_update: Whether rule or attack uses the root update.
        needs_data: Whether rule or attack uses the root dataset in another way.
        root_batch_size: Examples of the root dataset for a step; None for all.
    """
    if data.bias_probability is None and data.biased_class != 1:
        rank_zero_warn(f"data.biased_class={data.biased_class} has no effect without data.bias_probability")
    if data.long_tail == 1 and not data.long_tail_test:
        rank_zero_warn("data.long_tail_test=False has no effect without data.long_tail")
    if data.stand_in == "always" and data.data_dir is not None:
        rank_zero_warn(f"data.data_dir={data.data_dir} has no effect with data.stand_in=always")
    if needs_update:
        return
    if root_batch_size is not None:
        rank_zero_warn("model.root_batch_size has no effect: neither rule nor attack uses the root update")
    if needs_data:
        return
    if data.bias_probability is not None or data.root_path is not None:
        name = "bias_probability" if data.root_path is None else "root_path"
        rank_zero_warn(
            f"data.{name}={getattr(data, name)} changes nothing but what the clients are left with: neither rule nor"
            " attack uses the root dataset"
        )


def check_malicious(
    federation: Federation, attack: Attack | None, rule: Aggregation, *, num_byzantine: int | None
) -> None:
    """Warns of an attack that nobody makes, and of a number of malicious clients that nobody is told.

    Args:
        federation: The federation.
        attack: The attack; None for none.
        rule: The aggregation rule.
        num_byzantine: Malicious clients that rules are told to assume; None for as many as there are.
    """
    more = federation.replace(num_byzantine=federation.num_byzantine + federation.num_clients)
    asks = rule.describe(federation) != rule.describe(more)
    if num_byzantine is not None and not asks:
        rank_zero_warn(
            f"model.num_byzantine={num_byzantine} has no effect: {rule.label} does not take from it how many malicious"
            " clients to assume"
        )
    if attack is None:
        return
    for member, group in zip(attack.members, federation.groups, strict=True):
        if member.active and group.num_malicious == 0:
            rank_zero_warn(
                f"attack.fraction={member.fraction:g} makes none of {federation.num_clients} clients malicious:"
                f" {member.label} has no effect"
            )
    if attack.active or attack.fraction == 0:
        return
    if asks and num_byzantine is None:
        rank_zero_warn(
            f"attack.fraction={attack.fraction:g} of {attack.label} lets {rule.label} assume {federation.num_byzantine}"
            f" malicious clients, as in version 0.1: say model.num_byzantine={federation.num_byzantine} instead"
        )
    elif attack.fraction != 0.2:  # which version 0.1 has written into every configuration without an attack
        rank_zero_warn(f"attack.fraction={attack.fraction:g} has no effect: {attack.label} makes nobody malicious")


def check_schedule(attack: Attack | None, *, num_rounds: int) -> None:
    """Raises an `InputError` for an attack that begins after the last round, and warns of a ramp that does not end.

    Args:
        attack: The attack; None for none.
        num_rounds: Rounds of the run.
    """
    for member in attack.members if attack else ():
        schedule = member.schedule
        if schedule.start_round >= num_rounds:
            raise InputError(
                f"attack.start_round={schedule.start_round} is not one of the {num_rounds} rounds, counted from 0, of"
                f" trainer.max_steps: {member.label} would never take place; start it earlier"
            )
        end = num_rounds if schedule.end_round is None else min(schedule.end_round, num_rounds)
        if schedule.ramp > end - schedule.start_round:
            rank_zero_warn(
                f"attack.ramp={schedule.ramp} is longer than the {end - schedule.start_round} rounds of the attack: at"
                f" no time do all malicious clients make {member.label}"
            )
