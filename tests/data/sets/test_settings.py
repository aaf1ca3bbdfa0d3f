"""Every data set's settings as the command line offers them."""

import pytest
from jsonargparse import ArgumentError, ArgumentParser

from flt.data import CHMNIST, Arrays, FederatedDataModule, ImageFolder

OWN = {Arrays: ["path", "channels"], ImageFolder: ["path", "grey"], CHMNIST: ["data_dir", "stand_in"]}


@pytest.mark.parametrize("kind", OWN)
def test_settings_that_a_data_set_hands_on(kind: type[FederatedDataModule], capsys: pytest.CaptureFixture[str]):
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(FederatedDataModule, "data")
    with pytest.raises(SystemExit):
        parser.parse_args([f"--data.help={kind.__name__}"])
    said = " ".join(capsys.readouterr().out.split())
    clients = "40" if kind is CHMNIST else "null" if kind is Arrays else "100"
    assert f"dealt out to{'; null for 100' if kind is Arrays else ''}. (type: int" in said
    assert f"default: {clients})" in said
    assert "Examples per client and local step; null is all that a client has. (type: int | null, default: 32)" in said
    assert all(f"--data.{name} " in said for name in [*OWN[kind], "partition", "inputs", "root_path", "biased_class"])
    assert ("--data.stand_in" in said) == ("--data.data_dir" in said) == (kind is CHMNIST)
    path = [] if kind is CHMNIST else ["--data.path=x"]
    for name in ("speed", *(["stand_in"] if path else [])):
        with pytest.raises(ArgumentError, match=f"'{name}' is not accepted"):
            parser.parse_args([f"--data={kind.__name__}", *path, f"--data.{name}=always"])
