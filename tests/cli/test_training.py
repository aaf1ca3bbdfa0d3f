"""The command line from the outside: what it leaves behind, what it takes, what it says."""

import csv
import inspect
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import docstring_parser
import lightning
import pytest
import torch
from command_line import (
    CONFIGS,
    FLTRUST,
    SMALL,
    STAND_IN,
    checkpoint_of,
    expected_warnings,
    files_in,
    parse,
    run,
    same_parameters,
    summary_of,
    train,
    workdir,  # noqa: F401
    working_in,
)

import callbacks
import flt
from flt.data import HAR
from flt.data.stand_ins.har import HAR_USER_SIZES
from flt.display import curves
from flt.federation import Aggregation, Attack
from flt.main import console
from flt.models import LogisticRegression
from flt.module import FederatedModule

pytestmark = [*expected_warnings, pytest.mark.usefixtures("workdir")]

NUM_TEST_EXAMPLES = sum(size - round(0.75 * size) for size in HAR_USER_SIZES)
FOUR_ROUNDS = ("--attack", "TrimAttack", "--trainer.max_steps", "4")
EXPORTED = [getattr(callbacks, name) for name in callbacks.__all__]
PLUGINS = {
    "data": [HAR],
    "aggregation": [kind for kind in EXPORTED if issubclass(kind, Aggregation)],
    "attack": [kind for kind in EXPORTED if issubclass(kind, Attack)],
}

OWN_CODE = """
import torch

from flt.federation import Aggregate, Aggregation, Attack, Round


class TenLines(Aggregation):
    '''Mean of the updates, shrunk.

    Args:
        factor: What the mean is multiplied by.
    '''

    def __init__(self, factor: float = 0.5) -> None:
        self.factor = factor

    def aggregate(self, round: Round) -> Aggregate:
        return Aggregate(self.factor * round.updates.mean(0))


class TurnedAround(Attack):
    def __init__(self, fraction: float = 0.2) -> None:
        super().__init__(fraction)

    def craft(self, round: Round) -> torch.Tensor:
        return torch.where(round.malicious[:, None], -round.updates, round.updates)
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of four rounds under the Trim attack."""
    base = tmp_path_factory.mktemp("finished")
    with working_in(base, base):
        return base / train(*FOUR_ROUNDS)


@pytest.fixture(autouse=True)
def untouched(finished: Path) -> Iterator[None]:
    """No command changes an earlier run."""
    before = files_in(finished)
    yield
    assert files_in(finished) == before


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def words(text: str) -> str:
    """Text without its line breaks, and without the marks of code."""
    return " ".join(text.replace("``", "").replace("`", "").split())


# What a run leaves behind


def test_files_and_summary(finished: Path) -> None:
    names = {str(path.relative_to(finished)) for path in finished.rglob("*") if path.is_file()}
    assert names == {"metrics.csv", "config.yaml", "summary.json", "checkpoints/last.ckpt", "curves.png"}
    summary = summary_of(finished)
    assert list(summary) == [
        *("data", "stand_in", "aggregation", "attack", "testing_error_rate", "attack_success_rate"),
        *("trust_score_benign", "trust_score_malicious", "num_clients", "num_malicious", "num_dropped"),
        *("rounds", "seed", "seconds", "best", "best_on_validation", "versions", "machine", "metrics"),
    ]
    assert summary["versions"] == {
        "torch": torch.__version__,
        "lightning": lightning.__version__,
        "flt": flt.__version__,
    }
    known = {
        "data": STAND_IN,
        "stand_in": True,
        "aggregation": "FLTrust",
        "attack": "TrimAttack",
        "attack_success_rate": None,
        "num_clients": 30,
        "num_malicious": 6,
        "num_dropped": 0,
        "rounds": 4,
        "seed": 0,
    }
    assert {name: summary[name] for name in known} == known
    assert summary["testing_error_rate"] == float(rows_of(finished)[-1]["testing_error_rate"])
    assert summary["trust_score_benign"] > summary["trust_score_malicious"]
    assert summary["seconds"] > 0


def test_metrics(finished: Path) -> None:
    start, *rows = rows_of(finished)
    assert {name for name, value in start.items() if value} == {"round", "step", "data", "testing_error_rate"}
    assert [row["round"] for row in rows] == ["1", "2", "3", "4"]
    assert [bool(row["testing_error_rate"]) for row in rows] == [False, True, False, True]
    assert rows[0].keys() >= {"training_loss", "update_norm", "root_update_norm", "num_dropped"}
    assert all(float(row["trust_score_benign"]) >= 0 for row in rows)


