"""The dimensions of a grid, as a configuration describes them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from jsonargparse.typing import Path_fr

from flt.cli.configs import check_file, own_config, read_text
from flt.errors import InputError
from flt.grid.plan.naming import DIFFERENCE, MEASURES, POINT, SELECTED, WORST, column_of, label_of

if TYPE_CHECKING:
    File = str | Path
    Settings = dict[str, Any]
else:
    File = Path_fr | str  # of a configuration file, a relative path starts from its folder
    # Among values of any type jsonargparse would fill in the arguments of classes, such as an optimizer's params: null.
    Settings = dict[str, bool | int | float | str | list | dict | None]

Axes = File | Settings | list[File | Settings]
"""What a configuration may give for ``axes``."""

RESERVED = ("config", "seed", "data_used", "rounds", "round", WORST, SELECTED, POINT, *DIFFERENCE, *MEASURES)
"""Names that are taken: of a level's file, and of columns of ``table.csv``."""

ENDINGS = (".yaml", ".yml")


@dataclass(frozen=True)
class Axis:
    """One dimension of a grid.

    Attributes:
        column: What it is called in tables.
        levels: The settings of each level, by its label.
    """

    column: str
    levels: dict[str, dict[str, Any]]


def column_among(columns: Collection[str], name: str, axis: str) -> str:
    """The column of the axis that a setting names.

    Args:
        columns: Those that there are.
        name: The setting.
        axis: What it says.

    Raises:
        InputError: If there is no such axis.
    """
    if column_of(axis) not in columns:
        raise InputError(f"{name}={axis} is no axis of this grid: choose one of {', '.join(columns)}")
    return column_of(axis)


def axes_of(axes: Axes) -> list[Axis]:
    """The axes that a configuration describes, or a file that holds some, or a list of both; see `flt.grid.Grid`.

    Raises:
        InputError: If they are none.
    """
    made = [axis for some in (axes if isinstance(axes, list) else [axes]) for axis in _axes_in(some)]
    if not made:
        raise InputError("axes: there is none; give at least one with its levels")
    columns = [axis.column for axis in made]
    for column in columns:
        if columns.count(column) > 1 or column in RESERVED:
            raise InputError(f"axes: {column} cannot be the name of an axis, or is that of two: rename it")
    return made


def _axes_in(axes: File | dict[str, Any]) -> list[Axis]:
    """The axes of one mapping, or of the file that holds it."""
    folder = Path()
    if not isinstance(axes, dict):
        path = file_named("axes", axes)
        folder = path.parent
        check_file(path, "axes")
        axes = yaml.safe_load(read_text(path, "axes"))
        if not isinstance(axes, dict):
            raise InputError(f"axes={path}: a mapping from axes to their levels is expected")
    return [_axis(str(name), levels, folder) for name, levels in axes.items()]


def _axis(name: str, levels: Any, folder: Path) -> Axis:
    given = [(value, value) for value in levels] if isinstance(levels, list) else []
    if isinstance(levels, dict):
        given = list(levels.items())
    made = [
        (own, settings)
        for label, value in given
        for own, settings in _members(label_of(label), _settings_of(name, value, folder)).items()
    ]
    levels = dict(made)
    if not levels or len(levels) < len(made):
        raise InputError(f"axes: {name} needs a list of different values, or a mapping from labels to settings")
    return Axis(column_of(name), levels)


def _members(label: str, settings: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The settings of a level by its label; the attack `callbacks.Worst` makes a level of each member of its set."""
    if "Worst" not in str(settings.get("attack")):
        return {label: settings}
    from callbacks.attacks.worst import members_of  # here, as it needs torch

    others = {name: value for name, value in settings.items() if name != "attack" and not name.startswith("attack.")}
    dotted = {name.removeprefix("attack."): value for name, value in settings.items() if name.startswith("attack.")}
    members = members_of(settings["attack"], dotted)
    return {name: {"attack": own, **others} for name, own in members.items()} if members else {label: settings}


def _settings_of(name: str, value: Any, folder: Path) -> dict[str, Any]:
    settings = flat(value) if isinstance(value, dict) and "class_path" not in value else {name: value}
    files = {key: given for key, given in settings.items() if isinstance(given, str) and given.endswith(ENDINGS)}
    return settings | {key: str(file_named(f"axes: {key}", given, folder)) for key, given in files.items()}


def file_named(name: str, path: File, folder: Path | None = None) -> Path:
    """The file that a setting names.

    Args:
        name: The setting.
        path: What it says.
        folder: What a relative path starts from; None is the working directory.

    Raises:
        InputError: If there is no such file, here or among the configurations of the program.
    """
    given = Path(path.absolute) if isinstance(path, Path_fr) else (folder or Path()) / Path(path).expanduser()
    own = own_config(str(path)) if not given.exists() else None
    if own is not None:
        return own
    if not given.is_file():
        raise InputError(f"{name}={path}: there is no such file")
    return given.absolute()


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by their dotted names; what describes a class stays whole."""
    found: dict[str, Any] = {}
    for key, value in settings.items():
        nested = isinstance(value, dict) and "class_path" not in value and value
        found |= flat(value, f"{prefix}{key}.") if nested else {f"{prefix}{key}": value}
    return found


def anchored(axes: Axes, folder: Path) -> Axes:
    """Axes in which levels that name files of ``folder`` have their full paths."""
    if isinstance(axes, list):
        return [_anchored(some, folder) if isinstance(some, dict) else some for some in axes]
    return _anchored(axes, folder) if isinstance(axes, dict) else axes


def _anchored(axes: dict[str, Any], folder: Path) -> dict[str, Any]:

    def full(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: full(nested) for key, nested in value.items()}
        is_file = isinstance(value, str) and value.endswith(ENDINGS) and (folder / value).is_file()
        return str((folder / value).absolute()) if is_file else value

    return {name: full(levels) for name, levels in axes.items()}
