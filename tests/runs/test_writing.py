"""Checkpoints and metrics as they are written for a run."""

import csv
import errno
import os

import pytest
import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.plugins import AsyncCheckpointIO

from callbacks import FedAvg, MetricsLogger
from flt.runs.writing import AtomicCheckpoints, MetricsFile, write_safely


def rows_of(path):
    with path.open(newline="") as file:
        return [{name: value for name, value in row.items() if value} for row in csv.DictReader(file)]


def test_checkpoints_come_back(tmp_path):
    path = tmp_path / "a" / "last.ckpt"
    content = {"weights": torch.arange(3.0), "round": 4}
    AtomicCheckpoints().save_checkpoint(content, path)
    found = AtomicCheckpoints().load_checkpoint(path)
    assert torch.equal(found.pop("weights"), content["weights"])
    assert found == {"round": 4}
    assert list(path.parent.iterdir()) == [path]


def test_an_address_is_left_to_lightning():
    AtomicCheckpoints().save_checkpoint({"round": 4}, "memory://flt/last.ckpt")
    assert AtomicCheckpoints().load_checkpoint("memory://flt/last.ckpt") == {"round": 4}


def test_nothing_but_plain_data_is_unpickled(tmp_path):
    torch.save({"object": os.system}, tmp_path / "last.ckpt")
    with pytest.raises(Exception, match="Weights only load failed"):
        AtomicCheckpoints().load_checkpoint(tmp_path / "last.ckpt")


def test_the_rows_are_those_of_lightning(tmp_path):
    """The same file as its own logger writes, whether columns come early or late."""
    rows = [{"b": 1.0}, {"b": 2.0}, {"a": 0.5, "b": 3.0}, {"c": "text, quoted"}]
    ours, theirs = CSVLogger(tmp_path, name="ours"), CSVLogger(tmp_path, name="theirs")
    ours._experiment = MetricsFile(ours.log_dir)
    for logger in (ours, theirs):
        for number, row in enumerate(rows):
            logger.log_metrics(row, step=number)
            logger.save()
        logger.finalize("success")
    path = tmp_path / "ours" / "version_0" / "metrics.csv"
    assert path.read_bytes() == (tmp_path / "theirs" / "version_0" / "metrics.csv").read_bytes()
    assert rows_of(path)[2] == {"a": "0.5", "b": "3.0", "step": "2"}
    assert [each.name for each in path.parent.iterdir()] == ["metrics.csv"]


def test_the_rows_of_before_stay_until_there_are_others(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("of before\n")
    file = MetricsFile(str(tmp_path))
    file.log_metrics({"a": 1.0}, 1)
    assert path.read_text() == "of before\n"
    file.save()
    assert rows_of(path) == [{"a": "1.0", "step": "1"}]


@pytest.mark.parametrize("second", [{"a": 2.0}, {"b": 2.0}], ids=["another row", "another column"])
def test_rows_that_could_not_be_written_are_written_later(tmp_path, monkeypatch, second):
    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    file = MetricsFile(str(tmp_path))
    file.log_metrics({"a": 1.0}, 1)
    file.save()
    file.log_metrics(second, 2)
    with monkeypatch.context() as patched:
        patched.setattr("flt.runs.writing.append", fail)
        patched.setattr("flt.runs.writing.write_atomically", fail)
        with pytest.raises(OSError, match="No space left"):
            file.save()
    assert len(rows_of(file.path)) == 1
    file.save()
    assert [row["step"] for row in rows_of(file.path)] == ["1", "2"]


def test_a_file_that_was_removed_is_written_anew(tmp_path):
    file = MetricsFile(str(tmp_path))
    for step in (1, 2):
        file.log_metrics({"a": 1.0}, step)
        file.save()
        file.path.unlink() if step == 1 else None
    assert [row["step"] for row in rows_of(file.path)] == ["1", "2"]


def test_every_run_has_them(fit, tmp_path):
    """From Python as well, and before Lightning deletes the rows of a run that goes on."""
    (tmp_path / "csv" / "mine").mkdir(parents=True)
    logger = CSVLogger(tmp_path, name="csv", version="mine")
    server = fit(FedAvg(), MetricsLogger(), trainer_settings={"logger": logger})
    assert isinstance(server.trainer.strategy.checkpoint_io, AtomicCheckpoints)
    assert isinstance(logger.experiment, MetricsFile)


def test_a_user_own_means_are_kept():
    own = AsyncCheckpointIO(TorchCheckpointIO())
    trainer = Trainer(plugins=[own], accelerator="cpu", logger=False, enable_checkpointing=False)
    write_safely(trainer)
    assert trainer.strategy.checkpoint_io is own
