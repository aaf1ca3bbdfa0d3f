"""The local data of clients who train a backdoor."""

import torch

from flt.data import ClientData, Examples, FeatureTrigger, TailTrigger
from flt.data.backdoor import Backdoor, poisoned

SIZES = (4, 0, 6, 5, 3)


def federation() -> ClientData:
    owners = torch.arange(5).repeat_interleave(torch.tensor(SIZES))
    features = torch.arange(len(owners) * 4.0).view(-1, 4)
    return ClientData.from_owners(Examples(features, owners % 3), owners, 5)


def test_parts_are_dealt_out_by_rank_and_the_whole_is_their_union() -> None:
    whole = FeatureTrigger(range(4), -1.0)
    backdoor = Backdoor(whole, 2, parts=whole.parts(2))
    malicious = torch.tensor([True, True, True, False, True])  # of ranks 0 to 3; the second holds nothing
    held = poisoned(federation(), malicious, backdoor, fraction=0.5, generator=torch.Generator())
    assert held.sizes.tolist() == [6, 0, 9, 5, 5]
    for client, places in ((0, [0, 2]), (2, [0, 2]), (4, [1, 3])):
        copies = held.of(client)[SIZES[client] :]
        assert (copies.labels == 2).all()
        marked = (copies.features == -1).nonzero()[:, 1].unique().tolist()
        assert marked == places
    assert held.indices is not None
    assert held.indices[held.indices >= 0].tolist() == list(range(18))
    assert (held.indices == -1).sum() == 7


def test_a_changed_backdoor() -> None:
    own, default = FeatureTrigger([3]), Backdoor(FeatureTrigger([0]), 1, shape=(4,))
    assert default.changed(None, None) == Backdoor(default.trigger, 1)
    assert default.changed(own, 0) == Backdoor(own, 0)


def test_nobody_is_malicious() -> None:
    whole, nobody = FeatureTrigger(range(4), -1.0), torch.zeros(5, dtype=torch.bool)
    for backdoor in (Backdoor(TailTrigger(0), 2), Backdoor(whole, 2), Backdoor(whole, 2, parts=whole.parts(2))):
        held = poisoned(federation(), nobody, backdoor, fraction=1.0, generator=torch.Generator())
        assert torch.equal(held.features, federation().features)
        assert torch.equal(held.labels, federation().labels)
        assert held.features.dtype == torch.float32
