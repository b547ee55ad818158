"""What comes late, or again: replicas and primaries that take it as what it is, and some that do not."""

from __future__ import annotations

import pytest

from harness.node.crashpoints import MemoryFiles
from harness.node.disk import Disk
from harness.run import catalog
from harness.simulation.seed_run import INVARIANT, run_seed
from harness.simulation.swarm import PLAIN
from systems.strong import election
from systems.strong.bugs import CORRECT
from systems.strong.invariant import NothingForgotten
from systems.strong.late_rules import ImaginedLateness
from systems.strong.lease import Lease, Watch
from systems.strong.log import Log
from systems.strong.messages import Begin, Command, Configuration, Entry, Installing, Matched, Piece, ReplicaAnswer, Snapshot
from systems.strong.peer import Peer
from systems.strong.pieces import Receiving
from systems.strong.protocol import Primary
from systems.strong.reign import Reign
from systems.strong.replica import Replica, Restore, Take
from systems.strong.shown import Shown
from systems.strong.storage import Storage
from systems.strong.telling import Teller
from systems.strong.waits import LeasesOfWhatIsKept

NAMES = ("n1", "n2", "n3")
MOST = 256 * 1024


class TakesAnySnapshot(Replica):
    """A replica that puts each snapshot in place of its log."""

    def _place_piece(self, piece: Piece) -> Take | Restore | Installing:
        snapshot = Receiving(Snapshot).take(piece)
        return Installing(len(piece.text)) if snapshot is None else Restore(snapshot, [], Matched(snapshot.index))


class TakesAnyEntries(Log):
    """A log that knows no entry again."""

    def has(self, position: object) -> bool:
        return getattr(position, "index", 0) in (0, self.base)


class NeverLess(Primary):
    """A primary to which a backup never has less than before."""

    def answered(self, other: str, answer: ReplicaAnswer) -> bool:
        before = self._backups[other].matched
        goes_on = super().answered(other, answer)
        self._backups[other].matched = max(before, self._backups[other].matched)
        return goes_on


class TrustsEarlyAnswers(Primary):
    """A primary that does not care when it has sent what a backup answers."""

    def answered(self, other: str, answer: ReplicaAnswer) -> bool:
        goes_on = super().answered(other, answer)
        if isinstance(answer, Matched):
            self._backups[other].matched = answer.index
        return goes_on


def replica(kind: type[Replica] = Replica, *, committed: int = 2, base: int = 0) -> Replica:
    found = kind(entries=[Entry(1, Command(Begin())) for _ in range(4)], epoch=1)
    found.commit(committed)
    found.log.forget(base)
    return found


def primary(kind: type[Primary] = Primary, *, used: bool = True) -> Shown:
    """A primary whose backups have all of its log."""
    held = replica(committed=0)
    found = kind("n1", held, Configuration(3, 1, "n1", NAMES, used), NAMES, all_in_sync=True, now_s=0.0)
    for other in ("n2", "n3"):
        found.send(other, 0.0, MOST)
        found.answered(other, Matched(4))
    return Shown(1, 1, held, primary=found)


def told(shown: Shown) -> str | None:
    """What is found in some looks."""
    rule = ImaginedLateness()
    return next((why for why in (rule.broken({"n1": shown}) for _ in range(8)) if why is not None), None)


@pytest.mark.parametrize(("committed", "base"), [(0, 0), (2, 0), (4, 0), (2, 2), (4, 3), (4, 4)])
def test_a_replica_keeps_what_it_has(committed: int, base: int) -> None:
    held = replica(committed=committed, base=base)
    before = held.log.ends(), held.log.after(base), held.committed, held.machine.applied
    assert told(Shown(0, 0, held)) is None
    assert (held.log.ends(), held.log.after(base), held.committed, held.machine.applied) == before


def test_a_late_snapshot_in_place_of_a_log() -> None:
    why = told(Shown(0, 0, replica(TakesAnySnapshot)))
    assert why == "n1, which has the log up to 4, would not keep it if a snapshot that it has came again"


def test_late_entries_in_place_of_others() -> None:
    held = replica(committed=0)
    held.log.__class__ = TakesAnyEntries
    assert told(Shown(0, 0, held)) == "n1, which has the log up to 4, would not keep it if entries that it has came again"


@pytest.mark.parametrize("used", [True, False])
def test_a_primary_counts_on_what_it_was_told_last(used: bool) -> None:
    shown = primary(used=used)
    assert shown.primary is not None
    before = shown.primary.matches, shown.primary.configuration
    assert told(shown) is None
    assert (shown.primary.matches, shown.primary.configuration) == before


