"""Which evaluation counts, against numbers worked by hand."""

import pytest

from flt.errors import InputError
from flt.runs.measures import check_measure, measured


def curve(testing, validation=(), **others):
    """Rows of a run that is evaluated every ten rounds, with a row without evaluation in between."""
    rows = [{"round": 5.0, "training_loss": 9.0}]
    for number, error in enumerate(testing):
        more = {name: values[number] for name, values in others.items()}
        own = {"validation_error_rate": validation[number]} if validation else {}
        rows.append({"round": 10.0 * (number + 1), "testing_error_rate": error, **own, **more})
    return rows


FIRST = curve([0.5, 0.25, 0.25, 0.75], [0.5, 0.4, 0.2, 0.1], attack_success_rate=[0.0, 0.1, 0.2, 0.3])
SECOND = curve([0.5, 0.75, 0.5, 0.0], [0.4, 0.1, 0.3, 0.5], attack_success_rate=[1.0, 0.9, 0.8, 0.7])


@pytest.mark.parametrize(
    ("measure", "rounds", "errors", "validation", "successes"),
    [
        ("last", [40, 40], [0.75, 0.0], [0.1, 0.5], [0.3, 0.7]),
        ("best", [20, 40], [0.25, 0.0], [0.1, 0.1], [0.1, 0.7]),  # of equals the first; validation by itself
        ("best_on_validation", [40, 20], [0.75, 0.75], [0.1, 0.1], [0.3, 0.9]),
        # Seed means are .5, .5, .375, .375 in testing and .45, .25, .25, .3 in validation.
        ("best_of_mean", [30, 30], [0.25, 0.5], [0.4, 0.1], [0.2, 0.8]),
        ({"mean_of_last": 2}, None, [0.5, 0.25], [0.15, 0.4], [0.25, 0.75]),
        ({"mean_of_last": 9}, None, [0.4375, 0.4375], [0.3, 0.325], [0.15, 0.85]),
    ],
    ids=str,
)
def test_measures(measure, rounds, errors, validation, successes):
    expected = {
        "testing_error_rate": errors,
        "validation_error_rate": validation,
        "attack_success_rate": successes,
        **({} if rounds is None else {"round": rounds}),
    }
    before = [{"round": 0, "testing_error_rate": 0.0, "validation_error_rate": 0.0}]  # the first round: none of them
    found = measured(measure, [before + FIRST, before + SECOND])
    assert [set(metrics) for metrics in found] == [set(expected)] * 2
    for name, values in expected.items():
        assert [metrics[name] for metrics in found] == pytest.approx(values), name


def test_rounds_that_only_one_run_was_evaluated_in_have_no_mean():
    (first, second) = measured("best_of_mean", [FIRST, SECOND[:3]])  # stopped after 20 rounds
    assert (first["round"], second["round"]) == (10, 10)


@pytest.mark.parametrize(
    "measure", ["last", "best", "best_on_validation", "best_of_mean", {"mean_of_last": 1}], ids=str
)
def test_nothing_to_choose_from(measure):
    assert measured(measure, [[{"round": 1.0, "training_loss": 1.0}]]) == [{}]
    if measure == "best_on_validation":
        assert measured(measure, [curve([0.5])]) == [{}]


@pytest.mark.parametrize("measure", [{"mean_of_last": 0}, {"mean": 5}, {}, {"mean_of_last": 1, "best": 1}], ids=str)
def test_mistake(measure):
    with pytest.raises(InputError, match=r"measure=\{.*as a mapping it is \{mean_of_last: 5\}"):
        check_measure(measure)
