import hashlib
from pathlib import Path

import pytest

from flt.data.fetching.find import file_digest, find_or_download
from flt.errors import InputError

NOWHERE = "http://127.0.0.1:9/file.zip"


@pytest.fixture
def md5(server) -> str:
    return hashlib.md5(server.content, usedforsecurity=False).hexdigest()


def test_takes_the_first_folder_that_has_it(tmp_path: Path):
    folders = [tmp_path / name for name in ("a", "b", "c")]
    for folder in folders[1:]:
        folder.mkdir()
        (folder / "file.zip").write_text("whatever it is")
    assert find_or_download("file.zip", [NOWHERE], digest="0", folders=folders) == folders[1] / "file.zip"


def test_downloads_into_the_first_folder_that_can_be_written_to(server, md5: str, tmp_path: Path):
    (tmp_path / "file").write_text("")
    folders = [tmp_path / "file" / "sub", tmp_path / "b"]
    assert find_or_download("x.zip", [NOWHERE, server.url], digest=md5, folders=folders) == tmp_path / "b" / "x.zip"
    assert (tmp_path / "b" / "x.zip").read_bytes() == server.content


def test_nowhere_to_go(server, md5: str, tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"x.zip is in none of .* can be written to .*set FLT_DATA or FLT_CACHE"):
        find_or_download("x.zip", [server.url], digest=md5, folders=[tmp_path / "file" / "sub"])


def test_digest(tmp_path: Path):
    for name in "ab":
        (tmp_path / name).write_text(name)
    assert file_digest([tmp_path / "a", tmp_path / "b"]) == hashlib.sha256(b"ab").hexdigest()
    assert file_digest([tmp_path / "a"], "md5") == hashlib.md5(b"a", usedforsecurity=False).hexdigest()
    with pytest.raises(InputError, match=r"none cannot be read \(No such file"):
        file_digest([tmp_path / "none"])
