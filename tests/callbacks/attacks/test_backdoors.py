"""What malicious clients train that have a training of their own."""

import pytest
import torch
from tiny import Recorder, TinyData, start_of

from callbacks import PGA, FedAvg, ModelReplacement, Neurotoxin, NoAttack, ProjectedBackdoor, SignFlip
from callbacks.attacks.backdoors.base import BackdoorAttack
from flt.functional import least_moved


@pytest.fixture
def trained(fit):
    """What the clients of the first rounds have trained, before anything is made of it: rounds, with one's attack."""

    def run(attack, rounds=1, **settings):
        recorder = Recorder()
        fit(recorder, attack, FedAvg(), rounds=rounds, data=TinyData(batch_size=4), **settings)
        return recorder

    return run


def of_malicious(recorder, number=0):
    return recorder.honest[number].updates[recorder.honest[number].malicious]


def poisoned(trained, **settings):
    """What usual training on the poisoned data gives."""

    class Plain(BackdoorAttack):
        """A backdoor, and nothing else."""

    return of_malicious(trained(Plain(0.4), **settings))


def honest(trained, recorder, **settings):
    """What the malicious clients of a run would honestly train."""
    return trained(NoAttack(), **settings).honest[0].updates[recorder.honest[0].malicious]


def test_gradient_ascent_is_the_opposite_of_one_step(trained):
    for steps in (1, 3):
        recorder = trained(SignFlip("ascent", fraction=0.4), local_steps=steps)
        own = honest(trained, recorder, local_steps=steps)
        assert torch.allclose(of_malicious(recorder), -own, rtol=1e-4, atol=1e-6) == (steps == 1)
        along = torch.nn.functional.cosine_similarity(of_malicious(recorder), own)
        assert (along < -0.5).all()
    assert torch.equal(recorder.received[0].updates, recorder.honest[0].updates)


def test_weight_decay_holds_while_malicious_clients_climb(trained):
    decay = {"client_weight_decay": 0.5}
    for attack in (SignFlip("ascent", fraction=0.4), PGA(fraction=0.4)):
        recorder = trained(attack, **decay)
        own, decayed = honest(trained, recorder), honest(trained, recorder, **decay)
        torch.testing.assert_close(of_malicious(recorder), (decayed - own) - own, rtol=1e-4, atol=1e-6)


def test_model_replacement_trains_as_usual_unless_told_otherwise(trained):
    usual = poisoned(trained, local_steps=2)
    assert torch.equal(of_malicious(trained(ModelReplacement(fraction=0.4), local_steps=2)), usual)
    other = of_malicious(trained(ModelReplacement(fraction=0.4, poison_lr=0.04), local_steps=1))
    torch.testing.assert_close(other, 2 * poisoned(trained), rtol=1e-4, atol=1e-6)  # of twice 0.02


def test_model_replacement_by_examples_puts_the_malicious_models_in_place(fit):
    """FedAvg's step is the mean of what malicious clients have trained, and what benign ones add to it."""
    recorder, server_lr = Recorder(), 0.5
    fit(recorder, ModelReplacement(by_examples=True, fraction=0.4), FedAvg(), rounds=1, server_lr=server_lr)
    (round,), (received,) = recorder.honest, recorder.received
    shares = round.num_examples / round.num_examples.sum()
    benign = server_lr * (shares * ~round.malicious) @ received.updates
    step = recorder.parameters[0] - start_of() - benign
    torch.testing.assert_close(step, round.updates[round.malicious].mean(dim=0), rtol=1e-4, atol=1e-5)


def test_constrain_and_scale(trained):
    """The distance has no gradient at the start, so a first step is shorter by the factor; later ones turn back."""
    one = of_malicious(trained(ModelReplacement(alpha=0.25, fraction=0.4)))
    torch.testing.assert_close(one, 0.25 * poisoned(trained), rtol=1e-4, atol=1e-6)
    near, far = (
        of_malicious(trained(ModelReplacement(alpha=alpha, fraction=0.4, epochs=4), loss_reduction="mean"))
        for alpha in (0.1, 0.9)
    )
    assert (near.norm(dim=1) < 0.3 * far.norm(dim=1)).all()


def test_passes_end_with_the_loss_on_poisoned_examples(trained):
    def run(**settings):
        return of_malicious(trained(ModelReplacement(fraction=0.4, **settings)))

    passes = [run(epochs=count) for count in (1, 2, 3, 4)]
    assert torch.equal(run(epochs=4, stop_loss=1e9), passes[0])
    assert torch.equal(run(epochs=4, stop_loss=1e-9), passes[3])
    some = run(epochs=4, stop_loss=0.6)
    ends = [{k for k in range(4) if torch.equal(passes[k][row], each)} for row, each in enumerate(some)]
    assert all(len(end) == 1 for end in ends)  # after some whole pass of one's own
    assert len(set.union(*ends)) > 1


