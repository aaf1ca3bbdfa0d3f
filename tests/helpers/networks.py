"""Networks of users' kinds for the twelve features and three classes of `tiny.TinyData`, each of a few parameters."""

import math

import torch
from tiny import NUM_CLASSES, NUM_FEATURES
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations, parametrize
from torch.utils.checkpoint import checkpoint

NUM_TOKENS = 7


def head(width: int) -> nn.Module:
    return nn.Linear(width, NUM_CLASSES)


def on_series(*layers: nn.Module) -> nn.Module:
    """Layers for a series of six steps of two channels, ``[n, 2, 6]``."""
    return nn.Sequential(nn.Unflatten(1, (2, 6)), *layers)


def on_images(*layers: nn.Module) -> nn.Module:
    """Layers for images of two channels, ``[n, 2, 2, 3]``."""
    return nn.Sequential(nn.Unflatten(1, (2, 2, 3)), *layers)


class Recurrent(nn.Module):
    def __init__(self, kind: type[nn.RNNBase] = nn.GRU, **settings: object) -> None:
        super().__init__()
        self.layer = kind(3, 4, batch_first=True, **settings)
        self.head = head(8 if self.layer.bidirectional else 4)

    def forward(self, features: Tensor) -> Tensor:
        return self.head(self.layer(features.view(-1, 4, 3))[0][:, -1])


class LearnedStart(Recurrent):
    def __init__(self) -> None:
        super().__init__()
        self.start = nn.Parameter(torch.full((1, 1, 4), 0.1))

    def forward(self, features: Tensor) -> Tensor:
        start = self.start.expand(1, len(features), 4).contiguous()
        return self.head(self.layer(features.view(-1, 4, 3), start)[1][0])


class KeptState(Recurrent):
    """Goes on from the hidden state of the batch before."""

    def __init__(self) -> None:
        super().__init__(nn.LSTM)
        self.state: tuple[Tensor, ...] | None = None

    def forward(self, features: Tensor) -> Tensor:
        if self.state is not None and self.state[0].shape[1] != len(features):
            self.state = None
        state = self.state and tuple(each.detach() for each in self.state)
        outputs, self.state = self.layer(features.view(-1, 4, 3), state)
        return self.head(outputs[:, -1])


class RenewedState(Recurrent):
    """Keeps its hidden state as an attribute, and starts it anew for each batch."""

    def forward(self, features: Tensor) -> Tensor:
        self.hidden = torch.zeros(1, len(features), 4)
        outputs, self.hidden = self.layer(features.view(-1, 4, 3), self.hidden)
        return self.head(outputs[:, -1])


class Cells(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell, self.head = nn.GRUCell(3, 4), head(4)

    def forward(self, features: Tensor) -> Tensor:
        hidden = features.new_zeros(len(features), 4)
        for step in features.view(-1, 4, 3).unbind(1):
            hidden = self.cell(step, hidden)
        return self.head(hidden)


class Transformer(nn.Module):
    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(4, 2, 8, dropout, batch_first=True)
        self.encoder, self.head = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False), head(4)

    def forward(self, features: Tensor) -> Tensor:
        return self.head(self.encoder(features.view(-1, 3, 4)).mean(dim=1))


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention, self.head = nn.MultiheadAttention(4, 2, batch_first=True), head(4)

    def forward(self, features: Tensor) -> Tensor:
        tokens = features.view(-1, 3, 4)
        return self.head(self.attention(tokens, tokens, tokens)[0][:, 0])


class Tokens(nn.Module):
    def __init__(self, **settings: object) -> None:
        super().__init__()
        self.embedding, self.head = nn.Embedding(NUM_TOKENS, 4, **settings), head(4)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.embedding(tokens).mean(dim=1))


