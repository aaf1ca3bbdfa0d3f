import os
from dataclasses import replace

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer, seed_everything
from torch import Tensor

from flt.data import Examples, FeatureTrigger, FederatedDataModule, GroupPartition, RawData
from flt.data.inputs import InputPipeline
from flt.errors import InputError


class Numbers(FederatedDataModule):
    """120 training examples of 4 clients whose first feature is their own number, and 10 test examples."""

    dataset_name = "Numbers"
    num_classes = 3
    trigger = FeatureTrigger([0])
    target_class = 0
    loads = 0
    synthetic = False
    has_owners = True
    named_clients: int | None = None

    def load(self, seed: int) -> RawData:
        self.loads += 1
        numbers = torch.arange(130)
        everything = Examples(torch.stack([numbers.float(), torch.full((130,), float(seed))], 1), numbers % 3)
        owners = numbers[:120] % 4 if self.has_owners else None
        return RawData(
            everything[:120],
            owners,
            everything[120:],
            self.synthetic,
            self.named_clients,
            test_owners=numbers[120:] % 4,
        )


def ready(**arguments) -> Numbers:
    data = Numbers(**{"root_size": 12} | arguments)
    data.prepare_data()
    data.setup("fit")
    return data


def test_root_and_clients_share_out_the_training_examples():
    data = ready()
    numbers = torch.cat([data.clients.features[:, 0], data.root.features[:, 0]])
    assert sorted(numbers.tolist()) == list(range(120))
    assert (data.num_clients, data.clients.num_clients, len(data.root), len(data.test)) == (4, 4, 12, 10)
    for client in range(4):
        assert set((data.clients.of(client).features[:, 0] % 4).tolist()) == {client}


def test_loads_once():
    data = ready()
    clients = data.clients
    data.prepare_data()
    data.setup("test")
    data.setup("predict")
    assert data.loads == 1
    assert data.clients is clients
    elsewhere = Numbers(root_size=12)
    elsewhere.setup("fit")  # without `prepare_data`, as on other ranks
    assert torch.equal(elsewhere.root.features, data.root.features)


def test_the_runs_seed_decides(monkeypatch):
    monkeypatch.setenv("PL_SEED_WORKERS", "0")
    monkeypatch.setenv("PL_GLOBAL_SEED", "7")
    first, second = ready(), ready()
    assert torch.equal(first.root.features, second.root.features)
    assert first.root.features[0, 1] == 7
    seed_everything(8, verbose=False)
    assert os.environ["PL_GLOBAL_SEED"] == "8"
    assert not torch.equal(ready().root.features[:, 0], first.root.features[:, 0])


def test_a_biased_root_data_set():
    data = ready(bias_probability=0.75, biased_class=2)
    assert int((data.root.labels == 2).sum()) == 9


def test_clients_beyond_the_last_owner(monkeypatch):
    monkeypatch.setattr(Numbers, "named_clients", 6)
    assert ready().clients.sizes.tolist()[4:] == [0, 0]


def test_data_without_owners_are_partitioned(monkeypatch):
    monkeypatch.setattr(Numbers, "has_owners", False)
    data = ready(num_clients=6, partition=GroupPartition(1.0))
    assert data.num_clients == data.clients.num_clients == 6
    assert [len(data.clients.of(client).labels.unique()) for client in range(6)] == [1] * 6
    assert len(data.clients.labels) + len(data.root) == 120


def test_the_partition_is_the_papers_unless_another_is_given():
    assert isinstance(Numbers().partition, GroupPartition)
    assert Numbers().partition.noniid_degree == 0.5


def test_the_runs_seed_decides_the_partition(monkeypatch):
    monkeypatch.setattr(Numbers, "has_owners", False)
    sizes = []
    for seed in (0, 0, 1):
        seed_everything(seed, verbose=False)
        sizes.append(ready(num_clients=30).clients.sizes.tolist())
    assert sizes[0] == sizes[1] != sizes[2]


def numbers_of(examples) -> set[float]:
    return set(examples.features[:, 0].tolist())


def test_the_seed_of_the_data_decides_split_root_and_partition(monkeypatch):
    monkeypatch.setattr(Numbers, "has_owners", False)
    held = {}
    for run, seed in ((0, 5), (1, 5), (0, 6)):
        seed_everything(run, verbose=False)
        data = ready(num_clients=30, seed=seed, validation_fraction=0.25, num_added_clients=2, added_data="copies")
        assert (data.seed, data.run_seed) == (seed, run)
        assert data.root.features[0, 1] == seed  # which `load` was given
        parts = data.clients, data.root, data.validation
        held[run, seed] = [data.clients.offsets, *(part.features[:, 0] for part in parts)]
    assert all(map(torch.equal, held[0, 5], held[1, 5]))
    assert not any(map(torch.equal, held[0, 5], held[0, 6]))


