"""The figure of ``flt data``: what its axes hold, from one client to thousands and from two classes to many."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch

from flt.data.triggers import BlendedTrigger, FeatureTrigger, PixelTrigger, SemanticTrigger, Trigger
from flt.display.drawing import as_file, check_figure_path
from flt.display.overview import DataOverview, TriggerExamples
from flt.display.overview_figure import MOST_COLUMNS, draw_counts, draw_overview, spread
from flt.display.style import BENIGN, MALICIOUS, SUCCESS
from flt.display.trigger_figure import draw_trigger, height_of
from flt.errors import InputError


def overview(
    num_clients: int = 6,
    num_classes: int = 4,
    *,
    malicious: tuple[int, ...] = (),
    trigger: TriggerExamples | None = None,
    root: str = "uniform",
) -> DataOverview:
    draw = torch.Generator().manual_seed(0)
    counts = torch.randint(50, (num_clients, num_classes), generator=draw)
    mask = torch.zeros(num_clients, dtype=torch.bool)
    mask[list(malicious)] = True
    return DataOverview(
        title="Tiny (stand-in)",
        class_names=tuple(f"kind {label}" for label in range(num_classes)),
        counts=counts,
        malicious=mask,
        who=f"{len(malicious)} of {num_clients} clients malicious",
        root_counts=torch.randint(9, (num_classes,), generator=draw),
        examples="10 test examples",
        clients=f"{num_clients}; partition: natural",
        root=root,
        partition="natural",
        attack="TrimAttack" if malicious else "NoAttack",
        seed="0",
        trigger=trigger,
    )


def examples(trigger: Trigger, *shape: int, labels: tuple[int, ...] = (0, 2)) -> TriggerExamples:
    before = torch.rand((len(labels), *shape), generator=torch.Generator().manual_seed(1))
    return TriggerExamples(labels, before, trigger(before), 1, "ScalingAttack")


def counted(shown: DataOverview) -> dict[str, Axes]:
    """The axes of a figure of the counts, by what they show."""
    figure = Figure(layout="constrained")
    draw_counts(figure, shown)
    figure.draw_without_rendering()
    heat, bar, sizes, root, corner = figure.axes
    axes = {"heat": heat, "bar": bar, "sizes": sizes, "root": root, "corner": corner}
    return axes | dict(zip(["malicious"], heat.child_axes, strict=False))


def steps(axis: Axes) -> list[StepPatch]:
    return [patch for patch in axis.patches if isinstance(patch, StepPatch)]


def test_each_cell_is_a_client_and_a_class() -> None:
    shown = overview()
    axes = counted(shown)
    assert "malicious" not in axes
    legend = axes["sizes"].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["benign: 6"]
    (image,) = axes["heat"].images
    assert np.array_equal(image.get_array(), shown.counts.T)
    assert list(image.get_extent()) == [-0.5, 5.5, 3.5, -0.5]
    assert (image.norm.vmin, image.norm.vmax) == (0, shown.counts.max())
    assert [label.get_text() for label in axes["heat"].get_yticklabels()] == ["kind 0", "kind 1", "kind 2", "kind 3"]
    assert (axes["heat"].get_xlabel(), axes["heat"].get_ylabel()) == ("client", "class")
    assert axes["bar"].get_ylabel() == "examples"


def test_sizes_and_malicious_clients() -> None:
    shown = overview(malicious=(1, 4))
    axes = counted(shown)
    benign, malicious = steps(axes["sizes"])
    total = shown.counts.sum(1)
    assert np.array_equal(benign.get_data().values, total * ~shown.malicious)
    assert np.array_equal(malicious.get_data().values, total)
    assert np.array_equal(malicious.get_data().baseline, benign.get_data().values)
    assert [to_hex(patch.get_facecolor()).upper() for patch in (benign, malicious)] == [BENIGN, MALICIOUS]
    legend = axes["sizes"].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["benign: 4", "malicious: 2 (TrimAttack)"]
    (marks,) = steps(axes["malicious"])
    assert marks.get_data().values.tolist() == [0, 1, 0, 0, 1, 0]
    assert axes["malicious"].get_xlim() == axes["sizes"].get_xlim() == axes["heat"].get_xlim() == (-0.5, 5.5)
    assert axes["malicious"].get_xlabel() == "client"
    assert axes["heat"].get_xlabel() == ""


def test_the_root_dataset_stands_beside_the_same_classes() -> None:
    shown = overview(root="biased: 0.6 of class kind 1")
    axes = counted(shown)
    assert [bar.get_width() for bar in axes["root"].patches] == shown.root_counts.tolist()
    assert [text.get_text() for text in axes["root"].texts] == [str(count) for count in shown.root_counts.tolist()]
    assert axes["root"].get_ylim() == axes["heat"].get_ylim() == (3.5, -0.5)
    (words,) = [text.get_text().split() for text in axes["corner"].texts]
    assert " ".join(words) == f"root dataset: {shown.root_counts.sum()} examples, biased: 0.6 of class kind 1"


def test_neighbours_share_a_column_where_there_are_too_many_clients() -> None:
    num_clients = 2 * MOST_COLUMNS + 1
    shown = overview(num_clients, malicious=(0, 1, 3))
    axes = counted(shown)
    (image,) = axes["heat"].images
    values = np.asarray(image.get_array())
    assert values.shape == (4, MOST_COLUMNS * 2 // 3 + 1)
    assert values[:, 0] == pytest.approx(shown.counts[:3].double().mean(0).numpy())
    assert values[:, -1] == pytest.approx(shown.counts[-2:].double().mean(0).numpy())
    assert axes["bar"].get_ylabel() == "examples (mean of 3 clients)"
    assert axes["heat"].get_xlim() == (-0.5, num_clients - 0.5)
    (marks,) = steps(axes["malicious"])
    assert marks.get_data().values[:3] == pytest.approx([2 / 3, 1 / 3, 0])
    edges = marks.get_data().edges
    assert (edges[0], edges[1], edges[-1]) == (-0.5, 2.5, num_clients - 0.5)


@pytest.mark.parametrize(
    ("num_clients", "num_classes", "malicious"),
    [(1, 2, ()), (4999, 10, (7,)), (40, 150, (3,))],
)
def test_labels_do_not_overlap(num_clients: int, num_classes: int, malicious: tuple[int, ...]) -> None:
    figure = draw_overview(overview(num_clients, num_classes, malicious=malicious))
    figure.draw_without_rendering()
    for axis in figure.axes:
        for labels in (axis.get_xticklabels(), axis.get_yticklabels()):
            boxes = [label.get_window_extent() for label in labels if label.get_visible() and label.get_text()]
            assert not any(first.overlaps(second) for first, second in pairwise(boxes))
    assert figure.get_tightbbox().width <= figure.get_figwidth() + 0.02


def test_clients_without_examples() -> None:
    shown = overview()
    shown.counts.zero_()
    shown.root_counts.zero_()
    assert counted(shown)["heat"].images


# The trigger


def panels(trigger: TriggerExamples) -> tuple[Figure, list[list[Axes]]]:
    figure = Figure((11, height_of(trigger)), layout="constrained")
    draw_trigger(figure, trigger, ["cat", "dog", "bird"])
    figure.draw_without_rendering()
    return figure, [panel.axes for panel in figure.subfigs]


@pytest.mark.parametrize("channels", [1, 3])
def test_images_with_a_trigger(channels: int) -> None:
    trigger = examples(PixelTrigger([(0, 1), (-1, -2)]), channels, 5, 6)
    figure, drawn = panels(trigger)
    assert figure.get_suptitle() == (
        "Backdoor trigger of ScalingAttack: examples with it are to be taken for class dog"
    )
    for (first, second, third), name, before, after in zip(
        drawn, ("cat", "bird"), trigger.before, trigger.after, strict=True
    ):
        assert [each.get_title() for each in (first, second, third)] == [
            *(f"class {name}", "with the trigger", "difference: 2 pixels")
        ]
        for axis, example in ((first, before), (second, after)):
            pixels = example[0] if channels == 1 else example.permute(1, 2, 0)
            assert np.array_equal(np.asarray(axis.images[0].get_array()), pixels)
            assert (axis.images[0].norm.vmin, axis.images[0].norm.vmax) == (0, 1)
        difference = np.asarray(third.images[0].get_array())
        coloured = (difference != 1).any(-1).nonzero()
        assert list(zip(*(index.tolist() for index in coloured), strict=True)) == [(0, 1), (4, 4)]
        assert to_hex(difference[0, 1]).upper() == SUCCESS


def test_vectors_with_a_trigger() -> None:
    trigger = examples(FeatureTrigger([2, 5], value=3.0), 9)
    _, drawn = panels(trigger)
    for (axis,), name, before in zip(drawn, ("cat", "bird"), trigger.before, strict=True):
        curve, changed = axis.get_lines()
        assert axis.get_title(loc="left") == f"class {name}"
        assert np.array_equal(curve.get_ydata(), before)
        assert np.asarray(changed.get_xdata()).tolist() == [2, 5]
        assert np.asarray(changed.get_ydata()).tolist() == [3.0, 3.0]
        assert changed.get_label() == "trigger: 2 features changed"


def test_parts_of_a_trigger() -> None:
    """Below images, and in colours of their own among an example's features."""
    whole = PixelTrigger([(0, 0), (0, 1), (3, 3), (3, 4), (4, 0)])
    images = examples(whole, 1, 5, 6)
    images = replace(images, parts=torch.cat([part(images.before[:1]) for part in whole.parts(2)]))
    figure, _ = panels(images)
    assert figure.get_suptitle().startswith("Backdoor trigger of ScalingAttack")
    above, below = figure.subfigs
    assert [axis.get_title() for axis in below.axes] == ["part 1: 2 pixels", "part 2: 3 pixels"]
    assert [len(panel.axes) for panel in above.subfigs] == [3, 3]
    assert height_of(images) > height_of(examples(whole, 1, 5, 6))
    vectors = examples(FeatureTrigger(range(5), 3.0), 9)
    parts = torch.cat([part(vectors.before[:1]) for part in FeatureTrigger(range(5), 3.0).parts(3)])
    _, ((first,), (second,)) = panels(replace(vectors, parts=parts))
    assert [line.get_label() for line in first.get_lines()[1:]] == [*("part 1 (2)", "part 2 (2)", "part 3 (1)")]
    assert len({line.get_color() for line in first.get_lines()}) == 4
    assert [line.get_label() for line in second.get_lines()[1:]] == ["trigger: 5 features changed"]


