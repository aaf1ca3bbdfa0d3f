from pathlib import Path

import numpy as np
import pytest
import torch

from flt.data import CHMNIST_TRIGGER, CIFAR10_TRIGGER, Arrays, IIDPartition
from flt.data.readers.npz import as_examples
from flt.errors import InputError

TRAIN, TEST = 60, 12


def arrays(shape: tuple[int, ...] = (28, 28), **changes: object) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(0)
    content = {
        "x_train": draw.integers(256, size=(TRAIN, *shape), dtype=np.uint8),
        "y_train": np.arange(TRAIN) % 4,
        "x_test": draw.integers(256, size=(TEST, *shape), dtype=np.uint8),
        "y_test": np.arange(TEST) % 4,
    }
    return {name: np.asarray(value) for name, value in (content | changes).items() if value is not None}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "my.npz"


def ready(path: Path, content: dict[str, np.ndarray], **settings) -> Arrays:
    np.savez(path, **content)
    data = Arrays(str(path), **{"num_clients": 5, "root_size": 8} | settings)
    data.setup()
    return data


def test_bytes_become_numbers_from_0_to_1(path: Path):
    content = arrays()
    data = ready(path, content)
    assert (data.display_name, data.num_classes, data.num_clients, data.target_class) == ("my", 4, 5, 0)
    assert data.test.features.shape == (TEST, 1, 28, 28)
    assert torch.equal(data.test.features[:, 0], torch.from_numpy(content["x_test"]).float() / 255)
    assert data.test.labels.tolist() == content["y_test"].tolist()
    assert (len(data.clients.labels), len(data.root)) == (TRAIN - 8, 8)


@pytest.mark.parametrize(
    ("channels", "dtype"), [("last", np.uint8), ("first", np.uint8), ("first", np.float16), ("last", np.float64)]
)
def test_order_of_channels(path: Path, channels: str, dtype: type):
    shape = (32, 32, 3) if channels == "last" else (3, 32, 32)
    content = arrays(shape)
    if dtype != np.uint8:
        content |= {name: (content[name] / 255).astype(dtype) for name in ("x_train", "x_test")}
    features = ready(path, content, channels=channels).test.features
    expected = content["x_test"].astype(np.float32) / (255 if dtype == np.uint8 else 1)
    expected = expected.transpose(0, 3, 1, 2) if channels == "last" else expected
    assert features.dtype == torch.float32
    assert features.is_contiguous()
    assert np.allclose(features.numpy(), expected)


@pytest.mark.parametrize(
    ("shape", "trigger"),
    [
        ((32, 32, 3), CIFAR10_TRIGGER),
        ((28, 28), CHMNIST_TRIGGER),
        ((28, 28, 3), CHMNIST_TRIGGER),
        ((9, 7), CHMNIST_TRIGGER),
    ],
)
def test_images_have_the_papers_trigger(path: Path, shape: tuple[int, ...], trigger):
    data = ready(path, arrays(shape))
    assert data.trigger is trigger
    assert (data.trigger(data.test.features) == 1).any(dim=1).sum() > 0


def test_vectors_have_no_trigger_and_any_finite_values(path: Path):
    content = arrays(x_train=np.full((TRAIN, 7), -300.5), x_test=np.full((TEST, 7), 1e6))
    data = ready(path, content)
    assert data.clients.features.shape == (TRAIN - 8, 7)
    assert data.clients.features.unique().tolist() == [-300.5]
    with pytest.raises(InputError, match=r"no backdoor trigger of its own: give the attack one"):
        data.trigger(data.test.features)


def test_natural_clients(path: Path):
    ids = np.array([-3, 70, 5])[np.arange(TRAIN) % 3]
    with pytest.warns(UserWarning, match=r"data\.num_clients has no effect: .*my\.npz names the clients in client_ids"):
        data = ready(path, arrays(client_ids=ids))
    assert data.num_clients == 3
    with pytest.warns(UserWarning, match=r"data\.partition has no effect"):
        ready(path, arrays(client_ids=ids), num_clients=None, partition=IIDPartition())
    raw = ready(path, arrays(client_ids=ids), num_clients=None).load(0)
    assert raw.owners is not None
    assert raw.owners.tolist() == [{-3: 0, 5: 1, 70: 2}[number] for number in ids.tolist()]


def test_a_hundred_clients_unless_told_otherwise(path: Path):
    with pytest.raises(InputError, match="num_clients=100 exceeds the 60 training examples of my: have"):
        ready(path, arrays(), num_clients=None)


@pytest.mark.parametrize("dtype", [np.int8, np.uint64])
def test_integers_stay_as_they_are(path: Path, dtype: type):
    ids = np.random.default_rng(0).integers(100, size=(TRAIN + TEST, 9)).astype(dtype)
    data = ready(path, arrays(x_train=ids[:TRAIN], x_test=ids[TRAIN:]), batch_size=4)
    assert torch.equal(data.test.features, torch.from_numpy(ids[TRAIN:].astype(np.int64)))
    held = torch.cat([data.clients.features, data.root.features])
    assert sorted(held.tolist()) == sorted(ids[:TRAIN].tolist())
    assert all(features.dtype == torch.int64 for features in (held, next(iter(data.val_dataloader()))[0]))
    with pytest.raises(InputError, match="no backdoor trigger of its own"):
        data.trigger(data.test.features)


