import pytest
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger, WandbLogger

from callbacks import AdaptiveAttack, TrimAttack
from flt.runs.folder import claim_run_folder, remove_if_empty, run_folder


def trainer_with(logger):
    return Trainer(logger=logger, accelerator="cpu", enable_checkpointing=False, enable_progress_bar=False)


def test_two_runs_that_start_together_get_folders_of_their_own(tmp_path):
    trainers = [trainer_with(CSVLogger(tmp_path, name="har")) for _ in range(3)]
    assert {run_folder(trainer) for trainer in trainers} == {tmp_path / "har" / "version_0"}
    for trainer in trainers:
        claim_run_folder(trainer)
    assert [run_folder(trainer).name for trainer in trainers] == ["version_0", "version_1", "version_2"]
    assert sorted(path.name for path in (tmp_path / "har").iterdir()) == ["version_0", "version_1", "version_2"]


def test_a_version_given_by_name_is_kept(tmp_path):
    trainer = trainer_with(CSVLogger(tmp_path, name="har", version="mine"))
    claim_run_folder(trainer)
    assert run_folder(trainer) == tmp_path / "har" / "mine"


def test_a_file_in_the_way_is_reported(tmp_path):
    (tmp_path / "har").write_text("")
    with pytest.raises(OSError, match="har"):
        claim_run_folder(trainer_with(CSVLogger(tmp_path, name="har")))


def test_only_an_empty_folder_is_removed(tmp_path):
    trainer = trainer_with(CSVLogger(tmp_path / "runs", name="har"))
    claim_run_folder(trainer)
    (run_folder(trainer) / "kept").write_text("")
    remove_if_empty(trainer)
    assert run_folder(trainer).is_dir()
    (run_folder(trainer) / "kept").unlink()
    remove_if_empty(trainer)
    assert not any(tmp_path.iterdir())


def test_without_a_logger_there_is_none():
    trainer = trainer_with(False)
    claim_run_folder(trainer)
    assert run_folder(trainer) is None


def test_each_wandb_run_has_its_own(tmp_path):
    logger = WandbLogger(project="flt", save_dir=tmp_path, offline=True, version="abc")
    assert run_folder(trainer_with(logger)) == tmp_path / "flt" / "abc"


def test_settings_of_attacks_without_effect_warn():
    with pytest.warns(UserWarning, match="attack.sweeps: no effect with attack.solver=exact"):
        AdaptiveAttack(solver="exact", sweeps=3)
    with pytest.warns(UserWarning, match=r"attack.stretch=3.0 has no effect with knowledge=partial"):
        TrimAttack(knowledge="partial", stretch=3.0)
