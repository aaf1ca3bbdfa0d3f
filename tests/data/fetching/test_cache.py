import os
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


def test_nothing_kept_is_no_reason_for_a_warning():
    assert load() is None


def test_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("FLT_CACHE", str(tmp_path / "here"))
    assert cache_folder() == tmp_path / "here"
    monkeypatch.delenv("FLT_CACHE")
    assert cache_folder() == Path.home() / ".cache" / "flt"


@pytest.mark.parametrize("size", [0, 1, 100, 0.5, 0.99])
def test_truncated(kept: Path, size: float):
    content = kept.read_bytes()
    kept.write_bytes(content[: size if isinstance(size, int) else int(size * len(content))])
    with pytest.warns(UserWarning, match="is not used: it cannot be read .* The data set is parsed again"):
        assert load() is None
    cache.save("set", DIGEST, TENSORS)
    assert load() is not None


def test_a_flipped_bit_never_yields_wrong_tensors(kept: Path):
    content = kept.read_bytes()
    for position in range(0, len(content), 37):
        damaged = bytearray(content)
        damaged[position] ^= 0x10
        kept.write_bytes(damaged)
        if _warns_or_is_right():
            continue
        pytest.fail(f"a flipped bit at {position} went unnoticed")


def _warns_or_is_right() -> bool:
    try:
        tensors = load()
    except UserWarning as warning:
        return "is not used" in str(warning)
    return tensors is not None and all(torch.equal(tensors[key], TENSORS[key]) for key in TENSORS)


def test_a_flipped_bit_in_a_tensor_is_noticed(kept: Path):
    content = kept.read_bytes()
    kept.write_bytes(content.replace(TENSORS["features"].numpy().tobytes(), (-TENSORS["features"]).numpy().tobytes()))
    with pytest.warns(UserWarning, match="its checksum is wrong|cannot be read"):
        assert load() is None


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"version": 0}, "it was written by another version of flt"),
        ({"digest": "cd" * 32}, "it belongs to another source"),
        ({"tensors": {"features": TENSORS["features"]}}, "its tensors have other names, shapes or types"),
        ({"tensors": TENSORS | {"labels": torch.arange(9)}}, "its tensors have other names, shapes or types"),
        ({"tensors": TENSORS | {"labels": torch.zeros(10)}}, "its tensors have other names, shapes or types"),
        ({"tensors": TENSORS | {"labels": torch.ones(10, dtype=torch.int64)}}, "its checksum is wrong"),
        ({"tensors": None}, "it cannot be read"),
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


def test_an_unwritable_folder_warns_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FLT_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.warns(UserWarning, match=r"cannot be written to .* Set FLT_CACHE to a writable folder"):
        cache.save("set", DIGEST, TENSORS)
    cache.save("set", DIGEST, TENSORS)
    assert load() is None


def test_a_failed_write_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch):
    def full_disk(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.warns(UserWarning, match="No space left"):
        cache.save("set", DIGEST, TENSORS)
    assert list(cache_folder().iterdir()) == []