@pytest.mark.parametrize(
    ("part", "settings"), [("validation", {"validation_fraction": 0.25}), ("test", {"long_tail": 0.6})]
)
def test_the_seed_decides_who_is_held_out_and_who_is_in_the_long_tail(part: str, settings: dict):
    kept = [numbers_of(getattr(ready(seed=seed, **settings), part)) for seed in (5, 5, 6)]
    assert kept[0] == kept[1] != kept[2]


@pytest.mark.parametrize("has_owners", [True, False])
def test_the_validation_set_is_apart_from_all_others(monkeypatch, has_owners: bool):
    monkeypatch.setattr(Numbers, "has_owners", has_owners)
    data = ready(num_clients=4, validation_fraction=0.2, inputs=InputPipeline(normalize=True))
    parts = [numbers_of(part) for part in (data.clients, data.root, data.validation)]
    assert [len(part) for part in parts] == [84, 12, 24]
    assert set.union(*parts) == set(range(120))
    if has_owners:
        assert (data.validation.features[:, 0] % 4).long().bincount().tolist() == [6, 6, 6, 6]
    trained_on = torch.tensor([*(parts[0] | parts[1])])
    assert float(data.normalization.mean[0]) == pytest.approx(float(trained_on.mean()))
    assert [len(batches.examples) for batches in data.val_dataloader()] == [10, 24]
    assert len(data.test_dataloader().examples) == 10


@pytest.mark.parametrize(("of_test", "test_sizes"), [(True, [4, 1, 1]), (False, [4, 3, 3])])
def test_a_long_tail_keeps_a_power_of_the_factor(of_test: bool, test_sizes: list[int]):
    data = ready(long_tail=0.6, long_tail_test=of_test)
    labels = torch.cat([data.clients.labels, data.root.labels])
    assert labels.bincount().tolist() == [40, 24, 14]
    assert data.test.labels.bincount().tolist() == test_sizes
    assert (data.test.features[:, 0] % 4).tolist() == data.test_owners.tolist()
    for client in range(4):  # whose owners are thinned with them
        assert set((data.clients.of(client).features[:, 0] % 4).tolist()) == {client}


def test_the_first_classes_alone_are_tested_on():
    data, all_of_it = ready(test_size=5), ready()
    assert data.test.labels.bincount().tolist() == [4, 1]
    assert (data.test.features[:, 0] % 4).tolist() == data.test_owners.tolist()
    assert torch.equal(data.clients.features, all_of_it.clients.features)
    with pytest.raises(InputError, match=r"data\.test_size=11: there are 10 test examples"):
        ready(test_size=11)


def test_added_clients_hold_copies_from_all_or_nothing():
    data = ready(num_added_clients=6, added_data="copies")
    assert (data.num_clients, data.num_training, data.mean_size) == (10, 108, 27)
    assert data.clients.sizes[4:].tolist() == [27] * 6
    copied = [numbers_of(data.clients.of(client)) for client in range(4, 10)]
    assert set.union(*copied[:4]) == numbers_of(Examples(data.clients.features[:108], data.clients.labels[:108]))
    assert torch.equal(data.clients.features[:, 0], data.clients.indices.float())
    assert ready(num_added_clients=2).clients.sizes[4:].tolist() == [0, 0]


def test_stand_ins_are_announced_loudly_and_once(monkeypatch):
    monkeypatch.setattr(Numbers, "synthetic", True)
    with pytest.warns(UserWarning, match=r"SYNTHETIC DATA: .* stand-in for Numbers; .* Put the real data under data"):
        data = ready()
    data.setup("test")
    assert data.is_stand_in
    assert data.display_name == "Numbers (stand-in)"
    monkeypatch.setattr(Numbers, "synthetic", False)
    assert ready().display_name == "Numbers"


def test_move_to():
    data = ready()
    features = data.clients.features
    data.move_to("cpu")
    assert data.clients.features.data_ptr() == features.data_ptr()
    data.move_to("meta")
    data.move_to(torch.device("meta"))
    assert {part.features.device.type for part in (data.clients, data.root, data.test)} == {"meta"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"stand_in": "maybe"}, "data.stand_in='maybe': choose one of never, if_unreachable, always"),
        ({"root_size": 0}, "data.root_size=0: the server needs"),
        ({"bias_probability": -0.1}, "data.bias_probability=-0.1: give a fraction"),
        ({"biased_class": 3}, "data.biased_class=3: choose a class from 0 to 2"),
        ({"num_clients": 0}, "data.num_clients=0: a federation has 1 client or more"),
        ({"batch_size": 0}, "data.batch_size=0: a batch has 1 example or more"),
        ({"batch_size": 2**63}, "data.batch_size=9223372036854775808: a batch has 1 example or more, and fewer than 2"),
        ({"eval_batch_size": -1}, "data.eval_batch_size=-1: a batch has 1 example or more"),
    ],
)
def test_arguments_are_checked_before_any_work(arguments: dict, message: str):
    with pytest.raises(InputError, match=f"^{message}"):
        Numbers(**arguments)


