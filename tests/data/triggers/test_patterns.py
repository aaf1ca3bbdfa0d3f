"""Triggers that change whole examples, and the parts of triggers."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from flt.data import BlendedTrigger, FeatureTrigger, PixelTrigger, SinusoidalTrigger
from flt.data.triggers import CleanLabelTrigger, LearntTrigger, MissingTrigger, SemanticTrigger, TailTrigger
from flt.errors import InputError

IMAGES = torch.rand(3, 2, 4, 6, generator=torch.Generator().manual_seed(0))
VECTORS = torch.randn(3, 7, generator=torch.Generator().manual_seed(1))


MASK = torch.tensor([True, False])
EACH_TWICE = [
    lambda: FeatureTrigger([1], 2.0),
    lambda: FeatureTrigger([1], [3.0]),
    lambda: PixelTrigger([(1, 1)]),
    lambda: CleanLabelTrigger(FeatureTrigger([1], 2.0)),
    lambda: FeatureTrigger([0, 1], 2.0).parts(2)[0],
    lambda: BlendedTrigger(0.3).parts(2)[1],
    lambda: BlendedTrigger(0.3),
    lambda: LearntTrigger(MASK, torch.tensor([1.0, 2.0])),
    lambda: LearntTrigger(MASK.clone(), torch.tensor([1.0, 3.0])),
    lambda: TailTrigger(1),
    lambda: SemanticTrigger(1),
    MissingTrigger,
]


def test_triggers_are_equal_by_their_settings() -> None:
    """Also once one of them has been used."""
    triggers, others = ([make() for make in EACH_TWICE] for _ in range(2))
    for used in (triggers[5], triggers[6]):
        used(VECTORS)
    assert [[one == other for other in others] for one in triggers] == torch.eye(len(triggers)).bool().tolist()
    assert len({*triggers, *others}) == len(triggers)
    assert FeatureTrigger([1], 2.0) != "FeatureTrigger([1], 2.0)"


def test_a_sine_along_the_columns() -> None:
    marked = SinusoidalTrigger(0.5, frequency=2)(IMAGES)
    for column in range(6):
        wave = 0.5 * np.sin(2 * np.pi * 2 * (column + 1) / 6)
        expected = np.clip(IMAGES[..., column].numpy() + wave, 0, 1)
        np.testing.assert_allclose(marked[..., column].numpy(), expected, atol=1e-6)
    beyond = SinusoidalTrigger(5.0, frequency=1)(VECTORS)
    assert (beyond - VECTORS).abs().max() > 4  # numbers that are no pixels are not clipped


def test_noise_and_files_mixed_in(tmp_path: Path) -> None:
    image, array = tmp_path / "noise.png", tmp_path / "noise.npz"
    pixels = np.random.default_rng(0).integers(256, size=(4, 6), dtype=np.uint8)
    Image.fromarray(pixels).save(image)
    np.savez(array, pattern=pixels)
    grey = IMAGES[:, :1]
    for path in (image, array):
        expected = 0.7 * grey + 0.3 * torch.from_numpy(pixels / 255).float()
        torch.testing.assert_close(BlendedTrigger(0.3, str(path))(grey), expected)
    np.savez(array, pattern=np.arange(7.0))
    torch.testing.assert_close(BlendedTrigger(1.0, str(array))(VECTORS), torch.arange(7.0).expand(3, 7))
    noise = (BlendedTrigger(0.5)(IMAGES) - 0.5 * IMAGES) * 2
    torch.testing.assert_close(noise, noise[:1].expand_as(noise))
    assert 0 <= noise.min() < noise.max() <= 1
    assert torch.equal(BlendedTrigger(0.5)(IMAGES), BlendedTrigger(0.5)(IMAGES))
    assert not torch.equal(BlendedTrigger(0.5)(IMAGES), BlendedTrigger(0.5, seed=1)(IMAGES))


@pytest.mark.parametrize(
    ("trigger", "examples"),
    [
        (PixelTrigger([(0, 0), (1, 1), (2, 2), (-1, -1), (3, 0)]), IMAGES),
        (FeatureTrigger([6, 0, 3], [1.0, 2.0, 3.0]), VECTORS),
        (FeatureTrigger([6, 0, 3]), VECTORS),
        (BlendedTrigger(), IMAGES),
        (SinusoidalTrigger(frequency=1), VECTORS),
    ],
    ids=lambda value: type(value).__name__,
)
def test_parts_make_up_the_whole(trigger, examples: torch.Tensor) -> None:
    whole = trigger(examples)
    for num_parts in (1, 2, 3):
        changed = torch.zeros_like(examples, dtype=torch.long)
        for part in trigger.parts(num_parts):
            marked = part(examples)
            places = marked != examples
            assert torch.equal(marked[places], whole[places])
            assert places.any()
            changed += places
        assert torch.equal(changed, (whole != examples).long())


def test_parts_of_lists() -> None:
    first, second = PixelTrigger([(0, 0), (0, 1), (3, 0), (3, 1)]).parts(2)
    assert (first.positions, second.positions) == (((0, 0), (0, 1)), ((3, 0), (3, 1)))
    assert [part.indices for part in FeatureTrigger([5, 6, 7, 8]).parts(3)] == [(5, 8), (6,), (7,)]


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: BlendedTrigger(0.0), "a trigger's alpha=0.0 must be above 0 and at most 1"),
        (lambda: BlendedTrigger(pattern="nope.png"), "pattern='nope.png' of a trigger: there is no such file"),
        (lambda: BlendedTrigger()(VECTORS.long()), "a BlendedTrigger computes with numbers, but the examples are"),
        (lambda: SinusoidalTrigger(0.0), "amplitude=0 of a trigger leaves examples as they are"),
        (lambda: SinusoidalTrigger(1e38), "amplitude=1e+38 of a trigger: give a number from -1e+17"),
        (lambda: SinusoidalTrigger(frequency=1e308), "frequency=1e+308 of a trigger must be above 0"),
        (lambda: SinusoidalTrigger(frequency=7)(VECTORS), "frequency=7 of a trigger: the wave is 0 in each of the 7"),
        (lambda: SinusoidalTrigger()(VECTORS.long()), "a SinusoidalTrigger computes with numbers"),
        (lambda: PixelTrigger([(0, 0)]).parts(2), "num_parts=2 of a trigger of 1 pixels: give at most 1"),
        (lambda: FeatureTrigger([0, 1]).parts(3), "num_parts=3 of a trigger of 2 features: give at most 2"),
        (lambda: BlendedTrigger().parts(8)[0](VECTORS), "num_parts=8 of a trigger: examples of 7 columns"),
        (lambda: MissingTrigger().parts(2)[1](VECTORS), "this data set has no backdoor trigger of its own"),
    ],
)
def test_mistakes(act, message: str) -> None:
    with pytest.raises(InputError) as caught:
        act()
    assert str(caught.value).startswith(message)


def test_files_that_do_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "pattern.npz"
    for pattern, message in (
        (np.zeros(8), f"{path}: pattern has the shape [8], the examples [7]"),
        (np.full(7, np.nan), f"{path}: pattern=nan of a trigger: give a number from"),
        (np.array(["a"] * 7), f"{path}: pattern is <U1: store numbers"),
        (np.array([None] * 7), f"{path}: pattern cannot be read (it holds Python objects)"),
    ):
        np.savez(path, pattern=pattern)
        with pytest.raises(InputError) as caught:
            BlendedTrigger(pattern=str(path))(VECTORS)
        assert str(caught.value).startswith(message)
    image = tmp_path / "pattern.png"
    Image.fromarray(np.zeros((4, 6), np.uint8)).save(image)
    with pytest.raises(InputError, match="is an image, but the examples have the shape"):
        BlendedTrigger(pattern=str(image))(VECTORS)
    with pytest.raises(InputError, match="has 6x4 pixels instead of 6x5"):
        BlendedTrigger(pattern=str(image))(torch.zeros(1, 1, 5, 6))
