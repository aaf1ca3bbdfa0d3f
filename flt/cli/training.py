"""Lightning's part of the command line: ``flt fit | validate | test | predict | data``."""

import json
import shlex
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from jsonargparse import Namespace
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback, Checkpoint, ModelCheckpoint
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI
from lightning.pytorch.profilers import PassThroughProfiler

import flt
import flt.models  # noqa: F401  # makes its networks known by short name
from callbacks import EvaluationMetrics, MetricsLogger, PredictionWriter, RoundProgressBar, RunReport, WandbReport
from callbacks.reporting.wandb_runs import name_runs
from flt.cli.commands import COMMANDS, CommandParser, FederatedTrainer
from flt.cli.config_writer import ConfigWriter
from flt.cli.exit_status import NO_SPACE, how_stopped, interrupted_status, no_space
from flt.cli.no_profiler import NoProfiler
from flt.cli.trainer_settings import check_settings
from flt.data import FederatedDataModule
from flt.errors import InputError, Stopped
from flt.federation import Aggregation, Attack
from flt.module import FederatedModule
from flt.random import run_seed
from flt.runs.checkpoints import check_checkpoint
from flt.runs.folder import claim_run_folder, run_folder, sole_use
from flt.runs.resume import EarlierRun
from flt.runs.writing import write_safely


