"""The help of a command that runs something: this program's own settings first."""

import re
import shutil
import textwrap
from argparse import SUPPRESS, Action, ArgumentParser, _HelpAction
from typing import Any

from flt.cli.messages import choices_of

TRAINER = {
    "max_steps": "Rounds.",
    "val_check_interval": "Rounds between evaluations on the test set; the last round is always evaluated.",
    "log_every_n_steps": "Rounds between rows of metrics.csv.",
    "logger": "Where metrics go, see configs/logger.",
    "callbacks": "Further callbacks; --trainer.callbacks+ adds one.",
    "accelerator": "Where it runs: cpu, gpu or auto.",
    "devices": "How many processes or GPUs share the clients out.",
    "precision": "32-true, or bf16-mixed for local training.",
    "max_time": "Longest time, DD:HH:MM:SS.",
}
"""The settings of Lightning's trainer that most runs need, and what they mean where a step is a round."""

PRINT_CONFIG = "Print the settings that the other arguments make, instead of running."
COLUMN = 32  # where explanations begin
CLASSES = {
    "data": "Data set",
    "aggregation": "Rule that makes one update of the clients'",
    "attack": "What the malicious clients do",
}


class BriefHelp(_HelpAction):
    """Prints the settings of this program and the usual ones of Lightning's trainer; all by ``--help.all``."""

    def __call__(self, parser: ArgumentParser, *args: Any, **kwargs: Any) -> None:
        """Prints and exits."""
        print(parser.format_help() if self.dest == "help.all" else brief(parser), end="")
        parser.exit()


def brief(parser: Any) -> str:
    """The help of ``flt fit`` and its like: a line or two for each setting of this program."""
    sections: dict[str, list[str]] = {"options": [], "data, rule and attack": [], "model": [], "trainer": []}
    for action in parser._actions:
        key, _, setting = action.dest.partition(".")
        if action.help == SUPPRESS or setting == "help":
            continue
        if key in CLASSES:
            names = ", ".join(choices_of(key))
            text = f"{CLASSES[key]}: {names}, or your own. --{key}.help CLASS describes its settings."
            sections["data, rule and attack"].append(_entry(action, text, "CLASS"))
        elif key == "trainer" and setting in TRAINER:
            sections[key].append(_entry(action, TRAINER[setting]))
        elif key == "model" and setting and "." not in setting:
            sections[key].append(_entry(action, _first_sentence(action.help)))
        elif action.dest == "help.all" or (not setting and key not in sections):
            sections["options"].append(_entry(action, PRINT_CONFIG if key == "print_config" else action.help))
    shown = "\n".join(f"{title}:\n{''.join(entries)}" for title, entries in sections.items() if entries)
    return f"{parser.format_usage()}\n{parser.description}\n\n{shown}"


def _entry(action: Action, text: str | None, value: str | None = None) -> str:
    """An option with its explanation beside it, or below where the option is long."""
    metavar = value or (action.metavar if isinstance(action.metavar, str) and action.metavar.isupper() else None)
    names = ", ".join(name for name in action.option_strings if not name.endswith("+"))
    name = f"  {names}{f' {metavar}' if metavar else ''}"
    is_plain = isinstance(action.default, str | int | float) and action.default != SUPPRESS
    shown = f"{text or ''}{f' [{action.default}]' if is_plain else ''}"
    width = max(shutil.get_terminal_size().columns - 2 - COLUMN, 40)
    first = f"{name:<{COLUMN}}" if len(name) < COLUMN else f"{name}\n{' ' * COLUMN}"
    return first + f"\n{' ' * COLUMN}".join(textwrap.wrap(shown, width, break_on_hyphens=False)) + "\n"


def _first_sentence(text: str | None) -> str:
    return re.split(r"(?<=\.)\s", " ".join((text or "").split()), maxsplit=1)[0].replace("``", "")
