"""Reads the colorectal tissue tiles of Kather et al. in either of their two published forms."""

import io
import zipfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from flt.data.examples import Examples
from flt.data.fetching import cache
from flt.data.fetching.find import file_digest, find_or_download, read_whole
from flt.data.readers.tables import parse_table
from flt.errors import InputError
from flt.files import cache_folder

URLS = (
    "https://zenodo.org/records/53169/files/Kather_texture_2016_image_tiles_5000.zip",
    "https://zenodo.org/record/53169/files/Kather_texture_2016_image_tiles_5000.zip",
)
CSV = "hmnist_64_64_L.csv"
ARCHIVE = "Kather_texture_2016_image_tiles_5000.zip"
SHA256 = "936d0b95ae0f04f1f7b18a2b7e8c55776c3e887d102f645bcee752d1a6626a32"
CLASSES = ("01_TUMOR", "02_STROMA", "03_COMPLEX", "04_LYMPHO", "05_DEBRIS", "06_MUCOSA", "07_ADIPOSE", "08_EMPTY")
NUM_TILES, SIZE, TILE_SIZE = 5_000, 64, 150
MAX_TILE_BYTES, MAX_CSV_BYTES = 1 << 20, 256 << 20


def read_chmnist(data_dir: Path) -> Examples:
    """Reads all tiles as grey images of 64x64 bytes, from the cache if it holds them.

    Args:
        data_dir: The folder of data sets, with ``hmnist_64_64_L.csv`` or the archive of original tiles. The archive is
            downloaded if there is neither, to ``data_dir``, or to the cache folder if that cannot be written to.

    Returns:
        Features uint8 of shape ``[5000, 1, 64, 64]`` and labels from 0 to 7, sorted by class or as the file has them.

    Raises:
        InputError: If the file is damaged or is not this data set.
        Unreachable: If there is none and it cannot be downloaded.
    """
    source = _find_source(data_dir)
    digest = file_digest([source])
    expected = {"images": ((NUM_TILES, 1, SIZE, SIZE), torch.uint8), "labels": ((NUM_TILES,), torch.int64)}
    tensors = cache.load("chmnist", digest, expected)
    if tensors is None:
        images, labels = _parse_csv(source) if source.suffix == ".csv" else _parse_archive(source)
        _check(labels, source)
        tensors = {"images": images, "labels": labels}
        cache.save("chmnist", digest, tensors)
    return Examples(tensors["images"], tensors["labels"])


def _find_source(data_dir: Path) -> Path:
    if (data_dir / CSV).exists():
        return data_dir / CSV
    return find_or_download(ARCHIVE, URLS, digest=SHA256, folders=[data_dir, cache_folder()])


def _parse_csv(source: Path) -> tuple[Tensor, Tensor]:
    content = read_whole(source, max_bytes=MAX_CSV_BYTES, remedy=_remedy(source))
    header, _, rows = content.partition(b"\n")
    # An empty line in place of the header keeps the line numbers of messages right.
    text = (b"" if header.startswith(b"pixel") else header) + b"\n" + rows
    table = parse_table(
        text.replace(b",", b" "),
        columns=SIZE * SIZE + 1,
        low=0,
        high=255,
        whole=True,
        name=str(source),
        remedy=_remedy(source),
    ).astype(np.uint8)
    labels = torch.from_numpy(table[:, -1].astype(np.int64)) - 1
    return torch.from_numpy(table[:, :-1].copy()).view(-1, 1, SIZE, SIZE), labels


def _parse_archive(source: Path) -> tuple[Tensor, Tensor]:
    images, labels = [], []
    try:
        with zipfile.ZipFile(source) as archive:
            for name in _tile_names(archive, source):
                images.append(_grey_tile(archive, name, source))
                labels.append(CLASSES.index(Path(name).parent.name))
    except InputError:
        raise
    except Exception as error:  # a damaged archive can make the reader raise anything
        raise InputError(f"{source} is not a readable zip archive (truncated?): {_remedy(source)}") from error
    stacked = np.stack(images) if images else np.empty((0, SIZE, SIZE), np.uint8)
    return torch.from_numpy(stacked)[:, None], torch.tensor(labels, dtype=torch.int64)


def _tile_names(archive: zipfile.ZipFile, source: Path) -> list[str]:
    names = sorted(
        name
        for name in archive.namelist()
        if Path(name).parent.name in CLASSES and name.endswith(".tif") and not name.startswith("__MACOSX/")
    )
    twice = next((name for name, following in pairwise(names) if name == following), None)
    if twice:
        raise InputError(f"{source} has the file {twice} twice: {_remedy(source)}")
    return names


def _grey_tile(archive: zipfile.ZipFile, name: str, source: Path) -> np.ndarray:
    from PIL import Image  # slow to import

    if archive.getinfo(name).file_size > MAX_TILE_BYTES:
        raise InputError(f"{source}: {name} is far too large for a tile: {_remedy(source)}")
    try:
        with Image.open(io.BytesIO(archive.read(name)), formats=["TIFF"]) as tile:
            if tile.size != (TILE_SIZE, TILE_SIZE):
                raise InputError(
                    f"{source}: {name} has {tile.width}x{tile.height} pixels, not {TILE_SIZE}x{TILE_SIZE}:"
                    f" {_remedy(source)}"
                )
            if tile.mode != "RGB":
                raise InputError(f"{source}: {name} has pixels of mode {tile.mode}, not RGB: {_remedy(source)}")
            grey = tile.convert("L").resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    except InputError:
        raise
    except Exception as error:  # a damaged image can make the reader raise anything
        raise InputError(f"{source}: {name} is not a readable TIFF image: {_remedy(source)}") from error
    return np.asarray(grey)


def _check(labels: Tensor, source: Path) -> None:
    if len(labels) != NUM_TILES:
        raise InputError(f"{source} has {len(labels)} tiles instead of {NUM_TILES}: {_remedy(source)}")
    found = sorted({label + 1 for label in labels.tolist()})
    if found != list(range(1, len(CLASSES) + 1)):
        raise InputError(f"{source} has the classes {found}, not 1 to {len(CLASSES)}: {_remedy(source)}")


def _remedy(source: Path) -> str:
    return f"delete it to have {ARCHIVE} downloaded, or put a good copy in its place"
