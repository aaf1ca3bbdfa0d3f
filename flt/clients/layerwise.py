"""Every client's gradient from one forward and one backward pass over all of them.

While all clients share the same weights, as in a first local step, their examples can go through the network as one big
batch. A layer's weight gradient is a product of its input and the gradient at its output, so taking that product client
by client gives each client's own gradient at the cost of one pass.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import linear
from torch.overrides import TorchFunctionMode

# Numbers of a product that are held before they go where they belong: on a CPU what the allocator keeps.
BLOCK = 2**18
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
    network: nn.Module,
    parameters: Sequence[nn.Parameter],
    groups: Sequence[Tensor],
    slope: Callable[[Tensor], tuple[Tensor, Tensor]],
) -> tuple[list[Tensor], Tensor]:
    """Gradient of each client's own loss at the network's weights.

    Args:
        network: A network for which `supports` holds and which treats examples one by one.
        parameters: Its parameters, in the order in which their gradients are wanted.
        groups: The clients' features, those with batches of one size together, each of shape
            ``[num_clients, batch_size, *shape]``.
        slope: From the scores of all examples, shape ``[num_examples, num_classes]``, to the gradient of their losses
            with respect to them, of the same shape, and something to hand back.

    Returns:
        Gradients of each group, shape ``[num_clients, num_params]``, and what ``slope`` handed back.
    """
    scores: list[Tensor] = []
    calls: list[list[_Call]] = []
    for features in groups:
        with torch.enable_grad(), _Record(len(features)) as record:
            scores.append(network(features.flatten(0, 1)))
        calls.append(record.calls)
    classes_first = torch.cat([each.detach().movedim(-1, 0) for each in scores], dim=1)
    at_scores, extra = slope(classes_first.movedim(0, -1))
    at_each = dict(zip(map(id, scores), at_scores.split_with_sizes([len(each) for each in scores]), strict=True))
    # The last layer's output is the scores in most networks; autograd is for what lies before it.
    inner = [call.output for group in calls for call in group if id(call.output) not in at_each]
    if inner:
        found = torch.autograd.grad(scores, inner, [at_each[id(each)] for each in scores])
        at_each |= dict(zip(map(id, inner), found, strict=True))
    sizes = {id(parameter): parameter.numel() for parameter in parameters}
    gradients = []
    for features, group in zip(groups, calls, strict=True):
        gradients.append(torch.empty(len(features), sum(sizes.values()), device=features.device))
        places = dict(zip(sizes, gradients[-1].split_with_sizes(list(sizes.values()), dim=1), strict=True))
        written: set[int] = set()
        for call in group:
            written |= call.write_gradients(places, written, at_each[id(call.output)])
        for unused in places.keys() - written:
            places[unused].zero_()
    return gradients, extra


class _Call(NamedTuple):
    """One use of a linear layer on all examples of a group."""

    weight: Tensor
    bias: Tensor | None
    features: Tensor
    output: Tensor

    def write_gradients(self, places: dict[int, Tensor], written: set[int], at_output: Tensor) -> set[int]:
        """Each client's gradient goes to the parameter's place, added to what was ``written`` before; says where."""
        num_outputs, num_inputs = self.weight.shape
        place = places[id(self.weight)].view(-1, num_outputs, num_inputs)
        # All dimensions between batch and features are further examples to a linear layer.
        left = at_output.reshape(len(place), -1, num_outputs).transpose(1, 2)
        right = self.features.reshape(len(place), -1, num_inputs).to(left.dtype)
        # Written straight to a place that is no block of its own, products would take one thread and twice the time.
        per_block = max(1, BLOCK // self.weight.numel())
        for start in range(0, len(place), per_block):
            some = slice(start, start + per_block)
            _write(place[some], torch.bmm(left[some], right[some]), add=id(self.weight) in written)
        if self.bias is None:
            return {id(self.weight)}
        _write(places[id(self.bias)], left.sum(dim=2), add=id(self.bias) in written)
        return {id(self.weight), id(self.bias)}


class _Record(TorchFunctionMode):
    """While it is entered, notes what every linear layer does, and lets it do so client by client.

    A product with few columns is up to twice as fast on a CPU in many small ones; with many it is all the same.
    """

    def __init__(self, num_clients: int) -> None:
        super().__init__()
        self.num_clients = num_clients
        self.calls: list[_Call] = []

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Called by torch in the place of each of its functions."""
        if func is not linear:
            return func(*args, **(kwargs or {}))
        features, weight, bias = args
        columns = features.reshape(self.num_clients, -1, weight.shape[1]).transpose(1, 2)
        weights = weight.expand(self.num_clients, *weight.shape)
        outputs = torch.bmm(weights, columns) if bias is None else torch.baddbmm(bias[:, None], weights, columns)
        output = outputs.transpose(1, 2).reshape(*features.shape[:-1], len(weight))
        self.calls.append(_Call(weight, bias, features.detach(), output))
        return output


def _write(place: Tensor, gradient: Tensor, *, add: bool) -> None:
    place.add_(gradient) if add else place.copy_(gradient)


def _is_known(module: nn.Module) -> bool:
    return type(module) is nn.Linear  # a subclass may compute something else
