import warnings
from pathlib import Path

import pytest
import torch

from flt.data.fetching import cache
from flt.files import cache_folder

TENSORS = {"features": torch.arange(40.0).reshape(10, 4), "labels": torch.arange(10)}
EXPECTED = {"features": ((10, 4), torch.float32), "labels": ((10,), torch.int64)}
DIGEST = "ab" * 32


def load() -> dict[str, torch.Tensor] | None:
    return cache.load("set", DIGEST, EXPECTED)


@pytest.fixture
def kept() -> Path:
    cache.save("set", DIGEST, TENSORS)
    return cache.cache_file("set", DIGEST)


def test_gives_back_what_was_kept(kept: Path):
    tensors = load()
    assert tensors is not None
    assert all(torch.equal(tensors[key], TENSORS[key]) for key in TENSORS)
    assert [path.name for path in kept.parent.iterdir()] == [f"set-{DIGEST[:16]}.pt"]


def test_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("FLT_CACHE", str(tmp_path / "here"))
    assert cache_folder() == tmp_path / "here"
    monkeypatch.delenv("FLT_CACHE")
    assert cache_folder() == Path.home() / ".cache" / "flt"


def test_a_flipped_bit_never_yields_wrong_tensors(kept: Path):
    content = kept.read_bytes()
    for position in range(0, len(content), 37):
        kept.write_bytes(content[:position] + bytes([content[position] ^ 0x10]) + content[position + 1 :])
        with warnings.catch_warnings(record=True) as noted:
            warnings.simplefilter("always")
            tensors = load()
        if tensors is None:
            assert ["is not used" in str(warning.message) for warning in noted] == [True]
        else:
            assert all(torch.equal(tensors[key], TENSORS[key]) for key in TENSORS)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"tensors": TENSORS | {"labels": torch.arange(9)}}, "its tensors have other names, shapes or types"),
        ({"tensors": TENSORS | {"labels": torch.zeros(10)}}, "its tensors have other names, shapes or types"),
        ({"tensors": TENSORS | {"labels": torch.ones(10, dtype=torch.int64)}}, "its checksum is wrong"),
    ],
)
def test_unusable_content(kept: Path, change: dict, problem: str):
    torch.save(torch.load(kept) | change, kept)
    with pytest.warns(UserWarning, match=problem):
        assert load() is None


def test_another_programs_file(kept: Path):
    torch.save([1, 2], kept)
    with pytest.warns(UserWarning, match="another version of flt"):
        assert load() is None
