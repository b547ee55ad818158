"""The workload `Entities`."""

from __future__ import annotations

from itertools import islice
from random import Random

import msgspec
import pytest

from harness.model.codec import describe, restore
from harness.model.errors import UsageError
from harness.model.system import Call
from workloads.entities import MANY, SPAN, Entities


def drawn(entities: Entities, number: int = 10_000) -> list[Call]:
    return list(islice(entities.calls(Random(1)), number))


def test_the_shares_of_all_kinds_are_as_asked() -> None:
    calls = drawn(Entities(writes=0.3, deletes=0.1, multi_gets=0.2, scans=0.15))
    shares = {kind: sum(call.kind == kind for call in calls) / len(calls) for kind in {call.kind for call in calls}}
    wanted = {"write": 0.3, "delete": 0.1, "multi_get": 0.2, "scan": 0.15, "read": 0.25}
    assert shares == pytest.approx(wanted, abs=0.03)


def test_no_value_is_written_twice() -> None:
    values = [call.value for call in drawn(Entities()) if call.kind == "write"]
    assert len(values) == len(set(values))


def test_hot_and_low_ids_get_their_share() -> None:
    calls = drawn(Entities(entities=100, hot=0.3, low=0.4))
    assert sum(call.key == "e000" for call in calls) / len(calls) == pytest.approx(0.3 + 0.4 / 10 + 0.3 / 100, abs=0.03)
    assert sum(call.key < "e010" for call in calls) / len(calls) == pytest.approx(0.7 + 0.3 / 10, abs=0.03)


def test_multi_gets_name_distinct_ids_and_scans_go_over_neighbours() -> None:
    for call in drawn(Entities(multi_gets=0.5, scans=0.5, writes=0.0), 200):
        keys = msgspec.json.decode(call.key)
        if call.kind == "multi_get":
            assert 1 <= len(keys) == len(set(keys)) <= MANY
        else:
            assert int(keys[1][1:]) - int(keys[0][1:]) == SPAN


def test_it_travels_and_refuses_what_makes_no_sense() -> None:
    assert restore(describe(Entities(hot=0.2))) == Entities(hot=0.2)
    with pytest.raises(UsageError, match="entities=0"):
        Entities(entities=0)
    with pytest.raises(UsageError, match="shares of calls, together at most 1"):
        Entities(writes=0.8, deletes=0.3)
    with pytest.raises(UsageError, match=r"hot=0\.8, low=0\.3"):
        Entities(hot=0.8, low=0.3)
