import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from flt.data import ClientData, Examples
from flt.errors import InputError


def numbered(count: int, start: int = 0) -> Examples:
    """Examples whose one feature and label are their own number."""
    numbers = torch.arange(start, start + count)
    return Examples(numbers[:, None].float(), numbers)


owners_and_clients = st.integers(1, 6).flatmap(
    lambda clients: st.tuples(st.lists(st.integers(0, clients - 1), max_size=30), st.just(clients))
)


@given(owners_and_clients)
def test_every_client_owns_its_examples_in_their_order(case):
    owners, num_clients = case
    clients = ClientData.from_owners(numbered(len(owners)), torch.tensor(owners, dtype=torch.int64), num_clients)
    assert clients.num_clients == num_clients
    assert clients.sizes.tolist() == [owners.count(client) for client in range(num_clients)]
    for client in range(num_clients):
        mine = clients.of(client)
        assert mine.labels.tolist() == [row for row, owner in enumerate(owners) if owner == client]
        assert mine.features[:, 0].tolist() == mine.labels.tolist()


@given(owners_and_clients, st.data())
def test_extended_appends_to_each_client_and_leaves_the_original(case, data):
    owners, num_clients = case
    extra = data.draw(st.lists(st.integers(0, num_clients - 1), max_size=10))
    before = ClientData.from_owners(numbered(len(owners)), torch.tensor(owners, dtype=torch.int64), num_clients)
    labels, offsets = before.labels.clone(), before.offsets.clone()
    after = before.extended(numbered(len(extra), start=1000), torch.tensor(extra, dtype=torch.int64))
    for client in range(num_clients):
        added = [1000 + row for row, owner in enumerate(extra) if owner == client]
        assert after.of(client).labels.tolist() == before.of(client).labels.tolist() + added
    assert torch.equal(before.labels, labels)
    assert torch.equal(before.offsets, offsets)


def test_examples_are_indexed_by_slice_positions_and_mask():
    examples = numbered(5)
    assert examples[1:3].labels.tolist() == [1, 2]
    assert examples[torch.tensor([4, 0])].labels.tolist() == [4, 0]
    assert examples[examples.labels > 2].features[:, 0].tolist() == [3, 4]


def test_to_moves_everything_and_copies_nothing_needlessly():
    examples = numbered(3)
    clients = ClientData.from_owners(examples, torch.tensor([0, 1, 1]), 2)
    assert examples.to("cpu").features.data_ptr() == examples.features.data_ptr()
    assert clients.to("cpu").features.data_ptr() == clients.features.data_ptr()
    moved = clients.to("meta")
    assert {moved.features.device.type, moved.labels.device.type, moved.offsets.device.type} == {"meta"}


def test_labels_must_match_features():
    with pytest.raises(InputError, match=r"labels of shape \[2\] do not match features of shape \[3, 4\]"):
        Examples(torch.zeros(3, 4), torch.zeros(2, dtype=torch.int64))


@pytest.mark.parametrize(
    ("owners", "message"),
    [
        ([0, 1], r"owners has shape \[2\] for 3 examples: give one client"),
        ([0, 1, 2], "owners range from 0 to 2 with num_clients=2: they must lie between 0 and 1"),
        ([-1, 1, 1], "owners range from -1 to 1 with num_clients=2"),
    ],
)
def test_owners_must_name_a_client_for_each_example(owners: list[int], message: str):
    with pytest.raises(InputError, match=message):
        ClientData.from_owners(numbered(3), torch.tensor(owners), 2)


def test_examples_left_out_belong_to_nobody():
    examples = Examples(torch.arange(6.0)[:, None], torch.arange(6))
    owners = torch.tensor([2, 0, 2, 0, 2, 0])
    clients = ClientData.from_owners(examples, owners, 4, without=torch.tensor([5, 0]))
    assert [clients.of(client).labels.tolist() for client in range(4)] == [[1, 3], [], [2, 4], []]
    assert clients.features[:, 0].tolist() == [1, 3, 2, 4]
