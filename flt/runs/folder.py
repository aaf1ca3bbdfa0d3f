"""The folder of a run: finding it, claiming it, locking it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger

from flt.errors import InputError
from flt.files import remove_unfinished


def run_folder(trainer: Trainer) -> Path | None:
    """The folder that holds a run's files, which is the folder of its first logger.

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
    """Makes a run's folder; its number is no other run's, even if both start at the same moment."""
    folder = run_folder(trainer)
    logger = trainer.loggers[0] if folder else None
    if not trainer.is_global_zero or not isinstance(logger, CSVLogger) or isinstance(logger.version, str):
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


@contextmanager
def sole_use(trainer: Trainer) -> Iterator[None]:
    """Locks a run's folder against a second process, and removes half-written files that a killed process left.

    Raises:
        InputError: If another process is at work there.
    """
    folder = run_folder(trainer)
    if folder is None or not folder.is_dir() or not trainer.is_global_zero:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)  # locking the folder itself leaves no file behind, and no lock after a kill
    try:
        _lock(handle, folder)
        for place in (folder, folder / "checkpoints"):
            remove_unfinished(place)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, folder: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise InputError(f"{folder}: another process is at work on this run; wait for it, or stop it first") from error
    except OSError:  # a file system without such locks
        return


def remove_if_empty(trainer: Trainer) -> None:
    """Removes an empty run folder: a refused run leaves no folder behind."""
    folder = run_folder(trainer)
    if folder is not None and trainer.is_global_zero:
        with suppress(OSError):  # something is in it
            for own in (folder, *folder.parents[:2]):
                own.rmdir()
