"""Where a run leaves its files."""

from contextlib import suppress
from pathlib import Path

from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger

from flt.files import remove_unfinished


def run_folder(trainer: Trainer) -> Path | None:
    """Folder of the run's files: that of its first logger.

    Returns:
        The folder; None for a dry run and a run without a logger, which have none of their own.
    """
    if not trainer.loggers or trainer.fast_dev_run:  # type: ignore[attr-defined]
        return None
    logger = trainer.loggers[0]
    if isinstance(logger, CSVLogger):
        return Path(logger.log_dir)
    # As ModelCheckpoint builds its folder, so that all files of a run lie together.
    version = logger.version if isinstance(logger.version, str) else f"version_{logger.version}"
    return Path(logger.save_dir or trainer.default_root_dir) / str(logger.name) / version


def claim_run_folder(trainer: Trainer) -> None:
    """Makes the run's folder, under a number that no other run has, even one that starts at the same moment.

    In one that is there, as that of a resumed run, files that a killed process left unfinished are removed.
    """
    folder = run_folder(trainer)
    logger = trainer.loggers[0] if folder else None
    if folder is None or not trainer.is_global_zero:
        return
    for place in (folder, folder / "checkpoints"):
        remove_unfinished(place)
    if not isinstance(logger, CSVLogger) or isinstance(logger.version, str):
        return
    while folder is not None:
        try:
            folder.mkdir(parents=True)
            return
        except FileExistsError:
            if folder.name != f"version_{logger.version}" or not folder.is_dir():
                raise
            logger._version = None  # the next free number; there is no public way to ask again
            folder = run_folder(trainer)


def remove_if_empty(trainer: Trainer) -> None:
    """Removes the run's folder if nothing was written into it, so that a refused run leaves none behind."""
    folder = run_folder(trainer)
    if folder is not None and trainer.is_global_zero:
        with suppress(OSError):  # something is in it
            folder.rmdir()
            folder.parent.rmdir()
