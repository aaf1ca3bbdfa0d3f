"""Whether a network can be the global model, found by calling a copy of it before work starts."""

from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from flt.clients.batch_norm import statistics_of
from flt.clients.batches import whole
from flt.clients.conduct import Conduct, copied, observe, random_module
from flt.clients.one_by_one import OneByOne
from flt.clients.randomness.layers import RandomLayers
from flt.clients.steps.settings import USUAL_SETTINGS
from flt.data.datamodule import FederatedDataModule
from flt.errors import InputError, PluginError, one_line, own_frame

# By how much, relative to its length, the gradients of two ways may differ: ReLUs at their edge make up to 0.01 of
# rounding in ResNet20, and weights that are not used make 1.
ROUNDING = 0.1

LARGER = "have larger batches (data.batch_size, data.root_size, model.root_batch_size, fewer clients)"


def check_network(network: nn.Module, data: FederatedDataModule) -> Conduct:
    """Raises an `InputError` unless ``network`` gives scores for the examples of ``data``.

    Returns:
        What a call in an evaluation changes.
    """
    name = _name(network)
    _check_tensors(network)
    if not any(parameter.requires_grad for parameter in network.parameters()):
        raise InputError(f"{name} has no parameters to train")
    try:
        probe = copied(network).eval()
    except Exception as error:  # a layer may hold anything
        raise _refusal(f"{name} cannot be copied, which several threads need", error) from error
    shape = list(data.test.features.shape[1:])
    for count in (1, 2):
        features = _on_its_device(network, data.test.features[:count])
        try:
            with torch.no_grad():
                scores, conduct = observe(probe, features)
        except Exception as error:  # a forward of the user's may raise anything
            raise _refusal(f"{name} cannot take examples of shape {shape}", error) from error
        _check_scores(name, scores, [len(features), data.num_classes], data.dataset_name)
        _check_conduct(network, conduct, probe, features)
    return conduct


def check_trainable(network: nn.Module, features: Tensor) -> Conduct:
    """Raises an `InputError` unless ``network`` can be trained on a batch as small as ``features``.

    Returns:
        What a call in training changes.
    """
    name, probe = _name(network), copied(network)
    features = _on_its_device(network, features)
    try:
        scores, conduct = observe(probe, features)
    except InputError as error:  # of `RandomLayers`
        raise InputError(f"{name}: {error}") from error
    except Exception as error:  # batch normalisation where there is nothing to take a variance of, or anything else
        reason = f"{name} cannot be trained on the smallest batch, of {len(features)}"
        raise _refusal(reason, error, f"; {LARGER} or another normalisation") from error
    _check_conduct(network, conduct, probe, features)
    if not isinstance(scores, Tensor) or not scores.requires_grad:
        raise InputError(
            f"{name} gives scores without a gradient (detached, or computed under no_grad or outside of torch): its"
            " parameters could not be trained"
        )
    _check_gradient(network, features, draws=conduct.draws)
    return conduct


def _check_gradient(network: nn.Module, features: Tensor, *, draws: bool) -> None:
    """Refuses a network that clients could not train one by one to what PyTorch itself gives."""
    name, probe = _name(network), copied(network)
    labels = torch.zeros(len(features), dtype=torch.int64, device=features.device)
    own = [parameter for parameter in probe.parameters() if parameter.requires_grad]
    batches = whole(features, labels, local_steps=1)._replace(seeds=torch.zeros(1, 1).long() if draws else None)
    try:
        with RandomLayers.alone(0) if draws else nullcontext() as layers:
            loss = nn.functional.cross_entropy(probe(features.clone()), labels, reduction="sum")
            num_drawn = layers and layers.num_drawn
            gradients = torch.autograd.grad(loss, own, allow_unused=True, materialize_grads=True)
        if layers and layers.num_drawn != num_drawn:
            raise InputError(
                f"{name} draws random numbers once more for its gradient, as activation checkpointing does: call its"
                " random layers outside of the checkpoint"
            )
        trained = OneByOne(copied(network), USUAL_SETTINGS)(batches, client_lr=1.0).updates[0]
    except InputError:
        raise
    except (
        Exception
    ) as error:  # an operation without a derivative, or a module that cannot be called with other weights
        raise _refusal(f"{name} cannot be trained", error) from error
    expected = torch.cat([gradient.to_dense().flatten() for gradient in gradients])
    if (trained + expected).norm() > ROUNDING * expected.norm():  # not so for a NaN, which says nothing
        raise InputError(
            f"{name} does not use the weights that a client has in the place of its own: its forward must reach each"
            " parameter through the module that owns it, and not through a list or another object"
        )


