import hostile
import pytest
import torch
from tiny import TinyData

from callbacks import DBA, FedAvg
from flt.data import FeatureTrigger, PixelTrigger
from flt.data.triggers import CHMNIST_TRIGGER, CIFAR10_TRIGGER, MNIST_TRIGGER
from flt.federation import Backdoor

FOUR = FeatureTrigger([0, 3, 5, 8], 3.0)


def pixels(trigger: PixelTrigger) -> list[tuple[int, int]]:
    return list(trigger.positions)


@pytest.mark.parametrize(
    ("own", "size", "rows", "starts", "length"),
    [(MNIST_TRIGGER, 28, (0, 3), (0, 6), 4), (CIFAR10_TRIGGER, 32, (0, 4), (0, 9), 6)],
)
def test_the_bars_of_its_authors(own, size, rows, starts, length) -> None:
    backdoor = DBA().backdoor(Backdoor(own, 0, shape=(1, size, size)))
    expected = [[(row, start + step) for step in range(length)] for row in rows for start in starts]
    assert [pixels(part) for part in backdoor.parts] == expected
    assert pixels(backdoor.trigger) == [each for bar in expected for each in bar]


def test_other_triggers_are_shared_out() -> None:
    default = Backdoor(CHMNIST_TRIGGER, 0, shape=(1, 64, 64))
    assert [pixels(part) for part in DBA().backdoor(default).parts] == [[each] for each in CHMNIST_TRIGGER.positions]
    own = DBA(num_parts=2, trigger=FOUR, target_class=2).backdoor(Backdoor(MNIST_TRIGGER, 0, shape=(1, 28, 28)))
    assert (own.trigger, own.target_class) == (FOUR, 2)
    assert [part.indices for part in own.parts] == [(0, 5), (3, 8)]


def test_each_client_trains_on_its_part_and_the_whole_is_measured(fit) -> None:
    data = TinyData()
    server = fit(FedAvg(), DBA(fraction=0.5, num_parts=2, trigger=FOUR), data=data, rounds=2)
    for rank, client in enumerate(server.federation.malicious.nonzero().flatten().tolist()):
        size = len(data.clients.of(client))
        held = server.federation.clients.of(client)
        changed = held.features[size:] == 3.0
        assert changed.any(dim=0).nonzero().flatten().tolist() == ([0, 5], [3, 8])[rank % 2]
        assert (held.labels[size:] == 1).all()
    others = data.test.features[data.test.labels != 1]
    expected = (server(FOUR(others)).argmax(dim=1) == 1).float().mean()
    assert float(server.trainer.callback_metrics["attack_success_rate"]) == pytest.approx(float(expected))


def test_a_factor_that_replaces_the_model() -> None:
    federation = hostile.federation_of(num_examples=torch.ones(4), malicious=torch.tensor([True, False, True, False]))
    round = hostile.round_of(federation.replace(server_lr=0.5), torch.ones(4, 2), torch.ones(2))
    assert DBA().craft(round)[:, 0].tolist() == [4.0, 1.0, 4.0, 1.0]
    assert DBA(scale=1.0).craft(round)[:, 0].tolist() == [1.0] * 4


def test_parts_that_nobody_trains(fit) -> None:
    with pytest.warns(UserWarning, match=r"num_parts=4 is more than the 3 malicious clients: parts from 4 to 4 of the"):
        fit(FedAvg(), DBA(fraction=0.3, trigger=FOUR), rounds=1)
    data = TinyData()
    with pytest.warns(UserWarning, match="DBA with a single malicious client is a usual backdoor: it embeds the whole"):
        server = fit(FedAvg(), DBA(fraction=0.1, trigger=FOUR), data=data, rounds=1)
    client = int(server.federation.malicious.nonzero())
    copies = server.federation.clients.of(client)[len(data.clients.of(client)) :]
    assert (copies.features[:, FOUR.indices] == 3.0).all()
