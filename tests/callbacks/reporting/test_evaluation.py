"""What an evaluation measures beside the two rates, worked out one example at a time."""

import math

import pytest
import torch
from tiny import NUM_CLASSES, TestOwners, TinyData, mlp, trainer
from torch.nn.functional import cross_entropy

from callbacks import ClientErrors, EvaluationMetrics, FedAvg, LabelFlipping, MetricsLogger, NoAttack
from callbacks.reporting.client_errors import CLIENT_ERRORS
from callbacks.reporting.evaluation import GroupErrors
from flt.errors import InputError
from flt.module import FederatedModule


def expected_of(server, examples):
    """Loss and error of each class."""
    scores = server.network(examples.features).detach()
    wrong = (scores.argmax(dim=1) != examples.labels).double()
    errors = {f"class_error/{label}": float(wrong[examples.labels == label].mean()) for label in range(NUM_CLASSES)}
    return {"testing_loss": float(cross_entropy(scores, examples.labels)), **errors}


@pytest.mark.parametrize("eval_batch_size", [7, 100])
def test_loss_and_classes(fit, eval_batch_size):
    metrics, data = MetricsLogger(), TinyData(eval_batch_size=eval_batch_size)
    server = fit(FedAvg(), EvaluationMetrics(), metrics, data=data)
    expected = expected_of(server, data.test)
    assert {name: metrics.rows[-1][name] for name in expected} == pytest.approx(expected, rel=1e-6)
    assert [set(expected) <= set(row) for row in metrics.rows] == [False, True, True]
    (measured,) = server.trainer.test(server, datamodule=data, verbose=False)
    assert {name: measured[name] for name in expected} == pytest.approx(expected, rel=1e-6)
    assert {"testing_loss", "class_error/0"} <= server.trainer.callback_metrics.keys()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [({"loss": False}, {"class_error/0", "class_error/1", "class_error/2"}), ({"by_class": False}, {"testing_loss"})],
    ids=["classes", "loss"],
)
def test_each_can_be_left_out(fit, settings, expected):
    metrics = MetricsLogger()
    fit(FedAvg(), EvaluationMetrics(**settings), metrics)
    assert set(metrics.rows[-1]) - set(metrics.rows[0]) == {"testing_error_rate", *expected}


class Named(TinyData):
    """One class is not in the test set."""

    class_names = ("a b", "c", "d")

    def load(self, seed):
        raw = super().load(seed)
        return type(raw)(raw.train, raw.owners, raw.test[raw.test.labels != 1], False, raw.num_clients)


class Ambiguous(Named):
    class_names = ("a b", "c", "a-b")


@pytest.mark.parametrize(
    ("data", "names"), [(Named, {"a_b", "d"}), (Ambiguous, {"0", "2"})], ids=["by name", "by number"]
)
def test_classes_are_named_and_one_without_examples_has_no_error(fit, data, names):
    metrics = MetricsLogger()
    fit(FedAvg(), EvaluationMetrics(), metrics, data=data())
    assert {name for name in metrics.rows[-1] if "class" in name} == {f"class_error/{name}" for name in names}


def share_of_test(data, labels):
    """Test examples in the proportions of a client's labels: those of each class, and how often they are taken."""
    parts = [(data.test[data.test.labels == label], int((labels == label).sum())) for label in labels.unique()]
    common = math.lcm(*(len(part) for part, _ in parts))
    for part, count in parts:
        yield part, count * common // len(part)


@pytest.mark.parametrize(
    ("num_malicious", "on", "kind"),
    [(0, "training", TinyData), (3, "training", TinyData), (3, "test", TinyData), (3, "test", TestOwners)],
)
def test_clients(fit, num_malicious, on, kind):
    metrics, data = MetricsLogger(), kind(eval_batch_size=13, sizes=(24, 0, *range(10, 30)))
    attack, measuring = LabelFlipping(num_malicious / 22) if num_malicious else NoAttack(), ClientErrors(on=on)
    server = fit(FedAvg(), attack, measuring, metrics, data=data)
    errors = []
    for client in range(22):
        own = data.clients.of(client)  # before the attack has flipped labels
        if kind is TestOwners:
            own = data.test[data.test_owners == client]
        if len(own) and not server.federation.malicious[client]:
            wrong = seen = 0
            for part, times in (
                [(own, 1)] if on == "training" or kind is TestOwners else share_of_test(data, own.labels)
            ):
                wrong += times * int((server.network(part.features).argmax(dim=1) != part.labels).sum())
                seen += times * len(part)
            errors.append(wrong / seen)
            assert float(measuring.errors[client]) == pytest.approx(errors[-1])
    errors.sort(reverse=True)
    assert int(server.federation.malicious.sum()) == num_malicious
    mean = sum(errors) / len(errors)
    worst = errors[: math.ceil(len(errors) / 10)]
    spread = math.sqrt(sum((error - mean) ** 2 for error in errors) / len(errors))
    values = dict(zip(CLIENT_ERRORS, (mean, sum(worst) / len(worst), spread), strict=True))
    assert len(worst) > 1
    assert {name: metrics.rows[-1][name] for name in values} == pytest.approx(values)
    (measured,) = server.trainer.test(server, datamodule=data, verbose=False)
    assert not measured.keys() & values.keys()


class Silent(FederatedModule):
    def validation_step(self, batch, batch_idx):
        super().validation_step(batch, batch_idx)


def test_a_module_that_keeps_the_scores_to_itself(tmp_path):
    run = trainer(tmp_path, EvaluationMetrics())
    with pytest.warns(UserWarning, match="let Silent.validation_step return what its base's returns"):
        (measured,) = run.validate(Silent(mlp()), datamodule=TinyData(), verbose=False)
    assert measured.keys() == {"testing_error_rate"}


def test_two_of_them_are_refused(fit):
    with pytest.raises(InputError, match="two ClientErrors would log the same metrics: keep one"):
        fit(FedAvg(), ClientErrors(), ClientErrors(on="test"))


def test_groups_of_several_batches():
    errors = GroupErrors(4)
    errors.update(torch.tensor([True, False, True]), torch.tensor([0, 0, 2]))
    errors.update(torch.tensor([True, True]), torch.tensor([2, 3]))
    torch.testing.assert_close(
        errors.compute(), torch.tensor([0.5, math.nan, 1.0, 1.0]).double(), equal_nan=True, rtol=0, atol=0
    )