def test_batches_larger_than_any_data():
    data = ready(batch_size=2**62, eval_batch_size=2**62)
    assert [len(labels) for _, labels in data.val_dataloader()] == [10]


@pytest.mark.parametrize("num_clients", [121, 10**30])
@pytest.mark.parametrize("has_owners", [True, False])
def test_more_clients_than_examples(num_clients: int, has_owners: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Numbers, "has_owners", has_owners)
    monkeypatch.setattr(Numbers, "named_clients", num_clients)
    with pytest.raises(InputError, match=f"data.num_clients={num_clients} exceeds the 120 training examples of N"):
        ready(num_clients=num_clients)


@pytest.mark.parametrize(
    ("examples", "message"),
    [
        (Examples(torch.zeros(0, 2), torch.zeros(0).long()), "no test examples: give it some"),
        (Examples(torch.zeros(3, 2).double(), torch.zeros(3).long()), "test examples of torch.float64: give"),
        (Examples(torch.zeros(3, 2).int(), torch.zeros(3).long()), "test examples of torch.int32: give"),
    ],
)
def test_examples_that_no_network_can_take(examples: Examples, message: str, monkeypatch: pytest.MonkeyPatch):
    whole = Numbers.load
    monkeypatch.setattr(Numbers, "load", lambda self, seed: replace(whole(self, seed), test=examples))
    with pytest.raises(InputError, match=f"^Numbers has {message}"):
        ready()


def test_a_root_data_set_as_large_as_the_data_or_larger():
    for root_size in (120, 10**30):
        with pytest.raises(InputError, match=f"data.root_size={root_size} leaves the clients nothing of the 120"):
            ready(root_size=root_size)


class Recorder(LightningModule):
    """Notes what the trainer hands it."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.rounds: list[object] = []
        self.pointers: list[int] = []

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=1.0)

    def training_step(self, batch: int) -> None:
        self.rounds.append((batch, type(batch), self.trainer.global_step))
        self.weight.grad = torch.ones(1)
        self.optimizers().step()

    def validation_step(self, batch: tuple[Tensor, Tensor]) -> None:
        features, labels = batch
        self.pointers.append(features.data_ptr())
        self.log("error", (labels != 0).float().mean())

    test_step = validation_step

    def predict_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        return batch[1]


def trainer(**arguments) -> Trainer:
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "log_every_n_steps": 1}
    return Trainer(
        **quiet | {"accelerator": "cpu", "num_sanity_val_steps": 0, "enable_model_summary": False} | arguments
    )


@pytest.mark.filterwarnings("ignore:`isinstance.treespec, LeafSpec.` is deprecated:FutureWarning")  # lightning's own
def test_lightning_takes_the_loaders_as_they_are():
    data, module = Numbers(root_size=12, eval_batch_size=4), Recorder()
    run = trainer(max_steps=5, val_check_interval=2)
    run.fit(module, datamodule=data)
    assert module.rounds == [(number, int, number) for number in range(5)]
    assert run.current_epoch == 1
    bytes_per_row = data.test.features.stride(0) * data.test.features.element_size()
    assert module.pointers == [data.test.features.data_ptr() + start * bytes_per_row for start in (0, 4, 8)] * 2
    metrics = run.test(module, datamodule=data, verbose=False)
    assert metrics[0]["error"] == pytest.approx((data.test.labels != 0).float().mean().item())
    assert torch.equal(torch.cat(run.predict(module, datamodule=data)), data.test.labels)


def test_the_number_of_rounds_must_be_set():
    data = ready()
    with pytest.raises(InputError, match=r"trainer\.max_steps=-1 is the number of rounds: set it to 1 or more"):
        trainer(max_epochs=1).fit(Recorder(), datamodule=data)
    with pytest.raises(InputError, match=r"trainer\.max_steps=-1"):
        data.train_dataloader()


def test_some_clients_have_the_data_that_they_have_among_all():
    whole, some = ready(), ready(only_clients=[3, 1])
    assert (some.num_clients, some.num_training, some.test_owners) == (2, len(some.clients.labels), None)
    assert torch.equal(some.root.features, whole.root.features)
    for number, client in enumerate((3, 1)):
        assert torch.equal(some.clients.of(number).features, whole.clients.of(client).features)
    assert ready(only_clients=[2], num_added_clients=2).num_clients == 3


@pytest.mark.parametrize("only", [[], [1, 1], [-1], [4]])
def test_clients_that_there_are_not_are_refused(only):
    with pytest.raises(InputError, match=r"data\.only_clients"):
        ready(only_clients=only)