class FederatedCLI(LightningCLI):
    """LightningCLI with the rule and the attack as keys of their own.

    Args:
        args: Arguments instead of those of the process.
        run: Whether to run a subcommand; False only builds ``model``, ``datamodule`` and ``trainer``.
    """

    def __init__(self, args: ArgsType = None, *, run: bool = True) -> None:
        self._first = args[0] if isinstance(args, list) and args else None
        self._earlier: EarlierRun | None = None
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
                **{command: {"description": COMMANDS[command]} for command in self.subcommands()},
            },
            args=args,
            run=run,
        )

    def subcommands(self) -> dict[str, set[str]]:  # type: ignore[override]  # Lightning calls it on the instance
        """Lightning's and ``data``, with the arguments that are no options; of a known command's, only its own."""
        every = {**LightningCLI.subcommands(), "data": {"model", "datamodule"}}
        # Each has a parser of all settings, which takes a tenth of a second to make.
        return {self._first: every[self._first]} if self._first in every else every

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Adds ``--aggregation`` and ``--attack``."""
        parser.add_lightning_class_args(Aggregation, "aggregation", subclass_mode=True, required=False)
        parser.add_lightning_class_args(Attack, "attack", subclass_mode=True, required=False)
        (network,) = (action for action in parser._actions if action.dest == "model.network")
        # Its help would list the 750 modules of torch; the first line of it names the networks there are.
        network.extra_help = str  # type: ignore[attr-defined]
        parser.set_defaults({"aggregation": {"class_path": "FLTrust"}, "attack": {"class_path": "NoAttack"}})

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parses, and looks at the checkpoint before anything is built."""
        assert args is None or isinstance(args, list)
        self._earlier = _earlier_run(args or [])
        if self._earlier is not None:
            assert args is not None
            args = [args[0], *self._earlier.arguments, *args[1:]]
        # Lightning's would warn that these are not the arguments of the process; those of a grid's runs never are.
        self.config = parser.parse_args(args)
        command = self.config.get("subcommand")
        config = self.config[command] if command else self.config
        if command == "fit":
            del config["resume"]  # which is no setting of the run
        if command == "data":  # which takes a run's config.yaml, but nothing from its checkpoint
            config["ckpt_path"] = None
        check_settings(config, command)
        self._check_checkpoint(parser, config, command)

    def _check_checkpoint(self, parser: LightningArgumentParser, config: Namespace, command: str | None) -> None:
        path = config.get("ckpt_path")
        if self._earlier is not None:
            own = parser.parse_args(["fit", *self._earlier.arguments]).fit
            self._earlier.check(*(_plain(self._parser("fit"), each) for each in (config, own)))
        elif path is not None:
            check_checkpoint(Path(path), config.trainer.max_steps if command == "fit" else None)
        elif command not in (None, "fit", "data"):
            raise InputError(f"flt {command} needs a trained model: pass --ckpt_path runs/.../checkpoints/last.ckpt")

    def before_instantiate_classes(self) -> None:
        """Drops what records and shows a run where there is none."""
        if self.subcommand == "data":
            trainer = self.config["data"]["trainer"]
            trainer["logger"], trainer["callbacks"] = False, None

    def instantiate_classes(self) -> None:
        """Makes model, data and trainer; a resumed run's in its folder, although its settings do not name it."""
        self._given = self.config
        if self._earlier is not None:
            self.config = self._given.clone()
            self.config.fit.trainer.logger = self._earlier.placed(self._given.fit.trainer.logger)
            if self._earlier.checkpoint is not None:
                self.config.fit.ckpt_path = str(self._earlier.checkpoint)
        super().instantiate_classes()

    def _run_subcommand(self, subcommand: str) -> None:
        """Runs a subcommand; one that is stopped says so, and how it goes on."""
        try:
            with sole_use(self.trainer) if subcommand == "fit" else nullcontext():
                super()._run_subcommand(subcommand)
        except OSError as error:
            if error.errno not in NO_SPACE:
                raise
            raise Stopped(no_space(error) + self._remedy(", then go on with: "), 1) from error
        except (KeyboardInterrupt, SystemExit) as error:
            # Lightning ends the process itself after a KeyboardInterrupt.
            interrupt = error if isinstance(error, KeyboardInterrupt) else error.__context__
            if not isinstance(interrupt, KeyboardInterrupt):
                raise
            rounds = f" after {self.trainer.global_step:,} rounds" if subcommand == "fit" else ""
            message = how_stopped(interrupt) + rounds + self._remedy("; go on with: ")
            raise Stopped(message if self.trainer.is_global_zero else "", interrupted_status(interrupt)) from error

    def _remedy(self, introduction: str) -> str:
        """The command that goes on with this run; nothing if it has not begun."""
        folder = run_folder(self.trainer)
        if self.subcommand != "fit" or folder is None or not (folder / "config.yaml").is_file():
            return ""
        return f"{introduction}flt fit --resume {shlex.quote(str(folder))}"

    def validate(self, **kwargs: Any) -> None:
        """Evaluates; `RunReport` prints the rates, with the data they are of, instead of Lightning."""
        self.trainer.validate(**{**kwargs, "verbose": False})

    def test(self, **kwargs: Any) -> None:
        """As `validate`."""
        self.trainer.test(**{**kwargs, "verbose": False})

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Adds the callbacks every run has."""
        self.config = self._given  # as it is written down: a run's config.yaml is for other runs as well
        if self.subcommand == "data":  # which runs on no device
            attack = self._get(self.config_init, "attack")
            return FederatedTrainer(devices=1, logger=False, callbacks=[attack], enable_checkpointing=False)
        if self.subcommand in ("validate", "test"):
            kwargs["logger"] = False  # an evaluation leaves no files
        settings = self._get(self.config_init, "trainer")
        given = settings.get("callbacks") or []
        given = list(given) if isinstance(given, list) else [given]
        if settings.get("logger") is False and not any(isinstance(own, Checkpoint) for own in given):
            kwargs["enable_checkpointing"] = False  # Lightning's own would go to the working directory
        callbacks = given + _standard_callbacks(settings, given)
        try:
            trainer = super().instantiate_trainer(callbacks=callbacks, **kwargs)
        except (TypeError, ValueError, ImportError, MisconfigurationException) as error:  # Lightning's, of its settings
            chosen = ", ".join(f"{name}={settings[name]}" for name in ("accelerator", "devices", "strategy"))
            raise InputError(f"the trainer ({chosen}) cannot be made: {error}") from error
        if type(trainer.profiler) is PassThroughProfiler:  # type: ignore[attr-defined]
            trainer.profiler = NoProfiler()  # type: ignore[attr-defined]
        if self.subcommand == "fit":
            name_runs(trainer, self.datamodule, run_seed())
            claim_run_folder(trainer)
            write_safely(trainer)  # now, as Lightning first of all deletes the metrics of a run that goes on
        return trainer


def _earlier_run(args: Sequence[str]) -> EarlierRun | None:
    """The run that ``flt fit --resume`` names; None without it."""
    if not args or args[0] != "fit":
        return None
    for word, following in zip(args, [*args[1:], None], strict=True):
        name, is_joined, value = word.partition("=")
        if name == "--resume" and (is_joined or following is not None):
            return EarlierRun.of(Path(value if is_joined else str(following)).expanduser())
    return None


def _plain(parser: LightningArgumentParser, settings: Namespace) -> dict[str, Any]:
    """Settings as nested dictionaries of plain values."""
    plain: dict[str, Any] = json.loads(parser.dump(settings, format="json", skip_none=False))
    return plain


def _standard_callbacks(settings: Any, given: list[Callback]) -> list[Callback]:
    """What records and shows a run, less what the user brought or turned off."""
    standard: list[Callback] = [EvaluationMetrics(), MetricsLogger(), RunReport(), WandbReport(), PredictionWriter()]
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
