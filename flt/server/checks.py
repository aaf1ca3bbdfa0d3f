"""Checks of a run's parts against each other, before work starts."""

import copy

import torch
from lightning.pytorch.cli import OptimizerCallable
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy, Strategy
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn

from flt.clients.batch_norm import statistics_of
from flt.data.datamodule import FederatedDataModule
from flt.errors import InputError
from flt.federation import Aggregation, Attack, Federation


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
    dtype = parameter.dtype if features.is_floating_point() else features.dtype  # token ids stay integers
    with torch.no_grad():
        scores: Tensor = network(features.to(parameter.device, dtype))
    return scores


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


def check_milestones(milestones: list[int], gamma: float, num_rounds: int) -> None:
    """Warns where a learning-rate decay never happens."""
    if not milestones and gamma != 0.9:
        rank_zero_warn(f"model.lr_gamma={gamma} has no effect without model.lr_milestones")
    if milestones and gamma == 1:
        rank_zero_warn(f"model.lr_milestones={milestones} have no effect with model.lr_gamma=1")
    if milestones and milestones[-1] >= num_rounds:
        rank_zero_warn(f"model.lr_milestones holds {milestones[-1]}, and training ends after {num_rounds} rounds")


def check_effects(data: FederatedDataModule, *, needs_root: bool, root_batch_size: int | None) -> None:
    """Warns of settings of the data and the root update that have no effect under the others.

    Args:
        data: The data.
        needs_root: Whether rule or attack uses the root update.
        root_batch_size: Examples of the root dataset for a step; None for all.
    """
    if data.bias_probability is None and data.biased_class != 1:
        rank_zero_warn(f"data.biased_class={data.biased_class} has no effect without data.bias_probability")
    if data.stand_in == "always" and data.data_dir is not None:
        rank_zero_warn(f"data.data_dir={data.data_dir} has no effect with data.stand_in=always")
    if needs_root:
        return
    if root_batch_size is not None:
        rank_zero_warn("model.root_batch_size has no effect: neither rule nor attack uses the root update")
    if data.bias_probability is not None or data.root_path is not None:
        name = "bias_probability" if data.root_path is None else "root_path"
        rank_zero_warn(
            f"data.{name}={getattr(data, name)} changes nothing but what the clients are left with: neither rule nor"
            " attack uses the root dataset"
        )


def check_malicious(federation: Federation, attack: Attack | None, rule: Aggregation) -> None:
    """Warns of an attack that nobody makes, and of a number of malicious clients that nobody is told."""
    if attack is None:
        return
    if attack.active and federation.num_malicious == 0:
        rank_zero_warn(
            f"attack.fraction={attack.fraction:g} makes none of {federation.num_clients} clients malicious:"
            f" {attack.label} has no effect"
        )
    told = federation.replace(num_expected=federation.num_expected + federation.num_clients)
    if not attack.active and attack.fraction not in (0, 0.2) and rule.describe(federation) == rule.describe(told):
        rank_zero_warn(
            f"attack.fraction={attack.fraction:g} has no effect: nobody is malicious, and {rule.label} does not take"
            " from it how many to expect"
        )
