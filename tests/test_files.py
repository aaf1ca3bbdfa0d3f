import os

import pytest

from flt.files import write_atomically


@pytest.mark.parametrize("content", ["text with an é\n", b"\x00\xff", ""])
def test_writes_and_makes_folders(tmp_path, content):
    path = tmp_path / "a" / "b" / "file.txt"
    write_atomically(path, content)
    assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert list(path.parent.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o644


def test_replaces_what_is_there(tmp_path):
    path = tmp_path / "file.txt"
    write_atomically(path, "old and long")
    write_atomically(path, "new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "file.txt"
    write_atomically(path, "old")

    def fail(source, target):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no space left"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
