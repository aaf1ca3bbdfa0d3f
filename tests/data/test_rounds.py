import torch

from flt.data import EvaluationBatches, Examples, Rounds


def test_rounds_are_plain_numbers_and_have_no_state():
    rounds = Rounds(4)
    assert len(rounds) == 4
    assert list(rounds) == list(rounds) == [0, 1, 2, 3]
    assert all(type(number) is int for number in rounds)
    assert rounds.state_dict() == {}
    next(iter(rounds))
    rounds.load_state_dict({"position": 2})
    assert list(rounds) == [0, 1, 2, 3]


def test_batches_are_views_in_order():
    examples = Examples(torch.arange(10.0).reshape(5, 2), torch.arange(5))
    batches = EvaluationBatches(examples, 2)
    assert len(batches) == len(list(batches)) == 3
    assert torch.equal(torch.cat([features for features, _ in batches]), examples.features)
    assert [labels.tolist() for _, labels in batches] == [[0, 1], [2, 3], [4]]
    assert next(iter(batches))[0].data_ptr() == examples.features.data_ptr()


def test_one_batch_where_all_fit():
    examples = Examples(torch.zeros(5, 2), torch.arange(5))
    assert len(EvaluationBatches(examples, 5)) == len(EvaluationBatches(examples, 99)) == 1
