"""``flt report``, and the pages of ``flt table``: data, files, server and mistakes."""

import json
import math
import shlex
import socket
import statistics
from dataclasses import replace
from html.parser import HTMLParser
from http.client import HTTPConnection
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from command_line import Finished, expected_warnings, run, summary_of
from grids import Here, make_outline, make_row, write_grid
from jsonschema import Draft202012Validator
from reports import HOSTILE, make_results

from flt.errors import InputError
from flt.grid import Breaks, Results
from flt.grid.report.arguments import arguments_of
from flt.grid.report.cells import hash_of, settings_of
from flt.grid.report.curves import curves_of
from flt.grid.report.document import document_of
from flt.grid.report.page import page_of
from flt.grid.report.server import LivePage
from flt.grid.reporting import reporting

pytestmark = expected_warnings


class Scripts(HTMLParser):
    """The text of each script element, and the tags, of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.scripts, self.tags = list[str](), list[tuple[str, dict[str, str | None]]]()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "script":
            self.scripts.append(data)


def values_in(document: dict[str, Any], measure: str) -> dict[tuple[str, ...], float]:
    """The mean of each cell of a document's first grid, by its labels."""
    (grid, *_), found = document["grids"], {}
    for table in grid["tables"]:
        for entry in (entry for line in table["entries"] for entry in line):
            is_cell = entry["cell"] is not None and all("level" not in value for value in entry["values"].values())
            if is_cell and measure in entry["values"]:
                found[tuple(grid["cells"][entry["cell"]]["labels"].values())] = entry["values"][measure]["mean"]
    return found


def test_page_and_data_hold_the_numbers_of_the_table(small: tuple[Path, Finished], place: Path) -> None:
    assert run("report", str(small[0]), "--out", "report.html") == Finished(0, "Report in report.html\n", "")
    data = json.loads(Path("results.json").read_text())
    schema = json.loads(Path(data.pop("$schema")).read_text())
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(data)
    page = Path("report.html").read_text()
    assert json.loads(next(text for text in Scripts(page).scripts if text.startswith("{"))) == data
    for measure in ("testing_error_rate", "attack_success_rate"):
        rows = [row for row in Results.read(small[0]).rows if row[measure] is not None]
        cells = {(row["attack"], row["rule"]) for row in rows}
        means = {cell: [row[measure] for row in rows if (row["attack"], row["rule"]) == cell] for cell in cells}
        assert values_in(data, measure) == {cell: pytest.approx(statistics.mean(own)) for cell, own in means.items()}
    ranking = {row["label"]: row for row in data["grids"][0]["rankings"][0]["rows"]}
    worst = ranking["FedAvg"]["worst"]["values"]["testing_error_rate"]
    cell = data["grids"][0]["cells"][worst["cell"]]
    assert cell["labels"] == {"attack": worst["level"], "rule": "FedAvg"}
    assert ranking["FedAvg"]["clean"]["cell"] != ranking["FLTrust"]["clean"]["cell"]


def test_a_command_repeats_a_run_bit_for_bit(small: tuple[Path, Finished], place: Path) -> None:
    (grid,) = document_of([Results.read(small[0])])["grids"]
    cell = grid["cells"][3]
    words = shlex.split(f"fit {grid['command']} {cell['command']} --seed_everything=1")
    ended = run(*words, "--trainer.enable_progress_bar=false")
    assert ended.status == 0, ended.errors
    (folder,) = Path("runs/flt").iterdir()
    own = {name: value for name, value in summary_of(folder).items() if name != "seconds"}
    there = summary_of(small[0] / "cells" / "scaling_attack-fltrust" / "seed_1")
    assert own == {name: value for name, value in there.items() if name != "seconds"}
    assert hash_of(settings_of(folder)) == cell["settings_hash"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"model": {"client_lr": 0.1, "server_lr": None}}, ["--model.server_lr=null"]),
        (
            {"attack": {"class_path": "callbacks.ScalingAttack", "init_args": {"fraction": 0.2, "scale": 3.0}}},
            ["--attack=callbacks.ScalingAttack", "--attack.scale=3.0"],
        ),
        ({"model": {"server_lr": 1, "client_lr": 0.1}}, ["--model.server_lr=1"]),
        (
            {"aggregation": {"class_path": "mine.Rule", "init_args": {"inner": {"class_path": "mine.Own"}, "n": [1]}}},
            ["--aggregation=mine.Rule", "--aggregation.inner=mine.Own", "--aggregation.n=[1]"],
        ),
    ],
    ids=["null", "a default", "a whole number", "somebody's own"],
)
def test_arguments(settings: dict[str, Any], words: list[str]) -> None:
    made = arguments_of(settings, {"model": {"client_lr": 0.1, "server_lr": 1.0}})
    assert [word for part in made.values() for word in part] == words


