"""Every client's gradient from one forward and one backward pass over all of them.

While all clients share the same weights, as in a first local step, their examples can go through the network as one big
batch. A layer's weight gradient is a product of its input and the gradient at its output, so taking that product client
by client gives each client's own gradient at the cost of one pass.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

# Layers without parameters that treat examples one by one and leave their input as it is.
PLAIN = (nn.Flatten, nn.Identity, nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid, nn.Softplus)


def supports(network: nn.Module) -> bool:
    """Whether the gradient of every parameter of ``network`` is known here.

    So it is for chains of `torch.nn.Linear` and plain activations: a `torch.nn.Sequential`, or a network that says
    ``calls_only_layers = True`` of itself. Anything else could use its parameters in ways that a layer does not see.
    """
    trained = all(parameter.requires_grad for parameter in network.parameters())
    return trained and all(_is_supported(module) for module in network.modules())


def _is_supported(module: nn.Module) -> bool:
    if next(module.children(), None) is not None:
        return type(module) is nn.Sequential or getattr(type(module), "calls_only_layers", False)
    return _is_known(module) or (type(module) in PLAIN and not getattr(module, "inplace", False))


def client_gradients(
    network: nn.Module, groups: Sequence[Tensor], slope: Callable[[Tensor], tuple[Tensor, Tensor]]
) -> tuple[list[Tensor], Tensor]:
    """Gradient of each client's own loss at the network's weights.

    Args:
        network: A network for which `supports` holds and which treats examples one by one.
        groups: The clients' features, those with batches of one size together, each of shape
            ``[num_clients, batch_size, *shape]``.
        slope: From the scores of all examples, shape ``[num_examples, num_classes]``, to the gradient of their losses
            with respect to them, of the same shape, and something to hand back.

    Returns:
        Gradients of each group, shape ``[num_clients, num_params]``, and what ``slope`` handed back.
    """
    calls: list[list[_Call]] = []

    def record(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        assert isinstance(module, nn.Linear)
        calls[-1].append(_Call(module, inputs[0].detach(), output))

    handles = [module.register_forward_hook(record) for module in network.modules() if _is_known(module)]
    scores: list[Tensor] = []
    try:
        with torch.enable_grad():
            for features in groups:
                calls.append([])
                scores.append(network(features.flatten(0, 1)))
    finally:
        for handle in handles:
            handle.remove()
    at_scores, extra = slope(torch.cat([each.detach() for each in scores]))
    at_each = dict(zip(map(id, scores), torch.split(at_scores, [len(each) for each in scores]), strict=True))
    # The last layer's output is the scores in most networks; autograd is for what lies before it.
    inner = [call.output for group in calls for call in group if id(call.output) not in at_each]
    if inner:
        found = torch.autograd.grad(scores, inner, [at_each[id(each)] for each in scores])
        at_each |= dict(zip(map(id, inner), found, strict=True))
    sizes = {id(parameter): parameter.numel() for parameter in network.parameters()}
    gradients = []
    for features, group in zip(groups, calls, strict=True):
        gradients.append(torch.empty(len(features), sum(sizes.values()), device=features.device))
        places = dict(zip(sizes, torch.split(gradients[-1], list(sizes.values()), dim=1), strict=True))
        written: set[int] = set()
        for call in group:
            written |= call.write_gradients(places, written, at_each[id(call.output)])
        for unused in places.keys() - written:
            places[unused].zero_()
    return gradients, extra


class _Call(NamedTuple):
    """One use of a linear layer on all examples of a group."""

    layer: nn.Linear
    features: Tensor
    output: Tensor

    def write_gradients(self, places: dict[int, Tensor], written: set[int], at_output: Tensor) -> set[int]:
        """Each client's gradient goes to the parameter's place, added to what was ``written`` before; says where."""
        weight, bias = self.layer.weight, self.layer.bias
        place = places[id(weight)].view(-1, *weight.shape)
        # All dimensions between batch and features are further examples to a linear layer.
        left = at_output.reshape(len(place), -1, self.layer.out_features).transpose(1, 2)
        right = self.features.reshape(len(place), -1, self.layer.in_features).to(left.dtype)
        if left.dtype == place.dtype:
            torch.baddbmm(place, left, right, beta=float(id(weight) in written), out=place)
        else:
            _write(place, torch.bmm(left, right), add=id(weight) in written)
        if bias is None:
            return {id(weight)}
        _write(places[id(bias)], left.sum(dim=2), add=id(bias) in written)
        return {id(weight), id(bias)}


def _write(place: Tensor, gradient: Tensor, *, add: bool) -> None:
    place.add_(gradient) if add else place.copy_(gradient)


def _is_known(module: nn.Module) -> bool:
    return type(module) is nn.Linear  # a subclass may compute something else
