import zipfile
from pathlib import Path

import pytest
from damage import declared
from official import Files, zipped

from flt.data.fetching.download import Unreachable
from flt.data.readers import har_archive as har_source
from flt.data.readers.har_archive import (
    ARCHIVE,
    DOWNLOADED_ARCHIVE,
    FOLDER,
    MEMBERS,
    find_source,
    read_members,
    source_digest,
)
from flt.errors import InputError
from flt.files import cache_folder

SMALL = {member: f"content of {member}".encode() for member in MEMBERS}


def write(path: Path, content: Files, prefix: str = "UCI HAR Dataset/") -> Path:
    path.write_bytes(zipped({prefix + name: data for name, data in content.items()}))
    return path


def write_folder(path: Path) -> Path:
    for member, content in SMALL.items():
        (path / member).parent.mkdir(parents=True, exist_ok=True)
        (path / member).write_bytes(content)
    return path


def test_look_up_order(tmp_path: Path):
    (tmp_path / FOLDER).mkdir()
    cache_folder().mkdir()
    for path in (tmp_path / ARCHIVE, tmp_path / DOWNLOADED_ARCHIVE, cache_folder() / DOWNLOADED_ARCHIVE):
        path.write_bytes(b"")
    assert find_source(tmp_path) == tmp_path / FOLDER
    (tmp_path / FOLDER).rmdir()
    for expected in (tmp_path / ARCHIVE, tmp_path / DOWNLOADED_ARCHIVE, cache_folder() / DOWNLOADED_ARCHIVE):
        assert find_source(tmp_path) == expected
        expected.unlink()
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9"):
        find_source(tmp_path)


def test_a_download_that_would_unpack_to_too_much_does_not_stay(server, tmp_path: Path, monkeypatch):
    server.content = declared("x.zip", "file", 1 << 30)({"x.zip": zipped({"file": b"data"})})["x.zip"]
    monkeypatch.setattr(har_source, "URL", server.url)
    monkeypatch.setattr(zipfile.ZipFile, "testzip", lambda _: None)  # which would unpack it
    with pytest.raises(Unreachable, match="yields another file than the published one, or a damaged one"):
        find_source(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("prefix", ["UCI HAR Dataset/", ""])
def test_reads_an_archive(tmp_path: Path, prefix: str):
    assert read_members(write(tmp_path / ARCHIVE, SMALL, prefix)) == SMALL


def test_ignores_the_macintosh_shadow_files_of_the_official_archive(tmp_path: Path):
    shadows = {f"__MACOSX/UCI HAR Dataset/{member}": b"shadow" for member in MEMBERS}
    content = shadows | {f"UCI HAR Dataset/{member}": data for member, data in SMALL.items()}
    assert read_members(write(tmp_path / ARCHIVE, content, "")) == SMALL


def test_digest_follows_the_content(tmp_path: Path):
    folder = write_folder(tmp_path / FOLDER)
    first = source_digest(folder)
    assert source_digest(folder) == first
    (folder / MEMBERS[3]).write_bytes(b"changed")
    assert source_digest(folder) != first
    archive = write(tmp_path / ARCHIVE, SMALL)
    assert source_digest(archive) not in (first, source_digest(write(tmp_path / "b.zip", SMALL | {"x": b""})))


def test_a_truncated_inner_archive(tmp_path: Path):
    inner = write(tmp_path / "inner.zip", SMALL).read_bytes()
    with pytest.raises(InputError, match="not a readable zip archive"):
        read_members(write(tmp_path / DOWNLOADED_ARCHIVE, {ARCHIVE: inner[:-30]}, ""))


def test_damage_anywhere_in_a_compressed_archive_is_noticed_or_harmless(tmp_path: Path):
    good, path = zipped({member: data * 20 for member, data in SMALL.items()}), tmp_path / ARCHIVE
    for position in range(0, len(good), 5):
        path.write_bytes(good[:position] + bytes([good[position] ^ 0x21]) + good[position + 1 :])
        try:
            assert read_members(path) == {member: data * 20 for member, data in SMALL.items()}
        except InputError:
            continue
