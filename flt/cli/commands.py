"""The subcommands of ``flt``: what each is for. Nothing here needs torch or Lightning."""

import argparse

COMMANDS = {
    "fit": "Train a global model and measure it on the way.",
    "validate": "Measure a trained model on the test set, as test does.",
    "test": "Measure a trained model on the test set.",
    "predict": "Write a trained model's prediction of each example.",
    "data": "Show which client holds what, without training.",
    "table": "Run a grid of settings and make its table; what is finished is not run again.",
    "certify": "Certify how many malicious clients a vote of groups' models withstands.",
    "plot": "Draw the figure of a grid, or the curves of runs.",
    "report": "Make one page of HTML of grids: to look at, to send, to print.",
    "leaderboard": "Check entries of the leaderboard, or make its page.",
    "export": "Write an app of Flower that runs a configuration on real clients.",
    "dashboard": "Lay out a W&B workspace for runs of this program.",
}
"""Every subcommand, and its line of help."""

OVERVIEW = f"""usage: flt COMMAND [--config FILE] [--SETTING VALUE ...]

Federated learning under attack.

commands:
{"".join(f"  {command:<12}{purpose}" + chr(10) for command, purpose in COMMANDS.items())}
options:
  -h, --help  Show this text; flt COMMAND --help describes a command's settings.
  --version   Show the version.

example:
  flt fit --config configs/har_fltrust.yaml"""
"""The text of ``flt --help``."""


def export_parser() -> argparse.ArgumentParser:
    """The parser of what ``flt export`` takes beside the settings of ``flt fit``; its help does without Flower."""
    others = "All other arguments are settings, those of flt fit (see flt fit --help)."
    parser = argparse.ArgumentParser(
        "flt export", description=COMMANDS["export"], epilog=others, allow_abbrev=False, add_help=False
    )
    parser.add_argument("-h", "--help", action="store_true", help="Show this text.")
    parser.add_argument("--flower", metavar="DIR", help="Folder of the app; it must be empty, or not be there.")
    return parser
