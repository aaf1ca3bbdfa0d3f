"""The earlier run that ``flt fit --resume`` continues: its folder, its checkpoint, and which settings may differ."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsonargparse import Namespace
from lightning.pytorch.loggers import Logger, WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from flt.errors import InputError, Stopped
from flt.runs.checkpoints import REMOVE, SETTINGS, WANDB_IDS, read_checkpoint
from flt.runs.differences import Difference, differences, listed
from flt.runs.summary import read_summary

FREE = {
    *(f"trainer.{name}" for name in ("accelerator", "devices", "num_nodes", "strategy", "default_root_dir")),
    *(f"trainer.{name}" for name in ("enable_progress_bar", "enable_model_summary", "profiler")),
    *("data.init_args.data_dir", "model.clients_per_chunk", "weights_only"),
}
"""Settings that may differ in a resumed run: they decide where and how it is computed, not what comes out."""


@dataclass(frozen=True)
class EarlierRun:
    """A run on disk, which may have been stopped at any moment.

    Attributes:
        folder: Where it left its files.
        checkpoint: Its last checkpoint; None if it stopped before the first.
        content: What that holds.
    """

    folder: Path
    checkpoint: Path | None
    content: Mapping[str, Any]

    @classmethod
    def of(cls, folder: Path) -> "EarlierRun":
        """Finds the run in a folder and reads its last checkpoint.

        Raises:
            InputError: If it is no run's, or if its checkpoint is damaged.
        """
        if not folder.is_dir():
            raise InputError(f"--resume {folder}: there is no such folder")
        if not (folder / "config.yaml").is_file():
            raise InputError(
                f"--resume {folder}: it holds no config.yaml; give the folder of a run, such as runs/har/version_0"
            )
        checkpoint = _last_checkpoint(folder / "checkpoints")
        if checkpoint is None:
            return cls(folder, None, {})
        return cls(folder, checkpoint, read_checkpoint(checkpoint, f"--resume {folder}: {checkpoint}", REMOVE))

    @property
    def arguments(self) -> list[str]:
        """The arguments of ``flt fit`` that give the earlier run's settings."""
        return [f"--config={self.folder / 'config.yaml'}"]

    def check(self, given: Mapping[str, Any], own: Mapping[str, Any]) -> None:
        """Checks that the given settings continue this run and that rounds are left; says so if it begins anew.

        Args:
            given: The settings, by nested names.
            own: Those of the run's ``config.yaml`` alone; the checkpoint's count more.

        Raises:
            InputError: If settings differ that would make it another run.
            Stopped: If the run is finished.
        """
        saved = json.loads(self.content[SETTINGS]) if SETTINGS in self.content else own
        found = [each for each in differences(saved, given) if not is_free(each)]
        if found:
            source = "checkpoint" if SETTINGS in self.content else "config.yaml"
            raise InputError(
                f"--resume {self.folder} would go on with other settings than before ({listed(found, source)}):"
                " leave them as they were, or start a new run"
            )
        self._check_rounds_left(given["trainer"]["max_steps"])

    def _check_rounds_left(self, max_steps: int) -> None:
        summary = self._summary()
        if summary is not None and summary["rounds"] >= max_steps:
            raise Stopped(
                f"the run in {self.folder} is finished: it has done its {summary['rounds']} rounds;"
                " ask for more with --trainer.max_steps",
                0,
            )
        if self.checkpoint is None and (self.folder / "summary.json").is_file():
            raise InputError(f"--resume {self.folder}: the run kept no checkpoint to go on from; start a new one")
        if self.checkpoint is None:
            _say(f"the run in {self.folder} stopped before its first checkpoint and begins anew")

    def _summary(self) -> dict[str, Any] | None:
        """The run's summary; None if it is not finished, or if the file is damaged and has to be written anew."""
        try:
            return read_summary(self.folder)
        except InputError as error:
            if (self.folder / "summary.json").is_file() and self.checkpoint is not None:
                _say(str(error).partition(";")[0] + "; it is written anew")
            return None

    def placed(self, loggers: Any) -> Any:
        """Settings of loggers that continue the earlier run: in its folder, and on W&B under its ids.

        Raises:
            InputError: If the first logger cannot be told where to write.
        """
        given = loggers if isinstance(loggers, list) else [loggers]
        ids = [*self.content.get(WANDB_IDS, []), *[None] * len(given)]
        placed = [_with_id(logger, id) for logger, id in zip(given, ids, strict=False)]
        folder = self.folder.absolute()
        kind = kind_of(placed[0])
        if kind == "CSVLogger":
            place = {"save_dir": str(folder.parents[1]), "name": folder.parent.name, "version": folder.name}
        elif kind == "WandbLogger":
            place = {"save_dir": str(folder.parents[1]), "id": folder.name}
        else:
            raise InputError(f"--resume {self.folder}: only a CSVLogger, as the first logger, can go on in a folder")
        for name, value in place.items():
            placed[0].init_args[name] = value
        return placed


def logged_under(loggers: Sequence[Logger]) -> list[str | None]:
    """The id of each logger's run on W&B, for checkpoints; None for other loggers and for W&B offline."""
    return [
        logger.version if isinstance(logger, WandbLogger) and not logger.experiment.offline else None
        for logger in loggers
    ]


def _with_id(logger: Any, id: str | None) -> Any:
    if not isinstance(logger, Namespace):
        return logger
    logger = logger.clone()
    if id is not None and kind_of(logger) == "WandbLogger":
        logger.init_args.id = id
    return logger


def kind_of(logger: Any) -> str:
    """The name of the class that the settings of a logger make; empty where there is none."""
    return str(logger.class_path.rpartition(".")[2]) if isinstance(logger, Namespace) else ""


def is_free(difference: Difference) -> bool:
    """Whether a run stays the same where a setting differs so."""
    if difference.setting == "trainer.max_steps":
        return isinstance(difference.saved, int) and bool(difference.given > difference.saved)
    return difference.setting in FREE


def _last_checkpoint(folder: Path) -> Path | None:
    """The path of ``last.ckpt``; of the newest checkpoint if the user's own callback names them otherwise."""
    last = folder / "last.ckpt"
    found: Sequence[Path] = [path for path in folder.glob("*.ckpt") if not path.name.startswith(".")]
    return last if last.is_file() else max(found, key=lambda path: path.stat().st_mtime, default=None)


def _say(message: str) -> None:
    rank_zero_only(logging.getLogger("flt").info)(message)
