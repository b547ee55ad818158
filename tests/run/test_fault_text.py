"""Faults on the command line have the syntax of drills, but are data."""

from __future__ import annotations

import pytest

from faults.kill import Kill
from faults.latency import Latency
from harness.model.errors import UsageError
from harness.run.fault_text import parse


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('Kill("rank1").at_step(120)', Kill("rank1").at_step(120)),
        (" Latency('rank0>rank1', delay_ms=50).between(5, 10.5) ", Latency("rank0>rank1", delay_ms=50).between(5, 10.5)),
        (
            'Kill("one").at_random_steps(5, 90, mean_steps=20, for_s=2)',
            Kill("one").at_random_steps(5, 90, mean_steps=20, for_s=2),
        ),
    ],
)
def test_a_text_is_what_it_is_in_a_drill(text: str, fault: object) -> None:
    assert parse(text) == fault


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('Kill("rank1")', r"does not say when: add \.between, \.flapping"),
        ('Kil("rank1").at_step(1)', "there is no fault 'Kil'. Did you mean 'Kill'"),
        ('Kill("rank1").at_stp(1)', r"there is no \.at_stp\(…\). Did you mean 'at_step'"),
        ('Kill("rank1").at_step()', "missing a required argument: 'step'"),
        ('Kill("rank1", hard=True).at_step(1)', "unexpected keyword argument 'hard'"),
        ("Kill(rank1).at_step(1)", "arguments must be numbers or quoted texts"),
        ('Kill(__import__("os").getcwd()).at_step(1)', "arguments must be numbers or quoted texts"),
        ("Kill(rank1@step:120", "does not parse"),
        ("120", "is not a fault. Such as"),
        ('Latency("rank0>rank1", delay_ms=-5).between(1, 2)', "needs 1 <= delay_ms"),
        ('Kill("rank1").between(5, 2)', "needs 0 <= from_s < to_s"),
    ],
)
def test_a_mistake_gets_one_clear_line(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse(text)
