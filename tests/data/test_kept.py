"""Data sets kept from run to run: by their settings, those used last, as many as there is room for."""

import pytest
from lightning.pytorch import Trainer
from tiny import TinyData

from flt.data.kept import KeptData, num_bytes


def data(validation_fraction: float = 0.0) -> TinyData:
    made = TinyData(validation_fraction=validation_fraction)
    made.setup()
    return made


def test_those_used_last_are_kept_without_their_trainer() -> None:
    first, second, third, other = (data() for _ in range(4))
    first.trainer = Trainer(logger=False, enable_checkpointing=False, enable_progress_bar=False)
    kept = KeptData(2 * num_bytes(first))
    for name, each in (("first", first), ("second", second)):
        kept.keep(name, each)
    kept.keep("first", kept.take("first", other))
    kept.keep("third", third)
    assert [kept.take(name, other) for name in ("first", "second", "third", "first")] == [first, other, third, other]
    assert first.trainer is None
    kept.most_bytes = num_bytes(other) - 1
    kept.keep("other", other)
    assert len(kept) == 0


def test_each_run_is_told_of_a_stand_in() -> None:
    kept, made = KeptData(), TinyData(synthetic=True)
    with pytest.warns(UserWarning, match="SYNTHETIC DATA"):
        made.setup()
    kept.keep("stand-in", made)
    with pytest.warns(UserWarning, match="SYNTHETIC DATA"):
        assert kept.take("stand-in", data()) is made


def test_size() -> None:
    """An example has 12 float32 and a label; the clients' have a place each as well, and each client a beginning."""
    read = 180 + 50  # of which the test examples are a view: they hold all of them
    for made in (data(), data(0.1)):
        assert num_bytes(made) == (12 * 4 + 8) * (read + 180) + 8 * (made.num_training + 10 + 1)
