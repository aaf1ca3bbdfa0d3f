"""The layout of the W&B workspace, without network and account."""

import json
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import wandb

from callbacks.reporting.client_errors import CLIENT_ERRORS
from callbacks.reporting.distributions import DISTRIBUTIONS
from callbacks.reporting.metrics import KEPT, OF_ROUNDS
from flt.cli.dashboard import COLUMNS, dashboard, described, layout
from flt.errors import InputError
from flt.server.evaluation.module import RATES

METRICS = (*chain(*RATES), *OF_ROUNDS, *KEPT, "testing_loss", *CLIENT_ERRORS)


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Nobody is logged in, and nothing answers."""
    for name in ("API_KEY", "ENTITY", "PROJECT", "IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(f"WANDB_{name}", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    yield
    wandb.teardown()  # which read all this only once


@pytest.fixture
def no_api(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("W&B is asked")

    monkeypatch.setattr(wandb, "Api", refuse)


def values_in(tree: Any) -> Iterator[Any]:
    """The leaves of nested dictionaries and lists."""
    if isinstance(tree, dict | list):
        for branch in tree.values() if isinstance(tree, dict) else tree:
            yield from values_in(branch)
    else:
        yield tree


@pytest.mark.usefixtures("no_api")
def test_a_dry_run_prints_every_panel(capsys: pytest.CaptureFixture[str]) -> None:
    dashboard(["--project", "a-project", "--entity", "somebody", "--dry-run"])
    printed = json.loads(capsys.readouterr().out)
    assert (printed["project"], printed["entity"], printed["workspace"]) == ("a-project", "somebody", "FLTrust")
    assert printed["group_by"] == ["data_used", "rule_used", "attack_used"]
    assert list(printed["sections"]) == [
        *("Errors", "Trust scores", "Cosines and lengths", "Weights", "Clients", "Runs"),
    ]
    shown = set(values_in(printed["sections"]))
    logged = {f"{name}/{who}" for name in DISTRIBUTIONS for who in ("benign", "malicious")}
    assert {*METRICS, *logged, "clients", "curves"} <= shown
    lines = [panel["LinePlot"] for section in printed["sections"].values() for panel in section if "LinePlot" in panel]
    assert len(lines) > 10
    assert {line["x"] for line in lines} == {printed["x_axis"]} == {"round"}
    assert {metric for line in lines for metric in line.get("y", [])} == {*METRICS, *logged}
    assert [line["metric_regex"] for line in lines if "y" not in line] == ["class_error/.*"]


@pytest.mark.usefixtures("no_api")
def test_columns_are_what_a_run_has() -> None:
    workspace = layout("p", "e")
    assert described(workspace)["columns"] == ["run:displayName", *COLUMNS]
    metrics = [column.removeprefix("summary:").split(".") for column in COLUMNS if column.startswith("summary:")]
    assert all(metric in METRICS and statistic in ("min", "max", "last") for metric, statistic in metrics)


@pytest.mark.usefixtures("no_api")
def test_the_library_takes_the_layout() -> None:
    """What would be sent, as the library writes it."""
    sent = layout("p", "e", name="Mine")._to_model().model_dump(by_alias=True)
    assert (sent["entity"], sent["project"], sent["displayName"]) == ("e", "p", "Mine")
    section = sent["spec"]["section"]
    panels = [panel for part in section["panelBankConfig"]["sections"] for panel in part["panels"]]
    kinds = {panel["viewType"] for panel in panels}
    assert kinds == {"Run History Line Plot", "Media Browser", "Weave", "Run Comparer"}
    assert [key["name"] for key in section["runSets"][0]["grouping"]] == [
        *("data_used.value", "rule_used.value", "attack_used.value")
    ]


def test_saving(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from wandb_workspaces.workspaces import interface, internal

    views: list[Any] = []

    def upsert(view: Any) -> dict[str, Any]:
        views.append(view)
        return {"upsertView": {"view": {"name": "nw-abc-v", "id": "an id"}}}

    monkeypatch.setattr(internal, "upsert_view2", upsert)
    monkeypatch.setattr(interface, "get_app_url", lambda api: "https://wandb.example")
    monkeypatch.setattr(wandb, "Api", lambda: None)
    dashboard(["--entity", "e", "--name", "Mine"])
    assert "Workspace saved: https://wandb.example/e/flt?nw=abc" in capsys.readouterr().out
    (view,) = views
    assert (view.entity, view.project, view.display_name) == ("e", "flt", "Mine")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--entity", "a/b"], r"--entity='a/b': W&B takes letters"),
        (["--entity", "e", "--project", ""], r"--project='': W&B takes letters"),
        (["--entity", "e", "--name", "\N{GRINNING FACE}"], r"--name='.': W&B allows no emoji"),
    ],
)
@pytest.mark.usefixtures("no_api")
def test_mistakes(arguments: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        dashboard(arguments)


def test_without_a_login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)  # nobody to ask
    with pytest.raises(InputError, match=r"the workspace of e/flt was not saved: No API key.*pass --dry-run") as caught:
        dashboard(["--entity", "e"])
    assert "\n" not in str(caught.value)


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "wandb_workspaces"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "wandb_workspaces", None)
    with pytest.raises(InputError, match=r'pip install "flt\[dashboard\]"'):
        dashboard(["--entity", "e", "--dry-run"])
