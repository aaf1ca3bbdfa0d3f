"""What attacks that know the benign updates refuse, and what they say before the first round."""

from types import SimpleNamespace

import hostile
import pytest
import torch
from tiny import Recorder, TinyData, module, parameters_of, trainer

from callbacks import ALIE, ROP, ByzMean, FedAvg, MinMax, MinSum, Trapsetter, TrimmedMean
from callbacks.attacks.omniscient.trapsetter import accuracy_of
from flt.clients.batches import LocalBatches


@pytest.mark.parametrize("attack", [ALIE, ROP])
@pytest.mark.parametrize(
    ("num_clients", "num_malicious", "message"),
    [
        (10, 2, "attack.z=formula is 0 with 2 malicious of 10 clients, so that nothing"),
        (10, 1, "attack.z=formula is 0 with 1 malicious of 10"),
        (10, 7, "attack.z=formula is undefined with 7 malicious of 10 clients, a majority: z=0.431"),
        (50, 24, None),
        (10, 0, None),
    ],
)
def test_where_the_formula_for_z_has_no_answer(attack, num_clients, num_malicious, message):
    federation = hostile.federation_of(
        num_examples=torch.ones(num_clients), malicious=torch.arange(num_clients) < num_malicious
    )
    attack(z=0.5).check(federation)  # another z says nothing
    if message is None:
        attack(z="formula").check(federation)
        return
    with pytest.warns(UserWarning, match=message.replace(".", r"\.")):
        attack(z="formula").check(federation)


@pytest.mark.parametrize("attack", [ALIE, ByzMean, MinMax, MinSum])
@pytest.mark.parametrize(
    ("knowledge", "num_malicious", "message"),
    [
        ("full", 4, "sends the one benign update that it knows, with 4 malicious of 5 clients in a round"),
        ("partial", 1, "sends the one malicious update that it knows, with 1 malicious of 5 clients in a round"),
        ("full", 1, None),
        ("partial", 4, None),
        ("partial", 0, None),
    ],
)
def test_a_single_update_to_hide_in(attack, knowledge, num_malicious, message):
    federation = hostile.federation_of(num_examples=torch.ones(5), malicious=torch.arange(5) < num_malicious)
    if message is None:
        attack(knowledge=knowledge).check(federation)
        return
    with pytest.warns(UserWarning, match=f"{attack.__name__} {message} and knowledge={knowledge}"):
        attack(knowledge=knowledge).check(federation)


@pytest.mark.parametrize("attack", [MinMax, MinSum])
def test_a_first_step_that_nothing_starts_with(attack):
    with pytest.warns(UserWarning, match=r"attack\.gamma_init=3\.0 has no effect with search=closed"):
        attack(gamma_init=3.0)
    assert attack(gamma_init=3.0, search="bisection").gamma_init == 3.0


def test_the_last_aggregate_is_the_last_step_by_the_learning_rate_of_the_server():
    malicious = torch.tensor([False, False, True])
    federation = hostile.federation_of(num_examples=torch.ones(3), malicious=malicious).replace(server_lr=0.5)
    round = hostile.round_of(federation, torch.ones(3, 2), torch.ones(2))
    first = ROP(z=1.0).craft(round.replace(malicious=~malicious & malicious))
    assert torch.equal(first.updates, round.updates)  # nobody attacks, and yet the model is kept
    sent = ROP(z=1.0).craft(round.replace(parameters=torch.tensor([0.5, 0.0]), memory=first.memory)).updates
    torch.testing.assert_close(sent[2], torch.tensor([1.0, 0.0]) + torch.tensor([-0.1, 1.0]) / 1.01**0.5)


class Noting(Trapsetter):
    """Notes how good the models are that it tries, and what it keeps."""

    def __init__(self, **settings):
        super().__init__(**settings)
        self.kept, self.accuracies = [], []

    def prepare(self, local):
        found = super().prepare(local)
        if found is not None:
            self.accuracies.append(accuracy_of(local, local.batches, found["target"] - local.parameters))
        self.kept.append(found)
        return found


def test_the_global_model_is_replaced_by_a_bad_one(fit):
    attack, recorder = Noting(fraction=0.3, interval=2), Recorder()
    fit(attack, TrimmedMean(0), recorder, rounds=4)  # the plain mean, whatever a client's number of examples
    assert [found is None for found in attack.kept] == [False, True, False, True]
    assert max(attack.accuracies) < 0.4
    for number, parameters in enumerate(recorder.parameters):
        torch.testing.assert_close(parameters, attack.kept[number - number % 2]["target"], rtol=1e-4, atol=1e-5)


def test_a_bad_model_is_kept_when_a_run_goes_on(tmp_path):
    whole, first, resumed = (module() for _ in range(3))
    run = trainer(tmp_path, Trapsetter(interval=3), FedAvg(), rounds=4)
    run.fit(whole, datamodule=TinyData())
    run = trainer(tmp_path, Trapsetter(interval=3), FedAvg(), rounds=2)
    run.fit(first, datamodule=TinyData())
    run.save_checkpoint(tmp_path / "two.ckpt")
    run = trainer(tmp_path, Trapsetter(interval=3), FedAvg(), rounds=4)
    run.fit(resumed, datamodule=TinyData(), ckpt_path=tmp_path / "two.ckpt", weights_only=True)
    assert torch.equal(parameters_of(resumed), parameters_of(whole))


def test_padding_counts_for_no_accuracy():
    labels, weights = torch.tensor([[[1, 0, 0]], [[1, 1, 0]]]), torch.tensor([[[1.0, 1.0, 0.0]], [[1.0, 0.0, 0.0]]])
    batches = LocalBatches(torch.zeros(2, 1, 3, 4), labels, weights, torch.tensor([[2], [1]]))
    always_0 = SimpleNamespace(logits=lambda step, features: torch.tensor([1.0, 0.0]).expand(len(features), 2))
    assert accuracy_of(always_0, batches, torch.zeros(5)) == pytest.approx(1 / 3)
    assert accuracy_of(always_0, batches._replace(weights=None), torch.zeros(5)) == pytest.approx(1 / 2)
    assert accuracy_of(always_0, batches._replace(weights=0 * weights), torch.zeros(5)) == 0.0


def test_nothing_is_sent_before_anyone_has_looked_for_a_bad_model():
    malicious = torch.tensor([False, True])
    federation = hostile.federation_of(num_examples=torch.ones(2), malicious=malicious)
    assert Trapsetter().craft(hostile.round_of(federation, torch.ones(2, 2), torch.ones(2))) is None
