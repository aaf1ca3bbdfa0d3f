"""A federation small enough to run in milliseconds: data, a network, and a fit."""

import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from torch import Tensor, nn

from flt.clients.batch_norm import flatten_statistics, statistics_of
from flt.clients.batches import LocalBatches, take_batches
from flt.clients.draws import PairedRowDraws
from flt.data import Examples, FeatureTrigger, FederatedDataModule, PixelTrigger, RawData
from flt.data.inputs import InputPipeline
from flt.federation import Aggregate, FederatedCallback, Round, by_client
from flt.module import FederatedModule

SIZES = (24, 18, 11, 33, 21, 7, 15, 28, 13, 10)
NUM_FEATURES, NUM_CLASSES, NUM_TEST = 12, 3, 50
IMAGE_SHAPE = (3, 4, 4)


class TinyData(FederatedDataModule):
    """180 training examples of ten clients of unequal size, and 50 test examples; the same for every seed.

    With the default batch of 8 the sixth client has too few examples for a batch, and the last test batch is short.
    """

    dataset_name = "Tiny"
    num_classes = NUM_CLASSES
    trigger = FeatureTrigger([0, 5], value=3.0)
    target_class = 1

    def __init__(
        self,
        sizes: tuple[int, ...] = SIZES,
        synthetic: bool = False,
        root_size: int = 15,
        bias_probability: float | None = None,
        batch_size: int | None = 8,
        eval_batch_size: int = 16,
        **settings: Any,
    ) -> None:
        super().__init__(
            root_size=root_size,
            bias_probability=bias_probability,
            batch_size=batch_size,
            eval_batch_size=eval_batch_size,
            **settings,
        )
        self.sizes = sizes
        self.synthetic = synthetic

    def load(self, seed: int) -> RawData:
        draw = torch.Generator().manual_seed(5)
        num_train = sum(self.sizes)
        labels = torch.randint(NUM_CLASSES, (num_train + NUM_TEST,), generator=draw)
        centres = 1.5 * torch.randn(NUM_CLASSES, NUM_FEATURES, generator=draw)
        features = centres[labels] + torch.randn(len(labels), NUM_FEATURES, generator=draw)
        owners = torch.arange(len(self.sizes)).repeat_interleave(torch.tensor(self.sizes))
        owners = owners[torch.randperm(num_train, generator=draw)]
        examples = Examples(features, labels)
        return RawData(examples[:num_train], owners, examples[num_train:], self.synthetic, len(self.sizes))


class TestOwners(TinyData):
    """`TinyData` that knows whose the test examples are: those of all clients but the last."""

    __test__ = False  # for pytest

    def load(self, seed: int) -> RawData:
        raw = super().load(seed)
        return replace(raw, test_owners=torch.arange(len(raw.test)) % (len(self.sizes) - 1))


class TinyImages(TinyData):
    """`TinyData` with images of three channels in place of vectors, pixels between 0 and 1."""

    trigger = PixelTrigger([(0, 0), (3, 2)])

    def __init__(self, inputs: InputPipeline | None = None, root_path: Path | None = None, root_size: int = 15) -> None:
        super().__init__(root_size=root_size)
        self.inputs = inputs or InputPipeline()
        self.root_path = root_path

    def load(self, seed: int) -> RawData:
        raw = super().load(seed)
        draw = torch.Generator().manual_seed(6)
        mean = torch.rand(NUM_CLASSES, *IMAGE_SHAPE, generator=draw)

        def images(examples: Examples) -> Examples:
            noise = torch.rand(len(examples), *IMAGE_SHAPE, generator=draw)
            return Examples((mean[examples.labels] + noise) / 2, examples.labels)

        return RawData(images(raw.train), raw.owners, images(raw.test), False, raw.num_clients)


