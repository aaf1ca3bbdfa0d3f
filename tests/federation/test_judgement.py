import dataclasses

import torch

from flt.federation import Judgement


def test_judgements_are_joined():
    nobody, one = Judgement(), Judgement(weights=torch.ones(1), cosines=torch.zeros(1))
    assert Judgement.joined([]).vectors == Judgement.joined([nobody, nobody]).vectors == {}
    assert Judgement.joined([nobody, one]) == one
    both = Judgement.joined([one, nobody, dataclasses.replace(one, weights=torch.full((1,), 3.0))])
    assert (both.weights.tolist(), both.cosines.tolist()) == ([1, 3], [0, 0])
    assert both.shared_out(both.weights.sum()).weights.tolist() == [0.25, 0.75]
    assert nobody.shared_out(torch.tensor(0.0)) is nobody
