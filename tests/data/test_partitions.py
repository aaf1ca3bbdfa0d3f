import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from flt.data.partitions import (
    DirichletPartition,
    GammaSimilarityPartition,
    GroupPartition,
    IIDPartition,
    Partition,
    ShardPartition,
    SortedPartition,
)
from flt.errors import InputError

PARTITIONS: list[Partition] = [
    *(GroupPartition(), GroupPartition(0.0), GroupPartition(1.0)),
    IIDPartition(),
    *(DirichletPartition(), DirichletPartition(1e-300), DirichletPartition(1e308)),
    *(ShardPartition(), ShardPartition(1)),
    *(GammaSimilarityPartition(), GammaSimilarityPartition(0.0), GammaSimilarityPartition(1.0)),
    SortedPartition(),
]


def assign(partition: Partition, labels: Tensor, num_clients: int, num_classes: int = 10, seed: int = 0) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    return partition.assign(labels, num_clients=num_clients, num_classes=num_classes, generator=draw)


def counts(owners: Tensor, labels: Tensor, num_clients: int, num_classes: int = 10) -> Tensor:
    """Number of examples of each class that each client owns, shape ``[num_clients, num_classes]``."""
    return (owners * num_classes + labels).bincount(minlength=num_clients * num_classes).view(num_clients, num_classes)


def chi_square(observed: Tensor, expected: Tensor) -> float:
    """Standard deviations by which the statistic exceeds its mean (Wilson and Hilferty)."""
    statistic, freedom = float(((observed - expected) ** 2 / expected).sum()), observed.numel() - len(observed)
    spread = 2 / (9 * freedom)
    return ((statistic / freedom) ** (1 / 3) - (1 - spread)) / math.sqrt(spread)


@given(st.sampled_from(PARTITIONS), st.data())
def test_every_example_has_one_client(partition: Partition, data: st.DataObject):
    num_classes = data.draw(st.integers(1, 7))
    num_clients = data.draw(st.integers(num_classes, 20))
    labels = torch.tensor(data.draw(st.lists(st.integers(0, num_classes - 1), min_size=40, max_size=80)))
    before = labels.clone()
    owners = assign(partition, labels, num_clients, num_classes)
    assert (owners.shape, owners.dtype) == (labels.shape, torch.int64)
    assert int(owners.min()) >= 0
    assert int(owners.max()) < num_clients
    assert torch.equal(labels, before)


@pytest.mark.parametrize("partition", PARTITIONS, ids=lambda p: f"{type(p).__name__}-{vars(p)}")
def test_is_a_function_of_the_generator_alone(partition: Partition):
    labels = torch.arange(1000) % 10
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = assign(partition, labels, 20)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert torch.equal(assign(partition, labels, 20), first)
    if partition.describe() not in ("SortedPartition", "GammaSimilarityPartition, gamma 0.0"):  # which draw nothing
        assert not torch.equal(assign(partition, labels, 20, seed=1), first)


