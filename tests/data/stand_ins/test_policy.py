import pytest
import torch

from flt.data.fetching.download import Unreachable
from flt.data.sets.har import standardised
from flt.data.splits import split_by_owner
from flt.data.stand_ins.clusters import paired_classes
from flt.data.stand_ins.har import synthetic_har
from flt.data.stand_ins.policy import real_or_stand_in
from flt.errors import InputError


def test_is_the_same_every_time():
    assert torch.equal(synthetic_har()[0].features, synthetic_har()[0].features)
    assert not torch.equal(synthetic_har(1)[0].features, synthetic_har(2)[0].features)


def test_users_differ():
    examples, users = synthetic_har()
    means = torch.stack([examples.features[users == user].mean(0) for user in range(30)])
    expected_by_chance = (examples.features.var(0) / 343).mean().sqrt()
    assert means.var(0).mean().sqrt() > 3 * expected_by_chance


def test_logistic_regression_trained_by_fedavg_errs_on_a_few_per_cent():
    examples, users = synthetic_har()
    draw = torch.Generator().manual_seed(0)
    is_train = split_by_owner(users, 0.75, generator=draw)
    features, labels = standardised(examples.features, is_train), examples.labels
    rows = [(is_train & (users == user)).nonzero()[:, 0] for user in range(30)]
    shares = torch.tensor([len(mine) / int(is_train.sum()) for mine in rows]).repeat_interleave(32)
    weight = torch.zeros(561, 6)
    for _ in range(300):
        batch = torch.cat([mine[torch.randperm(len(mine), generator=draw)[:32]] for mine in rows])
        gap = (features[batch] @ weight).softmax(1) - torch.nn.functional.one_hot(labels[batch], 6)
        weight -= 0.003 * features[batch].T @ (gap * shares[:, None])
    wrong = (features[~is_train] @ weight).argmax(1) != labels[~is_train]
    assert 0.02 < wrong.float().mean() < 0.06


def test_classes_of_a_pair_are_as_far_apart_as_asked():
    labels = torch.arange(5).repeat_interleave(4000)
    draw = torch.Generator().manual_seed(0)
    latent = paired_classes(labels, num_classes=5, dimensions=20, pair_distance=3.0, generator=draw)
    centres = torch.stack([latent[labels == label].mean(0) for label in range(5)])
    assert abs((centres[0] - centres[1]).norm() - 3) < 0.15
    assert abs((centres[2] - centres[3]).norm() - 3) < 0.15
    assert (centres[0] - centres[2]).norm() > 4


def unreachable() -> str:
    raise Unreachable("http://x cannot be reached (no network)")


def damaged() -> str:
    raise InputError("it is damaged")


@pytest.mark.parametrize(
    ("policy", "real", "expected"),
    [
        ("never", lambda: "real", ("real", False)),
        ("if_unreachable", lambda: "real", ("real", False)),
        ("if_unreachable", unreachable, ("synthetic", True)),
        ("always", unreachable, ("synthetic", True)),
        ("always", lambda: "real", ("synthetic", True)),
    ],
)
def test_policy(policy, real, expected):
    assert real_or_stand_in(policy, real=real, stand_in=lambda: "synthetic", remedy="") == expected


def test_never_means_never():
    message = r"cannot be reached \(no network\): copy it there, or pass --data.stand_in=if_unreachable"
    with pytest.raises(InputError, match=message):
        real_or_stand_in("never", real=unreachable, stand_in=lambda: "synthetic", remedy="copy it there")


def test_damaged_data_are_not_replaced_by_a_stand_in():
    with pytest.raises(InputError, match="damaged"):
        real_or_stand_in("if_unreachable", real=damaged, stand_in=lambda: "synthetic", remedy="")
