"""Figures, drawn without a display."""

import io
import os
from pathlib import Path

from matplotlib.figure import Figure

from flt.errors import InputError

# Colour-blind safe (Okabe and Ito); benign and malicious look the same in every figure.
ERROR, SUCCESS, BENIGN, MALICIOUS, WORST = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00"
VALIDATION = "#56B4E9"
COLOURS = (ERROR, SUCCESS, BENIGN, MALICIOUS, WORST, VALIDATION, "#000000")
"""For the lines of a figure, in their order."""


def check_figure_path(path: Path, name: str) -> None:
    """Raises an `InputError` unless a figure can be written to ``path``, in the format that its ending names.

    Args:
        path: The file.
        name: The setting that names it.
    """
    if path.is_dir():
        raise InputError(f"{name}={str(path)!r} is a folder: name a file in it, such as {path / 'figure.png'}")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise InputError(f"{name}={str(path)!r}: there is no folder {str(path.parent)!r} in which files can be written")
    probe = Figure(figsize=(0.1, 0.1))
    probe.text(0, 0, "x")
    try:
        as_file(probe, path)
    except (ValueError, RuntimeError, OSError) as error:
        formats = ", ".join(f".{ending}" for ending in sorted(probe.canvas.get_supported_filetypes()))
        raise InputError(f"{name}={str(path)!r} cannot be drawn: let it end in one of {formats}") from error


def as_file(figure: Figure, path: Path) -> bytes:
    """The content of a file called ``path`` with this figure."""
    content = io.BytesIO()
    figure.savefig(content, format=path.suffix.removeprefix(".").lower(), dpi=150)
    return content.getvalue()
