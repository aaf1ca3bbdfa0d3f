import itertools

import pytest
import torch

from flt.random import generator, run_seed, sample_clients


def numbers(*arguments):
    return torch.rand(4, generator=generator(*arguments)).tolist()


def test_run_seed(monkeypatch):
    monkeypatch.setenv("PL_GLOBAL_SEED", "17")
    assert run_seed() == 17
    monkeypatch.delenv("PL_GLOBAL_SEED")
    assert run_seed() == 0


def test_numbers_are_a_function_of_seed_stream_and_round():
    keys = list(itertools.product((0, 1, 11, 2**32 - 1), ("batches", "clients"), (0, 1, 10, 100)))
    first = [numbers(*key) for key in keys]
    torch.manual_seed(5)
    assert [numbers(*key) for key in reversed(keys)] == first[::-1]
    assert len({tuple(drawn) for drawn in first}) == len(keys)


def test_a_generator_leaves_the_global_state_alone():
    before = torch.get_rng_state()
    numbers(3, "batches", 2)
    sample_clients(10, 3, seed=0, round_number=1)
    assert torch.equal(torch.get_rng_state(), before)


def test_samples_are_sorted_and_differ_between_rounds_and_seeds_only():
    def drawn(seed):
        return [sample_clients(20, 7, seed=seed, round_number=number).tolist() for number in range(50)]

    rounds = drawn(4)
    assert all(ids == sorted(set(ids)) and len(ids) == 7 and 0 <= ids[0] <= ids[-1] < 20 for ids in rounds)
    assert len({tuple(ids) for ids in rounds}) > 45
    assert rounds == drawn(4) != drawn(5)


@pytest.mark.parametrize("num_clients", [1, 10])
def test_all_clients_take_part_in_order(num_clients):
    sampled = sample_clients(num_clients, num_clients, seed=3, round_number=8)
    assert sampled.tolist() == list(range(num_clients))


def test_clients_are_equally_likely():
    counts = sum(torch.bincount(sample_clients(10, 3, seed=0, round_number=i), minlength=10) for i in range(2000))
    assert (counts - 600).abs().max() < 5 * (2000 * 0.3 * 0.7) ** 0.5