class Recorder(FederatedCallback):
    """Notes what the clients sent and what the server made of it, round by round."""

    def __init__(self, needs_root_update: bool = False) -> None:
        self.needs_root_update = needs_root_update
        self.honest: list[Round] = []  # before any callback behind this one
        self.received: list[Round] = []
        self.ended: list[tuple[Round, Aggregate]] = []
        self.parameters: list[Tensor] = []  # after each round
        self.statistics: list[Tensor] = []  # of batch normalisation, after each round

    def on_client_updates(self, round: Round) -> None:
        self.honest.append(round)

    def on_updates_received(self, round: Round) -> None:
        self.received.append(round)

    def on_round_end(self, trainer: Trainer, round: Round, aggregate: Aggregate) -> None:
        self.ended.append((round, aggregate))
        self.parameters.append(parameters_of(trainer.lightning_module))
        statistics = statistics_of(trainer.lightning_module.network)
        self.statistics.append(flatten_statistics(statistics, torch.device("cpu")))


class Sending(FederatedCallback):
    """Makes the chosen clients, by id, send ``value`` in their updates' first entry."""

    def __init__(self, value: float, clients: tuple[int, ...]) -> None:
        self.value, self.clients = value, clients

    @by_client
    def on_client_updates(self, round: Round) -> Round:
        updates = round.updates.clone()
        updates[torch.isin(round.client_ids, torch.tensor(self.clients)), 0] = self.value
        return round.replace(updates=updates)


def draw_batches(
    features: Tensor,
    labels: Tensor,
    starts: Tensor,
    sizes: Tensor,
    *,
    generator: torch.Generator,
    before: Tensor | None = None,
    **settings: int,
) -> LocalBatches:
    """Draws the rows of a round's batches and takes them; with weights even where nothing is padded.

    ``before`` are the clients' sizes before an attack changed them, None for no such attack.
    """
    draws = PairedRowDraws(starts, sizes, sizes if before is None else before, **settings)
    batches = take_batches(features, labels, draws(generator))
    return batches._replace(weights=torch.ones(batches.labels.shape)) if batches.weights is None else batches


def mlp() -> nn.Module:
    """A network of two layers."""
    return nn.Sequential(nn.Linear(NUM_FEATURES, 5), nn.Tanh(), nn.Linear(5, NUM_CLASSES))


def parameters_of(module: nn.Module) -> Tensor:
    """All parameters as one vector."""
    return torch.cat([parameter.detach().flatten() for parameter in module.parameters()]).clone()


def trainer(folder: Path, *callbacks: Callback, rounds: int = 3, **settings: object) -> Trainer:
    """A quiet trainer on the CPU that evaluates every second round and keeps its files in ``folder``."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    defaults = {
        "accelerator": "cpu",
        "devices": int(os.environ.get("LOCAL_WORLD_SIZE", "1")),  # as many as torchrun has started
        "max_steps": rounds,
        "val_check_interval": 2,
        "log_every_n_steps": 1,
        "check_val_every_n_epoch": None,
        "num_sanity_val_steps": 0,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "default_root_dir": folder,
    }
    return Trainer(callbacks=list(callbacks), **defaults | settings)


def module(network: nn.Module | None = None, **settings: object) -> FederatedModule:
    """The server with `mlp`, whose start is a function of the seed alone."""
    return FederatedModule(network or mlp(), **{"initialization": "xavier", "client_lr": 0.02} | settings)


def fit(
    folder: Path,
    *callbacks: Callback,
    rounds: int = 3,
    data: FederatedDataModule | None = None,
    network: nn.Module | None = None,
    ckpt_path: Path | None = None,
    trainer_settings: dict[str, object] | None = None,
    **settings: object,
) -> FederatedModule:
    """Runs some rounds and returns the server; ``settings`` are those of `FederatedModule`."""
    server = module(network, **settings)
    run = trainer(folder, *callbacks, rounds=rounds, **trainer_settings or {})
    run.fit(server, datamodule=data or TinyData(), ckpt_path=ckpt_path, weights_only=ckpt_path and True)
    return server


def start_of(network: nn.Module | None = None) -> Tensor:
    """The parameters with which `fit` starts under the present seed."""
    from flt.models.initialization import initialize
    from flt.random import generator, run_seed

    network = network or mlp()
    initialize(network, "xavier", generator=generator(run_seed(), "initialization"))
    return parameters_of(network)
