"""What surrounds a run: environment, streams, warnings, callbacks and loggers of Lightning's."""

import os
import sys
import warnings
from pathlib import Path

import pytest

from flt.cli.exit_status import exit_status
from flt.errors import PluginError


def command() -> int:
    """A command that needs what `set_up` settles."""
    print("a line")
    import matplotlib as mpl

    mpl.rcParams["backend"] = os.environ.get("MPLBACKEND", "agg")  # as matplotlib itself does when it is imported
    return 0


@pytest.mark.parametrize("name", ["LOCAL_RANK", "RANK", "WORLD_SIZE", "SLURM_PROCID", "MASTER_PORT"])
@pytest.mark.parametrize("value", ["x", "", "1.5"])
def test_a_number_that_is_none(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)
    assert exit_status(command) == 2
    output, told = capsys.readouterr()
    assert (output, told) == (
        "",
        f"flt: error: the environment has {name}={value!r}, which is to be a whole number: unset it\n",
    )


def test_a_backend_that_there_is_not(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("MPLBACKEND", "nonsense")
    assert exit_status(command) == 0
    assert capsys.readouterr() == ("a line\n", "")


def test_closed_output(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert exit_status(command) == 0
    sys.stdout.close()
    assert capsys.readouterr().err == "flt: warning: standard output is closed: what would be shown is lost\n"


def test_closed_streams_are_not_taken_by_files(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:  # pragma: no cover  # in another process, which ends here
        os.close(0)
        os.close(1)
        status = exit_status(lambda: (tmp_path / "a_file").open().fileno() if (tmp_path / "a_file").touch() else 0)
        os._exit(status or int(os.open(os.devnull, os.O_RDONLY) <= 2))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_warnings_as_errors(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "warnoptions", ["error"])

    def warns() -> None:
        warnings.warn("what only a library's developer can mend", DeprecationWarning, stacklevel=1)
        warnings.warn("a setting has no effect", stacklevel=1)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert exit_status(warns) == 2
    told = capsys.readouterr().err
    assert told.startswith("flt: error: a setting has no effect (a warning, which -W error")


def test_a_library_that_cannot_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = tmp_path / "lib" / "python3.11" / "site-packages"
    library.mkdir(parents=True)
    (library / "library_of_test.py").write_text("raise ValueError('of the environment')\n")
    monkeypatch.syspath_prepend(str(library))
    from flt.cli.faults import explained

    def importing() -> None:
        import library_of_test  # type: ignore[import-not-found]  # noqa: F401

    try:
        importing()
    except ValueError as error:
        mistake = explained(error)
    assert isinstance(mistake, PluginError)
    assert "ValueError: of the environment" in str(mistake)
