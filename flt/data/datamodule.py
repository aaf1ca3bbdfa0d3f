"""The base class of all data sets: it deals examples out to clients, root dataset and test set."""

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import torch
from lightning.pytorch import LightningDataModule, Trainer
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from flt.data.examples import ClientData, Examples, RawData
from flt.data.inputs import InputPipeline, Normalization
from flt.data.partitions import GroupPartition, Partition
from flt.data.root import check_root_arguments, sample_root
from flt.data.root_source import read_root
from flt.data.rounds import EvaluationBatches, Rounds
from flt.data.stand_ins.policy import StandInPolicy
from flt.data.triggers import Trigger
from flt.errors import InputError, check_choice
from flt.random import generator, run_seed


class FederatedDataModule(LightningDataModule, ABC):
    """Base class of the data sets; a subclass names the data set and loads it.

    A data set with natural clients leaves ``num_clients`` and ``partition`` out of its own constructor.

    After ``setup`` it has ``clients`` (training examples without the root dataset), ``root``, ``test``,
    ``num_clients``, ``has_natural_clients``, ``display_name`` and ``is_stand_in``.

    Args:
        data_dir: Folder of data sets; null means $FLT_DATA, or "data" if that is not set.
        stand_in: Whether synthetic data may take the place of the real ones.
        num_clients: Number of clients that the training examples are dealt out to.
        partition: How they are dealt out to clients; null for the paper's `GroupPartition` with noniid_degree 0.5.
        root_size: Number of examples of the server's root dataset.
        bias_probability: Fraction of the root dataset that is of ``biased_class``; null for a uniform root dataset.
        biased_class: The class that a biased root dataset prefers.
        batch_size: Examples per client and local step.
        eval_batch_size: Examples per batch of an evaluation.
        root_path: The server's own data, from which the root dataset is then drawn: a folder with a folder of images
            for each class, or an .npz file with the arrays x and y. The clients keep all training examples.
        inputs: Augmentation and normalisation.

    Raises:
        InputError: If an argument is out of range.
    """

    clients: ClientData
    root: Examples
    test: Examples
    num_clients: int
    has_natural_clients: bool
    is_stand_in: bool
    seed: int

    def __init__(
        self,
        data_dir: str | None = None,
        stand_in: StandInPolicy = "never",
        num_clients: int = 100,
        partition: Partition | None = None,
        root_size: int = 100,
        bias_probability: float | None = None,
        biased_class: int = 1,
        batch_size: int = 32,
        eval_batch_size: int = 1024,
        root_path: str | None = None,
        inputs: InputPipeline | None = None,
    ) -> None:
        super().__init__()
        check_choice("data.stand_in", stand_in, StandInPolicy)
        check_root_arguments(root_size, bias_probability, biased_class, self.num_classes)
        if num_clients < 1:
            raise InputError(f"num_clients={num_clients}: a federation has 1 client or more")
        for name, size in (("batch_size", batch_size), ("eval_batch_size", eval_batch_size)):
            if not 1 <= size < 2**63:
                raise InputError(f"{name}={size}: a batch has 1 example or more, and fewer than 2^63")
        self.data_dir = data_dir
        if self.data_folder.is_file():
            raise InputError(f"data_dir={str(self.data_folder)!r} is a file: give the folder of data sets")
        self.stand_in: StandInPolicy = stand_in
        self.partition = partition or GroupPartition(0.5)
        self.root_size = root_size
        self.bias_probability = bias_probability
        self.biased_class = biased_class
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size
        self.root_path = None if root_path is None else Path(root_path).expanduser()
        if self.root_path is not None and not self.root_path.exists():
            raise InputError(f"root_path={str(self.root_path)!r}: there is no such folder or file")
        self.inputs = inputs or InputPipeline()
        self.normalization: Normalization | None = None
        self._num_clients = num_clients
        self._raw: RawData | None = None
        self._is_set_up = False

    @property
    @abstractmethod
    def dataset_name(self) -> str:
        """Name for titles and tables, such as ``"HAR"``."""

    @property
    @abstractmethod
    def num_classes(self) -> int:
        """Number of classes."""

    @property
    def class_names(self) -> Sequence[str]:
        """Names of the classes for tables and figures; their numbers, unless the data set has better ones."""
        return [str(label) for label in range(self.num_classes)]

    @property
    @abstractmethod
    def trigger(self) -> Trigger:
        """The pattern that backdoor attacks embed, in the units of the data set's examples."""

    @property
    @abstractmethod
    def target_class(self) -> int:
        """The class that backdoor attacks aim at."""

    @abstractmethod
    def load(self, seed: int) -> RawData:
        """Reads or makes the data; called once a run and process.

        Args:
            seed: The run's seed, for splits and partitions.
        """

    @property
    def data_folder(self) -> Path:
        """The folder of data sets that ``data_dir`` stands for."""
        return Path(self.data_dir or os.environ.get("FLT_DATA") or "data").expanduser()

    @property
    def display_name(self) -> str:
        """The data set's name, marked with "(stand-in)" if the data are synthetic."""
        return f"{self.dataset_name} (stand-in)" if self.is_stand_in else self.dataset_name

    def describe_root(self) -> str:
        """How the root dataset is drawn, in words."""
        drawn = "uniform"
        if self.bias_probability is not None:
            drawn = f"biased: {self.bias_probability:g} of class {self.class_names[self.biased_class]}"
        return f"{drawn}, from the server's own data" if self.root_path else drawn

    def describe_partition(self) -> str:
        """How the training examples were dealt out, in words; known after ``setup``."""
        return "natural" if self.has_natural_clients else self.partition.describe()

    def prepare_data(self) -> None:
        """Finds, downloads, parses and caches the data."""
        if self._raw is None and not self._is_set_up:
            self._raw = self.load(run_seed())

    def setup(self, stage: str | None = None) -> None:
        """Takes the root dataset out of the training data and sorts the rest by client, once for all stages.

        Raises:
            InputError: If ``root_size``, the bias, ``num_clients`` or ``partition`` does not fit the data.
        """
        if self._is_set_up:
            return
        seed = self.seed = run_seed()
        raw = self._raw or self.load(seed)
        self._check_examples(raw)
        self.inputs.check(raw.train)
        self.has_natural_clients = raw.owners is not None
        owners, self.num_clients = self._owners(raw, seed)
        if self.root_path is None and self.root_size >= len(raw.train):
            raise InputError(
                f"root_size={self.root_size} leaves the clients nothing of the {len(raw.train)} training examples:"
                f" choose at most {len(raw.train) - 1}"
            )
        source = read_root(self.root_path, raw.train, self.class_names) if self.root_path else raw.train
        chosen = sample_root(
            source.labels,
            root_size=self.root_size,
            num_classes=self.num_classes,
            bias_probability=self.bias_probability,
            biased_class=self.biased_class,
            generator=generator(seed, "root"),
        )
        without = None if self.root_path else chosen
        self.clients = ClientData.from_owners(raw.train, owners, self.num_clients, without=without)
        self.root, self.test, self.is_stand_in = source[chosen], raw.test, raw.stand_in
        self.normalization = self.inputs.normalization(raw.train)
        self._raw, self._is_set_up = None, True
        if self.is_stand_in:
            rank_zero_warn(
                f"SYNTHETIC DATA: this run uses a stand-in for {self.dataset_name}; its results say nothing about the"
                f" real data. Put the real data under {self.data_folder} and pass --data.stand_in=never."
            )

    def _check_examples(self, raw: RawData) -> None:
        for part, examples in (("training", raw.train), ("test", raw.test)):
            if not len(examples):
                raise InputError(f"{self.dataset_name} has no {part} examples: give it some")
            if examples.features.dtype not in (torch.float32, torch.int64):
                raise InputError(
                    f"{self.dataset_name} has {part} examples of {examples.features.dtype}: give torch.float32, or"
                    " torch.int64 for token ids"
                )

    def _owners(self, raw: RawData, seed: int) -> tuple[Tensor, int]:
        num_clients = self._num_clients
        if raw.owners is not None:
            num_clients = raw.num_clients or int(raw.owners.max()) + 1
        if num_clients > len(raw.train):
            raise InputError(
                f"num_clients={num_clients} exceeds the {len(raw.train)} training examples of {self.dataset_name}:"
                " have no more clients than examples"
            )
        if raw.owners is not None:
            return raw.owners, num_clients
        owners = self.partition.assign(
            raw.train.labels,
            num_clients=num_clients,
            num_classes=self.num_classes,
            generator=generator(seed, "partition"),
        )
        return owners, num_clients

    def move_to(self, device: torch.device | str) -> None:
        """Moves clients, root dataset and test set to ``device``, where they stay."""
        self.clients, self.root, self.test = self.clients.to(device), self.root.to(device), self.test.to(device)
        if self.normalization is not None:
            self.normalization = self.normalization.to(device)

    def train_dataloader(self) -> Rounds:
        """A loader of the numbers of all rounds of the run.

        Raises:
            InputError: If the trainer has no ``max_steps``.
        """
        max_steps = self.trainer.max_steps if self.trainer else -1
        if max_steps <= 0:
            raise InputError(f"trainer.max_steps={max_steps} is the number of rounds: set it to 1 or more")
        return Rounds(max_steps)

    def share_of(self, examples: Examples) -> Examples:
        """What this process evaluates of some examples: with n processes each n-th of them."""
        first, step = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        return examples if step == 1 else examples[first::step]

    def val_dataloader(self) -> EvaluationBatches:
        """This process's share of the test set in batches of ``eval_batch_size``, on the device where it is."""
        return EvaluationBatches(self.share_of(self.test), self.eval_batch_size)

    test_dataloader = val_dataloader

    def predict_dataloader(self) -> EvaluationBatches:
        """The whole test set, in order."""
        return EvaluationBatches(self.test, self.eval_batch_size)


def data_of(trainer: Trainer) -> FederatedDataModule:
    """The federated data set of a trainer.

    Raises:
        InputError: If the trainer has another kind of data.
    """
    data = getattr(trainer, "datamodule", None)
    if not isinstance(data, FederatedDataModule):
        raise InputError(f"the data module is a {type(data).__name__}: give a FederatedDataModule, such as HAR")
    return data
