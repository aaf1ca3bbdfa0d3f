"""Which networks are refused, and in what words; `tests/clients/test_networks.py` has those that are trained."""

import random
import re

import numpy as np
import pytest
import torch
from networks import NETWORKS, Checkpointed, Plain
from tiny import TinyData, mlp
from torch import nn
from torch.nn import functional as F

from flt.clients.randomness.state import random_state
from flt.errors import InputError, PluginError
from flt.server.checks.network import check_network, check_trainable

HERE = re.escape(f"({__file__}, line ")


def giving(change):
    """A kind of network whose forward gives what ``change`` makes of the scores."""

    class Net(Plain):
        def forward(self, features):
            return change(super().forward(features))

    return Net


def between(change):
    """A kind of network that does ``change`` to what lies between its layers."""

    class Net(Plain):
        def between(self, hidden):
            return change(hidden)

    return Net


class Stochastic(nn.Module):
    """Leaves a whole layer out at random, seldom."""

    def forward(self, features):
        return features * (torch.rand(len(features), 1) > 0.01)


class ByPython(nn.Module):
    def forward(self, features):
        return 0 * features if self.training and random.random() < 0.01 else features


class ByNumPy(nn.Module):
    def forward(self, features):
        return 0 * features if self.training and np.random.rand() < 0.01 else features  # noqa: NPY002  # as users do


class OwnGenerator(Plain):
    def __init__(self):
        super().__init__()
        self.source = np.random.default_rng(0)

    def between(self, hidden):
        return hidden + float(self.source.normal())


class Clamped(Plain):
    """Keeps its weights small, as a constraint of the largest norm does."""

    def between(self, hidden):
        self.head.weight.data.mul_(0.5)
        return hidden


class Counted(Plain):
    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def between(self, hidden):
        self.calls += 1
        return hidden


class Uncopyable(Plain):
    def __deepcopy__(self, memo):
        raise TypeError("cannot be copied")


class DroppedTwice(Checkpointed):
    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(self.first, nn.Dropout())


class Into(Plain):
    def between(self, hidden):
        return hidden * torch.rand(4, out=torch.zeros(4)) if self.training else hidden


class Forwards(torch.autograd.Function):
    @staticmethod
    def forward(ctx, hidden):
        return hidden.clone()

    @staticmethod
    def backward(ctx, gradient):
        raise NotImplementedError("no derivative yet")


class Listed(Plain):
    """Keeps its weights in a list besides."""

    def __init__(self):
        super().__init__()
        self.weights = [self.first.weight]

    def forward(self, features):
        return self.head(torch.tanh(F.linear(features, self.weights[0])))


def raising(error):
    def change(scores):
        raise error

    return giving(change)


def with_parameter(value):
    network = Plain()
    network.extra = nn.Parameter(value)
    return network


