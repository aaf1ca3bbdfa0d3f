"""Comparing the settings of two runs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

OWN = ("logger", "enable_progress_bar", "default_root_dir")
"""Settings of the trainer that say where and how a run happens, not what."""


class Difference(NamedTuple):
    """A setting in which a run differs from an earlier one.

    Attributes:
        setting: Its name, with dots.
        saved: Its value in the earlier run.
        given: Its value now.
    """

    setting: str
    saved: Any
    given: Any

    @property
    def change(self) -> str:
        """What it was and is, in words."""
        return f"{self.setting} was {self.saved}, is {self.given}"


def differences(saved: Mapping[str, Any], given: Mapping[str, Any], prefix: str = "") -> Iterator[Difference]:
    """Finds settings that both runs have with different values; a setting that names another class is shown by name.

    Example:
        >>> list(differences({"model": {"lr": 0.1}, "seed": 0}, {"model": {"lr": 0.2}, "seed": 0}))
        [Difference(setting='model.lr', saved=0.1, given=0.2)]
    """
    for name in (name for name in saved if name in given and saved[name] != given[name]):
        theirs, ours = saved[name], given[name]
        both_nested = _are_settings(theirs) and _are_settings(ours)
        if both_nested and theirs.get("class_path") == ours.get("class_path"):
            yield from differences(theirs, ours, f"{prefix}{name}.")
        else:
            yield Difference(f"{prefix}{name}", _short(theirs), _short(ours))


def essence(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that decide what comes out of a run.

    Example:
        >>> essence({"trainer": {"max_steps": 3, "logger": []}, "ckpt_path": "last.ckpt"})
        {'trainer': {'max_steps': 3}, 'ckpt_path': None}
    """
    trainer = {name: value for name, value in settings.get("trainer", {}).items() if name not in OWN}
    return {**settings, "trainer": trainer, "ckpt_path": None}


def deciding(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that decide what comes out of runs which differ in their seed alone, wherever their data lie.

    Example:
        >>> deciding({"seed_everything": 0, "data": {"class_path": "HAR", "init_args": {"data_dir": "here"}}})
        {'data': {'class_path': 'HAR', 'init_args': {}}, 'trainer': {}, 'ckpt_path': None}
    """
    found = {name: value for name, value in essence(settings).items() if name != "seed_everything"}
    data = found.get("data")
    if isinstance(data, dict) and isinstance(data.get("init_args"), dict):
        given = {name: value for name, value in data["init_args"].items() if name != "data_dir"}
        found["data"] = {**data, "init_args": given}
    return found


def listed(found: Sequence[Difference], source: str) -> str:
    """Describes differences in one line.

    Example:
        >>> listed([Difference("seed", 0, 1)], "checkpoint")
        'seed: 0 (checkpoint), 1 (given)'
    """
    return "; ".join(f"{each.setting}: {each.saved} ({source}), {each.given} (given)" for each in found)


def _are_settings(value: Any) -> bool:
    """Whether it is a mapping of settings, of which an earlier version may lack some, and not a value as a whole."""
    return isinstance(value, dict) and all(isinstance(name, str) for name in value)


def _short(value: Any) -> Any:
    """A setting's value for messages; the settings of a class are shortened to its name."""
    return value["class_path"] if isinstance(value, dict) and "class_path" in value else value
