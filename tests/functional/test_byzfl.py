"""Our rules and attacks against ByzFL's, in float64, to 1e-6; skipped where ``byzfl`` is not installed."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from peers import ATTACK_PEERS, PEERS, AttackPeer, Peer

byzfl = pytest.importorskip("byzfl")


@pytest.mark.parametrize("peer", PEERS, ids=[peer.name for peer in PEERS])
@given(seed=st.integers(0, 2**31), num_byzantine=st.integers(0, 3), num_clients=st.integers(9, 12))
@settings(max_examples=25)
def test_agreement(peer: Peer, seed: int, num_byzantine: int, num_clients: int) -> None:
    draws = torch.Generator().manual_seed(seed)
    updates = torch.randn(num_clients, 7, generator=draws, dtype=torch.float64)
    updates[:num_byzantine] = updates[:num_byzantine] * 3 + 5
    # NumPy, because it makes float32 of tensors; a copy, because it changes what it is given.
    theirs = peer.theirs(byzfl, num_byzantine)(updates.numpy().copy())
    torch.testing.assert_close(peer.ours(updates, num_byzantine).double(), torch.tensor(theirs), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("peer", ATTACK_PEERS, ids=[peer.name for peer in ATTACK_PEERS])
@given(seed=st.integers(0, 2**31), num_malicious=st.integers(1, 4), num_clients=st.integers(7, 12))
@settings(max_examples=25)
def test_agreement_of_attacks(peer: AttackPeer, seed: int, num_malicious: int, num_clients: int) -> None:
    draws = torch.Generator().manual_seed(seed)
    updates = 0.5 + torch.randn(num_clients, 7, generator=draws, dtype=torch.float64)
    malicious = torch.randperm(num_clients, generator=draws) < num_malicious
    theirs = updates.clone()
    # Of gradients, which are updates the other way.
    theirs[malicious] = -torch.as_tensor(peer.theirs(byzfl, updates, malicious)(-updates[~malicious].numpy()))
    ours = peer.ours(updates, malicious)
    if peer.rule is None:
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)
    else:
        mean = updates[~malicious].mean(dim=0)
        ours, theirs = ((peer.rule(sent) - mean).norm() for sent in (ours, theirs))
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)