def test_curves_are_thinned_from_their_end_and_span_the_seeds() -> None:
    runs = [[{"round": float(n), "testing_error_rate": n / 200 + own} for n in range(1, 122)] for own in (0, 0.1)]
    runs[0][-1]["testing_error_rate"] = float("nan")
    (chart,) = curves_of(runs)
    assert chart["rounds"] == list(range(1, 122, 3))
    (line,) = chart["lines"]
    assert (line["low"][0], line["mean"][0], line["high"][0]) == (0.005, 0.055, 0.105)
    assert line["mean"][-1] == 0.705  # of the seed that has a number
    (accuracy,) = curves_of(runs[1:], shown_as="accuracy_percent")
    assert accuracy["lines"][0]["mean"][0] == 89.5


def test_hostile_text_stays_text_and_certificates_have_columns(tmp_path: Path) -> None:
    results = make_results(tmp_path, {"rule": HOSTILE, "attack": ["No attack", "</title><img src=x>"]})
    rows = [{**row, "guaranteed_progress_mean": 0.25} for row in results.rows]
    failures = {"</ul><b>": "<i>wrong</i>"}
    document = document_of([replace(results, rows=rows, failures=failures)], "<h1>&amp;")
    parsed = Scripts(page_of(document))
    assert {"img", "i", "b"} & {tag for tag, _ in parsed.tags} == set()
    assert not any(name.startswith("on") for _, attributes in parsed.tags for name in attributes)
    assert not any(attributes.get("src") or "//" in str(attributes.get("href")) for _, attributes in parsed.tags)
    ranked = document["grids"][0]["rankings"][0]["rows"][0]
    assert ranked["certificates"] == {"guaranteed_progress_mean": 0.25}
    assert ranked["seconds"] == 1.5  # of one run


def test_several_grids_and_a_grid_without_its_runs(tmp_path: Path) -> None:
    for name in ("a", "b"):
        make_results(tmp_path / name)
    (tmp_path / "b" / "cells").rename(tmp_path / "elsewhere")
    out = tmp_path / "new" / "both.html"
    assert run("report", str(tmp_path / "a"), str(tmp_path / "b"), "--out", str(out), "--title", "Both").status == 0
    data = json.loads(out.with_name("results.json").read_text())
    assert (data["title"], [len(grid["cells"]) for grid in data["grids"]]) == ("Both", [9, 0])
    assert data["grids"][0]["compared_with"] == "FedAvg"
    assert data["grids"][1]["tables"][0]["entries"][0][0]["values"] != {}


SIZES = {"rule": ["FedAvg", "FLTrust"], "attack": ["No attack", "Trim attack"], "root_size": ["50", "100"]}


@pytest.mark.parametrize(
    ("axes", "changes", "columns", "num_rankings"),
    [
        (SIZES, {}, ["No attack", "Trim attack", "worst attack"], 2),
        (SIZES, {"rows": "attack", "columns": "rule", "shown_as": "accuracy"}, ["FedAvg", "FLTrust"], 2),
        (SIZES, {"columns": "root_size", "breaks": Breaks("root_size", 0.01)}, ["50", "100", "breaks at"], 0),
        ({"rule": ["FedAvg"]}, {"columns": None}, ["testing error rate"], 0),
        ({"rule": ["FedAvg"], "attack": ["Trim attack"]}, {}, ["Trim attack"], 0),
    ],
    ids=["three axes", "attacks are rows", "breaks", "one axis", "one cell"],
)
@pytest.mark.parametrize("is_begun", [True, False])
def test_every_form_of_grid_has_a_page(
    axes: dict[str, list[str]], changes: dict[str, Any], columns: list[str], num_rankings: int, is_begun: bool
) -> None:
    outline = replace(make_outline(axes, rows="rule"), **changes)
    cells = [dict(zip(axes, labels, strict=True)) for labels in product(*axes.values())] if is_begun else []
    rows = [make_row(labels, 0.125, 0.5, seed=seed) for labels in cells for seed in (0, 1)]
    document = document_of([Results(Path("nowhere"), outline, rows)])
    (grid,) = document["grids"]
    assert [column["label"] for column in grid["tables"][0]["columns"]] == columns
    assert len(grid["rankings"]) == num_rankings
    shown = "0.875" if "shown_as" in changes else "0.125"
    assert (shown in page_of(document)) == is_begun


