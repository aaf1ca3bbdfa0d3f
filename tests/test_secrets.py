"""Keys and passwords of the environment are found in nothing that a run leaves behind."""

import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest
from command_line import CONFIGS, FLTRUST, SMALL, Finished, expected_warnings, run, working_in
from offline_wandb import end_wandb, records

pytestmark = expected_warnings

SECRETS = {  # each is as long as the real one
    "WANDB_API_KEY": "0123456789abcdef0123456789abcdef01234567",
    "AWS_SECRET_ACCESS_KEY": "aSecretThatNobodyShouldEverSee0123456789",
    "HF_TOKEN": "hf_aTokenThatNobodyShouldEverSee012345",
    "DATABASE_PASSWORD": "aPasswordThatNobodyShouldEverSee",
}
REMOTE_PASSWORD = "ghp_aTokenInARemote0123456789abcdef"  # noqa: S105  # made up


class Left(NamedTuple):
    """What a run printed, and the folder where all its files are."""

    finished: Finished
    folder: Path


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Left:
    """A run in a git repository that logs to a CSV file and to Weights & Biases, offline."""
    base = tmp_path_factory.mktemp("secrets")
    remote = f"https://somebody:{REMOTE_PASSWORD}@example.org/somebody/study.git"
    somebody = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org")
    for command in (
        ("init", "--quiet"),
        ("remote", "add", "origin", remote),
        (*somebody, "commit", "--quiet", "--allow-empty", "--message", "A state to record"),
    ):
        subprocess.run(("git", *command), cwd=base, check=True)  # noqa: S603, S607  # its own commands
    with working_in(base, base), pytest.MonkeyPatch.context() as patched:
        for name, value in {"WANDB_MODE": "offline", **SECRETS}.items():
            patched.setenv(name, value)
        end_wandb()  # of an earlier test, with other settings
        try:
            finished = run("fit", "--config", FLTRUST, "--config", str(CONFIGS / "logger" / "wandb.yaml"), *SMALL)
        finally:
            end_wandb()
    return Left(finished, base / "runs")


@pytest.mark.parametrize("name", [*SECRETS, "password of the git remote"])
def test_no_secret_is_written_or_printed(left: Left, name: str) -> None:
    assert left.finished.status == 0, left.finished.errors
    secret = SECRETS.get(name, REMOTE_PASSWORD)
    assert secret not in left.finished.output + left.finished.errors
    written = {path: path.read_bytes() for path in left.folder.rglob("*") if path.is_file()}
    logs = [path for path in written if path.suffix == ".wandb"]
    assert len(logs) == 1
    assert {"config.yaml", "metrics.csv", "summary.json", "last.ckpt"} <= {path.name for path in written}
    written |= {path: b"".join(records(written[path])) for path in logs}  # whole, where a record is split in the file
    assert b"example.org/somebody/study.git" in written[logs[0]], "W&B notes where the code is from"
    assert [path for path, content in written.items() if secret.encode() in content] == []
    assert [path for path in written if secret in path.name] == []