@pytest.mark.parametrize(("noniid_degree", "num_clients"), [(0.0, 47), (0.1, 10), (0.5, 100), (0.9, 47), (1.0, 10)])
def test_group_frequencies_are_q_and_the_rest_in_equal_parts(noniid_degree: float, num_clients: int):
    labels = torch.arange(60_000) % 10
    owners = assign(GroupPartition(noniid_degree), labels, num_clients)
    # Who is in which group shows where all examples stay in their group; the same seed draws the same groups.
    group_of = counts(assign(GroupPartition(1.0), labels, num_clients), labels, num_clients).argmax(1)
    sizes = group_of.bincount(minlength=10)
    assert sizes.tolist() == [num_clients // 10 + (group < num_clients % 10) for group in range(10)]
    observed = counts(group_of[owners], labels, 10).T.double()
    q = torch.full((10, 10), (1 - noniid_degree) / 9).fill_diagonal_(noniid_degree)
    possible = q[0] > 0
    assert observed[q == 0].sum() == 0
    if possible.sum() > 1:
        expected = 6000 * q.double()
        rows, columns = (q > 0).nonzero(as_tuple=True)
        size = (10, -1)
        assert abs(chi_square(observed[rows, columns].view(size), expected[rows, columns].view(size))) < 4
    within = [
        owners[group_of[owners] == group].bincount(minlength=num_clients)[group_of == group] for group in range(10)
    ]
    for members in within:
        if len(members) > 1:
            assert abs(chi_square(members.double()[None], members.double().mean().expand(1, len(members)))) < 4


def test_groups_are_drawn_at_random():
    labels = torch.arange(1000) % 10
    first, second = (counts(assign(GroupPartition(1.0), labels, 20, seed=s), labels, 20).argmax(1) for s in (0, 1))
    assert not torch.equal(first, second)
    assert not torch.equal(first, first.sort().values)


def test_one_class_makes_one_group():
    owners = assign(GroupPartition(0.3), torch.zeros(500, dtype=torch.int64), 5, num_classes=1)
    assert len(owners.unique()) == 5


@pytest.mark.parametrize("partition", [IIDPartition(), GammaSimilarityPartition(1.0)])
def test_iid_shares_are_equal_and_shuffled(partition: Partition):
    labels = torch.arange(10).repeat_interleave(1003)
    owners = assign(partition, labels, 100)
    assert set(owners.bincount().tolist()) == {100, 101}
    table = counts(owners, labels, 100).double()
    assert abs(chi_square(table, table.sum(1, keepdim=True).expand(100, 10) / 10)) < 4


def test_dirichlet_shares_have_the_moments_of_the_distribution():
    alpha, num_clients = 0.5, 20
    labels = torch.arange(400_000) % 200
    table = counts(assign(DirichletPartition(alpha), labels, num_clients, 200), labels, num_clients, 200).double()
    shares = table / table.sum(0)
    mean = 1 / num_clients
    assert shares.mean() == pytest.approx(mean)
    variance = mean * (1 - mean) / (num_clients * alpha + 1) + mean * (1 - mean) / 2000
    assert shares.var() == pytest.approx(variance, rel=0.1)


def test_dirichlet_extremes():
    labels = torch.arange(10_000) % 10
    concentrated = counts(assign(DirichletPartition(1e-6), labels, 50), labels, 50)
    assert (concentrated > 0).sum() == 10
    even = counts(assign(DirichletPartition(1e9), labels, 50), labels, 50).double()
    assert abs(chi_square(even.T, torch.full((10, 50), 20.0).double())) < 4


def test_shards_are_equal_and_hold_neighbouring_labels():
    labels = (torch.arange(6000) * 7) % 10
    table = counts(assign(ShardPartition(2), labels, 100), labels, 100)
    assert set(table.sum(1).tolist()) == {60}
    assert int((table > 0).sum(1).max()) <= 2
    assert set(table.unique().tolist()) == {0, 30, 60}


def test_shards_of_unequal_size_when_the_examples_do_not_divide():
    sizes = assign(ShardPartition(3), torch.zeros(100, dtype=torch.int64), 7, 1).bincount(minlength=7)
    assert int(sizes.sum()) == 100
    assert int(sizes.min()) >= 3 * (100 // 21)


@pytest.mark.parametrize("gamma", [0.0, 0.33, 1.0])
@pytest.mark.parametrize("num_examples", [60, 97])
def test_gamma_similarity_is_that_of_byzfl(gamma: float, num_examples: int):
    byzfl = pytest.importorskip("byzfl")
    labels, num_clients = (torch.arange(num_examples) * 7) % 10, 8
    dataset = torch.utils.data.TensorDataset(labels)
    dataset.targets = labels
    distributor = byzfl.DataDistributor(
        {
            "data_distribution_name": "gamma_similarity_niid",
            "distribution_parameter": gamma,
            "nb_honest": num_clients,
            "data_loader": torch.utils.data.DataLoader(dataset),
            "batch_size": 1,
        }
    )
    # ByzFL takes the examples in the order of its random split, the IID ones first.
    order = torch.randperm(num_examples, generator=torch.Generator().manual_seed(0))
    theirs = torch.empty_like(labels)
    for client, rows in enumerate(distributor.gamma_niid_idx(labels, order.tolist())):
        theirs[torch.from_numpy(rows)] = client
    ours = assign(GammaSimilarityPartition(gamma), labels, num_clients)
    similar, others = order.tensor_split([int(gamma * num_examples)])
    assert ours[similar].bincount().tolist() == theirs[similar].bincount().tolist()  # where order is random
    table, expected = (counts(each[others], labels[others], num_clients) for each in (ours, theirs))
    assert torch.equal(table, expected)
    if gamma == 0:
        assert torch.equal(ours, assign(SortedPartition(), labels, num_clients))


@pytest.mark.parametrize("partition", [GroupPartition(), IIDPartition(), DirichletPartition(), SortedPartition()])
def test_no_examples_at_all(partition: Partition):
    assert assign(partition, torch.zeros(0, dtype=torch.int64), 10).shape == (0,)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: GroupPartition(1.5),
            r"data.partition.noniid_degree=1.5: give a probability from 0 to 1; 1 / .number of classes",
        ),
        (lambda: GroupPartition(-1e308), r"data.partition.noniid_degree=-1e\+308: give a probability"),
        (lambda: DirichletPartition(0.0), "data.partition.alpha=0.0: the Dirichlet distribution needs a finite number"),
        (lambda: assign(ShardPartition(2**62), torch.arange(10), 4), "data.partition.shards_per_client=461168601842"),
        (lambda: DirichletPartition(float("inf")), "data.partition.alpha=inf: the Dirichlet"),
        (lambda: GammaSimilarityPartition(1.01), "data.partition.gamma=1.01: give a share from 0 to 1; 1 is IID"),
        (lambda: ShardPartition(0), "data.partition.shards_per_client=0: a client holds 1 shard or more"),
        (
            lambda: assign(GroupPartition(), torch.arange(10), 9),
            "data.num_clients=9 is too few .* the 10 classes: set data.num_clients to 10 or more, or choose another",
        ),
        (
            lambda: assign(ShardPartition(3), torch.arange(10), 4),
            "data.partition.shards_per_client=3 with data.num_clients=4 makes 12 shards of 10 .*: choose fewer",
        ),
        (lambda: assign(GroupPartition(), torch.arange(11), 20), "labels range from 0 to 10 with num_classes=10"),
    ],
)
def test_mistakes(make, message: str):
    with pytest.raises(InputError, match=f"^{message}"):
        make()
