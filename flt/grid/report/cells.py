"""The cells of a grid as data: what each run has left, their curves, and how to repeat them."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from flt.cli.settings import make_parser
from flt.display.curves import Rows
from flt.errors import InputError
from flt.grid.plan.outline import Outline
from flt.grid.report.arguments import arguments_of
from flt.grid.report.curves import curves_of
from flt.runs.differences import deciding
from flt.runs.reading import metrics_of
from flt.runs.summary import read_summary

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where PyYAML has been built with it


class Run(NamedTuple):
    """What a finished run has left."""

    summary: dict[str, Any]
    metrics: Rows


def read_run(folder: Path) -> Run:
    """A finished run, which is read once; without metrics if its ``metrics.csv`` is gone.

    Raises:
        InputError: If its summary is damaged.
    """
    return _read(folder, (folder / "summary.json").stat().st_mtime_ns)


@lru_cache(maxsize=20_000)
def _read(folder: Path, _written: int) -> Run:
    try:
        metrics = metrics_of(folder)
    except InputError:
        metrics = []
    return Run(read_summary(folder), metrics)


def settings_of(folder: Path) -> dict[str, Any]:
    """The settings that decide what comes out of a run, but for its seed; nothing if its ``config.yaml`` is gone.

    Where a data set lies is left out as well. A file is read again only after it has changed.
    """
    path = folder / "config.yaml"
    try:
        return _settings(path, path.stat().st_mtime_ns)
    except OSError:
        return {}


@lru_cache(maxsize=20_000)
def _settings(path: Path, _written: int) -> dict[str, Any]:
    try:
        found = LOADER(path.read_text()).get_single_data()
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    if not isinstance(found, dict) or not isinstance(found.get("trainer", {}), dict):
        return {}
    return deciding(found)


@cache
def usual_settings() -> dict[str, Any]:
    """The settings of ``flt fit`` without any argument."""
    parser = make_parser("fit")
    found: dict[str, Any] = json.loads(parser.written(parser.get_defaults(), "json"))
    return found


def cell_of(runs: Mapping[int, Path], outline: Outline) -> dict[str, Any]:
    """What the runs of a cell have left, as data.

    Args:
        runs: The folders of its finished runs by their seeds; at least one.
        outline: The grid's outline.
    """
    read = {seed: read_run(folder) for seed, folder in runs.items()}
    settings = settings_of(next(iter(runs.values())))  # seeds differ in nothing else
    versions = [run.summary.get("versions") or {} for run in read.values()]
    return {
        "attack": next(iter(read.values())).summary["attack"],
        "seconds": {str(seed): run.summary.get("seconds") for seed, run in read.items()},
        "versions": distinct(versions),
        "settings_hash": hash_of(settings) if settings else None,
        "arguments": arguments_of(settings, usual_settings()) if settings else {},
        "charts": curves_of([run.metrics for run in read.values()], outline.shown, shown_as=outline.shown_as),
    }


def distinct(values: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each of these once, in their order."""
    found: list[dict[str, Any]] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found


def hash_of(content: Any) -> str:
    """SHA-256 of a plain value, by its JSON with sorted keys; the number 1 and the text "1" are the same.

    The command line cannot tell the two apart where a setting, such as ``trainer.devices``, takes either.
    """
    return hashlib.sha256(json.dumps(_lettered(content), sort_keys=True).encode()).hexdigest()


def _lettered(content: Any) -> Any:
    if isinstance(content, dict):
        return {str(name): _lettered(value) for name, value in content.items()}
    if isinstance(content, list):
        return [_lettered(value) for value in content]
    return content if content is None else str(content)
