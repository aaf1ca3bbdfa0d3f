from pathlib import Path

import pytest
import torch

from flt.data.readers import har as har_parse
from flt.data.readers.har import LAYOUT, parse_har, read_har
from flt.data.readers.har_archive import ARCHIVE, DOWNLOADED_ARCHIVE, FOLDER
from flt.data.stand_ins.har import HAR_USER_SIZES, synthetic_har
from flt.errors import InputError
from flt.files import cache_folder

SOURCE = Path("data") / ARCHIVE


def changed(members: dict[str, bytes], member: str, line: int, content: bytes | None) -> dict[str, bytes]:
    """The files with one line, counted from 1, replaced or removed."""
    lines = members[member].split(b"\n")
    lines[line - 1 : line] = [] if content is None else [content]
    return members | {member: b"\n".join(lines)}


def test_parses_what_was_written(members):
    tensors = parse_har(members, SOURCE)
    assert {key: (tuple(tensor.shape), tensor.dtype) for key, tensor in tensors.items()} == LAYOUT
    examples, users = synthetic_har()
    order = torch.cat([(users % 3 != 0).nonzero()[:, 0], (users % 3 == 0).nonzero()[:, 0]])
    assert torch.equal(tensors["users"], users[order])
    assert torch.equal(tensors["labels"], examples.labels[order])
    assert (tensors["features"] - examples.features[order]).abs().max() < 0.051


@pytest.mark.parametrize(
    ("member", "line", "content", "message"),
    [
        ("train/X_train.txt", 7, b" 0.1" * 560, "train/X_train.txt, line 7 has 560 values instead of 561: delete it"),
        ("train/X_train.txt", 2, b"nan" + b" 0.1" * 560, "train/X_train.txt, line 2 has nan in column 1, where values"),
        (
            "train/X_train.txt",
            2,
            b" 0.1" * 560 + b" 1.1",
            "line 2 has 1.1 in column 561, where values are numbers from -1",
        ),
        ("train/X_train.txt", 9, b" 0.1" * 560 + b" 0,1", "line 9 has '0,1', which is not a number"),
        ("train/X_train.txt", 9, None, "different numbers of lines .train/y_train.txt 6.*, train/X_train.txt 6"),
        (
            "test/y_test.txt",
            1,
            b"7",
            "test/y_test.txt, line 1 has 7 in column 1, where values are whole numbers from 1 to 6",
        ),
        ("test/y_test.txt", 3, b"0", "test/y_test.txt, line 3 has 0 in column 1"),
        ("test/y_test.txt", 3, b"1 2", "test/y_test.txt, line 3 has 2 values instead of 1"),
        ("train/y_train.txt", 3, None, "different numbers of lines .train/y_train.txt 6"),
        (
            "test/subject_test.txt",
            5,
            b"31",
            "test/subject_test.txt, line 5 has 31 in column 1, .* numbers from 1 to 30",
        ),
        ("train/subject_train.txt", 5, b"", "different numbers of lines .*train/subject_train.txt 6"),
    ],
)
def test_bad_lines(members, member: str, line: int, content: bytes | None, message: str):
    with pytest.raises(InputError, match=message) as caught:
        parse_har(changed(members, member, line, content), SOURCE)
    assert str(SOURCE) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_label_that_is_no_whole_number(members):
    with pytest.raises(
        InputError, match=r"test/y_test.txt, line 4 has 2.5 in column 1, where values are whole numbers"
    ):
        parse_har(changed(members, "test/y_test.txt", 4, b"2.5"), SOURCE)


def test_too_few_examples(members):
    for kind in ("X", "y", "subject"):
        members = changed(members, f"test/{kind}_test.txt", 1, None)
    with pytest.raises(InputError, match="has 10298 examples instead of 10299"):
        parse_har(members, SOURCE)


def test_a_user_without_examples(members):
    subjects = members["test/subject_test.txt"].replace(b"28\n", b"25\n")
    with pytest.raises(InputError, match=r"has no examples of subjects \[28\]"):
        parse_har(members | {"test/subject_test.txt": subjects}, SOURCE)


def test_the_second_run_does_not_parse(members, tmp_path: Path, write_archive, monkeypatch):
    write_archive(tmp_path / ARCHIVE, members)
    examples, users = read_har(tmp_path)
    monkeypatch.setattr(har_parse, "parse_har", None)
    again, users_again = read_har(tmp_path)
    assert torch.equal(again.features, examples.features)
    assert torch.equal(again.labels, examples.labels)
    assert torch.equal(users_again, users)


def test_a_damaged_cache_is_rewritten(members, tmp_path: Path, write_archive, monkeypatch):
    write_archive(tmp_path / ARCHIVE, members)
    examples, _ = read_har(tmp_path)
    (kept,) = cache_folder().iterdir()
    content = bytearray(kept.read_bytes())
    content[len(content) // 2] ^= 1
    kept.write_bytes(content)
    with pytest.warns(UserWarning, match="is not used"):
        again, _ = read_har(tmp_path)
    assert torch.equal(again.features, examples.features)
    monkeypatch.setattr(har_parse, "parse_har", None)
    assert torch.equal(read_har(tmp_path)[0].features, examples.features)


def test_another_archive_is_parsed_anew(members, tmp_path: Path, write_archive):
    write_archive(tmp_path / ARCHIVE, members)
    before = int(read_har(tmp_path)[0].labels[0])
    write_archive(tmp_path / ARCHIVE, changed(members, "train/y_train.txt", 1, str((before + 1) % 6 + 1).encode()))
    assert read_har(tmp_path)[0].labels[0] == (before + 1) % 6


def test_folder_and_nested_archive_hold_the_same(members, tmp_path: Path, write_archive):
    for member, content in members.items():
        (tmp_path / FOLDER / member).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / FOLDER / member).write_bytes(content)
    inner = write_archive(tmp_path / "inner.zip", members).read_bytes()
    write_archive(tmp_path / "nested" / DOWNLOADED_ARCHIVE, {ARCHIVE: inner}, "")
    from_folder, from_archive = read_har(tmp_path)[0], read_har(tmp_path / "nested")[0]
    assert torch.equal(from_folder.features, from_archive.features)
    assert len(list(cache_folder().iterdir())) == 2
    for member in members:
        (tmp_path / FOLDER / member).unlink()


def test_without_a_writable_cache(members, tmp_path: Path, write_archive, monkeypatch):
    write_archive(tmp_path / ARCHIVE, members)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FLT_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.warns(UserWarning, match="cannot be written to"):
        assert len(read_har(tmp_path)[0]) == 10_299


def test_the_real_data(real_data_dir: Path):
    examples, users = read_har(real_data_dir)
    assert users.bincount().tolist() == list(HAR_USER_SIZES)
    assert examples.labels.bincount().tolist() == [1722, 1544, 1406, 1777, 1906, 1944]
    assert torch.equal(examples.features[0, :2], torch.tensor([0.28858451, -0.020294171]))
    assert examples.features.abs().max() <= 1
