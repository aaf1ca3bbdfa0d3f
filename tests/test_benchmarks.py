"""The benchmarks run and write what they say, on tiny sizes; what they measure is no concern of the tests."""

import contextlib
import io
import json
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from command_line import FLTRUST, working_in

from flt.main import main

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
TINY = ("--rounds", "3", "--repeats", "1", "--stand-in")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Scripts find each other, and the first of the processes that they want fresh is this one."""
    for name in ("LOCAL_RANK", "NODE_RANK", "MASTER_ADDR", "MASTER_PORT"):  # which the first of several sets
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    with working_in(tmp_path, tmp_path):
        monkeypatch.syspath_prepend(BENCHMARKS)
        import measure

        fresh = measure.in_fresh_processes

        def in_few_processes(function: Callable[..., Any], *calls: tuple[Any, ...]) -> list[Any]:
            with ThreadPoolExecutor(1) as waiting:
                others = waiting.submit(fresh, function, *calls[1:])
                return [function(*calls[0]), *others.result()]

        monkeypatch.setattr(measure, "in_fresh_processes", in_few_processes)
        monkeypatch.setitem(measure.MATRIX_SIZES, "cpu", 512)
        for module in ("runs", "rounds", "beside_a_round"):  # which take it from there when they are read
            monkeypatch.delitem(sys.modules, module, raising=False)
        yield


def run(script: str, *arguments: str) -> None:
    """Runs a benchmark as its command would be."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "argv", [script, *arguments])
        runpy.run_path(str(BENCHMARKS / script), run_name="__main__")


def results_of(script: str, *arguments: str, folder: Path, name: str) -> dict[str, Any]:
    """Runs a benchmark into ``folder`` and returns the results it wrote there."""
    run(script, *arguments, "--out", str(folder))
    results = json.loads((folder / f"{name}.json").read_text())
    assert isinstance(results, dict)
    assert results["machine"]["threads"] == 1
    assert results["versions"]["torch"] == torch.__version__
    assert len(results["date"]) == len("2000-01-01")
    return results


def check_rounds(result: dict[str, Any]) -> None:
    assert result["data"] == "HAR (stand-in)"
    assert (result["clients"], result["parameters"], result["rounds"]) == (30, 3372, 3)
    for rate in (*result["rounds_per_second"].values(), *result["ratio"].values()):
        assert 0 < rate["least"] <= rate["median"] <= rate["most"]
    assert result["repeats_are_equal"]
    assert sum(result["shares"].values()) == pytest.approx(1, abs=1e-3)
    assert min(result["shares"][part] for part in ("data", "training", "rule", "server step")) > 0
    # 30 batches of 32 and the root's 100 examples, forward and back, through 561 x 6 weights.
    assert result["operations_per_round"] == 2 * 2 * (30 * 32 + 100) * 561 * 6
    assert 0 < result["limit_reached"] < 1
    assert result["peak_memory_gib"] > 0.1


def test_rounds(tmp_path: Path) -> None:
    arguments = ("--config", FLTRUST, "--attack", "trim", *TINY)
    results = results_of("rounds.py", *arguments, folder=tmp_path, name="rounds_har_fltrust_trim")
    (result,) = results["results"]
    check_rounds(result)
    assert result["malicious"] == 6
    assert result["shares"]["attack"] > 0


RULES = {"FLTrust", "Median", "TrimmedMean", "Krum"}
ATTACKS = {"TrimAttack", "AdaptiveAttack", "ALIE", "PoisonedFL", "OptimizedALIE(Krum)", "AdaptiveAttack that walks"}


@pytest.mark.parametrize(
    ("name", "some"),
    [
        ("rules", RULES),
        ("attacks", {*ATTACKS, "TailoredAttack(FLTrust)"}),
        ("certificates", {"progress and leverage", "kappa"}),
    ],
)
def test_costs_beside_a_round(tmp_path: Path, name: str, some: set[str]) -> None:
    sizes = ("--clients", "12", "--malicious", "2", "--parameters", "300", "--config", FLTRUST)
    results = results_of(f"{name}.py", *sizes, *TINY, "--processor-time", folder=tmp_path, name=name)
    assert results["clock"] == "process_time"
    assert results["round_seconds"] > 0
    assert some <= results["costs"].keys()
    for cost in results["costs"].values():
        assert cost["share_of_round"] == pytest.approx(cost["seconds"] / results["round_seconds"], rel=1e-3)


def test_steps(tmp_path: Path) -> None:
    some = ("momentum, 90 % of the clients", "Adam, kept")
    found = results_of("steps.py", "--config", FLTRUST, *TINY, "--only", *some, folder=tmp_path, name="steps")[
        "results"
    ]
    assert found.keys() == {*some}
    for cost in found.values():
        assert cost["ratio"] == pytest.approx(cost["with_it"] / cost["plain"], rel=1e-3)


def test_startup(tmp_path: Path) -> None:
    arguments = ("--config", Path(FLTRUST).name, "--against", str(BENCHMARKS.parent), "--pairs", "1", "--stand-in")
    found = results_of("startup.py", *arguments, folder=tmp_path, name="startup")
    assert found["medians"].keys() == {"this version", "the other"}
    assert found["ratios"]["modules"]["median"] == 1