def test_learning_rate_after_a_fifth_and_four_fifths_of_the_passes(trained):
    def run(passes, decay):
        return of_malicious(trained(ModelReplacement(fraction=0.4, epochs=passes, lr_decay=decay)))

    torch.testing.assert_close(run(5, 1e-9), run(1, 1.0), rtol=1e-4, atol=1e-6)  # passes 0, and 1 to 4
    first, *_ = of_malicious(trained(ModelReplacement(fraction=0.4, epochs=5, lr_decay=0.5)))
    assert not torch.allclose(first, run(5, 1.0)[0])


@pytest.mark.parametrize("norm", ["l2", "linf"])
@pytest.mark.parametrize("boost", [1.0, 4.0])
def test_projected_backdoor_keeps_its_bound(trained, norm, boost):
    def lengths(updates):
        return torch.linalg.vector_norm(updates, ord=2 if norm == "l2" else torch.inf, dim=1)

    for bound in (None, 0.05):
        attack = ProjectedBackdoor(bound, norm, boost, fraction=0.4, epochs=3)
        recorder = trained(attack, clients_per_round=9)
        malicious = recorder.honest[0].malicious
        expected = bound or lengths(honest(trained, recorder, clients_per_round=9)).mean()
        sent = lengths(recorder.received[0].updates[malicious])
        assert (sent <= expected * (1 + 1e-5)).all()
        assert sent.max() > 0.999 * expected
        torch.testing.assert_close(lengths(of_malicious(recorder)), sent / boost)


def test_a_bound_that_is_never_reached_leaves_a_plain_backdoor(trained):
    attack = ProjectedBackdoor(1e6, fraction=0.4)
    torch.testing.assert_close(of_malicious(trained(attack)), poisoned(trained), rtol=1e-4, atol=1e-6)


def test_neurotoxin_trains_what_the_last_step_moved_least(trained):
    recorder = trained(Neurotoxin(0.6, fraction=0.4, max_norm=0.5), rounds=3)
    assert (of_malicious(recorder) != 0).double().mean() > 0.9  # nothing is known before the first step
    models = [start_of(), *recorder.parameters]
    for number in (1, 2):
        mask = least_moved(models[number] - models[number - 1], ratio=0.6)
        found = of_malicious(recorder, number)
        assert not found[:, ~mask].any()
        assert (found[:, mask] != 0).double().mean() > 0.9
        assert (found.norm(dim=1) < 0.5 + 1e-5).all()


def test_neurotoxin_by_a_gradient_of_ones_own(trained):
    recorder = trained(Neurotoxin(0.6, "own_gradient", fraction=0.4, epochs=2))
    masks = least_moved(honest(trained, recorder), ratio=0.6)
    assert not of_malicious(recorder)[~masks].any()
    assert of_malicious(recorder)[masks].any()
    assert not (masks == masks[0]).all()


def test_least_moved():
    """Ties go to the lower index; a mask each for several vectors; nothing is masked where nothing is known."""
    golden = torch.tensor([0.1, -5.0, 0.3, -0.02, 2.0])
    assert least_moved(golden, ratio=0.6).tolist() == [True, False, True, True, False]
    assert least_moved(torch.ones(5), ratio=0.4).tolist() == [True, True, False, False, False]
    both = least_moved(torch.stack([golden, torch.zeros(5)]), ratio=0.6)
    assert both.tolist() == [[True, False, True, True, False], [True] * 5]


@pytest.mark.parametrize("shared", [True, False])
def test_pga_climbs_at_the_length_of_honest_updates(trained, shared):
    for knowledge in ("full", "partial"):
        recorder = trained(PGA(shared=shared, knowledge=knowledge, fraction=0.4, epochs=2))
        (round,), (received,) = recorder.honest, recorder.received
        own = honest(trained, recorder)
        known = round.updates[~round.malicious] if knowledge == "full" else own
        sent = received.updates[round.malicious]
        torch.testing.assert_close(sent.norm(dim=1), known.norm(dim=1).mean().expand(len(sent)))
        assert torch.equal(sent[0], sent[1]) == shared
        assert torch.nn.functional.cosine_similarity(sent.mean(dim=0), own.mean(dim=0), dim=0) < -0.3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"by_examples": True, "scale": 2.0}, "attack.by_examples has no effect with"),
        ({"stop_loss": 0.1}, "attack.stop_loss and attack.lr_decay have no effect with fewer than 2"),
        ({"lr_decay": 0.1, "epochs": 1}, "attack.stop_loss and attack.lr_decay have no effect with fewer than 2"),
    ],
)
def test_settings_without_effect(arguments, message):
    with pytest.warns(UserWarning, match=message):
        ModelReplacement(**arguments)
