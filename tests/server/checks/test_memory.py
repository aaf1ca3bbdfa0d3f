"""What is said before the first round of a machine with too little memory for the batches of a round."""

import pytest

from callbacks import FedAvg
from flt.errors import InputError

EPOCHS, BATCH, ROW, EXAMPLE = 3, 8, 8, 12 * 4  # as `TinyData` has them; bytes of a row's number and of an example


def test_passes_need_whole_batches(fit, monkeypatch):
    """A client's last batch is as wide as all others, padding included."""
    largest = max(fit(FedAvg(), rounds=1).federation.clients.sizes.tolist())
    assert largest % BATCH
    need = EPOCHS * (largest // BATCH + 1) * BATCH * (ROW + EXAMPLE)
    monkeypatch.setattr("flt.server.checks.memory._of_machine", lambda: need)
    fit(FedAvg(), rounds=1, local_epochs=EPOCHS)
    monkeypatch.setattr("flt.server.checks.memory._of_machine", lambda: need - 1)
    with pytest.raises(InputError, match=rf"model\.local_epochs={EPOCHS} would need .* for the batches of a round"):
        fit(FedAvg(), rounds=1, local_epochs=EPOCHS)
