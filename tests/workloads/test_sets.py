"""The workload `Sets`."""

from __future__ import annotations

from itertools import islice
from random import Random

import pytest

from harness.model.errors import UsageError
from harness.model.workload import HasFinalCalls
from workloads.sets import FINAL_READS, Sets


def test_every_element_is_added_once_and_every_set_is_read_in_the_end() -> None:
    sets = Sets(keys=3, adds=0.3)
    calls = list(islice(sets.calls(Random(1)), 5_000))
    added = [call.value for call in calls if call.kind == "add"]
    assert len(set(added)) == len(added)
    assert 0.25 < len(added) / len(calls) < 0.35
    assert {call.kind for call in calls} == {"add", "read"}
    assert {call.key for call in calls} == {"s0", "s1", "s2"}
    assert isinstance(sets, HasFinalCalls)
    assert [call.key for call in sets.final_calls()] == [key for key in ("s0", "s1", "s2") for _ in range(FINAL_READS)]


def test_some_calls_delete_a_set_and_the_others_stay_the_same() -> None:
    calls, without = (list(islice(Sets(keys=3, adds=0.3, deletes=share).calls(Random(1)), 5_000)) for share in (0.2, 0))
    deletes = [call for call in calls if call.kind == "delete"]
    assert 0.15 < len(deletes) / len(calls) < 0.25
    assert {call.value for call in deletes} == {None}
    assert all(one == other for one, other in zip(calls, without, strict=True) if one.kind != "delete")


@pytest.mark.parametrize(
    ("keys", "adds", "deletes", "why"),
    [(0, 0.5, 0, "at least 1"), (1, 1.5, 0, "between 0 and 1"), (1, 0.5, 0.6, "together at most 1"), (1, 0.5, -0.1, "shares")],
)
def test_what_makes_no_sense_is_refused(keys: int, adds: float, deletes: float, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        Sets(keys=keys, adds=adds, deletes=deletes)