def test_freed_memory(tmp_path: Path) -> None:
    arguments = ("--configs", Path(FLTRUST).stem, "--rounds", "3", "--pairs", "1", "--stand-in")
    [found] = results_of("freed_memory.py", *arguments, folder=tmp_path, name="freed_memory")["results"]
    assert found["ratio"]["median"] == pytest.approx(found["kept"]["seconds"] / found["returned"]["seconds"], rel=1e-3)
    assert min(found["kept"]["peak_gib"], found["returned"]["peak_gib"]) > 0.1


def test_kernels(tmp_path: Path) -> None:
    arguments = (
        "--against",
        str(BENCHMARKS.parent),
        "--pairs",
        "1",
        "--quick",
        "--cases",
        "HAR",
        "wide FLTrust",
        "rules",
        "rules of 14",
    )
    found = results_of("kernels.py", *arguments, folder=tmp_path, name="kernels")["cases"]
    assert found.pop("HAR: parameters") == {"are_equal": True}
    assert {"HAR", "wide FLTrust", "rules: Krum", "rules of 14: Median"} <= found.keys()
    for case in found.values():
        (now,), (before,) = case["runs"]
        assert case["ratio"]["median"] == pytest.approx(now / before, rel=2e-3)


def test_evaluation(tmp_path: Path) -> None:
    arguments = ("--config", FLTRUST, "--processor-time", *TINY)
    found = results_of("evaluation.py", *arguments, folder=tmp_path, name="evaluation")
    (whole,), (alone,) = found["seconds"].values()
    assert found["share"]["median"] == pytest.approx(1 - alone / whole, rel=1e-3)


def test_scaling(tmp_path: Path) -> None:
    results = results_of("scaling.py", "--quick", folder=tmp_path, name="scaling")
    clients = results["clients"]["logistic regression"]
    assert [size["clients"] for size in clients["sizes"]] == [10, 30]
    assert all(size["peak_gib"] > size["rounds_gib"] >= 0 for size in clients["sizes"])
    assert all(len(found["sizes"]) == 2 for found in results["parameters"].values())
    shared = results["processes"]["FLTrust"]
    assert shared["ranks_are_equal"]
    assert shared["largest_difference"] < 1e-6
    assert shared["exchange_seconds"] > 0
    figure = tmp_path / "scaling.png"
    assert figure.read_bytes().startswith(b"\x89PNG")
    figure.unlink()
    run("scaling_plot.py", str(tmp_path / "scaling.json"))
    assert figure.exists()


def test_report(tmp_path: Path) -> None:
    run("report.py", "--cells", "20", "--repeats", "0", "--out", str(tmp_path))
    found = json.loads((tmp_path / "report.json").read_text())
    assert found["cells"] == 20
    assert 0 < found["megabytes"] < 0.5


def test_gpu_on_the_processor(tmp_path: Path) -> None:
    arguments = ("--device", "cpu", "--only", "HAR", "HAR, TrimAttack", "--precision", "32-true", *TINY)
    compared, alone = results_of("gpu.py", *arguments, folder=tmp_path, name="gpu")["results"]
    check_rounds(compared)
    assert alone["repeats_are_equal"]
    assert alone["rounds_per_second"]["flt fit"]["median"] > 0
    assert min(alone["shares"][part] for part in ("training", "attack", "rule")) > 0
    assert (tmp_path / "gpu_profiles.txt").read_text().count("aten::baddbmm") >= 2


def run_here(command: list[str], **_: Any) -> SimpleNamespace:
    """Takes the place of `subprocess.run` for Python: the command in this process, and what it prints."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        if command[1] == "-c":
            assert main(command[3:]) == 0
        else:
            run(Path(command[1]).name, *command[2:])
    return SimpleNamespace(stdout=output.getvalue())


@pytest.mark.filterwarnings("ignore")  # as the benchmark has it of its processes
def test_grids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", run_here)  # grids have processes enough
    few = ("--rules", "FedAvg", "--attacks", "No attack", "--seeds", "1", "--jobs", "1", *TINY[:2], "--stand-in")
    results = results_of("grids.py", *few, "--pairs", "1", "--short-runs", "2", folder=tmp_path, name="grids")
    assert min(results["seconds"]["this"][0].values()) > 1  # of which most goes to imports
    process = results["process"]["this"]
    assert list(process["resident_gib"]) == ["1", "2"]
    assert min(process["resident_gib"].values()) > 0.1
    assert 0 < process["seconds_a_run"] < results["seconds"]["this"][0]["on processors"]

    order, benchmark = list[Path](), runpy.run_path(str(BENCHMARKS / "grids.py"))["main"]

    def cost_of(folder: Path, options: object) -> dict[str, float]:
        order.append(folder)
        return {"on processors": len(order)}

    monkeypatch.setitem(benchmark.__globals__, "cost_of", cost_of)
    monkeypatch.setattr(sys, "argv", f"grids.py --against {tmp_path} --short-runs 0 --out {tmp_path}".split())
    benchmark()
    here = BENCHMARKS.parent
    assert order == [here, tmp_path, tmp_path, here, here, tmp_path]
    ratio = json.loads((tmp_path / "grids.json").read_text())["seconds"]["ratio"]
    assert ratio == {"on processors": pytest.approx(5 / 6, rel=1e-4)}  # of 1 to 2, 4 to 3 and 5 to 6


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_gpu_without_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        run("gpu.py")
    assert len(capsys.readouterr().err.splitlines()) == 1
