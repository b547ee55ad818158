"""Compare-and-set alone: how ballots decide what follows a version."""

from __future__ import annotations

import msgspec
import pytest

from systems.parts.outcomes import Failed, Unknown
from systems.quorum import Quorum
from systems.quorum import comparing as module
from systems.quorum.bugs import BUGS, CORRECT, Rules
from systems.quorum.comparing import MOST_ATTEMPTS, Comparing, comparing
from systems.quorum.comparing_rules import DoubtfulWhenOvertaken
from systems.quorum.messages import Accept, Ballot, Entry, Prepare, Query, Store, Version
from systems.quorum.placement import Placement
from systems.quorum.protocol import Coordinator, Done, Operation, Versions
from systems.quorum.replica import Held, Replica
from systems.quorum.shown import Shown

NAMES = ("n1", "n2", "n3")
OLD = Entry(Version(3, "n2", 1), "old")


class Replicas:
    """Three replicas that all hold the same, and carry out whatever they are asked."""

    def __init__(self, *held: Entry) -> None:
        self.of = {name: Replica() for name in NAMES}
        for replica in self.of.values():
            for entry in held:
                replica.logged(Held("k", entry))

    def answer(self, operation: Operation, *names: str) -> None:
        """These replicas are asked what the operation asks now, and it hears their answers."""
        phase = operation.phase
        for name in names:
            replica = self.of[name]
            changed = replica.after(phase.request, replica.entry("k"))
            if changed is not None:
                replica.logged(changed)
            operation.answered(phase, name, replica.entry("k"))

    def finish(self, operation: Operation, *names: str) -> object:
        for _ in range(100):
            if operation.outcome is not None:
                return operation.outcome
            self.answer(operation, *names)
        raise AssertionError("it does not come to an end")


def coordinator(name: str, rules: Rules = CORRECT) -> Coordinator:
    return Coordinator(
        placement=Placement(name, NAMES, 3), read=2, write=2, versions=Versions(name, 1, rules=rules), rules=rules
    )


def test_it_queries_prepares_proposes_and_stores() -> None:
    replicas, operation = Replicas(OLD), comparing(coordinator("n1"), "k", "old", "new")
    assert operation.phase.request == Query("k")
    replicas.answer(operation, "n1", "n2")
    prepare = operation.phase.request
    assert isinstance(prepare, Prepare)
    assert prepare.entry == OLD
    replicas.answer(operation, "n1", "n2")
    accept = operation.phase.request
    assert isinstance(accept, Accept)
    assert (accept.ballot, accept.proposal.value, accept.proposal.version) == (prepare.ballot, "new", Version(3, "n2", 1, 0, 1))
    replicas.answer(operation, "n2", "n3")
    assert operation.phase.request == Store("k", accept.proposal)
    replicas.answer(operation, "n1", "n3")
    assert operation.outcome == Done(swapped=True)


def test_another_value_than_expected_is_told_once_a_write_quorum_has_it() -> None:
    replicas, operation = Replicas(), comparing(coordinator("n1"), "k", "old", "new")
    replicas.of["n2"].logged(Held("k", Entry(Version(4, "n3", 1), "other")))
    replicas.answer(operation, "n1", "n2")
    assert isinstance(operation.phase.request, Store)
    assert replicas.finish(operation, "n1", "n2") == Done("other", swapped=False)
    assert replicas.of["n1"].entry("k").value == "other"


def test_nothing_and_a_tombstone_are_both_no_value() -> None:
    for held in ((), (Entry(Version(4, "n1", 1)),)):
        replicas = Replicas(*held)
        assert replicas.finish(comparing(coordinator("n1"), "k", None, "new"), *NAMES) == Done(swapped=True)
        assert {replicas.of[name].entry("k").value for name in NAMES} == {"new"}


def test_of_two_that_expect_the_same_one_finds_it() -> None:
    replicas = Replicas(OLD)
    one, other = (comparing(coordinator(name), "k", "old", f"of {name}") for name in ("n1", "n2"))
    for _ in range(3):  # in step: queried, prepared, and the lower ballot is refused
        replicas.answer(one, *NAMES)
        replicas.answer(other, *NAMES)
    outcomes = {replicas.finish(one, *NAMES), replicas.finish(other, *NAMES)}
    assert Done(swapped=True) in outcomes
    assert len(outcomes) == 2
    assert len({replicas.of[name].entry("k") for name in NAMES}) == 1


def left_accepted(rules: Rules = CORRECT) -> tuple[Replicas, Operation]:
    """One coordinator's proposal is accepted by a majority, and the coordinator is not heard of after that."""
    replicas, gone = Replicas(OLD), comparing(coordinator("n1", rules), "k", "old", "of n1")
    replicas.answer(gone, "n1", "n2")
    replicas.answer(gone, "n1", "n2")
    replicas.answer(gone, "n1", "n2")
    assert isinstance(gone.phase.request, Store)
    return replicas, gone


def test_what_was_accepted_is_finished_by_the_next_one() -> None:
    replicas, gone = left_accepted()
    assert replicas.finish(comparing(coordinator("n3"), "k", "old", "of n3"), "n2", "n3") == Done("of n1", swapped=False)
    assert replicas.finish(gone, "n1", "n2") == Done(swapped=True)


