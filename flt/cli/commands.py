"""The subcommands of ``flt``: what each is for. Nothing here needs torch or Lightning."""

from difflib import get_close_matches

from flt.errors import InputError

COMMANDS = {
    "fit": "Train a global model and measure it on the way.",
    "validate": "Measure a trained model on the test set, as test does.",
    "test": "Measure a trained model on the test set.",
    "predict": "Write a trained model's prediction of each example.",
    "data": "Show which client holds what, without training.",
    "table": "Run a grid of settings and make its table; what is finished is not run again.",
    "plot": "Draw the figure of a grid, or the curves of runs.",
    "dashboard": "Lay out a W&B workspace for runs of this program.",
}
"""Every subcommand, and its line of help."""


def overview() -> str:
    """The text of ``flt --help``."""
    listed = "".join(f"  {command:<12}{purpose}\n" for command, purpose in COMMANDS.items())
    return (
        "usage: flt COMMAND [--config FILE] [--SETTING VALUE ...]\n\nFederated learning under attack.\n\ncommands:\n"
        f"{listed}\noptions:\n  -h, --help  Show this text; flt COMMAND --help describes a command's settings.\n"
        "  --version   Show the version.\n\nexample:\n  flt fit --config configs/har_fltrust.yaml\n"
    )


def unknown(word: str | None) -> InputError:
    """What to say of a first argument that is no command.

    Args:
        word: The argument; None where there is none.
    """
    listed = ", ".join(COMMANDS)
    if word is None:
        return InputError(f"a command is missing: give one of {listed} (see flt --help)")
    if word.startswith("-"):
        return InputError(f"{word} stands before the command: begin with flt fit, or another of {listed}")
    close = get_close_matches(word, COMMANDS, 1)
    advice = f"did you mean {close[0]}? There are" if close else "choose one of"
    return InputError(f"{word} is no command: {advice} {listed} (see flt --help)")
