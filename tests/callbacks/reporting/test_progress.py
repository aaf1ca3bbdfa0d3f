import pytest
from tiny import Recorder

from callbacks import FedAvg, MetricsLogger, RoundProgressBar, RunReport, ScalingAttack
from flt.federation import FederatedCallback

SHOWN = {"enable_progress_bar": True}


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")


def test_shows_rounds_and_rates(fit, capsys):
    fit(FedAvg(), ScalingAttack(), RoundProgressBar(), rounds=5, trainer_settings=SHOWN)
    out = capsys.readouterr().out
    assert "5/5" in out
    assert "rounds/s" in out
    assert "testing error 0." in out
    assert "attack success " in out


def test_no_success_rate_without_a_backdoor(fit, capsys):
    fit(FedAvg(), RoundProgressBar(), trainer_settings=SHOWN)
    out = capsys.readouterr().out
    assert "testing error" in out
    assert "attack success" not in out


def test_disabled(fit, capsys):
    bar = RoundProgressBar()
    bar.disable()
    fit(FedAvg(), bar, trainer_settings=SHOWN)
    assert "3/3" not in capsys.readouterr().out
    bar.enable()
    fit(FedAvg(), bar, trainer_settings=SHOWN)
    assert "3/3" in capsys.readouterr().out


def test_on_a_terminal(fit, capsys, monkeypatch):
    """The bar starts below what is printed before the first round."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    fit(FedAvg(), RoundProgressBar(), MetricsLogger(), RunReport(), rounds=30, trainer_settings=SHOWN)
    before, after = capsys.readouterr().out.split("root dataset")
    assert "/30" not in before
    assert "30/30" in after


def test_an_error_frees_the_terminal(fit, capsys, monkeypatch):
    """Else the cursor stays hidden, and the next bar cannot start."""

    class Failing(FederatedCallback):
        def on_client_updates(self, round):
            raise ZeroDivisionError

    monkeypatch.setenv("FORCE_COLOR", "1")
    with pytest.raises(ZeroDivisionError):
        fit(FedAvg(), RoundProgressBar(), Failing(), trainer_settings=SHOWN)
    shown, hidden = "\x1b[?25h", "\x1b[?25l"
    out = capsys.readouterr().out
    assert out.count(shown) >= out.count(hidden)
    fit(FedAvg(), RoundProgressBar(), Recorder(), trainer_settings=SHOWN)
    assert "3/3" in capsys.readouterr().out


def test_other_stages(fit, capsys):
    server = fit(FedAvg(), RoundProgressBar(), trainer_settings=SHOWN)
    capsys.readouterr()
    server.trainer.validate(server, datamodule=server.data, verbose=False)
    server.trainer.predict(server, datamodule=server.data)
    assert "Round" not in capsys.readouterr().out