def test_a_pattern_all_over_an_image_is_drawn_by_its_strength() -> None:
    trigger = examples(BlendedTrigger(0.5), 3, 5, 6)
    _, ((_, _, third), _) = panels(trigger)
    by = (trigger.after[0] - trigger.before[0]).abs().amax(0)
    assert third.get_title() == f"difference: up to {float(by.max()):.2g}"
    drawn = np.asarray(third.images[0].get_array())
    assert to_hex(drawn[tuple((by == by.max()).nonzero()[0])]).upper() == SUCCESS
    assert drawn[..., 2].argmin() == by.argmax()


@pytest.mark.parametrize("shape", [(1, 5, 6), (9,)])
def test_examples_without_a_pattern(shape: tuple[int, ...]) -> None:
    semantic = replace(examples(SemanticTrigger(0), *shape), has_pattern=False)
    figure, drawn = panels(semantic)
    assert figure.get_suptitle() == (
        "Backdoor of ScalingAttack without a pattern: examples like these are to be taken for class dog"
    )
    assert [len(axes) for axes in drawn] == [1, 1]


def test_one_example_and_a_trigger_that_changes_nothing() -> None:
    trigger = examples(PixelTrigger([(0, 0)]), 1, 4, 4, labels=(2,))
    trigger.after.copy_(trigger.before)
    _, ((_, _, difference),) = panels(trigger)
    assert difference.get_title() == "difference: 0 pixels"