def test_a_primary_that_counts_on_what_a_backup_has_lost() -> None:
    why = told(primary(NeverLess))
    assert why == "n1, the primary of epoch 1, would count on n2 to have 4 if it said that it has nothing"


def test_a_primary_that_counts_on_an_answer_from_before_the_configuration_was_in_use() -> None:
    assert "before the configuration was in use" in (told(primary(TrustsEarlyAnswers)) or "")


class CountsLate(Reign):
    """A primary that does not care whether its epoch is over."""

    def advance(self) -> None:
        self._over = False
        super().advance()


def reign(kind: type[Reign], shown: Shown) -> Reign:
    assert shown.primary is not None
    storage = Storage(Disk(MemoryFiles()), lambda text: None, cluster="c", name="n1", compact_at_bytes=MOST)
    return kind(
        shown.primary,
        {name: Peer("c", name, ("127.0.0.1", 1), most=MOST) for name in ("n2", "n3")},
        Teller(storage, lambda kind, event: None),
        clock=lambda: 0.0,
        deposed=lambda why: None,
        unable=lambda why: None,
        rules=CORRECT,
    )


@pytest.mark.parametrize("used", [True, False])
def test_a_primary_would_count_nothing_after_its_epoch_and_is_not_changed_by_the_question(used: bool) -> None:
    shown = primary(used=used)
    held, own = shown.replica, reign(Reign, shown)
    before = held.log.ends(), held.log.after(0), held.committed, held.machine.applied, own.primary.matches
    assert told(shown._replace(committed_when_over=own.committed_when_over)) is None
    assert (held.log.ends(), held.log.after(0), held.committed, held.machine.applied, own.primary.matches) == before


@pytest.mark.parametrize(("ends", "counted"), [(False, 5), (True, 0)])
def test_a_primary_counts_what_its_backups_have_until_its_epoch_is_over(ends: bool, counted: int) -> None:
    shown = primary()
    own = reign(Reign, shown)
    shown.replica.took(Take(4, [Entry(1, Command(Begin()))], Matched(5)))
    if ends:
        own.end("a later epoch has begun")
    for name in ("n2", "n3"):
        own.primary.send(name, 0.0, MOST)
        own.primary.answered(name, Matched(5))
    own.advance()
    assert shown.replica.committed == counted


def test_a_primary_that_counts_an_answer_after_its_epoch() -> None:
    shown = primary()
    why = told(shown._replace(committed_when_over=reign(CountsLate, shown).committed_when_over))
    assert why == "n1, the primary of epoch 1, would count 5 as acknowledged by answers after its epoch"
    assert shown.replica.committed == 0


@pytest.mark.slow
def test_simulation_asks_for_what_comes_after_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    drill = catalog.find_drill("strong/healthy", ["load.seconds=0.5"]).drill
    assert INVARIANT not in run_seed("strong/healthy", drill, 1, swarm=PLAIN).outcome.found
    monkeypatch.setattr(election, "Reign", CountsLate)
    assert "answers after its epoch" in run_seed("strong/healthy", drill, 1, swarm=PLAIN).outcome.why


def test_the_store_is_held_to_it() -> None:
    invariant = NothingForgotten()
    found = [invariant.broken({"n1": Shown(0, 0, replica(TakesAnySnapshot))}) for _ in range(8)]
    assert any(why is not None and "came again" in why for why in found)


def leases(*renewed_s: float, looked_s: float = 1.02) -> str | None:
    """What is found of a primary that sent the next version at 1 s, if it counts its lease from these times."""
    rule, lease, watch = LeasesOfWhatIsKept(), Lease(), Watch()
    shown = Shown(1, 1, replica(), watch=watch, lease=lease, now_s=0.5)
    watch.heard(Configuration(3, 1, "n1", NAMES), 0.4)
    lease.renewed(0.4)
    assert rule.broken({"n1": shown}, {}) is None
    others = Watch()
    others.heard(Configuration(4, 1, "n1", NAMES), looked_s)  # one of them has asked the keepers
    asked = shown._replace(now_s=looked_s)
    assert rule.broken({"n1": asked, "n2": Shown(0, 0, replica(), watch=others, now_s=7.0)}, {}) is None
    for at_s in renewed_s:
        lease.renewed(at_s)
    return rule.broken({"n1": shown._replace(now_s=1.3)}, {})


def test_a_lease_counts_from_when_what_is_kept_was_sent() -> None:
    assert leases() is None
    assert leases(1.0) is None
    assert leases(1.0, looked_s=1.0) is None
    why = leases(1.2)
    assert why is not None
    assert why.startswith("n1, the primary of epoch 1, holds its lease for longer than another replica may have to wait")
