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


@pytest.mark.parametrize(("keys", "adds", "why"), [(0, 0.5, "at least 1"), (1, 1.5, "between 0 and 1")])
def test_what_makes_no_sense_is_refused(keys: int, adds: float, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        Sets(keys=keys, adds=adds)
