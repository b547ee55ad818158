"""The rule of replicas that rebuild a lost log: what it must accept, and what it must find."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec
import pytest

from harness.cluster.ports import HOST
from harness.node.context import NodeContext, NodeSpec
from systems.quorum import Quorum
from systems.quorum.messages import Ballot, Entry, Successor, Version
from systems.quorum.node import Config, Server
from systems.quorum.operations import PHASE_TIMEOUT_S
from systems.quorum.placement import Placement
from systems.quorum.rebuilding_rules import RebuildsAfterPhases, RebuiltRemembers
from systems.quorum.replica import Held, Replica
from systems.quorum.shown import Shown

NAMES = ("n1", "n2", "n3")
ONE, TWO = Ballot(1, "n1", 1, 1), Ballot(2, "n2", 1, 1)
OLD, NEW = Entry(Version(1, "n1", 1, 1), "old"), Entry(Version(2, "n2", 1, 1), "new")

Told = Mapping[str, Sequence[Held]]
Rebuilt = Callable[[Told], Replica | None]


def with_state(promised: Ballot, accepted: Ballot | None = None) -> Entry:
    proposal = None if accepted is None else Entry(Version(1, "n1", 1, 1, 1), f"of {accepted.proposer}", accepted)
    return msgspec.structs.replace(OLD, successor=Successor(promised, accepted, proposal))


def rebuilding(peers: int, *, may_miss: int = 0) -> Rebuilt:
    """What a correct replica does: it merges all that it hears, if at most `may_miss` peers are missing."""

    def rebuilt(told: Told) -> Replica | None:
        if len(told) < peers - may_miss:
            return None
        replica = Replica()
        for entries in told.values():
            for held in entries:
                replica.merge(held)
        return replica

    return rebuilt


def forgets_accepted(told: Told) -> Replica | None:
    """Of several parts in a decision it keeps that with the highest promise."""
    replica = rebuilding(2)(told)
    heard = [held.entry for entries in told.values() for held in entries if held.entry.successor is not None]
    if replica is not None and heard:
        last = max(heard, key=lambda entry: Ballot() if entry.successor is None else entry.successor.promised)
        replica.logged(Held("k", last))
    return replica


def forgets_promised(told: Told) -> Replica | None:
    replica = rebuilding(2)(told)
    if replica is not None and replica.entry("k").successor is not None:
        replica.logged(Held("k", msgspec.structs.replace(replica.entry("k"), successor=None)))
    return replica


def hears_one(told: Told) -> Replica | None:
    return rebuilding(1)(told)


def forgets_floor(told: Told) -> Replica | None:
    return rebuilding(2)({name: [held for held in entries if held.key] for name, entries in told.items()})


def state(entry: Entry | None, rebuilt: Rebuilt, floor: int = 0) -> Shown:
    return Shown(entries={} if entry is None else {"k": entry}, rebuilt=rebuilt, floor=floor)


def imagined(rebuilt: Rebuilt, *entries: Entry | None) -> str | None:
    """What the rule finds if the replicas hold this."""
    shown = {name: state(entry, rebuilt) for name, entry in zip(NAMES, entries, strict=True)}
    return RebuiltRemembers(Placement("n1", NAMES, 3), write=2).broken(shown)


SITUATIONS: list[tuple[Entry | None, ...]] = [
    (None, None, None),
    (OLD, None, None),
    (OLD, OLD, None),
    (NEW, NEW, OLD),
    (with_state(ONE), with_state(ONE), OLD),
    (with_state(ONE, ONE), with_state(ONE, ONE), with_state(TWO)),
    (with_state(ONE, ONE), with_state(TWO, TWO), with_state(TWO, TWO)),
    (with_state(ONE, ONE), with_state(ONE, ONE), NEW),
    (with_state(ONE, ONE), NEW, NEW),
]


@pytest.mark.parametrize("entries", SITUATIONS)
def test_whatever_they_hold_merging_what_all_others_tell_forgets_nothing(entries: tuple[Entry | None, ...]) -> None:
    assert imagined(rebuilding(2), *entries) is None


def test_what_a_majority_has_accepted_must_not_be_forgotten() -> None:
    decided, other = with_state(ONE, ONE), with_state(TWO)
    assert imagined(forgets_accepted, decided, decided, OLD) is None
    assert imagined(forgets_accepted, decided, OLD, other) is None
    why = imagined(forgets_accepted, decided, decided, other)
    assert why == (
        "if n1 lost its log and heard n2, n3, it would be at version 1 of n1 of what was accepted for key k, and 2 replicas"
        " were at version 1 of n1, ballot 1 of n1"
    )


def test_what_a_majority_has_promised_must_not_be_forgotten() -> None:
    assert imagined(forgets_promised, with_state(ONE), OLD, OLD) is None
    assert "the promises for key k" in (imagined(forgets_promised, with_state(ONE), with_state(TWO), OLD) or "")


def test_what_a_write_quorum_has_must_be_heard_of() -> None:
    assert imagined(hears_one, NEW, OLD, OLD) is None
    assert imagined(hears_one, NEW, NEW, NEW) is None
    why = imagined(hears_one, NEW, NEW, OLD)
    assert why is not None
    assert why.startswith("if n1 lost its log and heard n3, it would be at version 1 of n1 of key k")


def test_of_five_one_may_be_missing() -> None:
    names = tuple(f"n{number}" for number in range(1, 6))
    placement = Placement("n1", names, 5)
    for may_miss, enough in ((0, True), (1, True), (2, False)):
        rebuilt = rebuilding(4, may_miss=may_miss)
        shown = {name: state(NEW if name in names[:3] else OLD, rebuilt) for name in names}
        assert (RebuiltRemembers(placement, write=3).broken(shown) is None) is enough


def test_a_counter_that_was_dropped_by_a_write_quorum_must_be_known() -> None:
    for rebuilt, floors, known in (
        (rebuilding(2), (5, 5, 0), True),
        (forgets_floor, (5, 0, 0), True),
        (forgets_floor, (5, 4, 0), False),
    ):
        rule = RebuiltRemembers(Placement("n1", NAMES, 3), write=2)
        shown = {name: state(None, rebuilt, floor) for name, floor in zip(NAMES, floors, strict=True)}
        assert (rule.broken(shown) is None) is known


def test_who_is_down_or_damaged_tells_nothing_and_loses_nothing() -> None:
    decided = with_state(ONE, ONE)
    rule = RebuiltRemembers(Placement("n1", NAMES, 3), write=2)
    shown = {"n1": state(decided, hears_one), "n2": state(decided, hears_one)}
    assert rule.broken(shown) is None
    assert rule.broken(shown | {"n3": Shown(entries=None, rebuilt=hears_one)}) is None
    assert rule.broken(shown | {"n3": state(OLD, hears_one)}) is not None


def test_quorums_of_the_size_that_clients_ask_for_are_heard_of_too(tmp_path: Path) -> None:
    """With two of five replicas acknowledging a write, the other one may be any."""
    for request_write, may_miss in ((None, 1), (2, 0), (3, 1), (4, 1)):
        system = Quorum(replicas=5, read=3, write=3, request_read=4, request_write=request_write)
        config = system.nodes()[0].config
        peers = {f"n{number}": (HOST, number) for number in range(2, 6)}
        data = str(tmp_path / str(request_write))
        spec = NodeSpec(name="n1", start=0, host=HOST, port=1, seed=1, data=data, log="", peers=peers, config=dict(config))
        context = NodeContext(spec)
        server = Server(context, context.config(Config))
        told = {name: [Held("k", OLD)] for name in list(peers)[may_miss:]}
        assert server.rebuilt(told) is not None
        told.popitem()
        assert server.rebuilt(told) is None


def test_the_invariant_counts_quorums_of_the_size_that_clients_ask_for() -> None:
    names = tuple(f"n{number}" for number in range(1, 6))
    for request_write, enough in ((None, True), (2, False)):
        system = Quorum(replicas=5, read=3, write=3, request_read=4, request_write=request_write)
        shown = {name: state(NEW if name in names[:2] else OLD, rebuilding(4, may_miss=1)) for name in names}
        assert (system.invariant().broken(shown) is None) is enough


def test_the_store_is_held_to_it_whatever_its_settings() -> None:
    for quorum in (Quorum(), Quorum(memory=True), Quorum(tombstone_grace_s=1)):
        invariant = quorum.invariant()
        assert invariant.broken({name: state(NEW, rebuilding(2)) for name in NAMES}) is None
        new = Entry(Version(3, "n2", 1, 2), "newer")
        held = {"n1": state(new, hears_one), "n2": state(new, hears_one), "n3": state(OLD, hears_one)}
        assert "if n1 lost its log" in (quorum.invariant().broken(held) or "")


def rebuilt(lost_for_s: float | None, *, serves: bool = True) -> str | None:
    return RebuildsAfterPhases().broken({"n1": Shown(entries={"k": OLD} if serves else None, lost_log_for_s=lost_for_s)})


def test_a_replica_is_not_rebuilt_before_phases_are_over_that_may_count_what_it_answered() -> None:
    assert rebuilt(PHASE_TIMEOUT_S - 0.05, serves=False) is None
    assert rebuilt(PHASE_TIMEOUT_S) is None
    assert rebuilt(None) is None
    why = "n1 lost its log and serves again 0.300 s after its start, and phases may count what it answered before for 0.35 s"
    assert rebuilt(PHASE_TIMEOUT_S - 0.05) == why


def test_a_store_is_held_to_that() -> None:
    assert Quorum().invariant().broken({"n1": Shown(entries={"k": OLD}, lost_log_for_s=0.1)}) is not None
