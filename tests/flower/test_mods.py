"""Attacks as client mods, and the app that a configuration becomes."""

import csv
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import SMALL, expected_warnings, run, workdir  # noqa: F401
from flower_grid import LocalGrid, reply_to
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, RecordDict

import callbacks
from flt.errors import InputError
from flt.flower import attack_mod

pytestmark = [*expected_warnings, pytest.mark.usefixtures("workdir")]
START = np.array([1.0, -2.0, 3.0], np.float32)


def sent(mod: object, *, rounds: int = 1, grid: LocalGrid | None = None) -> list[list[float]]:
    """What a node sends that has learnt [1, 1, 1], by how much it differs from the model, round by round."""

    def app(message: Message, context: Context) -> Message:
        honest = lambda message, context: reply_to(message, {"w": START + 1, "steps": np.array(9)})  # noqa: E731
        return mod(message, context, honest)

    grid, found = grid or LocalGrid([app]), []
    for number in range(1, rounds + 1):
        arrays = ArrayRecord({"w": Array(START), "steps": Array(np.array(0))})
        content = RecordDict({"arrays": arrays, "config": ConfigRecord({"server-round": number})})
        (reply,) = grid.send_and_receive([Message(content, message_type="train", dst_node_id=101)])
        assert int(reply.content["arrays"]["steps"].numpy()) == 9
        found.append((reply.content["arrays"]["w"].numpy() - START).tolist())
    return found


def test_attacks_with_local_knowledge() -> None:
    assert sent(attack_mod(callbacks.SignFlip(scale=2.0))) == [[-2.0, -2.0, -2.0]]
    assert sent(attack_mod(callbacks.ZeroUpdate(start_round=1)), rounds=2) == [[1.0] * 3, [0.0] * 3]
    assert not np.isfinite(sent(attack_mod(callbacks.NonFinite()))).any()
    noise = callbacks.GaussianNoise()
    assert sent(attack_mod(noise, seed=1)) == sent(attack_mod(noise, seed=1)) != sent(attack_mod(noise, seed=2))
    # It remembers what it has sent first, in a node's state that outlives its process.
    assert sent(attack_mod(callbacks.FreeRider("lazy")), rounds=2) == [[1.0] * 3] * 2
    mod = attack_mod(callbacks.MPAF(scale=10.0, target="initial"))
    (_, second) = sent(mod, rounds=2)
    assert second == [0.0] * 3


@pytest.mark.parametrize(
    ("attack", "message"),
    [
        (callbacks.TrimAttack, "has to know what other clients send"),
        (lambda: callbacks.SignFlip("mean"), "has to know what other clients send"),
        (callbacks.A3FL, "agree with other malicious ones"),
        (lambda: callbacks.AttackGroups([callbacks.SignFlip(), callbacks.ZeroUpdate()]), "other malicious ones"),
        (callbacks.LabelFlipping, "changes local data, which a mod does not see: pass local="),
        (lambda: callbacks.ModelReplacement(scale=2.0), "changes local data"),
        (lambda: callbacks.SignFlip("ascent"), "changes local training"),
    ],
)
def test_attacks_that_no_mod_can_make(attack: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        attack_mod(attack())


TINY = ("--config", "har_fltrust.yaml", *SMALL)


def test_an_exported_app_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("my_rule.py").write_text("import callbacks\n\n\nclass Mine(callbacks.FLTrust):\n    pass\n")
    attack = ("--attack", "ScalingAttack", "--aggregation", "my_rule.Mine")
    exported = run("export", "--flower", "app", *TINY, *attack, "--trainer.callbacks+=ClientErrors")
    assert (exported.status, exported.output.count("`ClientErrors` of trainer.callbacks")) == (0, 1)
    assert {path.name for path in Path("app").iterdir()} == {"pyproject.toml", "README.md", "flt_app", "my_rule.py"}
    assert "$" not in Path("app/README.md").read_text().replace("$(", "").replace("$i", "").replace("$FLWR_HOME", "")
    assert "--flower=app: there is something already" in run("export", "--flower", "app", *TINY).errors
    monkeypatch.syspath_prepend("app")
    monkeypatch.delitem(sys.modules, "my_rule")
    from flt_app import client_app, server_app

    grid, own = LocalGrid([client_app.app] * 30), {"num-server-rounds": 2, "round-timeout": 9.0}
    for context in grid.contexts.values():
        context.run_config.update(own)
    server = Context(run_id=1, node_id=1, node_config={}, state=RecordDict(), run_config=own)
    server_app.app(grid, server)
    assert run("fit", *TINY, *attack).status == 0
    last = torch.load("runs/har/version_1/checkpoints/last.ckpt", weights_only=True)["state_dict"]
    found = torch.load("runs/har/version_0/model.pt", weights_only=True)
    assert all(torch.allclose(last[f"network.{name}"], value, atol=1e-6) for name, value in found.items())
    rows = [list(csv.DictReader(Path(f"runs/har/version_{n}/metrics.csv").read_text().splitlines())) for n in (0, 1)]
    begins = [{name: value for name, value in each[0].items() if value} for each in rows]
    assert (begins[0], len(rows[0])) == (begins[1], 3)  # that of round 0, and one a round


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "say where to: --flower DIR"),
        (("--flower", "app", "--model.client_momentum", "0.9"), "model.client_momentum: a node's process ends"),
        (("--flower", "app", "--aggregation", "my_setup.Mine"), "Mine.setup: nobody calls it here"),
        (("--flower", "app", "--attack", "TrimAttack"), "attack=TrimAttack: malicious clients would have to know"),
    ],
)
def test_what_cannot_be_exported(words: tuple[str, ...], message: str) -> None:
    Path("my_setup.py").write_text(
        "import callbacks\n\n\nclass Mine(callbacks.Median):\n    def setup(self, trainer, module, stage): pass\n"
    )
    refused = run("export", *TINY, *words)
    assert (refused.status, message in refused.errors) == (2, True)
    assert not Path("app").exists()
