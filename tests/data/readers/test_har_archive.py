import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from damage import declared

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
Writer = Callable[..., Path]


def write_folder(path: Path) -> Path:
    for member, content in SMALL.items():
        (path / member).parent.mkdir(parents=True, exist_ok=True)
        (path / member).write_bytes(content)
    return path


def test_look_up_order(tmp_path: Path, write_archive: Writer):
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


def zipped(text: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("file", text)
    return file.getvalue()


def test_a_download_that_is_no_archive_does_not_stay(server, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(har_source, "URL", server.url)
    with pytest.raises(Unreachable, match="yields another file than the published one, or a damaged one"):
        find_source(tmp_path)
    assert not list(tmp_path.glob("*.zip"))


def test_a_download_that_would_unpack_to_too_much_does_not_stay(server, tmp_path: Path, monkeypatch):
    server.content = declared("x.zip", "file", 1 << 30)({"x.zip": zipped("data")})["x.zip"]
    monkeypatch.setattr(har_source, "URL", server.url)
    monkeypatch.setattr(zipfile.ZipFile, "testzip", None)  # which would unpack it
    with pytest.raises(Unreachable, match="yields another file than the published one, or a damaged one"):
        find_source(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_downloads_into_the_data_folder(server, tmp_path: Path, monkeypatch):
    server.content = zipped("data")
    monkeypatch.setattr(har_source, "URL", server.url)
    found = find_source(tmp_path / "data")
    assert found == tmp_path / "data" / DOWNLOADED_ARCHIVE
    assert found.read_bytes() == server.content
    assert find_source(tmp_path / "data") == found
    assert len(server.ranges) == 1


def test_downloads_into_the_cache_where_the_data_folder_is_read_only(server, tmp_path: Path, monkeypatch):
    server.content = zipped("data")
    monkeypatch.setattr(har_source, "URL", server.url)
    (tmp_path / "file").write_text("")
    assert find_source(tmp_path / "file" / "data") == cache_folder() / DOWNLOADED_ARCHIVE


def test_a_download_without_any_place_to_go(server, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(har_source, "URL", server.url)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FLT_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(InputError, match=r"neither it nor .*cache can be written to .*set FLT_DATA or FLT_CACHE"):
        find_source(tmp_path / "file" / "data")


@pytest.mark.parametrize("prefix", ["UCI HAR Dataset/", ""])
def test_reads_an_archive(tmp_path: Path, write_archive: Writer, prefix: str):
    assert read_members(write_archive(tmp_path / ARCHIVE, SMALL, prefix)) == SMALL


def test_ignores_the_macintosh_shadow_files_of_the_official_archive(tmp_path: Path, write_archive: Writer):
    shadows = {f"__MACOSX/UCI HAR Dataset/{member}": b"shadow" for member in MEMBERS}
    content = shadows | {f"UCI HAR Dataset/{member}": data for member, data in SMALL.items()}
    assert read_members(write_archive(tmp_path / ARCHIVE, content, "")) == SMALL


def test_reads_an_archive_in_an_archive(tmp_path: Path, write_archive: Writer):
    inner = write_archive(tmp_path / "inner.zip", SMALL).read_bytes()
    outer = write_archive(tmp_path / DOWNLOADED_ARCHIVE, {ARCHIVE: inner, "UCI HAR Dataset.names": b"names"}, "")
    assert read_members(outer) == SMALL


def test_reads_a_folder(tmp_path: Path):
    assert read_members(write_folder(tmp_path / FOLDER)) == SMALL


def test_digest_follows_the_content(tmp_path: Path, write_archive: Writer):
    folder = write_folder(tmp_path / FOLDER)
    first = source_digest(folder)
    assert source_digest(folder) == first
    (folder / MEMBERS[3]).write_bytes(b"changed")
    assert source_digest(folder) != first
    archive = write_archive(tmp_path / ARCHIVE, SMALL)
    assert source_digest(archive) not in (first, source_digest(write_archive(tmp_path / "b.zip", SMALL | {"x": b""})))


def test_a_file_missing_from_the_folder(tmp_path: Path):
    folder = write_folder(tmp_path / FOLDER)
    (folder / "test" / "y_test.txt").unlink()
    with pytest.raises(InputError, match=r"y_test.txt cannot be read \(No such file.*restore .* or move it away"):
        source_digest(folder)


def test_a_file_missing_from_the_archive(tmp_path: Path, write_archive: Writer):
    content = {member: data for member, data in SMALL.items() if member != "train/y_train.txt"}
    with pytest.raises(InputError, match=rf"{ARCHIVE} has no file train/y_train.txt: delete it and run again"):
        read_members(write_archive(tmp_path / ARCHIVE, content))


@pytest.mark.parametrize("fraction", [0, 0.3, 0.95])
def test_a_truncated_archive_is_left_alone(tmp_path: Path, write_archive: Writer, fraction: float):
    archive = write_archive(tmp_path / ARCHIVE, SMALL)
    cut = archive.read_bytes()[: int(fraction * archive.stat().st_size)]
    archive.write_bytes(cut)
    message = r"is not a readable zip archive \(truncated\?\): delete it and run again to download it, or put"
    with pytest.raises(InputError, match=message) as caught:
        read_members(archive)
    assert str(archive) in str(caught.value)
    assert archive.read_bytes() == cut


def test_a_truncated_inner_archive(tmp_path: Path, write_archive: Writer):
    inner = write_archive(tmp_path / "inner.zip", SMALL).read_bytes()
    with pytest.raises(InputError, match="not a readable zip archive"):
        read_members(write_archive(tmp_path / DOWNLOADED_ARCHIVE, {ARCHIVE: inner[:-30]}, ""))


def test_a_damaged_member(tmp_path: Path, write_archive: Writer):
    archive = write_archive(tmp_path / ARCHIVE, SMALL)
    archive.write_bytes(archive.read_bytes().replace(b"content of test/X", b"kontent of test/X"))
    with pytest.raises(InputError, match="not a readable zip archive"):
        read_members(archive)


def test_damage_anywhere_in_a_compressed_archive_is_noticed_or_harmless(tmp_path: Path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in SMALL.items():
            archive.writestr(member, data * 20)
    good, path = buffer.getvalue(), tmp_path / ARCHIVE
    for position in range(0, len(good), 5):
        path.write_bytes(good[:position] + bytes([good[position] ^ 0x21]) + good[position + 1 :])
        try:
            assert read_members(path) == {member: data * 20 for member, data in SMALL.items()}
        except InputError:
            continue


def test_an_absurdly_large_member_is_not_read(tmp_path: Path, write_archive: Writer, monkeypatch):
    monkeypatch.setattr(har_source, "MAX_MEMBER_BYTES", 1 << 20)
    archive = write_archive(tmp_path / ARCHIVE, SMALL | {"test/X_test.txt": bytes(3 << 20)})
    with pytest.raises(InputError, match=r"has a file test/X_test\.txt of 3 MiB, far too large"):
        read_members(archive)
