"""The quorum protocol alone: transcripts of single operations, and thousands of random schedules judged for linearizability."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import pytest

from harness.checkers.linearizable import linearizable
from harness.model.history import History
from harness.model.verdict import Verdict
from systems.parts.outcomes import Failed, Unknown
from systems.quorum.bugs import BUGS, CORRECT, Rules
from systems.quorum.messages import Entry, Query, Store, Version
from systems.quorum.placement import Placement
from systems.quorum.protocol import Coordinator, Done, Versions
from tests.helpers.effort import cases, left_to_ci
from tests.helpers.quorum_simulation import Row, World

OLD = Entry(Version(3, "n2", 1), "old")
NEW = Entry(Version(4, "n3", 1), "new")


def coordinator(rules: Rules = CORRECT, *, replicas: int = 3, read: int = 2, write: int = 2) -> Coordinator:
    names = [f"n{number}" for number in range(1, replicas + 1)]
    placement = Placement("n1", names, replicas)
    return Coordinator(placement=placement, read=read, write=write, versions=Versions("n1", 1, rules=rules), rules=rules)


def wire(message: object) -> str:
    return msgspec.json.encode(message).decode()


# --------------------------------------------------------------------------------------------------- single operations


def test_a_write_asks_a_quorum_for_the_version_then_stores_its_value_above_it() -> None:
    write = coordinator().writing("k", "mine")
    query = write.phase
    assert query.request == Query("k")
    assert query.unanswered() == ["n1", "n2", "n3"]
    write.answered(query, "n1", OLD)
    assert write.phase is query
    write.answered(query, "n3", NEW)
    assert write.phase.request == Store("k", Entry(Version(5, "n1", 1, 1), "mine"))
    write.answered(write.phase, "n2", NEW)
    assert write.outcome is None
    write.answered(write.phase, "n3", NEW)
    assert write.outcome == Done()


def test_a_contended_write_and_the_read_after_it(matches_transcript: Callable[[str, str], None]) -> None:
    """What goes over the wire, message by message: n2 is silent, so n1 and n3 are the quorum."""
    lines: list[str] = []
    held = {"n1": OLD, "n3": NEW}
    for title, operation in (("write k=mine", coordinator().writing("k", "mine")), ("read k", coordinator().reading("k"))):
        lines.append(title)
        while operation.outcome is None:
            phase = operation.phase
            for name in ("n1", "n3"):
                if isinstance(phase.request, Store):
                    held[name] = max(held[name], phase.request.entry, key=lambda entry: entry.version)
                lines += [f"  n1>{name} {wire(phase.request)}", f"  {name}>n1 {wire(held[name])}"]
                operation.answered(phase, name, held[name])
        lines.append(f"  {operation.outcome}")
    matches_transcript("quorum-write-then-read", "\n".join(lines) + "\n")


def test_a_read_stores_what_it_is_about_to_answer() -> None:
    read = coordinator().reading("k")
    read.answered(read.phase, "n1", OLD)
    read.answered(read.phase, "n3", NEW)
    assert read.outcome is None
    assert read.phase.request == Store("k", NEW)
    read.answered(read.phase, "n1", NEW)
    read.answered(read.phase, "n2", NEW)
    assert read.outcome == Done("new")


def test_a_read_answers_the_value_it_stored_even_where_replicas_hold_a_newer_one() -> None:
    """The newer one may be at a minority; the answer is what a quorum is known to have."""
    read = coordinator().reading("k")
    read.answered(read.phase, "n1", OLD)
    read.answered(read.phase, "n2", Entry())
    read.answered(read.phase, "n3", NEW)
    read.answered(read.phase, "n1", OLD)
    assert read.outcome == Done("old")


def test_a_read_stores_nothing_where_a_write_quorum_holds_it() -> None:
    read = coordinator().reading("k")
    read.answered(read.phase, "n2", NEW)
    read.answered(read.phase, "n3", NEW)
    assert read.outcome == Done("new")


def test_a_small_read_quorum_does_not_spare_the_store_round_of_a_large_write_quorum() -> None:
    read = coordinator(read=1, write=3).reading("k")
    read.answered(read.phase, "n2", NEW)
    assert read.phase.request == Store("k", NEW)


def test_a_key_that_was_never_written_reads_as_null() -> None:
    read = coordinator().reading("k")
    read.answered(read.phase, "n1", Entry())
    read.answered(read.phase, "n2", Entry())
    assert read.outcome == Done(None)


def test_a_replica_that_answers_twice_counts_once() -> None:
    write = coordinator().writing("k", "mine")
    query = write.phase
    write.answered(query, "n2", OLD)
    write.answered(query, "n2", OLD)
    assert write.phase is query
    assert query.unanswered() == ["n1", "n3"]


def test_an_answer_to_the_query_does_not_count_for_the_store() -> None:
    write = coordinator().writing("k", "mine")
    query = write.phase
    for replica in ("n1", "n2"):
        write.answered(query, replica, OLD)
    write.answered(write.phase, "n1", OLD)
    write.answered(query, "n3", OLD)
    assert write.outcome is None


def test_without_a_quorum_for_its_query_a_write_surely_has_no_effect() -> None:
    write = coordinator().writing("k", "mine")
    write.answered(write.phase, "n2", OLD)
    write.timed_out(write.phase)
    assert write.outcome == Failed("query: 2 of 3 replicas needed, answers of: n2")


def test_once_a_write_was_sent_to_any_replica_its_fate_is_unknown() -> None:
    write = coordinator().writing("k", "mine")
    for replica in ("n1", "n2"):
        write.answered(write.phase, replica, OLD)
    write.timed_out(write.phase)
    assert write.outcome == Unknown("store: 2 of 3 replicas needed, answers of: none")


def test_a_read_without_a_quorum_fails() -> None:
    read = coordinator().reading("k")
    read.answered(read.phase, "n1", OLD)
    read.answered(read.phase, "n2", NEW)
    read.timed_out(read.phase)
    assert isinstance(read.outcome, Failed)


def test_patience_that_ends_with_the_quorum_there_changes_nothing() -> None:
    write = coordinator().writing("k", "mine")
    query = write.phase
    for replica in ("n1", "n2"):
        write.answered(query, replica, OLD)
    write.timed_out(query)
    assert write.outcome is None
    store = write.phase
    for replica in ("n1", "n2"):
        write.answered(store, replica, OLD)
    write.timed_out(store)
    write.answered(store, "n3", OLD)
    assert write.outcome == Done()


def test_two_writes_that_are_told_the_same_get_different_versions() -> None:
    writing = coordinator()
    first, second = writing.writing("k", "1"), writing.writing("k", "2")
    for write in (first, second):
        for replica in ("n1", "n2"):
            write.answered(write.phase, replica, OLD)
    stores = [write.phase.request for write in (first, second)]
    assert [store.entry.version for store in stores if isinstance(store, Store)] == [
        Version(4, "n1", 1, 1),
        Version(4, "n1", 1, 2),
    ]


def test_a_restarted_writer_does_not_give_a_version_again() -> None:
    """Its first start died after it had sent version 4 to a replica that the second start's quorum does not include."""
    before, after = Versions("n1", 1).above(3), Versions("n1", 2).above(3)
    assert before.counter == after.counter
    assert before < after


