"""Configurations that come with the program: found by name, wherever a command is started."""

import subprocess
import sys
from pathlib import Path

import pytest
from command_line import CONFIGS, FLTRUST, expected_warnings, parse, run, workdir  # noqa: F401

import flt
from flt.cli.configs import OWN, own_config, with_own_configs

pytestmark = [*expected_warnings, pytest.mark.usefixtures("workdir")]


@pytest.mark.parametrize("name", ["har_fltrust.yaml", "configs/har_fltrust.yaml"])
def test_found_by_name(name: str) -> None:
    assert parse("fit", "--config", name) == parse("fit", "--config", FLTRUST)


def test_parts_on_the_command_line_and_in_a_file_of_the_users() -> None:
    Path("own.yaml").write_text("attack: configs/attack/trim.yaml  # a comment\nmodel: 'model/har.yaml'\n")
    settings = parse("fit", "--config", "har_fltrust.yaml", "--config=own.yaml", "--aggregation=aggregation/krum.yaml")
    assert settings["attack"]["class_path"] == "callbacks.TrimAttack"
    assert settings["aggregation"]["class_path"] == "callbacks.Krum"


def test_a_file_that_is_there_comes_first() -> None:
    Path("har_fltrust.yaml").write_text("nope: 1\n")
    assert own_config("har_fltrust.yaml") is None
    assert "nope" in run("fit", "--config", "har_fltrust.yaml").errors


@pytest.mark.parametrize("name", ["nope.yaml", "/har_fltrust.yaml", "../configs/har_fltrust.yaml", "attack", ""])
def test_not_found(name: str) -> None:
    assert own_config(name) is None
    assert with_own_configs(f"a: {name}") == f"a: {name}"


def test_all_of_them_are_in_the_package() -> None:
    assert {path.relative_to(OWN) for path in OWN.rglob("*.yaml")} == {
        path.relative_to(CONFIGS) for path in CONFIGS.rglob("*.yaml")
    }


def test_version() -> None:
    ended = run("--version")
    assert (ended.status, ended.output) == (0, f"flt {flt.__version__}\n")


def test_help_needs_neither_torch_nor_lightning() -> None:
    code = (
        "import sys; from flt.main import main\n"
        "for words in (['--help'], ['--version'], ['plot', '--help'], ['table', '--help']):\n"
        "    try: main(words)\n"
        "    except SystemExit: pass\n"
        "print([name for name in ('torch', 'lightning', 'matplotlib') if name in sys.modules])\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)  # noqa: S603
    assert ended.stdout.splitlines()[-1] == "[]", ended.stderr
