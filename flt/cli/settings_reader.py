"""Reading settings without making anything of them."""

from collections.abc import Sequence

from jsonargparse import Namespace

import flt
import flt.models  # noqa: F401  # makes its networks known by short name
from flt.cli.training import FederatedCLI


class SettingsReader(FederatedCLI):
    """Reads the settings of ``flt fit`` as the command does, but neither makes nor runs anything."""

    def __init__(self) -> None:
        super().__init__(["fit", "--model.network=LogisticRegression", "--data=HAR", "--trainer.max_steps=1"])

    def read(self, args: Sequence[str]) -> Namespace:
        """The settings that the arguments of ``flt fit`` make.

        Raises:
            InputError: As ``flt fit`` would.
        """
        self.parse_arguments(self.parser, ["fit", *args])
        settings: Namespace = self.config.fit
        return settings

    def dump(self, settings: Namespace) -> str:
        """The settings as the content of a configuration file."""
        text: str = self._parser("fit").dump(settings, skip_none=False)
        return text

    def _set_seed(self) -> None:
        """Leaves the process's generators alone."""

    def instantiate_classes(self) -> None:
        """Makes nothing."""

    def _run_subcommand(self, subcommand: str) -> None:
        """Runs nothing."""
