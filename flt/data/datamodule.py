"""The base class of all data sets: it deals examples out to clients, root dataset and test set."""

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import torch
from lightning.pytorch import LightningDataModule, Trainer
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from flt.data.added import AddedData, with_added
from flt.data.examples import ClientData, Examples, RawData
from flt.data.inputs import InputPipeline, Normalization
from flt.data.kept_clients import check_only_clients, kept_clients
from flt.data.partitions import GroupPartition, Partition
from flt.data.root import check_root_arguments, sample_root
from flt.data.root_source import read_root
from flt.data.rounds import EvaluationBatches, Rounds
from flt.data.splits import hold_out, with_first_classes, with_long_tail
from flt.data.stand_ins.policy import StandInPolicy
from flt.data.triggers import Trigger
from flt.errors import InputError, check_choice, check_count
from flt.random import generator, run_seed


class FederatedDataModule(LightningDataModule, ABC):
    """Base class of the data sets; a subclass names the data set and loads it.

    A data set with natural clients leaves ``num_clients`` and ``partition`` out of its own constructor.

    After ``setup`` it has ``clients`` (training examples without the root dataset), ``root``, ``test``, ``validation``,
    ``num_clients``, ``num_training``, ``has_natural_clients``, ``display_name``, ``is_stand_in``, and two seeds: its
    own, ``seed``, and that of the run, ``run_seed``. ``test_owners`` are the clients of the test examples, where the
    data set knows them.

    The data are made in this order, each step of what the one before has left: long tail, validation set, root dataset,
    partition, clients that are left out, added clients.

    Args:
        data_dir: Folder of data sets; null means $FLT_DATA, or "data" if that is not set.
        stand_in: Whether synthetic data may take the place of the real ones.
        num_clients: Number of clients that the training examples are dealt out to.
        partition: How they are dealt out to clients; null for the paper's `GroupPartition` with noniid_degree 0.5.
        root_size: Number of examples of the server's root dataset.
        bias_probability: Fraction of the root dataset that is of ``biased_class``; null for a uniform root dataset.
        biased_class: The class that a biased root dataset prefers.
        batch_size: Examples per client and local step; null is all that a client has.
        eval_batch_size: Examples per batch of an evaluation.
        root_path: The server's own data, from which the root dataset is then drawn: a folder with a folder of images
            for each class, or an .npz file with the arrays x and y. The clients keep all training examples.
        inputs: Augmentation and normalisation.
        validation_fraction: Fraction of the training examples that nobody trains on: evaluations measure the error
            rate on them as well as on the test set. Of natural clients it is this fraction of each one's examples.
        long_tail: Of its examples class i, counted from 0, keeps the share ``long_tail^i``; 1 keeps all.
        long_tail_test: Whether the test set gets the same long tail.
        test_size: Test examples that there are evaluations on, the first ones where they are sorted by class; null for
            all. So many are left where code sorts a test set and leaves out its last batch, which is a short one.
        seed: Decides long tail, splits, root dataset and partition; null is ``--seed_everything``, which decides all
            else. Runs that share it differ in their training alone.
        num_added_clients: Clients added to those among whom the training examples are dealt out. They are the malicious
            ones, whatever the attack's fraction, and take part in rounds in which they attack.
        added_data: What added clients hold: "none", or "copies" of others' examples, drawn from all of them, as many as
            a client has on average. An attack that trains needs copies.
        only_clients: Clients that take part, by number from 0, as one group of an ensemble does; null for all. The
            others' examples are left out, partition and root dataset are those of all, and clients are numbered anew
            as they are named.

    Raises:
        InputError: If an argument is out of range.
    """

    clients: ClientData
    root: Examples
    test: Examples
    validation: Examples | None = None
    test_owners: Tensor | None = None
    num_clients: int
    num_training: int
    has_natural_clients: bool
    is_stand_in: bool
    seed: int
    run_seed: int

    def __init__(
        self,
        data_dir: str | None = None,
        stand_in: StandInPolicy = "never",
        num_clients: int = 100,
        partition: Partition | None = None,
        root_size: int = 100,
        bias_probability: float | None = None,
        biased_class: int = 1,
        batch_size: int | None = 32,
        eval_batch_size: int = 1024,
        root_path: str | None = None,
        inputs: InputPipeline | None = None,
        validation_fraction: float = 0.0,
        long_tail: float = 1.0,
        long_tail_test: bool = True,
        test_size: int | None = None,
        seed: int | None = None,
        num_added_clients: int = 0,
        added_data: AddedData = "none",
        only_clients: list[int] | None = None,
    ) -> None:
        super().__init__()
        check_only_clients(only_clients)
        check_choice("data.stand_in", stand_in, StandInPolicy)
        check_choice("data.added_data", added_data, AddedData)
        check_root_arguments(root_size, bias_probability, biased_class, self.num_classes)
        if num_clients < 1:
            raise InputError(f"data.num_clients={num_clients}: a federation has 1 client or more")
        if seed is not None and not 0 <= seed < 2**32:
            raise InputError(f"data.seed={seed} must be from 0 to {2**32 - 1}")
        for name, size in (("batch_size", batch_size), ("eval_batch_size", eval_batch_size)):
            if size is not None and not 1 <= size < 2**63:
                raise InputError(f"data.{name}={size}: a batch has 1 example or more, and fewer than 2^63")
        if not 0 <= validation_fraction < 1:
            raise InputError(f"data.validation_fraction={validation_fraction} must be at least 0 and less than 1")
        if not 0 < long_tail <= 1:
            raise InputError(f"data.long_tail={long_tail} must be above 0 and at most 1, which keeps all examples")
        check_count("data.test_size", test_size)
        if num_added_clients < 0:
            raise InputError(f"data.num_added_clients={num_added_clients} must be 0 or more")
        self.data_dir = data_dir
        if self.data_folder.is_file():
            raise InputError(f"data.data_dir={str(self.data_folder)!r} is a file: give the folder of data sets")
        self.stand_in: StandInPolicy = stand_in
        self.partition = partition or GroupPartition(0.5)
        self.root_size = root_size
        self.bias_probability = bias_probability
        self.biased_class = biased_class
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size
        self.root_path = None if root_path is None else Path(root_path).expanduser()
        if self.root_path is not None and not self.root_path.exists():
            raise InputError(f"data.root_path={str(self.root_path)!r}: there is no such folder or file")
        self.inputs = inputs or InputPipeline()
        self.validation_fraction = validation_fraction
        self.long_tail = long_tail
        self.long_tail_test = long_tail_test
        self.test_size = test_size
        self.num_added_clients = num_added_clients
        self.added_data: AddedData = added_data
        self.only_clients = only_clients
        self.normalization: Normalization | None = None
        self._seed = seed
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
            seed: Decides a split that the data set makes itself.
        """

    @property
    def largest_batch(self) -> int:
        """How many examples a client's batch has at most: ``batch_size``, or more than there are where that is null."""
        return 2**62 if self.batch_size is None else self.batch_size

    @property
    def data_folder(self) -> Path:
        """The folder of data sets that ``data_dir`` stands for."""
        return Path(self.data_dir or os.environ.get("FLT_DATA") or "data").expanduser()

    @property
    def display_name(self) -> str:
        """The data set's name, marked with "(stand-in)" if the data are synthetic."""
        return f"{self.dataset_name} (stand-in)" if self.is_stand_in else self.dataset_name

    @property
    def mean_size(self) -> int:
        """Examples of a client on average, those without added clients, rounded, 1 or more; known after ``setup``."""
        return max(1, round(self.num_training / (self.num_clients - self.num_added_clients)))

    def describe_examples(self) -> str:
        """How many examples there are for what, in words; known after ``setup``."""
        tail, held_out = self.describe_long_tail(), len(self.validation or ())
        validation = f" {held_out:,} validation examples," if held_out else ""
        return (
            f"{self.num_training:,} training examples,{validation} {len(self.test):,} test examples,"
            f" {self.num_classes} classes" + (f", {tail}" if tail else "")
        )

    def describe_root(self) -> str:
        """How the root dataset is drawn, in words."""
        drawn = "uniform"
        if self.bias_probability is not None:
            drawn = f"biased: {self.bias_probability:g} of class {self.class_names[self.biased_class]}"
        return f"{drawn}, from the server's own data" if self.root_path else drawn

    def describe_partition(self) -> str:
        """How the training examples were dealt out, in words; known after ``setup``."""
        return "natural" if self.has_natural_clients else self.partition.describe()

    def describe_long_tail(self) -> str:
        """How many examples of rare classes were left out, in words; empty for none."""
        if self.long_tail == 1:
            return ""
        return f"class i keeps {self.long_tail:g}^i" + ("" if self.long_tail_test else ", not of the test set")

    def describe_clients(self) -> str:
        """How many clients there are and how the training examples were dealt out, in words; known after ``setup``."""
        added, hold = self.num_added_clients, "no data" if self.added_data == "none" else "copies of others' examples"
        text = (
            f"{self.num_clients:,}"
            + ("" if self.only_clients is None else ", others left out")
            + (f", of which {added:,} were added and hold {hold}" if added else "")
        )
        return f"{text}; partition: {self.describe_partition()}"

    def prepare_data(self) -> None:
        """Finds, downloads, parses and caches the data."""
        if self._raw is None and not self._is_set_up:
            self._raw = self.load(self._own_seed())

    def _own_seed(self) -> int:
        return run_seed() if self._seed is None else self._seed

    def setup(self, stage: str | None = None) -> None:
        """Takes the root dataset out of the training data and sorts the rest by client, once for all stages.

        Raises:
            InputError: If ``root_size``, the bias, ``num_clients`` or ``partition`` does not fit the data.
        """
        if self._is_set_up:
            return
        self.run_seed, self.seed = run_seed(), self._own_seed()
        raw, self.validation = self._split(self._raw or self.load(self.seed))
        self.inputs.check(raw.train)
        self.has_natural_clients = raw.owners is not None
        owners, num_sharing = self._owners(raw)
        if self.root_path is None and self.root_size >= len(raw.train):
            raise InputError(
                f"data.root_size={self.root_size} leaves the clients nothing of the {len(raw.train)} training examples:"
                f" choose at most {len(raw.train) - 1}"
            )
        source = read_root(self.root_path, raw.train, self.class_names) if self.root_path else raw.train
        chosen = sample_root(
            source.labels,
            root_size=self.root_size,
            num_classes=self.num_classes,
            bias_probability=self.bias_probability,
            biased_class=self.biased_class,
            generator=generator(self.seed, "root"),
        )
        without = None if self.root_path else chosen
        self.clients = ClientData.from_owners(raw.train, owners, num_sharing, without=without)
        test_owners = raw.test_owners
        if self.only_clients is not None:
            self.clients, num_sharing = kept_clients(self.clients, self.only_clients), len(self.only_clients)
            test_owners = None  # the test set is everyone's
        self.num_training = len(self.clients.labels)
        self.num_clients = num_sharing + self.num_added_clients
        if self.num_added_clients:
            size, draw = self.mean_size if self.added_data == "copies" else 0, generator(self.seed, "added clients")
            self.clients = with_added(self.clients, self.num_added_clients, size=size, generator=draw)
        self.root, self.test, self.is_stand_in = source[chosen], raw.test, raw.stand_in
        self.test_owners = test_owners
        self.normalization = self.inputs.normalization(raw.train)
        self._raw, self._is_set_up = None, True
        self.warn_of_stand_in()

    def warn_of_stand_in(self) -> None:
        """Says that the data are synthetic, if they are; known after ``setup``, which says so itself."""
        if self.is_stand_in:
            rank_zero_warn(
                f"SYNTHETIC DATA: this run uses a stand-in for {self.dataset_name}; its results say nothing about the"
                f" real data. Put the real data under {self.data_folder} and pass --data.stand_in=never."
            )

    def _split(self, raw: RawData) -> tuple[RawData, Examples | None]:
        """The data set as it is trained and tested on, less the validation set, and that one."""
        raw.check(self.dataset_name)
        if self.long_tail < 1:
            classes, of_test = self.num_classes, self.long_tail_test
            raw = with_long_tail(raw, self.long_tail, of_test=of_test, num_classes=classes, seed=self.seed)
        if self.test_size is not None:
            raw = with_first_classes(raw, self.test_size)
        return hold_out(raw, self.validation_fraction, seed=self.seed) if self.validation_fraction else (raw, None)

    def _owners(self, raw: RawData) -> tuple[Tensor, int]:
        num_clients = self._num_clients
        if raw.owners is not None:
            num_clients = raw.num_clients or int(raw.owners.max()) + 1
        for name, number in (("num_clients", num_clients), ("num_added_clients", self.num_added_clients)):
            if number > len(raw.train):
                raise InputError(
                    f"data.{name}={number} exceeds the {len(raw.train)} training examples of {self.dataset_name}:"
                    " have no more clients than examples"
                )
        if raw.owners is not None:
            return raw.owners, num_clients
        owners = self.partition.assign(
            raw.train.labels,
            num_clients=num_clients,
            num_classes=self.num_classes,
            generator=generator(self.seed, "partition"),
        )
        return owners, num_clients

    def move_to(self, device: torch.device | str) -> None:
        """Moves clients, root dataset, test set and validation set to ``device``, where they stay."""
        self.clients, self.root, self.test = self.clients.to(device), self.root.to(device), self.test.to(device)
        self.validation = None if self.validation is None else self.validation.to(device)
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

    def test_dataloader(self) -> EvaluationBatches:
        """This process's share of the test set in batches of ``eval_batch_size``, on the device where it is."""
        return EvaluationBatches(self.share_of(self.test), self.eval_batch_size)

    def val_dataloader(self) -> EvaluationBatches | list[EvaluationBatches]:
        """The same of the test set and, if there is a validation set, of that one."""
        if self.validation is None:
            return self.test_dataloader()
        return [self.test_dataloader(), EvaluationBatches(self.share_of(self.validation), self.eval_batch_size)]

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
