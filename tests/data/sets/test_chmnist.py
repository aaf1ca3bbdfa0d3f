from pathlib import Path

import pytest
import torch
from official import NUM_TILES as TILES
from official import chmnist_table as table
from official import csv
from official import tiles as tile_content
from official import zipped as archive

from flt.data import CHMNIST
from flt.data.readers import chmnist as chmnist_source
from flt.data.readers.chmnist import ARCHIVE, CSV, read_chmnist
from flt.errors import InputError


@pytest.fixture(autouse=True)
def few_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chmnist_source, "NUM_TILES", TILES)


def test_reads_the_table(tmp_path: Path):
    rows = table()
    (tmp_path / CSV).write_text(csv(rows))
    tiles = read_chmnist(tmp_path)
    assert (tiles.features.shape, tiles.features.dtype) == ((TILES, 1, 64, 64), torch.uint8)
    assert tiles.features.flatten(1).tolist() == rows[:, :-1].tolist()
    assert tiles.labels.tolist() == (rows[:, -1] - 1).tolist()


def test_reads_the_tiles(tmp_path: Path):
    (tmp_path / ARCHIVE).write_bytes(archive(tile_content()))
    tiles = read_chmnist(tmp_path)
    assert tiles.features.shape == (TILES, 1, 64, 64)
    assert tiles.labels.tolist() == sorted(tiles.labels.tolist())
    assert tiles.features[:, 0, 0, 0].tolist() == [30 * label for label in tiles.labels.tolist()]
    assert sorted((tiles.features[:, 0, -1, -1] - tiles.features[:, 0, 0, 0])[:3].tolist()) == [0, 1, 2]


def test_splits_at_random_by_the_runs_seed(tmp_path: Path):
    rows = table()
    (tmp_path / CSV).write_text(csv(rows))
    data = CHMNIST(data_dir=str(tmp_path), num_clients=8, root_size=3)
    first, again, other = data.load(0), data.load(0), data.load(1)
    assert (len(first.train), len(first.test), first.stand_in) == (19, 5, False)
    assert torch.equal(first.test.features, again.test.features)
    assert not torch.equal(first.test.features, other.test.features)
    everything = torch.cat([first.train.features, first.test.features]).flatten(1)
    expected = torch.from_numpy(rows[:, :-1]).float() / 255
    assert sorted(everything.tolist()) == sorted(expected.tolist())
    data.setup()
    assert (data.num_clients, data.display_name) == (8, "CH-MNIST")


@pytest.mark.filterwarnings("ignore:SYNTHETIC DATA")
def test_stand_in(tmp_path: Path):
    data = CHMNIST(data_dir=str(tmp_path), stand_in="if_unreachable")
    data.setup()
    assert (data.display_name, data.num_clients, data.target_class) == ("CH-MNIST (stand-in)", 40, 0)
    assert data.clients.features.shape == (3900, 1, 64, 64)
    assert data.test.features.shape == (1000, 1, 64, 64)
    assert data.clients.labels.unique().tolist() == list(range(8))
    with pytest.raises(InputError, match=rf"cannot be reached .*: copy '{CSV}' or '{ARCHIVE}' to data.data_dir="):
        CHMNIST(data_dir=str(tmp_path)).prepare_data()


def test_a_table_without_its_header(tmp_path: Path):
    (tmp_path / CSV).write_text(csv(table()).split("\n", 1)[1])
    assert len(read_chmnist(tmp_path)) == TILES