def test_the_row_of_the_trigger_is_left_out_where_there_is_none() -> None:
    with_trigger = draw_overview(overview(trigger=examples(FeatureTrigger([0]), 4)))
    without = draw_overview(overview())
    assert (len(with_trigger.subfigs), len(without.subfigs)) == (2, 0)
    assert with_trigger.get_figheight() > without.get_figheight()
    assert without.get_suptitle() == "Tiny (stand-in): 6 clients, partition: natural"
    assert with_trigger.subfigs[0].get_suptitle() == without.get_suptitle()


# Ticks and files


@pytest.mark.parametrize(("count", "expected"), [(1, [0]), (10, list(range(10))), (11, [0, 2, 4, 6, 8, 10])])
def test_spread(count: int, expected: list[int]) -> None:
    assert spread(count, 10) == expected


@pytest.mark.parametrize("name", ["a.PDF", "a.svg", "a.b.jpg"])
def test_formats(tmp_path: Path, name: str) -> None:
    check_figure_path(tmp_path / name, "plot")
    start = {"pdf": b"%PDF", "svg": b"<?xml", "jpg": b"\xff\xd8"}[name[-3:].lower()]
    assert as_file(Figure(figsize=(1, 1)), Path(name)).startswith(start)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.foo", "a", ".png", "a.", "nope/a.png", ""])
def test_paths_that_no_figure_can_have(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="plot="):
        check_figure_path(tmp_path / name, "plot")
