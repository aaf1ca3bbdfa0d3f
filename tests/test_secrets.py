"""Keys and passwords of the environment are found in nothing that a run leaves behind."""

import subprocess
from pathlib import Path

import pytest
from command_line import CONFIGS, FLTRUST, SMALL, expected_warnings, run, working_in
from offline_wandb import end_wandb, records

pytestmark = expected_warnings

SECRETS = {  # each is as long as the real one
    "WANDB_API_KEY": "0123456789abcdef0123456789abcdef01234567",
    "AWS_SECRET_ACCESS_KEY": "aSecretThatNobodyShouldEverSee0123456789",
    "HF_TOKEN": "hf_aTokenThatNobodyShouldEverSee012345",
    "DATABASE_PASSWORD": "aPasswordThatNobodyShouldEverSee",
}
REMOTE_PASSWORD = "ghp_aTokenInARemote0123456789abcdef"  # noqa: S105  # made up


def test_no_secret_is_written_or_printed(tmp_path: Path) -> None:
    """By a run in a git repository that logs to a CSV file and to Weights & Biases, offline."""
    remote = f"https://somebody:{REMOTE_PASSWORD}@example.org/somebody/study.git"
    somebody = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org")
    for command in (
        ("init", "--quiet"),
        ("remote", "add", "origin", remote),
        (*somebody, "commit", "--quiet", "--allow-empty", "--message", "A state to record"),
    ):
        subprocess.run(("git", *command), cwd=tmp_path, check=True)  # noqa: S603, S607  # its own commands
    with working_in(tmp_path, tmp_path), pytest.MonkeyPatch.context() as patched:
        for name, value in {"WANDB_MODE": "offline", **SECRETS}.items():
            patched.setenv(name, value)
        end_wandb()  # of an earlier test, with other settings
        try:
            finished = run("fit", "--config", FLTRUST, "--config", str(CONFIGS / "logger" / "wandb.yaml"), *SMALL)
        finally:
            end_wandb()
    assert finished.status == 0, finished.errors
    written = {path: path.read_bytes() for path in (tmp_path / "runs").rglob("*") if path.is_file()}
    logs = [path for path in written if path.suffix == ".wandb"]
    assert len(logs) == 1
    assert {"config.yaml", "metrics.csv", "summary.json", "last.ckpt"} <= {path.name for path in written}
    written |= {path: b"".join(records(written[path])) for path in logs}  # whole, where a record is split in the file
    assert b"example.org/somebody/study.git" in written[logs[0]], "W&B notes where the code is from"
    printed = finished.output + finished.errors
    for secret in (*SECRETS.values(), REMOTE_PASSWORD):
        assert secret not in printed
        assert [path for path, content in written.items() if secret.encode() in content or secret in path.name] == []