@pytest.mark.parametrize("shape", [(9, 3), (5, 4, 3, 2)])
def test_series_have_any_shape_and_finite_values(path: Path, shape: tuple[int, ...]):
    series = np.random.default_rng(0).normal(size=(TRAIN, *shape))
    data = ready(path, arrays(x_train=series, x_test=series[:TEST]), channels="none")
    assert torch.equal(data.test.features, torch.from_numpy(series[:TEST]).float())
    with pytest.raises(InputError, match="no backdoor trigger of its own"):
        data.trigger(data.test.features)
    with pytest.raises(InputError, match=r"x_train has .*(pass --data\.channels=none|channels with channels=last)"):
        ready(path, arrays(x_train=series, x_test=series[:TEST]))


def test_the_biased_class_is_checked_against_the_labels(path: Path):
    np.savez(path, **arrays())
    with pytest.raises(InputError, match="biased_class=4: choose a class from 0 to 3"):
        Arrays(str(path), biased_class=4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_test": None}, r"my\.npz has no array x_test, only x_train, y_train, y_test: add it with numpy\.savez"),
        ({"y_train": np.array(["a"] * TRAIN)}, r"y_train is <U1 of shape \[60\]: store classes as integers"),
        ({"y_train": np.zeros(TRAIN)}, r"y_train is float64 of shape \[60\]: store classes as integers"),
        ({"y_train": np.arange(TRAIN) % 4 + 1}, "y_train has no example of 1 of the classes from 0 to 4: count"),
        ({"y_train": np.arange(TRAIN) % 4 - 1}, "y_train has values from -1 to 2: count classes from 0"),
        ({"y_train": np.arange(50) % 4}, "x_train has 60 examples, y_train 50: store one label for each"),
        ({"y_test": np.arange(TEST) % 5}, "y_test has class 4, but y_train has classes from 0 to 3: use the same"),
        ({"x_test": np.zeros((TEST, 28, 27))}, r"x_train has examples of shape \[1, 28, 28\], x_test .* \[1, 28, 27"),
        ({"x_train": np.zeros((TRAIN, 5, 5), bool)}, r"x_train is bool: store bytes \(uint8\), floating-point"),
        ({"x_train": np.zeros((TRAIN, 28, 28), int)}, r"x_train has integers of shape \[28, 28\], x_test examples of"),
        ({"x_train": np.full((TRAIN, 5), 2**63, np.uint64)}, "x_train has the value 9223372036854775808: store"),
        ({"x_train": np.zeros(TRAIN)}, r"x_train has the shape \[60\]: store vectors"),
        ({"x_train": np.zeros((TRAIN, 2, 2, 2, 2))}, r"x_train has the shape \[60, 2, 2, 2, 2\]: store vectors"),
        ({"x_train": np.full((TRAIN, 5), np.nan)}, "x_train has values that are not finite: replace NaN"),
        ({"x_train": np.full((TRAIN, 5, 5), 255.0)}, r"x_train has pixels from 255 to 255: scale images to 0\.\.1, or"),
        ({"x_train": np.zeros((TRAIN, 3, 32, 32))}, "32 channels with channels=last: pass --data.channels=first"),
        ({"x_train": np.zeros((TRAIN, 5, 32, 32))}, "32 channels with channels=last: store images of 1, 3 or 4"),
        ({"client_ids": np.zeros(TRAIN)}, r"client_ids is float64 of shape \[60\]: store one integer for each"),
    ],
)
def test_arrays_that_cannot_be_used(path: Path, changes: dict, message: str):
    with pytest.raises(InputError, match=message) as caught:
        ready(path, arrays(**changes))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_channels_last_taken_for_first():
    with pytest.raises(InputError, match=r"32 channels with channels=first: pass --data\.channels=last"):
        as_examples(np.zeros((2, 32, 32, 3)), "first", "x")


def test_unknown_order_of_channels(path: Path):
    with pytest.raises(InputError, match=r"data\.channels='middle': choose one of last, first, none"):
        Arrays(str(path), channels="middle")  # type: ignore[arg-type]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no archive at all", b"\x93NUMPY\x01\x00", b"\x80\x04N."])
def test_another_kind_of_file(path: Path, content: bytes):
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"my\.npz is not an \.npz file of numpy\.savez"):
        Arrays(str(path))


def test_damage_anywhere_is_noticed_or_harmless(path: Path):
    content = arrays((4, 4))
    good = ready(path, content).load(0).train.features
    whole = path.read_bytes()
    for position in range(0, len(whole), 41):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x21]) + whole[position + 1 :])
        try:
            assert torch.equal(Arrays(str(path)).load(0).train.features, good)
        except InputError:
            continue