def test_everything_says_that_the_data_are_a_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    titles = []
    draw = curves.drawn_curves
    monkeypatch.setattr(curves, "drawn_curves", lambda rows, title: titles.append(title) or draw(rows, title))
    with pytest.warns(UserWarning, match="SYNTHETIC DATA"):
        output = run("fit", "--config", FLTRUST, *SMALL).output
    folder = Path("runs/har/version_0")
    assert STAND_IN in output
    assert summary_of(folder)["data"] == STAND_IN
    assert {row["data"] for row in rows_of(folder)} == {STAND_IN}
    assert (folder / "config.yaml").read_text().splitlines()[0] == f"# Data of this run: {STAND_IN}"
    assert checkpoint_of(folder)["flt"]["data"] == STAND_IN
    assert len(titles) == 1
    assert titles[0].startswith(STAND_IN)


def test_a_config_given_back_repeats_its_run(finished: Path) -> None:
    assert run("fit", "--config", str(finished / "config.yaml")).status == 0
    repeated = Path("runs/har/version_0")
    assert same_parameters(finished, repeated)
    assert (repeated / "metrics.csv").read_text() == (finished / "metrics.csv").read_text()
    assert (repeated / "config.yaml").read_text() == (finished / "config.yaml").read_text()


# What it takes


@pytest.mark.parametrize("given", ["TrimAttack", "callbacks.TrimAttack", str(CONFIGS / "attack" / "trim.yaml")])
def test_an_attack_by_name_by_import_path_or_from_a_file(given: str) -> None:
    settings = parse("fit", "--config", FLTRUST, "--attack", given)
    assert settings["attack"]["class_path"] == "callbacks.TrimAttack"
    expected = {"fraction": 0.2, "knowledge": "full", "stretch": 2.0}
    assert settings["attack"]["init_args"].items() >= expected.items()


def test_options_win_over_files_and_later_files_over_earlier_ones() -> None:
    Path("own.yaml").write_text("model:\n  client_lr: 0.01\n  server_lr: 0.5\n")
    model = parse("fit", "--config", FLTRUST, "--config", "own.yaml", "--model.client_lr", "0.02")["model"]
    assert (model["client_lr"], model["server_lr"], model["local_steps"]) == (0.02, 0.5, 1)


def test_own_rule_and_attack() -> None:
    Path("in_process_rules.py").write_text(OWN_CODE)
    shrunk = train(
        *("--aggregation", "in_process_rules.TenLines", "--aggregation.factor", "1e-30"),
        *("--attack", "in_process_rules.TurnedAround", "--attack.fraction", "0.4"),
        *("--trainer.enable_checkpointing", "false", "--trainer.enable_progress_bar", "true"),
    )
    assert not list(shrunk.rglob("*.ckpt"))
    summary = summary_of(shrunk)
    assert (summary["aggregation"], summary["attack"], summary["num_malicious"]) == ("TenLines", "TurnedAround", 12)
    help_text = words(run("fit", "--aggregation.help", "in_process_rules.TenLines").output)
    assert "Mean of the updates, shrunk" in help_text
    assert "What the mean is multiplied by." in help_text


def test_console_exits_with_the_status(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["flt", "fit", "--no_such_option"])
    with pytest.raises(SystemExit) as ended:
        console()
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("flt: error: ")


# Switching things off


def test_without_a_logger_nothing_that_is_there_is_overwritten(workdir: Path) -> None:  # noqa: F811
    for name in ("config.yaml", "summary.json", "curves.png"):
        Path(name).write_text("the user's own")
    before = files_in(workdir)
    assert run("fit", "--config", FLTRUST, *SMALL, "--trainer.logger", "false").status == 0
    after = files_in(workdir)
    assert {name: after.get(name) for name in before} == before


def test_a_dry_run_leaves_nothing(workdir: Path) -> None:  # noqa: F811
    assert run("fit", "--config", FLTRUST, *SMALL, "--trainer.fast_dev_run", "true").status == 0
    assert files_in(workdir) == {}


# Evaluating and predicting


def evaluate(command: str, folder: Path, *arguments: str) -> str:
    checkpoint = str(folder / "checkpoints/last.ckpt")
    ended = run(command, "--config", str(folder / "config.yaml"), "--ckpt_path", checkpoint, *arguments)
    assert ended.status == 0, ended.errors
    return ended.output