class Text(nn.Module):
    """An encoder of tokens that leaves out padding, which is token 0, and shares its weights with the last layer."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.places = nn.Embedding(NUM_TOKENS, 4, padding_idx=0), nn.Parameter(torch.zeros(12, 4))
        layer = nn.TransformerEncoderLayer(4, 2, 8, 0.2, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.tokens, self.head = nn.Linear(4, NUM_TOKENS), head(NUM_TOKENS)
        self.tokens.weight = self.embedding.weight

    def forward(self, tokens: Tensor) -> Tensor:
        is_padding = tokens == 0
        seen = self.encoder(self.embedding(tokens) + self.places, src_key_padding_mask=is_padding)
        return self.head(self.tokens(seen.masked_fill(is_padding[..., None], 0.0).mean(dim=1)))


class Bags(Tokens):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.EmbeddingBag(NUM_TOKENS, 4)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.embedding(tokens))


class Tied(nn.Module):
    """Two layers of one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(NUM_FEATURES, NUM_FEATURES), nn.Linear(NUM_FEATURES, NUM_FEATURES)
        self.second.weight, self.head = self.first.weight, head(NUM_FEATURES)

    def forward(self, features: Tensor) -> Tensor:
        return self.head(torch.tanh(self.second(torch.tanh(self.first(features)))))


class Plain(nn.Module):
    """Two layers; what its kinds do between them is ``between``."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.head = nn.Linear(NUM_FEATURES, 4), head(4)

    def forward(self, features: Tensor) -> Tensor:
        return self.head(self.between(self.first(features)))

    def between(self, hidden: Tensor) -> Tensor:
        return torch.tanh(hidden)


class Item(Plain):
    def between(self, hidden: Tensor) -> Tensor:
        return torch.tanh(hidden) / (1 + abs(hidden.detach().mean().item()))


class Branch(Plain):
    def between(self, hidden: Tensor) -> Tensor:
        return torch.tanh(hidden) if hidden.sum() > 0 else torch.sigmoid(hidden)


class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, hidden: Tensor) -> Tensor:
        ctx.save_for_backward(hidden)
        return hidden**3

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, gradient: Tensor) -> Tensor:
        (hidden,) = ctx.saved_tensors
        return 3 * hidden**2 * gradient


class OwnFunction(Plain):
    def between(self, hidden: Tensor) -> Tensor:
        return Cube.apply(torch.tanh(hidden))


class InPlace(Plain):
    def between(self, hidden: Tensor) -> Tensor:
        padded = torch.zeros(len(hidden), 4)
        padded[:, 1:] += hidden[:, 1:]
        padded *= 0.5
        return padded.tanh_()


class ScaledInput(Plain):
    def forward(self, features: Tensor) -> Tensor:
        return super().forward(features.mul_(0.5))


class Centred(Plain):
    """Takes the mean over the batch away."""

    def between(self, hidden: Tensor) -> Tensor:
        return torch.tanh(hidden - hidden.mean(dim=0))


class Checkpointed(Plain):
    def forward(self, features: Tensor) -> Tensor:
        return self.head(checkpoint(lambda own: torch.tanh(self.first(own)), features, use_reentrant=False))


class Counting(Plain):
    """Counts its calls, as schedules do, and notes what it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.calls, self.seen = 0, {"largest": 0.0}

    def between(self, hidden: Tensor) -> Tensor:
        self.calls += 1
        self.seen["largest"] = float(hidden.detach().max())
        return torch.tanh(hidden)


class Warming(Plain):
    """Scales by the number of calls so far: each client starts from the first."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def between(self, hidden: Tensor) -> Tensor:
        self.calls += 1
        return torch.tanh(hidden) / math.sqrt(self.calls)


class Unique(Plain):
    """Uses an operation that torch's vmap has no rule for: its result has a size that depends on the data."""

    def between(self, hidden: Tensor) -> Tensor:
        return torch.tanh(hidden) / (1 + len(torch.unique(hidden.detach() > 0)))


class Experts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.experts = nn.ModuleDict({"one": nn.Linear(NUM_FEATURES, 4), "other": nn.Linear(NUM_FEATURES, 4)})
        self.shares, self.head = nn.ParameterList([torch.ones(4), torch.ones(4)]), head(4)

    def forward(self, features: Tensor) -> Tensor:
        return self.head(sum(w * layer(features) for w, layer in zip(self.shares, self.experts.values(), strict=True)))


class StochasticDepth(Plain):
    """Leaves a layer out at random, for each example, and adds noise."""

    def between(self, hidden: Tensor) -> Tensor:
        if not self.training:
            return hidden
        return hidden + torch.tanh(hidden) * (torch.rand(len(hidden), 1) > 0.5) + 0.1 * torch.randn_like(hidden)


class Shuffled(Plain):
    def between(self, hidden: Tensor) -> Tensor:
        return hidden[:, torch.randperm(4)] if self.training else hidden