def test_versions_are_ordered_by_counter_before_writer_and_start() -> None:
    assert (
        Version(1, "n3", 9)
        < Version(2, "n1", 1)
        < Version(2, "n1", 1, 5)
        < Version(2, "n1", 2)
        < Version(2, "n2", 1)
        < Version(10, "n1", 1)
    )


# ---------------------------------------------------------------------------------------------------- random schedules


def judged(rows: list[Row]) -> Verdict:
    """All schedules at once: each has keys of its own."""
    return linearizable(History.of(rows))


@pytest.mark.parametrize(("replicas", "read", "write"), [(3, 2, 2), (5, 3, 3), (4, 2, 3), (3, 1, 3), (3, 3, 1), (1, 1, 1)])
def test_every_schedule_is_linearizable(replicas: int, read: int, write: int) -> None:
    rows: list[Row] = []
    for seed in range(cases(100)):
        rows += World(seed, CORRECT, replicas=replicas, read=read, write=write).run()
    verdict = judged(rows)
    assert verdict.valid is True, verdict.why
    outcomes = {(row["kind"], row["outcome"]) for row in rows}
    assert outcomes >= {("write", "ok"), ("read", "ok"), ("write", "unknown"), ("read", "failed"), ("write", "failed")}


@pytest.mark.nightly
def test_thousands_of_schedules_are_linearizable() -> None:
    rows: list[Row] = []
    for seed in range(1000, 7000):
        rows += World(seed, CORRECT).run()
    verdict = judged(rows)
    assert verdict.valid is True, verdict.why