@pytest.mark.parametrize("command", ["validate", "test"])
def test_evaluation_prints_the_rates(finished: Path, command: str) -> None:
    output = evaluate(command, finished, "--attack", "ScalingAttack").replace("_", " ")
    shown = re.search(r"testing error rate\W+(0\.\d+)", output)
    assert shown
    assert float(shown[1]) == pytest.approx(summary_of(finished)["testing_error_rate"], abs=1e-4)
    assert re.search(r"attack success rate\W+0\.\d+", output)
    assert not [folder for folder in Path("runs").glob("*/*") if not list(folder.iterdir())]


def test_predictions(finished: Path) -> None:
    evaluate("predict", finished)
    with warnings.catch_warnings(record=True) as warned:  # without checkpoints of its own
        evaluate("predict", finished, "--trainer.logger", "false")
    assert [str(each.message) for each in warned if "ckpt_path" in str(each.message)] == []
    with Path("runs/har/version_0/predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["data", "example", "label", "prediction"]
    assert [int(row["example"]) for row in rows] == list(range(NUM_TEST_EXAMPLES))
    assert {row["data"] for row in rows} == {STAND_IN}
    assert {row["label"] for row in rows} == {row["prediction"] for row in rows} == set("012345")
    errors = sum(row["label"] != row["prediction"] for row in rows)
    assert errors / len(rows) == pytest.approx(summary_of(finished)["testing_error_rate"])


@pytest.mark.parametrize("command", ["fit", "test"])
def test_a_checkpoint_brings_no_warnings_but_the_stand_in(finished: Path, command: str) -> None:
    Path("runs/har/version_0").mkdir(parents=True)  # the checkpoint's own folder would be called the same
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        evaluate(command, finished, "--trainer.max_steps", "5")
    shown = [str(each.message) for each in caught if not issubclass(each.category, DeprecationWarning | FutureWarning)]
    assert [message[:14] for message in shown] == ["SYNTHETIC DATA"]


# What it says


def described(kind: type) -> dict[str, str]:
    """Every parameter of a class, and of the bases that its ``**settings`` go to, with how its docstring begins."""
    names, explained, fixed = list[str](), dict[str, str](), set[str]()  # what a class gives its base itself
    for base in kind.__mro__[:-1]:
        told = {each.arg_name: each.description for each in docstring_parser.parse(base.__doc__ or "").params}
        explained = {name: words(text or "") for name, text in told.items()} | explained
        if "__init__" not in vars(base):
            continue
        _, *parameters = inspect.signature(vars(base)["__init__"]).parameters.values()
        names += [own.name for own in parameters if own.kind is not own.VAR_KEYWORD and own.name not in fixed]
        fixed |= set(
            re.findall(r"(\w+)=(?:None|\d+)[,)]", inspect.getsource(vars(base)["__init__"]).partition("super()")[2])
        )
        if all(own.kind is not own.VAR_KEYWORD for own in parameters):
            break
    assert explained.keys() >= set(names), f"{kind.__name__} does not explain all of its arguments"
    return {name: explained[name][:60] for name in names}


@pytest.mark.parametrize("command", ["fit", "test"])
def test_help_describes_every_setting_of_the_model(command: str) -> None:
    ended, everything = run(command, "--help"), words(run(command, "--help.all").output)
    assert ended.status == 0
    text = words(ended.output)
    for name, beginning in described(FederatedModule).items():
        assert f"--model.{name} {beginning.split('. ')[0]}" in text
        assert beginning in everything
    for key, kinds in PLUGINS.items():
        assert f"--{key}.help" in text
        assert all(kind.__name__ in text for kind in kinds)


@pytest.mark.parametrize(("key", "kind"), [(key, kind) for key, kinds in PLUGINS.items() for kind in kinds])
def test_help_describes_every_setting_of_a_plugin(key: str, kind: type) -> None:
    ended = run("fit", f"--{key}.help", kind.__name__)
    assert ended.status == 0
    text = words(ended.output)
    settings = described(kind)
    if settings:  # jsonargparse says nothing about a class that has none
        assert words((kind.__doc__ or "").split("\n")[0]).removesuffix(".") in text
    for name, beginning in settings.items():
        assert f"--{key}.{name}" in text
        assert beginning in text


def test_help_is_short_and_begins_with_the_settings_of_this_program() -> None:
    text, network = run("fit", "--help").output, run("fit", "--model.network.help", "LogisticRegression").output
    assert len(text.splitlines()) <= 100
    places = [text.index(each) for each in ("--config", "--data CLASS", "--model.client_lr", "--trainer")]
    assert places == sorted(places)
    assert "or the import path of any torch.nn.Module" in words(text)
    assert "--trainer.gradient_clip_val" not in text
    assert "--trainer.gradient_clip_val" in run("fit", "--help.all").output
    assert all(beginning in words(network) for beginning in described(LogisticRegression).values())
