"""Published numbers: those of the paper against another reading of it, and a user's own."""

import json
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from grids import make_grid

from flt.errors import InputError
from flt.grid import Reference
from flt.grid.plan.reference import Published, published

Rates = dict[str, float]
PAPER = Path(__file__).parents[3].parent / "shared" / "paper"
MEASURES = ("testing_error_rate", "attack_success_rate")


@pytest.fixture(scope="module")
def printed() -> dict[tuple[str, ...], Rates]:
    """The numbers of Tables III to V by table, data, rule, attack and bias, read from the paper by other means."""
    if not PAPER.is_dir():
        pytest.skip("needs the paper's tables beside the checkout")
    tables = [json.loads((PAPER / f"table{number}.json").read_text())["values"] for number in (3, 4, 5)]
    return {key: rates for key, rates in (*_third(tables[0]), *_fourth(tables[1]), *_fifth(tables[2])) if rates}


def _third(table: Any) -> Iterator[tuple[tuple[str, ...], Rates]]:
    for data, attacks in table.items():
        for attack, rules in attacks.items():
            for rule, rates in rules.items():
                yield ("III", data, rule, attack, ""), rates


def _fourth(table: Any) -> Iterator[tuple[tuple[str, ...], Rates]]:
    for rule, attacks in table.items():
        for attack, rates in attacks.items():
            yield ("IV", "MNIST-0.5", rule, attack, ""), dict(zip(MEASURES, rates or [], strict=False))


def _fifth(table: Any) -> Iterator[tuple[tuple[str, ...], Rates]]:
    for data, attacks in table.items():
        biases = ["1/M", *(f"{bias:g}" for bias in attacks["bias_probability"][1:])]
        for attack, line in attacks.items():
            if attack != "bias_probability":
                for bias, rates in zip(biases, line, strict=True):
                    yield ("V", data, "FLTrust", attack, bias), dict(zip(MEASURES, rates, strict=False))


def test_every_number_of_the_paper_and_no_other(printed: dict[tuple[str, ...], Rates]) -> None:
    whole = published(Reference({}), ["table", "data", "rule", "attack", "bias_probability"])
    assert whole.values == printed
    assert len(printed) > 300


def test_the_numbers_are_a_part_of_the_package() -> None:
    header, *rows = resources.files("flt.grid.plan").joinpath("paper.csv").read_text().splitlines()
    assert header == "table,data,rule,attack,bias_probability,testing_error_rate,attack_success_rate"
    assert len(rows) == len({row.rsplit(",", 2)[0] for row in rows})


def test_without_what_the_paper_knows_by_heart() -> None:
    """A few numbers that stand here, for a checkout without the paper beside it."""
    third = published(Reference({"table": "III", "data": "HAR"}), ["attack", "rule"])
    assert third.of({"attack": "Scaling attack", "rule": "FedAvg"}) == {
        "testing_error_rate": 0.04,
        "attack_success_rate": 0.81,
    }
    assert third.of({"attack": "Trim attack", "rule": "FedAvg"}) == {"testing_error_rate": 0.32}
    fifth = published(Reference({"table": "V", "data": "MNIST-0.5"}), ["bias_probability", "attack"])
    assert fifth.of({"bias_probability": "1/M", "attack": "No attack"}) == {"testing_error_rate": 0.05}
    assert fifth.of({"bias_probability": "1", "attack": "No attack"}) == {"testing_error_rate": 0.8}


def test_a_bias_as_a_number_is_found_and_null_is_not() -> None:
    """The level of the paper's first column has to be called 1/M."""
    biases = {"1/M": None, "0.2": 0.2, "1": 1.0}
    grid = make_grid({"data.bias_probability": biases, "attack": {"LF attack": "LabelFlipping"}})
    fifth = published(Reference({"table": "V", "data": "MNIST-0.1"}), [axis.column for axis in grid.axes])
    assert [fifth.of(cell.labels)["testing_error_rate"] for cell in grid.cells] == [0.04, 0.04, 0.84]
    assert fifth.of({"bias_probability": "null", "attack": "LF attack"}) == {}


def test_none() -> None:
    nothing = published(None, ["attack"])
    assert nothing == Published([], {})
    assert nothing.of({"attack": "No attack"}) == {}


