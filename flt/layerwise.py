"""Every client's gradient from one forward and one backward pass over all of them.

While all clients share the same weights, as in a first local step, their examples can go through the network as one big
batch. A layer's weight gradient is a product of its input and the gradient at its output, so taking that product client
by client gives each client's own gradient at the cost of one pass.
"""

from collections.abc import Callable

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
    network: nn.Module, features: Tensor, slope: Callable[[Tensor], tuple[Tensor, Tensor]]
) -> tuple[Tensor, Tensor]:
    """Gradient of each client's own loss at the network's weights.

    Args:
        network: A network for which `supports` holds and which treats examples one by one.
        features: Shape ``[num_clients, batch_size, *shape]``.
        slope: From scores, shape ``[num_clients, batch_size, num_classes]``, to the gradient of the clients' losses
            with respect to them, of the same shape, and something to hand back.

    Returns:
        Gradients, shape ``[num_clients, num_params]``, and what ``slope`` handed back.
    """
    num_clients, batch_size = features.shape[:2]
    calls: list[tuple[nn.Linear, Tensor, Tensor]] = []

    def record(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        assert isinstance(module, nn.Linear)
        calls.append((module, inputs[0].detach(), output))

    handles = [module.register_forward_hook(record) for module in network.modules() if _is_known(module)]
    try:
        with torch.enable_grad():
            scores = network(features.flatten(0, 1))
            at_scores, extra = slope(scores.detach().unflatten(0, (num_clients, batch_size)))
            at_scores = at_scores.flatten(0, 1)
            # The last layer's output is the scores in most networks; autograd is for what lies before it.
            inner = [output for _, _, output in calls if output is not scores]
            found = iter(torch.autograd.grad(scores, inner, at_scores) if inner else ())
            at_outputs = [at_scores if output is scores else next(found) for _, _, output in calls]
    finally:
        for handle in handles:
            handle.remove()
    gradients: dict[int, Tensor] = {}
    for (module, inputs, _), at_output in zip(calls, at_outputs, strict=True):
        # All dimensions between batch and features are further examples to a linear layer.
        left = at_output.reshape(num_clients, -1, module.out_features)
        right = inputs.reshape(num_clients, -1, module.in_features).to(left.dtype)
        _add(gradients, module.weight, torch.bmm(left.transpose(1, 2), right).flatten(1))
        if module.bias is not None:
            _add(gradients, module.bias, left.sum(dim=1))
    return torch.cat([gradients[id(parameter)].float() for parameter in network.parameters()], dim=1), extra


def _is_known(module: nn.Module) -> bool:
    return type(module) is nn.Linear  # a subclass may compute something else


def _add(gradients: dict[int, Tensor], parameter: Tensor, gradient: Tensor) -> None:
    key = id(parameter)
    gradients[key] = gradients[key] + gradient if key in gradients else gradient