def _check_tensors(network: nn.Module) -> None:
    """Refuses parameters that no update can be made of: without values, sparse, or of another type than float32."""
    name = _name(network)
    for key, tensor in (*network.named_parameters(), *network.named_buffers()):
        if is_lazy(tensor):
            raise InputError(
                f"{name} has a lazy parameter {key}, whose shape is not known yet: give the layer its number of"
                " inputs, or call the network once in its __init__"
            )
        if tensor.is_meta:
            raise InputError(f"{name} has {key} on the device meta, without values: make it on the CPU")
    for key, parameter in network.named_parameters():
        if parameter.requires_grad and parameter.dtype != torch.float32:
            raise InputError(
                f"{name} has {str(parameter.dtype).removeprefix('torch.')} numbers in {key}, and updates are float32:"
                " call its .float(), or freeze the parameter with requires_grad_(False)"
            )
        if parameter.layout != torch.strided:
            raise InputError(f"{name} has a sparse parameter {key}: make it dense with .to_dense()")


def _check_scores(name: str, scores: Any, shape: list[int], dataset_name: str) -> None:
    """Refuses whatever is no tensor of real scores of the right shape."""
    examples = "one example" if shape[0] == 1 else f"{shape[0]} examples"
    if not isinstance(scores, Tensor):
        kind = "nothing (None)" if scores is None else f"a {type(scores).__name__}"
        hint = " (take the one that holds the scores)" if isinstance(scores, list | tuple | dict) else ""
        raise InputError(f"{name} gives {kind}{hint} for {examples}; its forward must return a tensor of shape {shape}")
    if list(scores.shape) != shape:
        raise InputError(
            f"{name} gives scores of shape {list(scores.shape)} for {examples}; {dataset_name} needs {shape}"
        )
    if not scores.is_floating_point() or scores.layout != torch.strided:
        kind = "sparse" if scores.layout != torch.strided else str(scores.dtype).removeprefix("torch.")
        raise InputError(f"{name} gives {kind} scores; its forward must return dense real numbers")


def _check_conduct(network: nn.Module, conduct: Conduct, probe: nn.Module, features: Tensor) -> None:
    """Refuses a network whose scores no run could repeat, or whose parameters move without a gradient."""
    name = _name(network)
    if conduct.is_random or (conduct.draws and not probe.training):
        path, module = random_module(probe, features)
        where = f"{name} has a {type(module).__name__} ({path}), which draws" if path else f"{name} draws"
        if not probe.training:
            raise InputError(f"{where} random numbers in an evaluation, too: draw only where self.training is True")
        raise InputError(f"{where} random numbers of Python or NumPy, which could not be repeated: draw by torch")
    if conduct.changed_parameters:
        raise InputError(
            f"{name} writes into its parameter {conduct.changed_parameters[0]} when it is called, where training moves"
            " it by gradients alone: compute the value anew, as torch.nn.utils.parametrize does"
        )
    for key in set(conduct.changed_buffers) - statistics_of(network).keys():
        if not key.endswith("num_batches_tracked"):
            raise InputError(
                f"{name} has a buffer {key} that changes in training and is no statistic of batch normalisation: what"
                " the server should make of it is not known"
            )
    if not conduct.is_repeatable:
        raise InputError(
            f"{name} gives other scores for the same examples when it is called again: it draws from random numbers of"
            " its own, or keeps something between calls in a place that is not found"
        )


def _refusal(text: str, error: Exception, remedy: str = "") -> InputError:
    """The mistake that an exception of the network's is; with a traceback where it went through the user's code."""
    kind = PluginError if own_frame(error) else InputError
    return kind(f"{text}: {one_line(error)}{remedy}")


def _name(network: nn.Module) -> str:
    return f"model.network {type(network).__name__}"


def _on_its_device(network: nn.Module, features: Tensor) -> Tensor:
    return features.to(next(network.parameters()).device)
