"""The subcommands of ``flt``: what each is for, and the one that Lightning's trainer does not have."""

from pathlib import Path
from typing import Any

from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from rich.console import Console

from flt.cli.parser import FederatedArgumentParser
from flt.data.datamodule import FederatedDataModule
from flt.display.overview import overview_of
from flt.display.overview_figure import draw_overview
from flt.display.overview_table import print_overview
from flt.display.style import as_file, check_figure_path
from flt.federation import Attack
from flt.federation.hooks import only
from flt.files import write_atomically

COMMANDS = {
    "fit": "Train a global model and measure it on the way.",
    "validate": "Measure a trained model on the test set, as test does.",
    "test": "Measure a trained model on the test set.",
    "predict": "Write a trained model's prediction of each example.",
    "data": "Show which client holds what, without training.",
}
"""Every subcommand that is a method of the trainer, and its line of help."""

TOOLS = {
    "table": "Run a grid of settings and make its table; what is finished is not run again.",
    "plot": "Draw the figure of a grid, or the curves of runs.",
    "dashboard": "Lay out a W&B workspace for runs of this program.",
}
"""Every other subcommand; `flt.main` runs them."""

RESUME = (
    "Folder of a run that was stopped, such as runs/har/version_0: goes on from its last checkpoint, with its own"
    " settings, in its own folder; needs no other argument."
)


class CommandParser(FederatedArgumentParser):
    """Lists each subcommand with the description that it has in its own help."""

    def add_subcommands(self, *args: Any, **kwargs: Any) -> Any:
        """As its base; LightningCLI would list the first lines of docstrings, which end in the middle of a sentence."""
        return _DescribedCommands(super().add_subcommands(*args, **kwargs))

    def add_method_arguments(self, *args: Any, **kwargs: Any) -> Any:
        """As its base, but among the first options: ``data`` would be the name of two groups."""
        if "fit" in args:
            self.add_argument("--resume", type=str | None, default=None, metavar="RUN_FOLDER", help=RESUME)
        return super().add_method_arguments(*args, **{**kwargs, "as_group": False})


class _DescribedCommands:
    def __init__(self, commands: Any) -> None:
        self.commands = commands

    def add_subcommand(self, name: str, parser: FederatedArgumentParser, **kwargs: Any) -> Any:
        added = self.commands.add_subcommand(name, parser, **{**kwargs, "help": parser.description})
        if name == list(COMMANDS)[-1]:
            for tool, purpose in TOOLS.items():  # only to be listed
                self.commands.add_subcommand(tool, FederatedArgumentParser(description=purpose), help=purpose)
        return added


class FederatedTrainer(Trainer):
    """Lightning's trainer, which can also show who holds what."""

    def data(
        self,
        model: LightningModule,
        datamodule: LightningDataModule,
        plot: str | None = None,
        ckpt_path: str | None = None,
        weights_only: bool | None = None,
    ) -> None:
        """Prints who holds what in the run that the same settings make with ``flt fit``, and draws it.

        Args:
            model: Not looked at.
            datamodule: The data.
            plot: File for a figure of the clients' data, the root dataset and the backdoor's trigger, such as
                partition.png; its ending is the format.
            ckpt_path: Without effect; here so that the config.yaml of a run can be given.
            weights_only: Without effect; as ckpt_path.

        Raises:
            InputError: If the figure cannot be written, or the data cannot be loaded or dealt out.
        """
        assert isinstance(datamodule, FederatedDataModule)
        path = None if plot is None else Path(plot).expanduser()
        if path is not None:
            check_figure_path(path, "plot")
        overview = overview_of(datamodule, only(self, Attack))
        print_overview(overview)
        if path is not None:
            write_atomically(path, as_file(draw_overview(overview), path))
            Console(markup=False).print(f"Figure in {path}", highlight=False, soft_wrap=True)
