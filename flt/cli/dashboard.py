"""The saved W&B workspace of a project: panels for what every run logs; see docs/wandb.md."""

from __future__ import annotations

import dataclasses
import json
import re
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flt.cli.commands import COMMANDS
from flt.cli.parser import FederatedArgumentParser
from flt.errors import InputError

if TYPE_CHECKING:
    from wandb_workspaces.workspaces import Workspace

GROUPS = ("data_used", "rule_used", "attack_used")
COLUMNS = (
    *(f"config:{name}.value" for name in (*GROUPS, "seed_used")),
    *(f"summary:testing_error_rate.{statistic}" for statistic in ("last", "min")),
    *(f"summary:attack_success_rate.{statistic}" for statistic in ("last", "max")),
    *(f"summary:trust_score_{who}.last" for who in ("benign", "malicious")),
)
"""Columns of the run table that are always in sight."""


def layout(project: str, entity: str, *, name: str = "FLTrust") -> Workspace:
    """The workspace of a project of a user or team; neither network nor login is needed.

    Runs are grouped by data, rule and attack: a curve is the mean over seeds.

    Raises:
        InputError: If wandb-workspaces is not installed, or W&B would refuse a name.
    """
    for option, value in (("project", project), ("entity", entity)):
        if not re.fullmatch(r"[\w.-]{1,128}", value, re.ASCII):
            raise InputError(f"--{option}={value!r}: W&B takes letters, digits, -, _ and ., 128 of them at most")
    reports, workspaces = _libraries()

    def line(title: str, *metrics: str) -> Any:
        return reports.LinePlot(title=title, x="round", y=list(metrics))

    def histograms(title: str, metric: str) -> list[Any]:
        return [line(f"{title}, {who} clients", f"{metric}/{who}") for who in ("benign", "malicious")]

    sections: dict[str, list[Any]] = {
        "Errors": [
            line("error rate, testing and validation", "testing_error_rate", "validation_error_rate"),
            line(
                "attack success rate, testing and validation", "attack_success_rate", "validation_attack_success_rate"
            ),
            line("training loss of the benign clients", "training_loss"),
            line("loss on the test set", "testing_loss"),
            reports.LinePlot(title="error of each class", x="round", metric_regex="class_error/.*"),
            line("error of the benign clients", *(f"client_error_{of}" for of in ("mean", "worst_tenth", "spread"))),
            reports.MediaBrowser(title="final curves", media_keys=["curves"]),
        ],
        "Trust scores": [
            line("mean trust score", "trust_score_benign", "trust_score_malicious"),
            *histograms("trust scores", "trust_scores"),
        ],
        "Cosines and lengths": [
            *histograms("cosine with the root update", "cosine_to_root"),
            *histograms("length over that of the root update", "norm_ratio_to_root"),
            *histograms("cosine with the aggregate", "cosine_to_aggregate"),
            *histograms("length over that of the aggregate", "norm_ratio_to_aggregate"),
            line("length of aggregate and root update", "update_norm", "root_update_norm"),
        ],
        "Weights": [
            line("mean weight", "weight_benign", "weight_malicious"),
            line("share of clients kept", "kept_benign", "kept_malicious"),
            *histograms("weights in the aggregate", "weights"),
        ],
        "Clients": [
            reports.WeavePanelSummaryTable(table_name="clients"),
            line("dropped updates", "num_dropped"),
            line("learning rate", "client_lr"),
        ],
        "Runs": [reports.RunComparer(diff_only="split")],
    }
    try:
        workspace: Workspace = workspaces.Workspace(
            entity=entity,
            project=project,
            name=name,
            sections=[workspaces.Section(name=title, panels=each, is_open=True) for title, each in sections.items()],
            settings=workspaces.WorkspaceSettings(x_axis="round"),
            runset_settings=workspaces.RunsetSettings(
                groupby=[workspaces.Config(group) for group in GROUPS], pinned_columns=list(COLUMNS)
            ),
        )
    except ValueError as error:
        raise InputError(f"--name={name!r}: W&B allows no emoji in a workspace's name") from error
    return workspace


def described(workspace: Workspace) -> dict[str, Any]:
    """Describes a workspace in plain values: its names, its panels and their metrics."""
    runs = workspace.runset_settings
    names = {"workspace": workspace.name, "entity": workspace.entity, "project": workspace.project}
    return names | {
        "x_axis": workspace.settings.x_axis,
        "group_by": [getattr(group, "name", str(group)) for group in runs.groupby],
        "columns": runs.pinned_columns,
        "sections": {
            section.name: [{type(panel).__name__: _settings(panel)} for panel in section.panels]
            for section in workspace.sections
        },
    }


def save(workspace: Workspace) -> str:
    """Saves a new workspace under the project; its address, or an `InputError` without a login."""
    import wandb

    try:
        workspace.save()  # type: ignore[no-untyped-call]  # the library's
        return str(workspace.url)
    except (wandb.errors.Error, ValueError, RuntimeError, OSError) as error:
        raise InputError(
            f"the workspace of {workspace.entity}/{workspace.project} was not saved: {error}; check the login (`wandb"
            " login`), --entity and --project, or pass --dry-run"
        ) from error


def dashboard_parser() -> FederatedArgumentParser:
    """The parser of ``flt dashboard``."""
    parser = FederatedArgumentParser(prog="flt dashboard", description=COMMANDS["dashboard"])
    parser.add_argument("--project", type=str, default="flt", help="Project whose runs it shows.")
    parser.add_argument("--entity", type=str, required=True, help="User or team that owns the project.")
    parser.add_argument("--name", type=str, default="FLTrust", help="What W&B's menu calls the workspace.")
    parser.add_argument("--dry-run", action="store_true", help="Only print the layout; needs no account.")
    return parser


def dashboard(args: Sequence[str]) -> None:
    """Runs ``flt dashboard``; raises an `InputError` if an argument is wrong, or the workspace cannot be saved."""
    options = dashboard_parser().parse_args(list(args))
    workspace = layout(options.project, options.entity, name=options.name)
    print(json.dumps(described(workspace), indent=2) if options.dry_run else f"Workspace saved: {save(workspace)}")


def _libraries() -> tuple[Any, Any]:
    """The modules of wandb-workspaces for panels and for workspaces."""
    with warnings.catch_warnings():
        # The library uses what pydantic deprecates; nothing a user could do about it.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            from wandb_workspaces import workspaces
            from wandb_workspaces.reports import v2 as reports
        except ImportError as error:
            raise InputError(f'flt dashboard needs wandb-workspaces: pip install "flt[dashboard]" ({error})') from error
    return reports, workspaces


def _settings(panel: Any) -> dict[str, Any]:
    """The settings of a panel that are not empty."""
    names = {field.name for field in dataclasses.fields(panel)} - {"layout"}
    values = {name: getattr(panel, name) for name in sorted(names) if not name.startswith("_")}
    return {name: value for name, value in values.items() if value not in (None, [], (None, None))}