OWN = """rule,noise,testing_error_rate,attack_success_rate
FedAvg,0.1,0.5,
FedAvg,0.2,0.25,1
Krum,0.1,,0.125
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.csv"
    path.write_text(OWN)
    return path


def test_own_file(own: Path) -> None:
    found = published(Reference({}, str(own)), ["rule", "noise", "other"])
    assert found.columns == ["rule", "noise"]
    assert found.of({"rule": "FedAvg", "noise": "0.1", "other": "x"}) == {"testing_error_rate": 0.5}
    assert found.of({"rule": "FedAvg", "noise": "0.2", "other": "y"}) == dict(zip(MEASURES, (0.25, 1.0), strict=True))
    assert found.of({"rule": "Krum", "noise": "0.1", "other": "x"}) == {"attack_success_rate": 0.125}
    assert found.of({"rule": "Krum", "noise": "0.2", "other": "x"}) == {}


@pytest.mark.parametrize(("column", "accuracy"), [("testing_accuracy", ".9879"), ("testing_accuracy_percent", "98.79")])
def test_own_accuracy(tmp_path: Path, column: str, accuracy: str) -> None:
    path = tmp_path / "own.csv"
    path.write_text(f"rule,{column},attack_success_rate\nFedAvg,{accuracy},0.5\nKrum,,0.25\n")
    found = published(Reference({}, path), ["rule"])
    assert found.values == {
        ("FedAvg",): dict(zip(MEASURES, (0.0121, 0.5), strict=True)),
        ("Krum",): {"attack_success_rate": 0.25},
    }


def test_spreads_and_numbers_that_are_no_target(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("rule,testing_accuracy_percent,spread,target\nA,90,.5,yes\nB,80,,no\nC,70,,yes\n")
    found = published(Reference({}, path), ["rule"])
    assert [found.of({"rule": rule}).get("spread") for rule in "ABC"] == [0.005, float("inf"), None]
    assert found.has_spreads


def test_numbers_without_the_axis_of_the_worst_are_of_the_worst(own: Path) -> None:
    columns = ["rule", "noise", "attack"]
    read = {worst: published(Reference({}, own), columns, worst) for worst in (None, "rule", "attack")}
    assert [found.is_of_worst for found in read.values()] == [False, False, True]


def test_own_file_narrowed(own: Path) -> None:
    found = published(Reference({"noise": 0.1}, own), ["rule"])  # type: ignore[dict-item]  # as YAML reads it
    assert found.values == {("FedAvg",): {"testing_error_rate": 0.5}, ("Krum",): {"attack_success_rate": 0.125}}


def test_own_file_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "from_excel.csv"
    path.write_text(OWN, encoding="utf-8-sig")
    assert published(Reference({}, path), ["rule", "noise"]).columns == ["rule", "noise"]


HEADER = "rule,testing_error_rate\n"
MISTAKES: dict[str, tuple[str | None, dict[str, str], list[str]]] = {
    "several rows": (OWN, {}, ["several rows for FedAvg", "reference.where"]),
    "no such column": (OWN, {"nope": "x"}, ["reference.where", "nope", "rule, noise"]),
    "no such row": (OWN, {"rule": "Median"}, ["reference.where", "Median", "no row"]),
    "no axis in common": ("model,testing_error_rate\nx,1\n", {}, ["none of the axes rule", "columns"]),
    "no measure": ("rule,error\nx,1\n", {}, ["testing_error_rate", "attack_success_rate"]),
    "no row at all": (HEADER, {}, ["CSV file"]),
    "no number": (f"{HEADER}x,about 3\n", {}, ["'about 3'", "no number"]),
    "infinity": (f"{HEADER}x,inf\n", {}, ["'inf'", "no number"]),
    "accuracy in percent": (
        "rule,testing_accuracy\nx,98.8\n",
        {},
        ["testing_accuracy=98.8", "testing_accuracy_percent"],
    ),
    "accuracy below 0": ("rule,testing_accuracy\nx,-1\n", {}, ["testing_accuracy=-1", "from 0 to 1"]),
    "error and accuracy": ("rule,testing_error_rate,testing_accuracy\nx,0,1\n", {}, ["say the same"]),
    "spread below 0": (f"{HEADER[:-1]},spread\nx,0.1,-1\n", {}, ["spread=-1", "0 or more"]),
    "target": (f"{HEADER[:-1]},target\nx,0.1,maybe\n", {}, ["target=maybe", "yes or no"]),
    "a line too short": (f"{HEADER}x,1\ny\n", {}, ["every line", "as many fields"]),
    "missing": (None, {}, ["reference.file=", "no such file"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake(mistake: str, tmp_path: Path) -> None:
    text, where, mentioned = MISTAKES[mistake]
    path = tmp_path / "mine.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError) as caught:
        published(Reference(where, path), ["rule"])
    assert [each for each in ["mine.csv", *mentioned] if each not in str(caught.value)] == []


def test_mistakes_about_the_papers_tables() -> None:
    with pytest.raises(InputError, match="the paper's tables has no column tabel: choose of table, data, rule"):
        published(Reference({"tabel": "III"}), ["rule"])
    with pytest.raises(InputError, match="no row of the paper's tables is like that"):
        published(Reference({"table": "III", "data": "ImageNet"}), ["rule"])
    with pytest.raises(InputError, match=r"several rows for .*: narrow reference\.where"):
        published(Reference({"table": "III"}), ["rule"])
