"""Who is asked what, and how often, while an operation is carried out."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from random import Random

import pytest

from systems.parts.outcomes import Unknown
from systems.quorum import operations as operations_module
from systems.quorum.bugs import CORRECT
from systems.quorum.comparing import comparing
from systems.quorum.messages import Accept, Entry, Query, ReplicaRequest, Version
from systems.quorum.operations import Answered, Operations
from systems.quorum.placement import Placement
from systems.quorum.protocol import Coordinator, Outcome, Versions
from systems.quorum.replica import Held, Replica

NAMES = ("n1", "n2", "n3")
OLD = Entry(Version(3, "n2", 1), "old")


class Cluster:
    """Three replicas of one entry. The last one never answers, and no one answers a proposal."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self._replicas = {name: Replica() for name in NAMES}
        for replica in self._replicas.values():
            replica.logged(Held("k", OLD))

    def ask(self, name: str, request: ReplicaRequest, answered: Answered) -> None:
        self.asked[type(request).__name__] += 1
        if name == NAMES[-1] or isinstance(request, Accept):
            return
        replica = self._replicas[name]
        changed = replica.after(request, replica.entry("k"))
        if changed is not None:
            replica.logged(changed)
        asyncio.get_running_loop().call_soon(answered, replica.entry("k"))

    def missed(self, home: str, key: str, entry: Entry) -> None:
        raise AssertionError(f"nothing was stored, so {home} missed nothing")


def coordinator() -> Coordinator:
    versions = Versions("n1", 1, rules=CORRECT)
    return Coordinator(placement=Placement("n1", NAMES, 3), read=2, write=2, versions=versions, rules=CORRECT)


async def outcome_of_a_swap(cluster: Cluster) -> Outcome:
    operations = Operations(ask=cluster.ask, is_silent=lambda _: False, missed=cluster, random=Random(1), rules=CORRECT)
    done: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    operations.carry_out(comparing(coordinator(), "k", "old", "new"), done.set_result)
    return await done


def test_a_phase_whose_time_runs_out_when_it_has_long_had_its_quorum_does_not_ask_again() -> None:
    cluster = Cluster()
    assert isinstance(asyncio.run(outcome_of_a_swap(cluster)), Unknown)
    assert cluster.asked == {"Query": 3, "Prepare": 3, "Accept": 6}  # at once, and once more because no one answered


@pytest.mark.parametrize("frozen", [False, True])
def test_an_answer_that_a_frozen_coordinator_reads_too_late_does_not_count(
    frozen: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replica that lost its log relies on this: by then it may have asked the others what it had answered."""
    monkeypatch.setattr(operations_module, "PHASE_TIMEOUT_S", 0.05 if frozen else 10)

    def ask(name: str, request: ReplicaRequest, answered: Answered) -> None:
        loop = asyncio.get_running_loop()
        match name, request:
            case (_, Query()) | ("n1", _):
                loop.call_soon(answered, OLD)
            case ("n2", _):
                loop.call_soon(freeze)
                loop.call_soon(loop.call_soon, answered, OLD)

    def freeze() -> None:
        if frozen:
            time.sleep(0.06)

    class Missed:
        def missed(self, home: str, key: str, entry: Entry) -> None: ...

    async def outcome() -> Outcome:
        operations = Operations(ask=ask, is_silent=lambda _: False, missed=Missed(), random=Random(1), rules=CORRECT)
        done: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        operations.carry_out(coordinator().writing("k", "new"), done.set_result)
        return await done

    assert isinstance(asyncio.run(outcome()), Unknown) == frozen
