from pathlib import Path

import official
import pytest
import torch
from loaders import Site

from flt.data.readers import har as har_parse
from flt.data.readers.har import parse_har, read_har
from flt.data.readers.har_archive import ARCHIVE, DOWNLOADED_ARCHIVE
from flt.data.stand_ins.har import HAR_USER_SIZES
from flt.errors import InputError
from flt.files import cache_folder

SOURCE = Path("data") / ARCHIVE


def changed(members: official.Files, member: str, line: int, content: bytes | None) -> official.Files:
    """The files with one line, counted from 1, replaced or removed."""
    lines = members[member].split(b"\n")
    lines[line - 1 : line] = [] if content is None else [content]
    return members | {member: b"\n".join(lines)}


def table(kind: str) -> torch.Tensor:
    lines = [official.har_members()[f"{part}/{kind}_{part}.txt"].decode().splitlines() for part in ("train", "test")]
    return torch.tensor([[float(token) for token in line.split()] for part in lines for line in part])


def test_parses_what_was_written(site: Site):
    tensors = parse_har(official.har_members(), SOURCE)
    assert {key: (tuple(tensor.shape), tensor.dtype) for key, tensor in tensors.items()} == har_parse.LAYOUT
    assert torch.equal(tensors["features"], table("X"))
    assert torch.equal(tensors["labels"], table("y")[:, 0].long() - 1)
    assert torch.equal(tensors["users"], table("subject")[:, 0].long() - 1)


@pytest.mark.parametrize(
    ("member", "line", "content", "message"),
    [
        ("train/X_train.txt", 7, b" 0.1" * 6, "train/X_train.txt, line 7 has 6 values instead of 7: delete it"),
        (
            "train/X_train.txt",
            2,
            b"0 0 0 0 0 0 1.1",
            "line 2 has 1.1 in column 7, where values are numbers from -1",
        ),
        ("train/X_train.txt", 9, None, "different numbers of lines .train/y_train.txt 90.*, train/X_train.txt 89"),
        ("test/y_test.txt", 3, b"0", "test/y_test.txt, line 3 has 0 in column 1, .* whole numbers from 1 to 6"),
        ("test/subject_test.txt", 5, b"31", "test/subject_test.txt, line 5 has 31 in column 1, .* from 1 to 30"),
    ],
)
def test_bad_lines(member: str, line: int, content: bytes | None, message: str, site: Site):
    with pytest.raises(InputError, match=message) as caught:
        parse_har(changed(official.har_members(), member, line, content), SOURCE)
    assert str(SOURCE) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_too_few_examples(site: Site):
    members = official.har_members()
    for kind in ("X", "y", "subject"):
        members = changed(members, f"test/{kind}_test.txt", 1, None)
    with pytest.raises(InputError, match="has 119 examples instead of 120"):
        parse_har(members, SOURCE)


def test_a_user_without_examples(site: Site):
    members = {name: content.replace(b"28\n", b"25\n") for name, content in official.har_members().items()}
    with pytest.raises(InputError, match=r"has no examples of subjects \[28\]"):
        parse_har(official.har_members() | {name: members[name] for name in members if "subject" in name}, SOURCE)


def test_folder_archive_and_nested_archive_hold_the_same(site: Site, tmp_path: Path):
    site.write(official.har_folder())
    nested = tmp_path / "nested" / DOWNLOADED_ARCHIVE
    nested.parent.mkdir()
    nested.write_bytes(official.zipped(official.har_files()))
    from_folder, from_archive = read_har(site.folder)[0], read_har(nested.parent)[0]
    assert torch.equal(from_folder.features, from_archive.features)
    assert len(list(cache_folder().iterdir())) == 2


def test_the_second_run_does_not_parse_but_another_archive_is_parsed_anew(site: Site, monkeypatch):
    site.write(official.har_files())
    labels = read_har(site.folder)[0].labels
    with monkeypatch.context() as patch:
        patch.setattr(har_parse, "parse_har", None)
        assert torch.equal(read_har(site.folder)[0].labels, labels)
    other = changed(official.har_members(), "train/y_train.txt", 1, str((int(labels[0]) + 1) % 6 + 1).encode())
    site.write(official.har_files(official.har_folder(**other)))
    assert read_har(site.folder)[0].labels[0] == (labels[0] + 1) % 6


def test_the_real_data(real_data_dir: Path):
    examples, users = read_har(real_data_dir)
    assert users.bincount().tolist() == list(HAR_USER_SIZES)
    assert examples.labels.bincount().tolist() == [1722, 1544, 1406, 1777, 1906, 1944]
    assert torch.equal(examples.features[0, :2], torch.tensor([0.28858451, -0.020294171]))
    assert examples.features.abs().max() <= 1
