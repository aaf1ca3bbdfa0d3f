"""Every client's gradient from one forward and one backward pass over all of them.

While all clients share the same weights, as in a first local step, their examples can go through the network as one big
batch. A layer's weight gradient is a product of its input and the gradient at its output, so taking that product client
by client gives each client's own gradient at the cost of one pass.

A worked example: two clients with one example each, ``x_1 = 2`` and ``x_2 = 3``, and a layer ``y = w x``, ``w = 1``.

1. One call of the layer with both examples gives ``y = [2, 3]``; `_Record` notes the layer's weight, ``[2, 3]`` as its
   features and ``[2, 3]`` as its output.
2. With the loss ``y ** 2 / 2`` the gradient at the output is ``[2, 3]``; one backward pass gives it for both examples,
   and for every layer before this one.
3. The gradient of ``w`` is the sum over examples of (gradient at the output) x (features). Taken over all examples it
   would be ``2 x 2 + 3 x 3 = 13``. Taken client by client, as a batched product with a row for each client, it is
   ``[4, 9]``: what each client would have found alone.

>>> layer, clients = nn.Linear(1, 1, bias=False), torch.tensor([[[2.0]], [[3.0]]])
>>> _ = nn.init.ones_(layer.weight)
>>> gradients, _ = client_gradients(layer, [layer.weight], [clients], lambda scores: (scores.detach(), None))
>>> gradients[0].flatten().tolist()
[4.0, 9.0]
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import linear
from torch.overrides import TorchFunctionMode

from flt.clients.backward import gradients as gradients_of

Extra = TypeVar("Extra")
# Numbers of a product that are held before they go where they belong: on a CPU what the allocator keeps.
BLOCK = 2**18
# Layers without parameters that treat examples one by one and leave their input as it is.
PLAIN = (nn.Flatten, nn.Identity, nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid, nn.Softplus)
# Those that draw a number for each number of an example.
RANDOM = (nn.Dropout, nn.AlphaDropout)


def supports(network: nn.Module) -> bool:
    """Whether the gradient of every parameter of ``network`` is known here.

    It is known for chains of `torch.nn.Linear`, plain activations and dropout: a `torch.nn.Sequential`, or a network
    whose class has the attribute ``calls_only_layers = True``. With it a class promises that its ``forward`` does
    nothing but call its layers, each in a way that treats examples one by one. Any other network could use its
    parameters in ways that a layer does not see.
    """
    trained = all(parameter.requires_grad for parameter in network.parameters())
    return trained and all(_is_supported(module) for module in network.modules())


def _is_supported(module: nn.Module) -> bool:
    if next(module.children(), None) is not None:
        return type(module) is nn.Sequential or getattr(type(module), "calls_only_layers", False)
    return _is_known(module) or (type(module) in (*PLAIN, *RANDOM) and not getattr(module, "inplace", False))


def client_gradients(
    network: nn.Module,
    parameters: Sequence[nn.Parameter],
    groups: Sequence[Tensor],
    loss_gradient: Callable[[Tensor], tuple[Tensor, Extra]],
    random_layers: Sequence[AbstractContextManager[Any]] | None = None,
) -> tuple[list[Tensor], Extra]:
    """Gradient of each client's own loss at the network's weights.

    Args:
        network: A network for which `supports` holds and which treats examples one by one.
        parameters: Its parameters, in the order in which their gradients are wanted.
        groups: The clients' features, those with batches of one size together, each of shape
            ``[num_clients, batch_size, *shape]``.
        loss_gradient: Maps the scores of all examples, shape ``[num_examples, num_classes]``, to the gradient of their
            losses with respect to the scores, of the same shape, and to something to hand back.
        random_layers: In what the network is called with each group; None for a network without random layers.

    Returns:
        Gradients of each group, shape ``[num_clients, num_params]``, and what ``loss_gradient`` handed back.
    """
    scores: list[Tensor] = []
    calls: list[list[_Call]] = []
    for features, within in zip(groups, random_layers or [nullcontext()] * len(groups), strict=True):
        with torch.enable_grad(), _Record(len(features)) as record, within:
            scores.append(network(features.flatten(0, 1)))
        calls.append(record.calls)
    classes_first = torch.cat([each.detach().movedim(-1, 0) for each in scores], dim=1)
    score_gradient, extra = loss_gradient(classes_first.movedim(0, -1))
    pieces = score_gradient.split_with_sizes([len(each) for each in scores])
    output_gradients = dict(zip(map(id, scores), pieces, strict=True))
    # The last layer's output is the scores in most networks; autograd is for the layers before it.
    inner = [call.output for group in calls for call in group if id(call.output) not in output_gradients]
    if inner:
        found = gradients_of(scores, [output_gradients[id(each)] for each in scores], inner)
        output_gradients |= dict(zip(map(id, inner), found, strict=True))
    sizes = {id(parameter): parameter.numel() for parameter in parameters}
    gradients = []
    for features, group in zip(groups, calls, strict=True):
        gradients.append(torch.empty(len(features), sum(sizes.values()), device=features.device))
        columns = dict(zip(sizes, gradients[-1].split_with_sizes(list(sizes.values()), dim=1), strict=True))
        written: set[int] = set()
        for call in group:
            written |= call.write_gradients(columns, written, output_gradients[id(call.output)])
        for unused in columns.keys() - written:
            columns[unused].zero_()
    return gradients, extra


class _Call(NamedTuple):
    """One use of a linear layer on all examples of a group."""

    weight: Tensor
    bias: Tensor | None
    features: Tensor
    output: Tensor

    def write_gradients(self, columns: dict[int, Tensor], written: set[int], output_gradient: Tensor) -> set[int]:
        """Writes each client's gradient of weight and bias.

        Args:
            columns: The columns of the result that belong to a parameter, by its ``id``, a row for each client.
            written: Parameters that another call has written to; what this call finds is added there.
            output_gradient: Gradient of the losses with respect to the call's output.

        Returns:
            The parameters that this call has written to.
        """
        num_outputs, num_inputs = self.weight.shape
        of_weight = columns[id(self.weight)].view(-1, num_outputs, num_inputs)
        # All dimensions between batch and features are further examples to a linear layer.
        left = output_gradient.reshape(len(of_weight), -1, num_outputs).transpose(1, 2)
        right = self.features.reshape(len(of_weight), -1, num_inputs).to(left.dtype)
        # Written straight to columns that are no block of their own, products would take one thread and twice the time.
        per_block = max(1, BLOCK // self.weight.numel())
        for start in range(0, len(of_weight), per_block):
            some = slice(start, start + per_block)
            columns_of_some, is_added = of_weight[some], id(self.weight) in written
            if columns_of_some.is_contiguous() and columns_of_some.dtype == left.dtype and not is_added:
                torch.bmm(left[some], right[some], out=columns_of_some)  # one client's are a block
            else:
                _write(columns_of_some, torch.bmm(left[some], right[some]), add=is_added)
        if self.bias is None:
            return {id(self.weight)}
        _write(columns[id(self.bias)], left.sum(dim=2), add=id(self.bias) in written)
        return {id(self.weight), id(self.bias)}


class _Record(TorchFunctionMode):
    """Notes every call of a linear layer while it is entered, and computes each call client by client.

    On a CPU many small products, one for each client, are up to twice as fast as one product with few columns; with
    many columns there is no difference.
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


def _write(columns: Tensor, gradient: Tensor, *, add: bool) -> None:
    columns.add_(gradient) if add else columns.copy_(gradient)


def _is_known(module: nn.Module) -> bool:
    return type(module) is nn.Linear  # a subclass may compute something else