REFUSED = {
    # What it gives
    "tuple": (
        giving(lambda scores: (scores, scores)),
        r"gives a tuple \(take the one .*must return a tensor of shape \[1, 3\]",
    ),
    "dict": (giving(lambda scores: {"logits": scores}), r"gives a dict \(take the one that holds the scores\)"),
    "nothing": (giving(lambda scores: None), r"gives nothing \(None\) for one example"),
    "NumPy": (giving(lambda scores: scores.detach().numpy()), "gives a ndarray for one example"),
    "classes": (
        giving(lambda scores: scores.argmax(dim=1)),
        r"gives scores of shape \[1\] for one example; Tiny needs",
    ),
    "integers": (
        giving(lambda scores: scores.long()),
        "gives int64 scores; its forward must return dense real numbers",
    ),
    "complex scores": (giving(lambda scores: scores.to(torch.complex64)), "gives complex64 scores"),
    "detached": (giving(lambda scores: scores.detach()), "gives scores without a gradient"),
    "mean of the batch": (giving(lambda scores: scores.mean(dim=0)), r"gives scores of shape \[3\] for one example"),
    "one row": (
        giving(lambda scores: scores[:1]),
        r"gives scores of shape \[1, 3\] for 2 examples; Tiny needs \[2, 3\]",
    ),
    "other inputs": (lambda: nn.Linear(13, 3), r"Linear cannot take examples of shape \[12\]: .*mat1 and mat2 shapes"),
    "other outputs": (lambda: nn.Linear(12, 4), r"Linear gives scores of shape \[1, 4\] for one example; Tiny needs"),
    # What it is made of
    "no parameters": (nn.Flatten, "Flatten has no parameters to train"),
    "float64": (lambda: Plain().double(), r"has float64 numbers in first\.weight, .* call its \.float\(\)"),
    "complex": (lambda: Plain().to(torch.complex64), "has complex64 numbers in first.weight"),
    "lazy": (lambda: nn.LazyLinear(3), "LazyLinear has a lazy parameter weight, whose shape is not known yet"),
    "meta": (lambda: nn.Linear(12, 3, device="meta"), "has weight on the device meta, without values"),
    "sparse": (lambda: with_parameter(torch.eye(3).to_sparse()), r"has a sparse parameter extra: make it dense"),
    "not to be copied": (Uncopyable, "cannot be copied, which several threads need: TypeError: cannot be copied"),
    # What it raises
    "error": (raising(KeyError("hidden")), rf"Net cannot take examples of shape \[12\]: KeyError: 'hidden' {HERE}"),
    "error of an assertion": (raising(AssertionError()), rf"cannot take .*: AssertionError: +{HERE}"),
    "error of torch in its code": (giving(lambda scores: scores.view(5, 7)), rf"cannot take .*RuntimeError: .* {HERE}"),
    "error in a gradient": (
        between(Forwards.apply),
        rf"cannot be trained: NotImplementedError: no derivative yet {HERE}",
    ),
    "weights of its own": (Listed, "Listed does not use the weights that a client has"),
    # What it does
    "dropout in an evaluation": (
        giving(lambda scores: F.dropout(scores, 0.01)),
        "Net draws random numbers in an evaluation, too: draw only where self.training is True",
    ),
    "stochastic depth": (lambda: nn.Sequential(Stochastic(), mlp()), r"has a Stochastic \(0\), which draws random"),
    "Python's numbers": (
        lambda: nn.Sequential(nn.Dropout(), mlp(), nn.Sequential(ByPython())),
        r"has a ByPython \(2\.0\), which draws random numbers of Python or NumPy, .* draw by torch",
    ),
    "NumPy's numbers": (lambda: nn.Sequential(ByNumPy(), mlp()), r"has a ByNumPy \(0\), which draws .* of Python or"),
    "dropout in a checkpoint": (DroppedTwice, "draws random numbers once more for its gradient"),
    "numbers into a tensor": (Into, "Into: aten.rand draws random numbers in a way that could not be repeated"),
    "a generator of its own": (OwnGenerator, "gives other scores for the same examples when it is called again"),
    "weights in place": (Clamped, r"writes into its parameter head\.weight when it is called"),
    "a counter": (Counted, "has a buffer calls that changes in training"),
}


@pytest.fixture
def data():
    made = TinyData()
    made.setup()
    return made


def check(network, data):
    check_network(network, data)
    check_trainable(network, data.clients.features[:3])


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.filterwarnings(
    "ignore:Lazy modules are a new feature:UserWarning", "ignore:Complex modules are:UserWarning"
)
@pytest.mark.filterwarnings("ignore:Casting complex values:UserWarning")
def test_a_network_that_cannot_be_the_global_model(data, case):
    make, message = REFUSED[case]
    network, state = make(), random_state()
    with pytest.raises(InputError, match=f"^model.network .*{message}") as refused:
        check(network, data)
    assert isinstance(refused.value, PluginError) == (f"({__file__}, line " in str(refused.value))
    assert "\n" not in str(refused.value)
    assert random_state() == state


@pytest.mark.parametrize(
    "name", ["batch norm", "counting", "warming up", "LSTM that keeps its state", "in place on the input", "orthogonal"]
)
def test_a_network_is_left_as_it_was(data, name):
    network = NETWORKS[name][0]()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    attributes = {key: value for key, value in vars(network).items() if isinstance(value, int | float)}
    features, state = data.test.features.clone(), random_state()
    check(network, data)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert {key: vars(network)[key] for key in attributes} == attributes
    assert torch.equal(data.test.features, features)
    assert random_state() == state
