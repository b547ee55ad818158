"""What `majority_took_part` accepts, and what it finds."""

from __future__ import annotations

import pytest

from harness.checkers.majority_took_part import applies, majority_took_part
from harness.model.history import History
from tests.helpers.trained import history

ALL = """
    master  g1 step 0 aa 0:1,0:2  at 1.0
    worker1 g1 step 0 aa {none}   at 0.9
    worker2 g1 step 0 aa {none}   at 0.9
    worker3 g1 step 0 -  {none}   at 0.9   # begun, and lost before it learnt that the step was done
    master  g1 step 1 bb 0:3,0:4  at 2.0
    worker1 g1 step 1 bb {none}   at 1.1
    worker3 g1 step 1 bb {none}   at 1.1
"""


def told(transcript: str) -> History:
    """A transcript in which `{none}` stands for no samples."""
    return history(transcript.format(none=","))


def test_a_majority_in_each_step_is_right() -> None:
    verdict = majority_took_part(told(ALL))
    assert verdict.valid is True
    assert verdict.why == "2 steps, each with at least 2 of 3 workers"


@pytest.mark.parametrize(
    ("line", "changed"),
    [
        ("worker3 g1 step 1", "worker3 g2 step 1"),  # it had another master by then
        ("worker3 g1 step 1", "worker3 g1 step 2"),
        ("worker3 g1 step 1 bb {none}   at 1.1", "worker3 g1 step 1 bb {none}   at 2.1"),
    ],
)
def test_a_step_without_a_majority_is_found(line: str, changed: str) -> None:
    verdict = majority_took_part(told(ALL.replace(line, changed)))
    assert verdict.valid is False
    assert verdict.why == "1 step with fewer than 2 of 3 workers: step 1 (master at 2.00 s, generation 1)"


@pytest.mark.parametrize("other", ["master", "master2"])
def test_each_time_that_a_step_is_done_needs_its_own_majority(other: str) -> None:
    """In the same term, such as by a second master of it."""
    verdict = majority_took_part(told(ALL + f"{other} g1 step 1 bb 0:3,0:4 at 1.0"))
    assert verdict.valid is False
    assert verdict.why == f"1 step with fewer than 2 of 3 workers: step 1 ({other} at 1.00 s, generation 1)"


def test_updates_of_one_worker_are_not_judged() -> None:
    rows: list[dict[str, object]] = []
    for row in told(ALL).steps.to_dict("records"):
        rows.append(
            {str(name): value for name, value in row.items()} | {"worker": "worker1" if row["node"] == "master" else None}
        )
    updates = History.of([], steps=rows)
    assert majority_took_part(updates).valid is None
    assert not applies(updates)


def test_it_applies_where_a_master_did_steps_with_workers() -> None:
    assert applies(told(ALL))
    assert not applies(told("rank0 g1 step 0 aa 0:1 at 1.0\n rank1 g1 step 0 aa 0:2 at 1.0"))
    assert not applies(told(""))
    assert not applies(told("master g1 step 0 - 0:1 at 1.0\n worker1 g1 step 0 - {none} at 0.9"))