def test_ignoring_what_was_accepted_gives_a_version_a_second_value() -> None:
    replicas, gone = left_accepted()
    operation = comparing(coordinator("n3", BUGS.variant("cas-ignores-accepted")), "k", "old", "of n3")
    assert replicas.finish(operation, "n2", "n3") == Done(swapped=True)
    replicas.answer(gone, "n1")
    assert replicas.of["n1"].entry("k").version == replicas.of["n3"].entry("k").version
    assert replicas.of["n1"].entry("k").value != replicas.of["n3"].entry("k").value


def test_a_write_that_begins_meanwhile_comes_later() -> None:
    replicas, operation = Replicas(OLD), comparing(coordinator("n1"), "k", "old", "new")
    write = coordinator("n2").writing("k", "written")
    replicas.answer(operation, "n1", "n2")
    replicas.answer(operation, "n1", "n2")
    replicas.answer(write, "n2", "n3")
    replicas.answer(operation, "n1", "n2")
    assert replicas.finish(write, "n2", "n3") == Done()
    assert replicas.finish(operation, *NAMES) == Done(swapped=True)
    assert replicas.finish(coordinator("n3").reading("k"), *NAMES) == Done("written")


def test_once_proposed_its_fate_is_unknown_if_it_was_overwritten() -> None:
    replicas, operation = Replicas(OLD), comparing(coordinator("n1"), "k", "old", "new")
    replicas.answer(operation, "n1", "n2")
    replicas.answer(operation, "n1", "n2")
    replicas.finish(coordinator("n2").writing("k", "written"), "n2", "n3")
    assert isinstance(operation.phase.request, Accept)
    replicas.answer(operation, "n2", "n3")
    assert isinstance(operation.outcome, Unknown)


def test_before_it_proposes_a_lack_of_answers_means_that_it_surely_has_no_effect() -> None:
    replicas, operation = Replicas(OLD), comparing(coordinator("n1"), "k", "old", "new")
    replicas.answer(operation, "n1", "n2")
    replicas.answer(operation, "n1")
    operation.timed_out(operation.phase)
    assert operation.outcome == Failed("prepare: 2 of 3 replicas needed, answers of: n1")


def test_a_duel_ends() -> None:
    """Another one prepares a higher ballot each time, and proposes nothing."""
    replicas, operation = Replicas(OLD), comparing(coordinator("n1"), "k", "old", "new")
    replicas.answer(operation, *NAMES)
    for number in range(2 * MOST_ATTEMPTS):
        for replica in replicas.of.values():
            changed = replica.after(Prepare("k", OLD, Ballot(100 + number, "n9")), replica.entry("k"))
            assert changed is not None
            replica.logged(changed)
        replicas.answer(operation, *NAMES)
        request = operation.phase.request
        if operation.outcome is None and isinstance(request, Prepare) and request.ballot.round > 100 + number:
            continue
        break
    assert operation.outcome is None or isinstance(operation.outcome, Failed)


def test_what_a_replica_promised_and_accepted_is_merged_with_what_another_one_tells() -> None:
    replicas, _ = left_accepted()
    amnesic = Replica()
    prepared = replicas.of["n3"].after(Prepare("k", OLD, Ballot(9, "n3")), OLD)
    assert prepared is not None
    for held in (Held("k", replicas.of["n2"].entry("k")), prepared):
        amnesic.merge(held)
    successor = amnesic.entry("k").successor
    assert successor is not None
    assert successor.promised == Ballot(9, "n3")
    assert successor.proposal is not None
    assert successor.proposal.value == "of n1"
    assert msgspec.json.decode(msgspec.json.encode(amnesic.entry("k")), type=Entry) == amnesic.entry("k")


# ---------------------------------------------------------------------------------------------------- if it is overtaken


def when_overtaken(operation: Comparing) -> str | None:
    """What the rule finds; it must not do anything to the operation."""
    before = operation.phase, operation.outcome
    why = DoubtfulWhenOvertaken(Placement("n1", NAMES, 3)).broken({"n1": Shown(entries={}, comparing=[operation])})
    assert (operation.phase, operation.outcome) == before
    return why


def follows_somehow(version: Version, newer: Version) -> bool:
    return newer.counter == version.counter


def proposed(*held: Entry) -> Comparing:
    """It has asked all replicas to accept its own proposal, and one has told that it has."""
    replicas, operation = Replicas(*held), comparing(coordinator("n1"), "k", held[0].value if held else None, "new")
    assert when_overtaken(operation) is None
    for names in (("n1", "n2"), ("n1", "n2"), ("n1",)):
        replicas.answer(operation, *names)
    assert isinstance(operation.phase.request, Accept)
    return operation


@pytest.mark.parametrize("held", [(OLD,), ()])
def test_a_proposal_that_was_overtaken_is_in_doubt(monkeypatch: pytest.MonkeyPatch, held: tuple[Entry, ...]) -> None:
    assert when_overtaken(proposed(*held)) is None
    monkeypatch.setattr(module, "_follows", follows_somehow)
    operation = proposed(*held)
    assert "for not done if it heard that others had swapped twice" in (when_overtaken(operation) or "")
    invariant = Quorum().invariant()
    assert invariant.broken({"n1": Shown(entries={}, comparing=[operation])}) is not None


def test_who_has_heard_what_became_of_the_version_is_not_in_doubt() -> None:
    operation = proposed(OLD)
    next_one = Entry(msgspec.structs.replace(OLD.version, step=1), "another's", Ballot(1, "n2", 1, 1))
    operation.answered(operation.phase, "n2", next_one)
    assert operation.in_doubt is None
    assert when_overtaken(operation) is None