def test_deletes_and_compare_and_sets_beside_writes_are_linearizable() -> None:
    rows: list[Row] = []
    for seed in range(cases(50)):
        rows += World(seed, CORRECT, calls=40, compare_and_sets=0.5, deletes=0.1).run()
        rows += World(seed + 50, CORRECT, calls=40, compare_and_sets=0.6, deletes=0.05, rivals=4).run()
    verdict = judged(rows)
    assert verdict.valid is True, verdict.why
    swapped = [row for row in rows if row["kind"] == "cas" and row["outcome"] == "ok"]
    refused = [row for row in swapped if "false" in str(row["value"])]
    assert len(refused) > cases(60)
    assert len(swapped) - len(refused) > cases(60)


@pytest.mark.nightly
@pytest.mark.parametrize(("replicas", "read", "write"), [(3, 2, 2), (5, 3, 3), (4, 2, 3), (3, 1, 3), (3, 3, 1)])
def test_thousands_of_schedules_of_compare_and_sets_are_linearizable(replicas: int, read: int, write: int) -> None:
    for seed in range(1000, 3000):
        quorums = {"replicas": replicas, "read": read, "write": write}
        world = World(seed, CORRECT, **quorums, calls=40, compare_and_sets=0.5, deletes=0.1, rivals=1 + seed % 4)
        verdict = judged(world.run())
        assert verdict.valid is True, f"seed {seed}: {verdict.why}"


OF_THE_CORE = (
    "read-one", "stale-counter", "no-read-repair", "early-ack", "wall-clock", "shared-version", "retry-counts",
    "timeout-failed", "forgetful", "last-wins", "half-quorums",
)  # fmt: skip
OF_COMPARING = ("cas-unagreed", "cas-half-majority", "cas-ignores-accepted", "cas-timeout-failed", "no-tombstone")


RARE = ("timeout-failed", "no-read-repair", "cas-timeout-failed")
"""Bugs that the first schedules hardly ever show."""


def quick_and_rare(bugs: Sequence[str]) -> list[object]:
    return [left_to_ci(bug) if bug in RARE else bug for bug in bugs]


@pytest.mark.parametrize("bug", quick_and_rare(OF_THE_CORE))
def test_some_schedule_shows_each_bug(bug: str) -> None:
    rules = BUGS.variant(bug)
    assert any(judged(World(seed, rules).run()).valid is False for seed in range(500))


@pytest.mark.parametrize("bug", quick_and_rare(OF_COMPARING))
def test_some_schedule_of_compare_and_sets_and_deletes_shows_each_bug(bug: str) -> None:
    rules = BUGS.variant(bug)
    worlds = (World(seed, rules, calls=40, compare_and_sets=0.6, deletes=0.1, rivals=1 + seed % 4) for seed in range(500))
    assert any(judged(world.run()).valid is False for world in worlds)


def test_a_schedule_repeats() -> None:
    assert World(5, CORRECT).run() == World(5, CORRECT).run()
    assert World(5, CORRECT).run() != World(6, CORRECT).run()