class Residual(Plain):
    def between(self, hidden: Tensor) -> Tensor:
        return hidden + F.gelu(hidden)


class Symmetric(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return weight.triu() + weight.triu(1).T


class Constant(nn.Module):
    """Centres its input by a buffer that never changes."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("centre", torch.linspace(-1.0, 1.0, 4))

    def forward(self, features: Tensor) -> Tensor:
        return features - self.centre


class Twice(nn.Module):
    """Calls one normalisation twice in a pass."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.second, self.head = nn.Linear(12, 4), nn.BatchNorm1d(4), nn.Linear(4, 4), head(4)

    def forward(self, features: Tensor) -> Tensor:
        return self.head(self.norm(self.second(torch.tanh(self.norm(self.first(features))))))


def normalised(*norms: nn.Module) -> nn.Module:
    """Normalisations of four channels behind a linear layer."""
    return nn.Sequential(nn.Linear(NUM_FEATURES, 4), *norms, nn.Tanh(), head(4))


def fixed(*, training: bool) -> nn.Module:
    """Batch normalisation whose parameters are fixed and, without ``training``, whose statistics are, too."""
    norm = nn.BatchNorm1d(4).requires_grad_(False).train(training)
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 1.5)
    return normalised(norm)


def in_series(norm: nn.Module) -> nn.Module:
    """A normalisation of one channel of a series of four."""
    return nn.Sequential(nn.Unflatten(1, (1, 4)), norm, nn.Flatten())


def old_weight_norm() -> nn.Module:
    return nn.Sequential(nn.utils.weight_norm(nn.Linear(NUM_FEATURES, 4)), nn.Tanh(), head(4))


def frozen() -> nn.Module:
    network = Plain()
    network.first.requires_grad_(False)
    return network


def scripted() -> nn.Module:
    return nn.Sequential(torch.jit.script(nn.Linear(NUM_FEATURES, 4)), nn.Tanh(), head(4))


