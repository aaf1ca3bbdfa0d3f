from pathlib import Path

import official
import pytest
import torch
from loaders import Site

from flt.data import HAR, RawData
from flt.data.splits import split_by_owner
from flt.data.stand_ins.har import HAR_USER_SIZES
from flt.errors import InputError


@pytest.fixture(scope="module")
def raw() -> RawData:
    return HAR(stand_in="always").load(0)


def test_three_quarters_of_each_user_are_for_training(raw: RawData):
    assert raw.owners is not None
    assert raw.owners.bincount().tolist() == [round(0.75 * size) for size in HAR_USER_SIZES]
    assert raw.test_owners is not None
    assert (raw.owners.bincount() + raw.test_owners.bincount()).tolist() == list(HAR_USER_SIZES)
    assert len(raw.train) + len(raw.test) == 10_299
    assert raw.stand_in


def test_training_features_are_standardised_and_test_features_by_the_same_numbers(raw: RawData):
    features = raw.train.features.double()
    assert features.mean(0).abs().max() < 1e-5
    assert (features.var(0, correction=0) - 1).abs().max() < 1e-5
    assert 1e-3 < raw.test.features.mean(0).abs().max() < 0.2
    assert raw.train.features.dtype == raw.test.features.dtype == torch.float32


def test_the_seed_decides_the_split(raw: RawData):
    assert torch.equal(HAR(stand_in="always").load(0).test.features, raw.test.features)
    assert not torch.equal(HAR(stand_in="always").load(1).test.labels, raw.test.labels)


@pytest.mark.parametrize("fraction", [0.0, 0.3, 0.75, 1.0])
def test_split_by_owner_is_random_within_each_owner(fraction: float):
    owners = torch.tensor([2, 0, 2, 2, 0, 0, 0, 2, 4] * 5)
    draw = torch.Generator().manual_seed(0)
    masks = torch.stack([split_by_owner(owners, fraction, generator=draw) for _ in range(500)])
    for owner in (0, 2, 4):
        mine = masks[:, owners == owner]
        count = round(fraction * mine.shape[1])
        assert set(mine.sum(1).tolist()) == {count}
        assert (mine.float().mean(0) - count / mine.shape[1]).abs().max() < 0.1


def test_reads_an_archive_through_the_environment(site: Site, monkeypatch):
    site.write(official.har_files())
    monkeypatch.setenv("FLT_DATA", str(site.folder))
    data = HAR(root_size=50)
    data.prepare_data()
    data.setup("fit")
    assert (data.display_name, data.is_stand_in, data.num_clients) == ("HAR", False, 30)
    assert (len(data.root), int(data.clients.sizes.sum())) == (50, 30 * 3 - 50)


def test_without_data_and_network(tmp_path: Path):
    message = r"cannot be reached .*: copy 'UCI HAR Dataset.zip' to data.data_dir='.*none', or pass --data.stand_in="
    with pytest.raises(InputError, match=message):
        HAR(data_dir=str(tmp_path / "none")).prepare_data()
    assert HAR(data_dir=str(tmp_path / "none"), stand_in="if_unreachable").load(0).stand_in
