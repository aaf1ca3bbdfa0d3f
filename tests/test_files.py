import errno
import os
from pathlib import Path

import pytest

from flt.files import append, remove_unfinished, replacing, synchronize, write_atomically


@pytest.mark.parametrize("content", ["text with an é\n", b"\x00\xff", ""])
def test_writes_and_makes_folders(tmp_path, content):
    path = tmp_path / "a" / "b" / "file.txt"
    write_atomically(path, "old and long")
    write_atomically(path, content)
    assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert list(path.parent.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o644


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


FULL = os.strerror(errno.ENOSPC)


def test_a_full_disk_is_reported_with_the_file_that_was_to_be_written(tmp_path, monkeypatch):
    """Python's own error of a failed write names no file."""
    path = tmp_path / "file.txt"
    write_atomically(path, "old")

    def on_a_full_disk(handle, mode):
        os.close(handle)
        return Path("/dev/full").open(mode)

    monkeypatch.setattr("flt.files.os.fdopen", on_a_full_disk)
    with pytest.raises(OSError, match=FULL) as raised:
        write_atomically(path, "new")
    assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, str(path))
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_in_the_place_of_a_folder(tmp_path):
    (tmp_path / "folder").write_text("kept")
    with pytest.raises(OSError, match=r"directory|exists") as raised:
        write_atomically(tmp_path / "folder" / "file.txt", "new")
    assert raised.value.filename == str(tmp_path / "folder" / "file.txt")
    assert (tmp_path / "folder").read_text() == "kept"


def test_a_folder_in_the_way(tmp_path):
    (tmp_path / "file.txt").mkdir()
    with pytest.raises(IsADirectoryError) as raised:
        write_atomically(tmp_path / "file.txt", "new")
    assert raised.value.filename == str(tmp_path / "file.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]


def test_stopping_within_a_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "file.txt"
    write_atomically(path, "old")

    def stop():
        with replacing(path) as file:
            file.write(b"ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_content_is_on_disk_before_the_name(tmp_path, monkeypatch):
    """Or a power cut could leave the name with nothing under it."""
    done, (fsync, replace) = [], (os.fsync, os.replace)
    monkeypatch.setattr("flt.files.os.fsync", lambda handle: (done.append("content"), fsync(handle)))
    monkeypatch.setattr("flt.files.os.replace", lambda *names: (done.append("name"), replace(*names)))
    write_atomically(tmp_path / "file.txt", "new")
    assert done == ["content", "name"]


def test_appends(tmp_path):
    path = tmp_path / "file.txt"
    append(path, "a\n")
    append(path, "é\n")
    assert path.read_text() == "a\né\n"


def test_what_does_not_fit_is_taken_back(tmp_path, monkeypatch):
    """A disk that fills up in the middle of a row leaves the rows before it."""
    path = tmp_path / "file.txt"
    append(path, "first\n")

    class Filling:
        def __init__(self, file):
            self.file, self.room = file, 3

        def write(self, data):
            if not self.room:
                raise OSError(errno.ENOSPC, FULL)
            written, self.room = self.file.write(data[: self.room]), 0
            return written

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def __getattr__(self, name):
            return getattr(self.file, name)

    real = Path.open
    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", lambda *arguments, **settings: Filling(real(*arguments, **settings)))
        with pytest.raises(OSError, match=FULL) as raised:
            append(path, "second\n")
    assert raised.value.filename == str(path)
    assert path.read_text() == "first\n"


def test_only_what_was_left_unfinished_is_removed(tmp_path):
    for name in (".last.ckpt.x1y2.part", "last.ckpt", ".lock", "notes.part"):
        (tmp_path / name).write_text("")
    remove_unfinished(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "last.ckpt", "notes.part"]
    remove_unfinished(tmp_path / "nowhere")


def test_synchronizing_what_is_not_there_does_nothing(tmp_path):
    synchronize(tmp_path / "nowhere")
    assert not list(tmp_path.iterdir())
