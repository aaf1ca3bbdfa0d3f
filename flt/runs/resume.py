"""The earlier run that ``flt fit --resume`` continues: its folder, its checkpoint, and which settings may differ."""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jsonargparse import Namespace
from lightning.pytorch.loggers import Logger, WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from flt.errors import InputError, Stopped
from flt.runs.checkpoints import REMOVE, SETTINGS, WANDB_IDS, read_checkpoint
from flt.runs.differences import Difference, differences, listed
from flt.runs.reading import metrics_of
from flt.runs.summary import finished_summary

FREE = {
    *(f"trainer.{name}" for name in ("accelerator", "devices", "num_nodes", "strategy", "default_root_dir")),
    *(f"trainer.{name}" for name in ("enable_progress_bar", "enable_model_summary", "profiler")),
    *("data.init_args.data_dir", "model.clients_per_chunk", "weights_only"),
}
"""Settings that may differ in a resumed run: they decide where and how it is computed, not what comes out."""


class EarlierRun(NamedTuple):
    """A run on disk, which may have been stopped at any moment: its folder, its last checkpoint and what that holds."""

    folder: Path
    checkpoint: Path | None
    content: Mapping[str, Any]

    @classmethod
    def of(cls, folder: Path) -> "EarlierRun":
        """Finds the run in a folder and reads its last checkpoint; an `InputError` if either cannot be used."""
        if folder.is_file():
            run = next((each for each in folder.parents[:2] if (each / "config.yaml").is_file()), None)
            remedy = f"that of its run, {run}" if run else "the folder of a run, such as runs/har/version_0"
            raise InputError(f"--resume {folder} is a file, not a folder: give {remedy}")
        if not (folder / "config.yaml").is_file():
            raise InputError(
                f"--resume {folder}: it holds no config.yaml; give the folder of a run, such as runs/har/version_0"
            )
        last = folder / "checkpoints" / "last.ckpt"
        found = [path for path in last.parent.glob("*.ckpt") if not path.name.startswith(".")]
        # A user's own callback may name them otherwise.
        checkpoint = last if last in found else max(found, key=lambda path: path.stat().st_mtime, default=None)
        source = f"--resume {folder}: {checkpoint}"
        return cls(folder, checkpoint, read_checkpoint(checkpoint, source, REMOVE) if checkpoint else {})

    def check(self, given: Mapping[str, Any], own: Mapping[str, Any]) -> None:
        """Checks that the given settings continue this run and that rounds are left.

        Args:
            given: The settings, by nested names.
            own: Those of the run's ``config.yaml`` alone; the checkpoint's count more.

        Raises:
            InputError: If settings differ that would make it another run, or nothing is there to go on from.
            Stopped: If the run is finished.
        """
        source = "checkpoint" if SETTINGS in self.content else "config.yaml"
        saved = json.loads(self.content[SETTINGS]) if SETTINGS in self.content else own
        found = [each for each in differences(saved, given) if not is_free(each)]
        if found:
            raise InputError(
                f"--resume {self.folder} would go on with other settings than before ({listed(found, source)}):"
                " leave them as they were, or start a new run"
            )
        summary = finished_summary(self.folder)
        is_done = summary is not None and summary["rounds"] >= given["trainer"]["max_steps"]
        if summary is not None and is_done and (self.checkpoint is None or self._has_metrics(given)):
            done = f"the run in {self.folder} is finished: it has done its {summary['rounds']} rounds"
            raise Stopped(f"{done}; ask for more with --trainer.max_steps", 0)
        if self.checkpoint is None and (self.folder / "summary.json").is_file():
            raise InputError(f"--resume {self.folder}: the run kept no checkpoint to go on from; start a new one")

    def _has_metrics(self, given: Mapping[str, Any]) -> bool:
        """Whether ``metrics.csv`` is as a finished run leaves it, where the run's logger writes one."""
        first = first_logger(given["trainer"]["logger"])
        if not isinstance(first, dict) or not str(first.get("class_path")).endswith("CSVLogger"):
            return True
        try:
            return bool(metrics_of(self.folder))
        except InputError:
            return False

    def going_on(self, settings: Namespace) -> Namespace:
        """Settings with this run's checkpoint, its folder, and its ids on W&B; says so if it begins anew."""
        if self.checkpoint is None:
            say = rank_zero_only(logging.getLogger("flt").info)
            say(f"the run in {self.folder} stopped before its first checkpoint and begins anew")
        settings = settings.clone()
        settings.ckpt_path = str(self.checkpoint) if self.checkpoint else settings.ckpt_path
        given = settings.trainer.logger
        loggers = given if isinstance(given, list) else [given]
        for logger, id in zip(loggers, self.content.get(WANDB_IDS, []), strict=False):
            if id is not None:
                logger.init_args.id = id
        place = self.folder.absolute()
        names = {"CSVLogger": {"name": place.parent.name, "version": place.name}, "WandbLogger": {"id": place.name}}
        if kind_of(loggers[0]) not in names:
            raise InputError(f"--resume {self.folder}: only a CSVLogger, as the first logger, can go on in a folder")
        for name, value in {"save_dir": str(place.parents[1]), **names[kind_of(loggers[0])]}.items():
            loggers[0].init_args[name] = value
        settings.trainer.logger = loggers
        return settings


def logged_under(loggers: Sequence[Logger]) -> list[str | None]:
    """The id of each logger's run on W&B, for checkpoints; None for other loggers and for W&B offline."""
    return [
        logger.version if isinstance(logger, WandbLogger) and not logger.experiment.offline else None
        for logger in loggers
    ]


def first_logger(loggers: Any) -> Any:
    """The settings of the first of some loggers, or of the only one."""
    return loggers[0] if isinstance(loggers, list) and loggers else loggers


def kind_of(logger: Any) -> str:
    """The name of the class that the settings of a logger make; empty where there is none."""
    return str(logger.class_path.rpartition(".")[2]) if isinstance(logger, Namespace) else ""


def is_free(difference: Difference) -> bool:
    """Whether a run stays the same where a setting differs so."""
    if difference.setting == "trainer.max_steps":
        return isinstance(difference.saved, int) and bool(difference.given > difference.saved)
    return difference.setting in FREE
