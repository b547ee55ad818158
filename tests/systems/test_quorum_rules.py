"""The rules that simulation checks inside nodes: what each must accept, and what each must find."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from random import Random

import msgspec
import pytest
from msgspec.structs import replace

from harness.node.disk import Disk
from systems.parts.hints import Hint
from systems.parts.silence import Heard
from systems.quorum import Quorum, comparing_rules, upkeep
from systems.quorum.batch_rules import TogetherAsInTurn
from systems.quorum.comparing import Undone
from systems.quorum.comparing_rules import BallotsOnlyRise, HandsOnWhose, UndoneStaysUndone
from systems.quorum.invariant import OneValueAVersion
from systems.quorum.messages import Ballot, Entry, Keep, ReplicaRequest, Store, Successor, Version
from systems.quorum.placement import Placement
from systems.quorum.replica import Held, Release, Replica
from systems.quorum.shown import Shown
from systems.quorum.storage import Storage
from systems.quorum.upkeep import Digests
from systems.quorum.upkeep_rules import AsksWhoAnswers, DigestsCoverEntries, KeptUntilTaken

NAMES = ("n1", "n2", "n3")
PLACEMENT = Placement("n1", NAMES, 3)
OLD, NEW = Entry(Version(1, "n1", 1, 1), "old"), Entry(Version(2, "n2", 1, 1), "new")
HAS_NEW = Shown(entries={"k": NEW})


def with_digests(tmp_path: Path, changes: list[tuple[str, Entry]], *, forgotten: bool) -> str | None:
    """What the rule finds when entries change as digests are folded, and after that; some node forgets that they have."""
    storage = Storage(Disk(tmp_path), lambda text: None, random=Random(1), memory=True)
    digests = Digests("n1", storage, PLACEMENT)
    rule, found = DigestsCoverEntries(), list[str | None]()

    def look() -> None:
        shown = Shown(entries=storage.by_key(), digests=digests, changed=storage.changed)
        found.append(rule.broken({"n1": shown}))

    async def change_and_fold() -> None:
        for key, entry in changes:
            folding = asyncio.create_task(digests.fold(lambda key, entry: None))
            storage.ask(Store(key, entry), lambda answer: None)
            look()
            await folding
            look()
            newer = Entry(Version(entry.version.counter + 1), "newer")
            storage.ask(Store(key, newer), lambda answer: None)
            if forgotten:
                storage.changed.clear()
            look()

    asyncio.run(change_and_fold())
    return next((why for why in found if why is not None), None)


def test_digests_cover_what_is_held_unless_it_is_noted_as_changed(tmp_path: Path) -> None:
    changes = [("k", OLD), ("l", OLD), ("k", Entry(Version(5, "n1", 1, 5)))]
    assert with_digests(tmp_path / "right", changes, forgotten=False) is None
    why = with_digests(tmp_path / "wrong", changes, forgotten=True)
    assert why == "n1 holds version 2 of  of key k, and its digest is that of something else"


def test_versions_that_differ_in_any_field_have_other_digests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def found(folder: str) -> str | None:
        storage = Storage(Disk(tmp_path / folder), lambda text: None, random=Random(1), memory=True)
        digests, rule = Digests("n1", storage, PLACEMENT), DigestsCoverEntries()
        for key in "abcde":
            storage.ask(Store(key, OLD), lambda answer: None)
        asyncio.run(digests.fold(lambda key, entry: None))
        return rule.broken({"n1": Shown(entries=storage.by_key(), digests=digests)})

    assert found("right") is None
    monkeypatch.setattr(upkeep, "_content", lambda entry: msgspec.json.encode(replace(entry.version, step=0)))
    why = found("wrong")
    assert why is not None
    assert why.startswith("n1 has the same digest for Version(counter=1, writer='n1', start=1, number=1, step=0)")


def test_an_entry_that_is_gone_has_no_digest(tmp_path: Path) -> None:
    storage = Storage(Disk(tmp_path), lambda text: None, random=Random(1), memory=True)
    digests, rule = Digests("n1", storage, PLACEMENT), DigestsCoverEntries()
    storage.ask(Store("k", OLD), lambda answer: None)
    asyncio.run(digests.fold(lambda key, entry: None))
    assert rule.broken({"n1": Shown(entries={"k": OLD}, digests=digests)}) is None
    assert rule.broken({"n1": Shown(entries={}, digests=digests, changed={"k"})}) is None
    assert rule.broken({"n1": Shown(entries=None, digests=digests)}) is None
    assert rule.broken({"n1": Shown(entries={}, digests=digests)}) is not None


def test_a_node_that_starts_again_has_other_digests(tmp_path: Path) -> None:
    rule, storage = DigestsCoverEntries(), Storage(Disk(tmp_path), lambda text: None, random=Random(1), memory=True)
    storage.ask(Store("k", OLD), lambda answer: None)
    before, after = (Digests("n1", storage, PLACEMENT) for _ in range(2))
    asyncio.run(before.fold(lambda key, entry: None))
    assert rule.broken({"n1": Shown(entries={"k": OLD}, digests=before)}) is None
    assert rule.broken({"n1": Shown(entries={"k": OLD}, digests=after, changed={"k"})}) is None
    assert rule.broken({"n1": Shown(entries={"k": OLD}, digests=after)}) is not None


def keeping(entry: Entry | None) -> Shown:
    """A node that keeps this for n3."""
    return Shown(entries={}, kept={"n3": {} if entry is None else {"k": Hint("k", entry, 0.0)}})


def kept(*looks: dict[str, Shown], tombstones_dropped: bool = False) -> str | None:
    rule = KeptUntilTaken(tombstones_dropped=tombstones_dropped)
    return next((why for why in map(rule.broken, looks) if why is not None), None)


def test_what_is_kept_may_go_once_the_replica_has_it_or_something_newer() -> None:
    assert kept({"n1": keeping(OLD), "n3": HAS_NEW}, {"n1": keeping(None), "n3": HAS_NEW}) is None
    assert kept({"n1": keeping(NEW), "n3": Shown(entries={})}, {"n1": keeping(None), "n3": HAS_NEW}) is None
    assert kept({"n1": keeping(OLD), "n3": Shown(entries={})}, {"n1": keeping(NEW), "n3": Shown(entries={})}) is None


def test_what_is_kept_does_not_go_before_the_replica_has_it() -> None:
    lacking = Shown(entries={"k": OLD})
    assert kept({"n1": keeping(NEW), "n3": lacking}, {"n1": keeping(None), "n3": lacking}) is not None
    assert kept({"n1": keeping(NEW), "n3": lacking}, {"n1": keeping(OLD), "n3": lacking}) is not None
    why = kept({"n1": keeping(NEW), "n3": Shown(entries={})}, {"n1": keeping(None), "n3": Shown(entries={})})
    assert why == "n1 no longer keeps version 2 of n2 of key k for n3, which does not have it"


def test_nothing_is_said_of_nodes_that_are_down_or_damaged_or_may_have_dropped_it() -> None:
    empty, damaged = Shown(entries={}), Shown(entries=None)
    assert kept({"n1": keeping(NEW), "n3": empty}, {"n1": keeping(None)}) is None
    assert kept({"n1": keeping(NEW), "n3": empty}, {"n1": keeping(None), "n3": damaged}) is None
    assert kept({"n1": keeping(NEW), "n3": empty}, {"n3": empty}, {"n1": keeping(None), "n3": empty}) is None
    assert kept({"n1": keeping(NEW), "n3": empty}, {"n1": damaged, "n3": empty}, {"n1": keeping(None), "n3": empty}) is None
    assert kept({"n1": keeping(NEW), "n3": empty}, {"n1": keeping(None), "n3": empty}, tombstones_dropped=True) is None


ONE, OTHER = Ballot(1, "n1", 1, 1), Ballot(2, "n2", 1, 1)
OF_ONE, OF_OTHER = (Entry(Version(1, "n1", 1, 1, 1), f"of {ballot.proposer}", ballot) for ballot in (ONE, OTHER))
UNDONE = (Undone("k", ONE),)


def accepted(ballot: Ballot, proposal: Entry) -> Entry:
    return msgspec.structs.replace(OLD, successor=Successor(ballot, ballot, proposal))


PROMISED = msgspec.structs.replace(OLD, successor=Successor(OTHER))


def undone(n1: Entry, n2: Entry | None, n3: Entry | None, *, told: tuple[Undone, ...] = UNDONE) -> str | None:
    """What the rule finds if replicas hold this, None for one that is down, and the compare-and-set of n1 was not done."""
    shown = {name: Shown(entries={"k": entry}) for name, entry in zip(NAMES, (n1, n2, n3), strict=True) if entry is not None}
    shown["n1"] = Shown(entries={"k": n1}, undone=told)
    return UndoneStaysUndone(PLACEMENT).broken(shown)


LOW, HIGH = Ballot(1, "n1", 1, 1), Ballot(2, "n2", 1, 1)


def risen(*successors: Successor | None, durable: bool = True) -> str | None:
    """What the rule finds if a replica holds one version with these successors, one after another."""
    rule = BallotsOnlyRise(durable=durable)
    entries = [msgspec.structs.replace(OLD, successor=successor) for successor in successors]
    return next((why for entry in entries if (why := rule.broken({"n1": Shown(entries={"k": entry})})) is not None), None)


def test_ballots_only_rise() -> None:
    assert (
        risen(None, Successor(LOW), Successor(LOW, LOW, OF_ONE), Successor(HIGH, LOW, OF_ONE), Successor(HIGH, HIGH, OF_ONE))
        is None
    )
    assert risen(Successor(HIGH), Successor(LOW)) is not None
    assert risen(Successor(HIGH), None) is not None
    assert risen(Successor(HIGH, HIGH, OF_ONE), Successor(HIGH, LOW, OF_ONE)) is not None
    assert risen(Successor(HIGH, HIGH, OF_ONE), Successor(HIGH)) is not None


def test_what_is_accepted_is_promised() -> None:
    why = risen(Successor(LOW, HIGH, OF_ONE))
    assert why is not None
    assert "n1 has accepted in ballot" in why
    assert risen(Successor(LOW, HIGH, OF_ONE), durable=False) is not None


def test_what_is_handed_on_says_whose_compare_and_set_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = msgspec.structs.replace(OF_ONE, successor=Successor(HIGH), floor=3)
    shown = {"n1": Shown(entries={"k": OLD, "l": OF_ONE, "m": prepared}), "n2": Shown(entries=None)}
    rule = HandsOnWhose()
    assert [rule.broken(shown) for _ in range(3)] == [None] * 3
    monkeypatch.setattr(comparing_rules, "bare", lambda entry: Entry(entry.version, entry.value))
    assert "n1 would hand on the entry of key l" in (rule.broken(shown) or "")
    monkeypatch.setattr(comparing_rules, "bare", lambda entry: entry)
    assert "n1 would hand on the entry of key m" in (rule.broken(shown) or "")


def test_a_new_version_begins_anew_and_so_does_a_replica_that_has_lost_its_log() -> None:
    rule = BallotsOnlyRise(durable=True)
    promised = {"k": msgspec.structs.replace(OLD, successor=Successor(HIGH))}
    for entries in (promised, {"k": NEW}, promised, None, {"k": OLD}, promised, {}, {"k": OLD}):
        assert rule.broken({"n1": Shown(entries=entries)}) is None
    assert risen(Successor(HIGH), None, durable=False) is None


def test_what_was_outvoted_or_is_not_at_a_majority_is_undone() -> None:
    assert undone(accepted(ONE, OF_ONE), accepted(OTHER, OF_OTHER), accepted(OTHER, OF_OTHER)) is None
    assert undone(accepted(ONE, OF_ONE), OF_OTHER, accepted(OTHER, OF_OTHER)) is None
    assert undone(accepted(ONE, OF_ONE), NEW, NEW) is None
    assert undone(accepted(ONE, OF_ONE), None, accepted(OTHER, OF_OTHER)) is None
    assert undone(OLD, PROMISED, OLD) is None
    assert undone(OF_OTHER, OF_OTHER, OLD) is None


def test_what_may_be_decided_is_not_undone() -> None:
    why = undone(accepted(ONE, OF_ONE), PROMISED, accepted(OTHER, OF_OTHER))
    told = "the compare-and-set of key k to of n1 was reported as not done, but n1 has accepted it"
    assert why == f"{told}, and whoever asks n1, n2 finishes it"
    assert undone(OLD, accepted(ONE, OF_ONE), None) is not None
    assert undone(Entry(), accepted(ONE, OF_ONE), None) is not None
    assert undone(accepted(OTHER, OF_ONE), accepted(ONE, OF_OTHER), accepted(ONE, OF_OTHER)) is not None
    assert undone(accepted(ONE, OF_ONE), PROMISED, accepted(OTHER, OF_OTHER), told=()) is None


def test_what_took_effect_was_not_undone() -> None:
    assert undone(OF_ONE, OLD, OLD) is not None
    assert undone(OLD, OF_ONE, None) is not None
    assert undone(OF_ONE, OLD, OLD, told=()) is None


def test_it_is_found_whichever_comes_first() -> None:
    rule = UndoneStaysUndone(PLACEMENT)
    assert rule.broken({"n1": Shown(entries={}), "n2": Shown(entries={"k": OF_ONE})}) is None
    assert rule.broken({"n1": Shown(entries={}, undone=UNDONE), "n2": Shown(entries={"k": OF_ONE})}) is not None
    rule = UndoneStaysUndone(PLACEMENT)
    assert rule.broken({"n1": Shown(entries={}, undone=UNDONE), "n2": Shown(entries={})}) is None
    assert rule.broken({"n2": Shown(entries={"k": OF_ONE})}) is not None


def test_what_took_effect_before_it_was_reported_is_found_even_if_it_is_overwritten_by_then() -> None:
    rule = UndoneStaysUndone(PLACEMENT)
    assert rule.broken({"n1": Shown(entries={"k": OF_ONE}), "n2": Shown(entries={"k": OF_OTHER})}) is None
    assert rule.broken({"n1": Shown(entries={"k": NEW}), "n2": Shown(entries={"k": NEW})}) is None
    why = rule.broken({"n1": Shown(entries={"k": NEW}), "n2": Shown(entries={"k": NEW}, undone=UNDONE)})
    assert why == "n2 reported the compare-and-set of key k to of n1 as not done, and it had taken effect"


def test_a_compare_and_set_takes_effect_once() -> None:
    rule = UndoneStaysUndone(PLACEMENT)
    again = msgspec.structs.replace(OF_ONE, version=Version(2, "n2", 1, 1, 1))
    assert rule.broken({"n1": Shown(entries={"k": OF_ONE}), "n2": Shown(entries={"k": OF_ONE})}) is None
    assert rule.broken({"n1": Shown(entries={"k": again})}) == (
        "the compare-and-set of key k to of n1 took effect twice, the second time on n1"
    )


def test_a_store_is_held_to_all_rules_that_its_settings_promise() -> None:
    dropped = [{"n1": keeping(NEW), "n2": Shown(entries={}), "n3": Shown(entries={})}, dict.fromkeys(NAMES, keeping(None))]
    for quorum, kept_for_good in ((Quorum(), True), (Quorum(memory=True), False)):
        invariant = quorum.invariant()
        assert [invariant.broken(states) is not None for states in dropped] == [False, kept_for_good]
    done = {"n1": Shown(entries={}, undone=UNDONE), "n2": Shown(entries={"k": OF_ONE})}
    for quorum in (Quorum(), Quorum(memory=True), Quorum(repair_every_s=None)):
        assert quorum.invariant().broken(done) is not None


def held(*entries: Entry) -> str | None:
    """What is found when nodes hold these entries of one key."""
    rule = OneValueAVersion(PLACEMENT, write=2, repairs=True, durable=True, tombstones_dropped=False)
    return rule.broken({name: {"k": entry} for name, entry in zip(NAMES, entries, strict=False)})


def test_a_version_comes_from_one_write() -> None:
    swapped = Entry(Version(1, "n1", 1, 1, step=1), "swapped", Ballot(0, "n2", 1, 3))
    promised = msgspec.structs.replace(swapped, successor=Successor(Ballot(1, "n3", 1, 1)))
    assert held(OLD, swapped, promised) is None
    why = held(swapped, msgspec.structs.replace(swapped, value="another"))
    assert why == "version 1 of n1 of key k stands for two values: swapped on n1, and another on n2"
    why = held(swapped, msgspec.structs.replace(swapped, decided_for=None))
    assert why == "version 1 of n1 of key k comes from compare-and-set 3 of n2 on n1, and from a write on n2"
    other = msgspec.structs.replace(swapped, decided_for=Ballot(0, "n3", 1, 3))
    assert held(swapped, other) == (
        "version 1 of n1 of key k comes from compare-and-set 3 of n2 on n1, and from compare-and-set 3 of n3 on n2"
    )


class LastOneWins(Storage):
    """A storage that takes the last change of what it keeps for the only one."""

    def changes(self, requests: Sequence[ReplicaRequest | Release]) -> list[Held]:
        last: dict[str, Held] = {}
        for request in requests:
            if (held := self.replica.after(request, self.replica.entry(request.key))) is not None:
                last[held.key] = held
        return list(last.values())


def together(kind: type[Storage], at: Path, *, keeps: bool = True) -> str | None:
    """What is found of a node whose storage carries requests out together; `keeps`: whether it keeps an entry for n2."""
    storage = kind(Disk(at), lambda text: None, random=Random(1), replica=Replica(peers=["n2"]), memory=True)
    if keeps:
        storage.ask(Keep("k", OLD, "n2"), lambda answer: None)
    shown = Shown(entries=storage.by_key(), kept=storage.replica.kept_by_home(), changes=storage.changes)
    return TogetherAsInTurn().broken({"n1": shown})


def test_requests_of_one_batch_leave_what_they_leave_in_turn(tmp_path: Path) -> None:
    assert together(Storage, tmp_path / "right") is None
    assert together(LastOneWins, tmp_path / "nothing kept", keeps=False) is None
    why = "n1, asked to keep and then to release something of one key for n2, would not be left with the newer entry"
    assert together(LastOneWins, tmp_path / "wrong") == why
    assert TogetherAsInTurn().broken({"n1": HAS_NEW}) is None


def test_a_peer_that_answers_is_not_silent() -> None:
    def look(start: int, answers: int, silences: int, *, silent: bool) -> str | None:
        return rule.broken({"n1": Shown(entries={}, start=start, heard={"n2": Heard(answers, silences, silent)})})

    rule = AsksWhoAnswers()
    assert look(1, 3, 4, silent=True) is None
    assert look(1, 4, 5, silent=False) is None
    assert look(1, 5, 9, silent=True) is None
    assert look(2, 6, 10, silent=True) is None  # it has started again
    assert look(2, 7, 13, silent=True) == "n1 counts n2 as silent, and only 3 requests were unanswered lately"
