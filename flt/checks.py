"""Checks of a run's parts against each other, before work starts."""

import copy
from typing import Any

import torch
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy, Strategy
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn

from flt.data.datamodule import FederatedDataModule
from flt.errors import InputError
from flt.statistics import statistics_of


def check_precision(precision: str) -> None:
    """Raises an `InputError` for a precision in which updates would not be what they seem."""
    if precision not in ("32-true", "bf16-mixed"):
        raise InputError(
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


def check_network(network: nn.Module, data: FederatedDataModule) -> None:
    """Raises an `InputError` unless ``network`` gives scores for the examples of ``data``."""
    name = f"model.network {type(network).__name__}"
    for module in network.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd) and module.p > 0:
            kind = type(module).__name__
            raise InputError(f"{name} has a {kind}, whose draws could not be repeated: set its p to 0 or leave it out")
    if not any(parameter.requires_grad for parameter in network.parameters()):
        raise InputError(f"{name} has no parameters to train")
    example = data.test.features[:1]
    try:
        shape = list(_scores(copy.deepcopy(network).eval(), example).shape)
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{name} cannot take examples of shape {list(example.shape[1:])}: {reason}") from error
    if shape != [1, data.num_classes]:
        raise InputError(
            f"{name} gives scores of shape {shape} for one example; {data.dataset_name} needs [1, {data.num_classes}]"
        )


def check_trainable(network: nn.Module, features: Tensor) -> None:
    """Raises an `InputError` unless ``network`` can be trained on a batch as small as ``features``."""
    name = f"model.network {type(network).__name__}"
    probe = copy.deepcopy(network)
    try:
        _scores(probe, features)
    except (RuntimeError, ValueError) as error:  # batch normalisation where there is nothing to take a variance of
        raise InputError(
            f"{name} cannot be trained on the smallest batch, of {len(features)}: {str(error).splitlines()[0]}; have"
            " larger batches (data.batch_size, data.root_size, model.root_batch_size, fewer clients) or another"
            " normalisation"
        ) from error
    own, after = dict(network.named_buffers()), dict(probe.named_buffers())
    for key in own.keys() - statistics_of(network).keys():
        if not key.endswith("num_batches_tracked") and not torch.equal(own[key].nan_to_num(), after[key].nan_to_num()):
            raise InputError(
                f"{name} has a buffer {key} that changes in training and is no statistic of batch normalisation: what"
                " the server should make of it is not known"
            )


def _scores(network: nn.Module, features: Tensor) -> Tensor:
    parameter = next(network.parameters())
    with torch.no_grad():
        scores: Tensor = network(features.to(parameter.device, parameter.dtype))
    return scores


def check_milestones(milestones: list[int], gamma: float, num_rounds: int) -> None:
    """Warns where a learning-rate decay never happens."""
    if not milestones and gamma != 0.9:
        rank_zero_warn(f"model.lr_gamma={gamma} has no effect without model.lr_milestones")
    if milestones and milestones[-1] >= num_rounds:
        rank_zero_warn(f"model.lr_milestones holds {milestones[-1]}, and training ends after {num_rounds} rounds")


def check_settings(config: Any, command: str | None) -> None:
    """Raises an `InputError` for settings of Lightning's that cannot work here, before anything is built.

    Args:
        config: The parsed configuration of a subcommand.
        command: The subcommand, None if nothing is to run.
    """
    seed = config.seed_everything
    if seed is False or seed is None:
        raise InputError(f"seed_everything={seed}: a run needs a seed; give a number, or true for a random one")
    if seed is not True and not 0 <= seed < 2**32:
        raise InputError(f"seed_everything={seed} must be from 0 to {2**32 - 1}")
    for key, nothing in (("aggregation", "FedAvg"), ("attack", "NoAttack")):
        if config[key] is None:
            raise InputError(f"{key}=null: name a class; {nothing} is the plainest")
    for name in ("max_steps", "val_check_interval", "log_every_n_steps") if command == "fit" else ():
        value = config.trainer[name]
        if value is not None and value < 1 and not (name == "val_check_interval" and value > 0):
            meaning = "number of rounds" if name == "max_steps" else "number of rounds between"
            raise InputError(f"trainer.{name}={value} is the {meaning}: set it to 1 or more")
    precision = str(config.trainer.precision)
    if precision in ("16-mixed", "16"):  # which Lightning turns into bf16-mixed on a CPU before anyone can see it
        check_precision(precision)