# By name, with what is said of those that are trained one after the other.
NETWORKS = {
    "GRU": (Recurrent, "cannot be vectorised"),
    "LSTM": (lambda: Recurrent(nn.LSTM), None),
    "RNN of two layers": (lambda: Recurrent(nn.RNN, num_layers=2), "cannot be vectorised"),
    "bidirectional LSTM": (lambda: Recurrent(nn.LSTM, bidirectional=True), None),
    "GRU with a learned start": (LearnedStart, "cannot be vectorised"),
    "LSTM that keeps its state": (KeptState, "keeps a state (state)"),
    "GRU that renews its state": (RenewedState, "keeps a state (hidden)"),
    "cells": (Cells, None),
    "transformer encoder": (Transformer, None),
    "attention": (Attention, None),
    "embedding of tokens": (Tokens, None),
    "embedding with padding": (lambda: Tokens(padding_idx=0), None),
    "sparse embedding": (lambda: Tokens(sparse=True), "cannot be vectorised"),
    "bags of tokens": (Bags, None),
    "tied weights": (Tied, None),
    "weight norm": (lambda: nn.Sequential(parametrizations.weight_norm(nn.Linear(NUM_FEATURES, 4)), head(4)), None),
    "weight norm of old": (old_weight_norm, "keeps a state (0.weight)"),
    "orthogonal": (lambda: nn.Sequential(parametrizations.orthogonal(nn.Linear(NUM_FEATURES, 4)), head(4)), None),
    "symmetric": (
        lambda: nn.Sequential(
            parametrize.register_parametrization(nn.Linear(NUM_FEATURES, NUM_FEATURES), "weight", Symmetric()),
            head(NUM_FEATURES),
        ),
        None,
    ),
    "depthwise convolutions": (
        lambda: on_images(nn.Conv2d(2, 4, 2, groups=2), nn.ReLU6(), nn.Conv2d(4, 3, 1), nn.Flatten(), head(6)),
        None,
    ),
    "transposed convolution": (lambda: on_series(nn.ConvTranspose1d(2, 2, 3), nn.Flatten(), head(16)), None),
    "group norm": (
        lambda: on_images(nn.Conv2d(2, 4, 1), nn.GroupNorm(2, 4), nn.PReLU(), nn.Flatten(), head(24)),
        None,
    ),
    "instance norm": (lambda: on_series(nn.InstanceNorm1d(2, affine=True), nn.Flatten(), head(12)), None),
    "batch norm": (lambda: normalised(nn.BatchNorm1d(4)), None),
    "batch norm that averages": (lambda: normalised(nn.BatchNorm1d(4, momentum=None)), None),
    "batch norm without weights": (lambda: normalised(nn.BatchNorm1d(4, affine=False, momentum=0.9)), None),
    "batch norm without statistics": (
        lambda: normalised(nn.BatchNorm1d(4), in_series(nn.BatchNorm1d(1, track_running_stats=False))),
        None,
    ),
    "batch norm that evaluates": (lambda: fixed(training=False), None),
    "batch norm that is fixed": (lambda: fixed(training=True), None),
    "batch norm and a buffer": (lambda: normalised(nn.BatchNorm1d(4), Constant(), nn.BatchNorm1d(4)), None),
    "batch norm called twice": (Twice, None),
    "batch norm in two dimensions": (
        lambda: on_images(nn.Conv2d(2, 4, 2, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), head(8)),
        None,
    ),
    "batch norm of all processes": (lambda: normalised(nn.SyncBatchNorm(4)), None),
    "batch norm beside others": (
        lambda: normalised(nn.BatchNorm1d(4), nn.LayerNorm(4), in_series(nn.GroupNorm(1, 1))),
        None,
    ),
    "instance norm with statistics": (
        lambda: normalised(in_series(nn.InstanceNorm1d(1, track_running_stats=True))),
        None,
    ),
    "dropout": (lambda: nn.Sequential(nn.Linear(NUM_FEATURES, 6), nn.Tanh(), nn.Dropout(0.3), head(6)), None),
    "alpha dropout": (lambda: nn.Sequential(nn.Linear(NUM_FEATURES, 6), nn.AlphaDropout(0.3), head(6)), None),
    "dropout of channels": (
        lambda: on_images(
            nn.Dropout2d(0.3), nn.Conv2d(2, 4, 2), nn.Dropout2d(), nn.Flatten(), nn.Dropout(0.1), head(8)
        ),
        None,
    ),
    "dropout of series": (lambda: on_series(nn.Conv1d(2, 4, 2), nn.Dropout1d(), nn.Flatten(), head(20)), None),
    "dropout behind batch norm": (lambda: normalised(nn.BatchNorm1d(4), nn.Dropout(0.3)), None),
    "dropout of a frozen layer": (
        lambda: nn.Sequential(nn.Linear(NUM_FEATURES, 6).requires_grad_(False), nn.Dropout(), head(6)),
        None,
    ),
    "randomized ReLU": (lambda: nn.Sequential(nn.Linear(NUM_FEATURES, 6), nn.RReLU(), head(6)), "cannot be vectorised"),
    "LSTM with dropout": (lambda: Recurrent(nn.LSTM, num_layers=2, dropout=0.3), None),
    "transformer encoder with dropout": (lambda: Transformer(0.3), None),
    "encoder of tokens": (Text, None),
    "stochastic depth": (StochasticDepth, None),
    "shuffled": (Shuffled, "drawn for several clients together"),
    "pooling": (lambda: on_series(nn.AdaptiveMaxPool1d(3), nn.Hardswish(), nn.Flatten(), head(6)), None),
    "dropout of nothing": (lambda: nn.Sequential(nn.Dropout(0.0), head(NUM_FEATURES)), None),
    "frozen layer": (frozen, None),
    "experts": (Experts, None),
    "residual": (Residual, None),
    "item": (Item, "cannot be vectorised"),
    "branch on data": (Branch, "cannot be vectorised"),
    "own autograd function": (OwnFunction, "cannot be vectorised"),
    "in place": (InPlace, "cannot be vectorised"),
    "in place on the input": (ScaledInput, "writes into its input"),
    "mean over the batch": (Centred, "gives other gradients"),
    "activation checkpointing": (Checkpointed, "cannot be vectorised"),
    "counting": (Counting, "keeps a state (calls, seen)"),
    "warming up": (Warming, "keeps a state (calls)"),
    "TorchScript": (scripted, None),
    "unique": (Unique, "cannot be vectorised"),
}
RANDOM = [name for name in NETWORKS if "dropout" in name and "nothing" not in name] + [
    *("randomized ReLU", "encoder of tokens", "stochastic depth", "shuffled")
]
OF_TOKENS = [name for name in NETWORKS if "token" in name or "embedding" in name]
