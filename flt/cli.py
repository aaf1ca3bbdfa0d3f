"""The command line: ``flt fit | validate | test | predict | data``."""

import json
import logging
import sys
import warnings
from pathlib import Path
from typing import Any

from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, Checkpoint, ModelCheckpoint
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI, SaveConfigCallback
from lightning.pytorch.loggers import CSVLogger

import flt
import flt.models  # noqa: F401  # makes its networks known by short name
from callbacks import MetricsLogger, PredictionWriter, RoundProgressBar, RunReport
from flt.checks import check_settings
from flt.commands import COMMANDS, CommandParser, FederatedTrainer
from flt.data import FederatedDataModule
from flt.errors import InputError
from flt.files import write_atomically
from flt.hooks import Aggregation, Attack
from flt.module import FederatedModule
from flt.parsing import input_error
from flt.processes import leave
from flt.resume import check_checkpoint
from flt.run_folder import claim_run_folder, remove_if_empty, run_folder


class ConfigWriter(SaveConfigCallback):
    """Writes ``config.yaml`` into the run's folder and gives it to the loggers, once nothing can go wrong any more."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Waits for `on_fit_start`: a run whose settings are refused leaves no folder behind."""

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Removes the run's folder, which loggers make before any setting is looked at, if nothing is in it."""
        remove_if_empty(trainer)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """The same after an evaluation, which writes nothing."""
        remove_if_empty(trainer)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes and logs the configuration."""
        folder = run_folder(trainer)
        if not trainer.is_global_zero or folder is None:
            return
        data = pl_module.data.display_name  # type: ignore[union-attr]
        text = self.parser.dump(self.config, skip_none=False)
        write_atomically(folder / self.config_filename, f"# Data of this run: {data}\n{text}")
        for logger in trainer.loggers:
            if not isinstance(logger, CSVLogger):  # which would write the same once more as hparams.yaml
                logger.log_hyperparams(
                    {**json.loads(self.parser.dump(self.config, format="json", skip_none=False)), "data_used": data}
                )


class FederatedCLI(LightningCLI):
    """LightningCLI with the rule and the attack as keys of their own.

    Args:
        args: Arguments instead of those of the process.
        run: Whether to run a subcommand; False only builds ``model``, ``datamodule`` and ``trainer``.
    """

    def __init__(self, args: ArgsType = None, *, run: bool = True) -> None:
        super().__init__(
            FederatedModule,
            FederatedDataModule,
            subclass_mode_data=True,
            save_config_callback=ConfigWriter,
            trainer_class=FederatedTrainer,
            trainer_defaults={
                "logger": {"class_path": "CSVLogger", "init_args": {"save_dir": "runs", "name": "flt"}},
                "num_sanity_val_steps": 0,
                "check_val_every_n_epoch": None,
                "enable_model_summary": False,
            },
            auto_configure_optimizers=False,
            seed_everything_default=0,
            load_from_checkpoint_support=False,  # a checkpoint must not quietly override the configuration
            parser_class=CommandParser,
            parser_kwargs={
                "description": "Federated learning under attack.",
                **{command: {"description": purpose} for command, purpose in COMMANDS.items()},
            },
            args=args,
            run=run,
        )

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """Lightning's and ``data``, with the arguments that are no options."""
        return {**LightningCLI.subcommands(), "data": {"model", "datamodule"}}

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Adds ``--aggregation`` and ``--attack``."""
        parser.add_lightning_class_args(Aggregation, "aggregation", subclass_mode=True, required=False)
        parser.add_lightning_class_args(Attack, "attack", subclass_mode=True, required=False)
        parser.set_defaults({"aggregation": {"class_path": "FLTrust"}, "attack": {"class_path": "NoAttack"}})

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parses, and looks at the checkpoint before anything is built."""
        super().parse_arguments(parser, args)
        command = self.config.get("subcommand")
        config = self.config[command] if command else self.config
        if command == "data":  # which takes a run's config.yaml, but nothing from its checkpoint
            config["ckpt_path"] = None
        path = config.get("ckpt_path")
        if path is None and command not in (None, "fit", "data"):
            raise InputError(f"flt {command} needs a trained model: pass --ckpt_path runs/.../checkpoints/last.ckpt")
        if path is not None:
            check_checkpoint(Path(path), config.trainer.max_steps if command == "fit" else None)
        check_settings(config, command)

    def before_instantiate_classes(self) -> None:
        """Drops what records and shows a run where there is none."""
        if self.subcommand == "data":
            trainer = self.config["data"]["trainer"]
            trainer["logger"], trainer["callbacks"] = False, None

    def validate(self, **kwargs: Any) -> None:
        """Evaluates; `RunReport` prints the rates, with the data they are of, instead of Lightning."""
        self.trainer.validate(**{**kwargs, "verbose": False})

    def test(self, **kwargs: Any) -> None:
        """As `validate`."""
        self.trainer.test(**{**kwargs, "verbose": False})

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Adds the callbacks every run has."""
        if self.subcommand == "data":  # which runs on no device
            attack = self._get(self.config_init, "attack")
            return FederatedTrainer(devices=1, logger=False, callbacks=[attack], enable_checkpointing=False)
        if self.subcommand in ("validate", "test"):
            kwargs["logger"] = False  # an evaluation leaves no files
        settings = self._get(self.config_init, "trainer")
        given = settings.get("callbacks") or []
        given = list(given) if isinstance(given, list) else [given]
        callbacks = given + _standard_callbacks(settings, given)
        try:
            trainer = super().instantiate_trainer(callbacks=callbacks, **kwargs)
        except (TypeError, ValueError, ImportError, MisconfigurationException) as error:  # Lightning's, of its settings
            chosen = ", ".join(f"{name}={settings[name]}" for name in ("accelerator", "devices", "strategy"))
            raise InputError(f"the trainer ({chosen}) cannot be made: {error}") from error
        if self.subcommand == "fit":
            claim_run_folder(trainer)
        return trainer


def _standard_callbacks(settings: Any, given: list[Callback]) -> list[Callback]:
    """What records and shows a run, less what the user brought or turned off."""
    standard: list[Callback] = [MetricsLogger(), RunReport(), PredictionWriter()]
    if settings.get("enable_progress_bar") is not False:
        standard.insert(0, RoundProgressBar())  # first, so that the finished bar stands above the summary
    wants_checkpoint = settings.get("enable_checkpointing") is not False and settings.get("logger") is not False
    if wants_checkpoint and not any(isinstance(own, Checkpoint) for own in given):
        # After the evaluation, so that a resumed run has its row; `every_n_epochs` counts evaluations here.
        standard.append(
            ModelCheckpoint(
                filename="last", every_n_epochs=1, save_on_train_epoch_end=False, enable_version_counter=False
            )
        )
    kinds = tuple(type(own) for own in given)
    return [callback for callback in standard if not isinstance(callback, kinds)]


def main(args: ArgsType = None) -> int:
    """Runs the command line.

    Args:
        args: Arguments instead of those of the process.

    Returns:
        The exit status: 0, or 2 after a mistake in the input, which is explained in one line on standard error.
    """
    # A console script does not look for modules in the working directory, where a user's own rule lies.
    if "" not in sys.path:
        sys.path.insert(0, "")
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    own = logging.getLogger("flt")
    own.setLevel(logging.INFO)
    own.handlers = [_StandardError()]
    # Lightning 2.6 calls what torch 2.15 deprecates; nothing a user could do about it.
    warnings.filterwarnings("ignore", message=".*LeafSpec.*is deprecated", module="lightning")
    # Lightning's word about its own record of best checkpoints whenever a run goes on in another folder.
    warnings.filterwarnings("ignore", message="The dirpath has changed")
    # Short runs log their last round whatever the interval.
    warnings.filterwarnings("ignore", message="The number of training batches .* is smaller than the logging interval")
    warnings.formatwarning = lambda message, *_, **__: f"flt: warning: {message}\n"
    try:
        FederatedCLI(args)
        leave()
    except (ValueError, MisconfigurationException) as error:
        explained = error if isinstance(error, MisconfigurationException) else input_error(error)
        if explained is None:  # a bug, or a mistake in a user's own class: its traceback is worth seeing
            raise
        print(f"flt: error: {' '.join(str(explained).split())}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.filename is None:
            raise
        print(f"flt: error: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    return 0


class _StandardError(logging.Handler):
    """Prints to whatever standard error is at the time: a progress bar puts itself in its place."""

    def emit(self, record: logging.LogRecord) -> None:
        print(f"flt: {record.getMessage()}", file=sys.stderr)


def console() -> None:
    """Entry point of the ``flt`` command."""
    sys.exit(main())