def test_certificates_are_of_a_panel_and_no_target_has_no_spread() -> None:
    rows = []
    for labels in (dict(zip(SIZES, each, strict=True)) for each in product(*SIZES.values())):
        own = {"leverage_mean": float(labels["root_size"]), "reference_spread": math.inf}
        rows.append(make_row(labels, 0.125, published=(0.25, None)) | own)
    (grid,) = document_of([Results(Path("nowhere"), make_outline(SIZES, rows="rule"), rows)])["grids"]
    assert [each["rows"][0]["certificates"]["leverage_mean"] for each in grid["rankings"]] == [50.0, 100.0]
    published = grid["tables"][0]["entries"][0][0]["values"]["testing_error_rate"]["published"]
    assert (published["spread"], published["is_target"]) == (None, False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "results='nowhere': there is no such folder; give folders that flt table has written"),
        (["a/cells/fedavg-trim_attack/seed_0"], "holds a single run, which flt plot draws: give folders that"),
        (["a/cells"], "results='a/cells' holds no grid.yaml: give folders that flt table has written"),
        (["a", "--out", "report.pdf"], "out='report.pdf' is no name of a page: let it end in .html"),
        (["a", "--out", "folder.html"], "out='folder.html' is a folder: name a file in it"),
    ],
)
def test_mistakes(arguments: list[str], message: str, place: Path) -> None:
    make_results(Path("a"))
    Path("folder.html").mkdir()
    ended = run("report", *arguments)
    assert (ended.status, ended.output) == (2, "")
    assert message in ended.errors


def test_a_grid_is_served_and_written_down_while_it_goes_on(place: Path, here: Here) -> None:
    write_grid(
        axes={"attack": {"None": {"attack": "NoAttack"}}, "rule": {"FedAvg": {"aggregation": "FedAvg"}}}, reference=None
    )
    here.stop_after = 1
    ended = run("table", "--config", "grid.yaml", "--out", "out", "--html", "out/report.html", "--serve", "0")
    assert ended.status == 130
    assert "The page is at http://127.0.0.1:" in ended.output
    assert json.loads(Path("out/results.json").read_text())["grids"][0]["runs"] == {
        "finished": 1,
        "left": 1,
        "failures": {},
    }


def asked(live: LivePage, path: str = "/", host: str | None = None) -> tuple[int, str]:
    """The status and the content of an answer."""
    connection = HTTPConnection(live.address.split("/")[2], timeout=20)
    connection.request("GET", path, headers={} if host is None else {"Host": host})
    answer = connection.getresponse()
    found = answer.status, answer.read().decode()
    connection.close()
    return found


def test_server(tmp_path: Path) -> None:
    results = make_results(tmp_path)
    with LivePage(0) as live:
        assert json.loads(asked(live, "/state")[1])["version"] == 0
        live.show(replace(results, left=2, failures={"x": "y"}))
        text = asked(live, "/state?again")[1]
        assert json.loads(text) == {"version": 1, "is_over": False, "text": "18 of 21 runs are finished, 1 failed"}
        tags = Scripts(asked(live)[1]).tags
        assert ("html", {"lang": "en", "data-live": None}) in tags
        assert any("connect-src 'self'" in str(attributes.get("content")) for _, attributes in tags)
        assert [asked(live, host="somebody.example")[0], asked(live, "/../grid.yaml")[0]] == [403, 404]
        live._asked = -1e9  # nobody looks any more: the end waits for nobody
    with pytest.raises(ConnectionRefusedError):
        asked(live)


@pytest.mark.parametrize("port", [-1, None])
def test_ports_that_are_not_to_be_had(port: int | None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        message = "serve=-1 is no port" if port else f"serve={taken}: the port is in use already: name another"
        with pytest.raises(InputError, match=message), reporting(None, port or taken):
            pass
