"""Which value is taken, and what is remembered of it."""

import json
import time

import pytest
import torch

from flt.clients.fastest import fastest

CPU = torch.device("cpu")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FLT_CACHE", str(tmp_path))
    return tmp_path / "fastest.json"


@pytest.fixture
def clock(monkeypatch):
    """A clock that only work moves on, by the seconds that `Work` says."""
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    return now


class Work:
    def __init__(self, clock, seconds):
        self.clock, self.seconds, self.tried = clock, seconds, []

    def __call__(self, value):
        self.tried.append(value)
        self.clock[0] += self.seconds[value]
        return 10


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ({1: 3.0, 4: 2.0, 16: 1.0}, 16),
        ({1: 1.0, 4: 1.5, 16: 1.9}, 1),
        ({1: 2.0, 4: 1.0, 16: 1.5}, 4),
        ({1: 1.0, 4: 0.95, 16: 0.93}, 1),  # not worth the memory
    ],
)
def test_the_fastest_is_chosen(seconds, expected, cache, clock):
    assert fastest("setting", list(seconds), Work(clock, seconds), key="here", device=CPU) == expected


def test_a_hopeless_direction_is_given_up(cache, clock):
    work = Work(clock, {1: 1.0, 4: 3.0, 16: 100.0})
    assert fastest("setting", [1, 4, 16], work, key="here", device=CPU) == 1
    assert 16 not in work.tried


def test_the_answer_is_remembered_by_its_key(cache, clock):
    work = Work(clock, {1: 2.0, 4: 1.0})
    assert fastest("setting", [1, 4], work, key="here", device=CPU) == 4
    assert json.loads(cache.read_text()) == {"here": 4}
    again = Work(clock, {1: 1.0, 4: 9.0})
    assert fastest("setting", [1, 4], again, key="here", device=CPU) == 4
    assert again.tried == []
    assert fastest("setting", [1, 4], again, key="there", device=CPU) == 1
    assert json.loads(cache.read_text()) == {"here": 4, "there": 1}


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"here": 7}', '{"here": "4"}', "\x00"])
def test_a_memory_that_makes_no_sense_is_measured_anew(content, cache, clock):
    cache.write_text(content)
    assert fastest("setting", [1, 4], Work(clock, {1: 2.0, 4: 1.0}), key="here", device=CPU) == 4
    assert json.loads(cache.read_text())["here"] == 4


def test_a_cache_that_cannot_be_written_to(tmp_path, monkeypatch, clock):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FLT_CACHE", str(tmp_path / "file" / "folder"))
    assert fastest("setting", [1, 4], Work(clock, {1: 2.0, 4: 1.0}), key="here", device=CPU) == 4


def test_one_line_says_what_was_measured(cache, clock, caplog):
    with caplog.at_level("INFO", logger="flt"):
        fastest("clients_per_chunk", [1, 4], Work(clock, {1: 0.2, 4: 0.1}), key="here", device=CPU)
    assert caplog.messages == ["clients_per_chunk auto: 4 is the fastest (a client takes, with 1: 20 ms, 4: 10 ms)"]
