"""What holds of all replicas at once, and what is imagined of them: histories to accept, and histories to reject."""

from __future__ import annotations

import pytest

from harness.run import catalog
from harness.simulation.disturbance import Disturbance
from harness.simulation.seed_run import INVARIANT, run_seed
from harness.simulation.swarm import Swarm
from systems.strong.invariant import NothingForgotten
from systems.strong.lease import LEASE_S, Lease, Watch
from systems.strong.messages import Append, Command, Configuration, Entry, Fence, Fenced, Install, Write
from systems.strong.replica import Replica
from systems.strong.shown import Shown
from systems.strong.waits import WaitsForLeases, overtaken, reads_without_lease
from tests.helpers.effort import left_to_ci

MAJORITY = 2


def replica(*epochs: int, epoch: int = 0, committed: int = 0, ready: bool = True) -> Replica:
    """A replica with an entry of each of these epochs."""
    entries = [Entry(each, Command(Write("k", f"{each}.{place}"))) for place, each in enumerate(epochs)]
    found = Replica(entries=entries, epoch=epoch or max(epochs, default=0), ready=ready)
    found.commit(committed)
    return found


def test_two_primaries_of_one_epoch_break_the_invariant() -> None:
    safety = NothingForgotten()
    assert safety.broken({"n1": Shown(1, 1, replica(1)), "n2": Shown(0, 0, replica(1))}) is None
    assert safety.broken({"n2": Shown(1, 1, replica(1))}) == "epoch 1 has two primaries: n1, and n2"


def test_a_primary_that_has_promised_to_obey_a_later_epoch_breaks_the_invariant() -> None:
    safety = NothingForgotten()
    assert safety.broken({"n1": Shown(2, 2, replica(1, 2)), "n2": Shown(0, 0, replica(1, epoch=3))}) is None
    why = safety.broken({"n1": Shown(2, 2, replica(1, 2, epoch=3))})
    assert why == "n1 is the primary of epoch 2, and has promised to obey none before 3"


def test_a_primary_without_what_was_acknowledged_breaks_the_invariant() -> None:
    safety, leading = NothingForgotten(), replica(1, 1)
    leading.commit(2)
    assert safety.broken({"n1": Shown(1, 1, leading)}) is None
    lacking = safety.broken({"n2": Shown(2, 2, replica(1))})
    assert lacking == "n2 is the primary of epoch 2 and has nothing at 2, acknowledged in epoch 1"


def test_replicas_are_apart_until_all_have_the_primarys_log_and_know_it_to_be_acknowledged() -> None:
    safety, behind, unaware, whole = NothingForgotten(), replica(1), replica(1, 1), replica(1, 1)
    whole.commit(2)
    assert safety.apart({"n1": Shown(0, 0, whole)}) == "no replica is the primary"
    leading = {"n1": Shown(1, 1, whole)}
    assert safety.apart(leading | {"n2": Shown(0, 0, behind)}) == "n2 has the log up to 1, n1, the primary, up to 2"
    assert safety.apart(leading | {"n2": Shown(0, 0, unaware)}) == "n2 regards its log as acknowledged up to 0 of 2"
    unaware.commit(2)
    assert safety.apart(leading | {"n2": Shown(0, 0, unaware)}) == "no node leads"  # of the keepers


# ---------------------------------------------------------------------------------------------------- imagined takeovers


def acknowledged(safety: NothingForgotten) -> dict[str, Shown]:
    """Two entries that the primary and a backup have, and the third replica has not."""
    leading = Shown(1, 1, replica(1, 1, committed=2))
    shown = {"n1": leading, "n2": Shown(0, 0, replica(1, 1, committed=1)), "n3": Shown(0, 0, replica(1))}
    assert safety.broken(shown) is None
    return shown


def test_a_replica_that_has_lost_its_disk_and_knows_it_breaks_nothing() -> None:
    safety = NothingForgotten(MAJORITY)
    shown = acknowledged(safety)
    assert safety.broken(shown | {"n2": Shown(0, 0, replica(ready=False), informed=False)}) is None
    assert safety.broken(shown | {"n2": Shown(0, 0, replica(epoch=1, ready=False))}) is None
    assert safety.broken(shown | {"n2": Shown(0, 0, replica(1, ready=False))}) is None
    assert safety.broken(shown | {"n2": Shown(0, 0, replica(1, 1))}) is None


def test_a_replica_that_has_lost_its_disk_and_counts_as_complete() -> None:
    safety = NothingForgotten()
    shown = acknowledged(safety)
    why = safety.broken(shown | {"n2": Shown(0, 0, replica(1))})
    assert why == "n2 counts as complete and lacks the acknowledged entry at 2, which was on its disk"


class Talkative(Replica):
    """Tells new primaries what it has, whether or not that is everything."""

    def fence(self, request: Fence) -> Fenced:
        return Fenced(self.log.last)


def test_a_replica_that_has_lost_its_disk_and_vouches_for_its_log() -> None:
    safety, to_all = NothingForgotten(MAJORITY), NothingForgotten()
    shown = acknowledged(safety)
    assert acknowledged(to_all)
    lost = Talkative(epoch=1, ready=False)
    assert safety.broken(shown | {"n2": Shown(0, 0, lost, informed=False)}) is None
    assert to_all.broken(shown | {"n2": Shown(0, 0, lost)}) is None  # no primary relies on that
    why = safety.broken(shown | {"n2": Shown(0, 0, lost)})
    assert why == "n2 counts as complete and lacks the acknowledged entry at 2, which was on its disk"


def test_entries_of_its_own_that_were_never_acknowledged_are_no_loss() -> None:
    safety = NothingForgotten(MAJORITY)
    shown = acknowledged(safety)
    assert safety.broken(shown | {"n3": Shown(0, 0, replica(1, 1, 1))}) is None
    assert safety.broken(shown | {"n3": Shown(0, 0, replica(1, 1))}) is None


class Gullible(Replica):
    """Takes any primary's word for it that it is complete."""

    def teaches(self, request: Append | Install, matched: int) -> bool:
        return matched >= request.committed


def test_a_request_that_would_make_a_replica_complete_too_early() -> None:
    """The next primary does not know yet that the second entry was acknowledged."""
    safety = NothingForgotten(MAJORITY)
    next_one = {"n1": Shown(2, 3, replica(1, 1, 2, committed=1)), "n3": Shown(0, 0, replica(1))}
    acknowledged(safety)
    assert safety.broken(next_one | {"n2": Shown(0, 0, replica(epoch=1, ready=False))}) is None
    gullible = Gullible(epoch=1, ready=False)
    assert safety.broken(next_one | {"n2": Shown(0, 0, gullible, informed=False)}) is None
    assert safety.broken(next_one | {"n2": Shown(0, 0, gullible)}) == (
        "n2 would count as complete if n1, primary of epoch 2, sent it the log up to 1, and it had acknowledged entries up to"
        " 2 on its disk"
    )


def test_a_primary_that_knows_all_may_complete_a_replica_and_a_deposed_one_is_refused() -> None:
    safety = NothingForgotten(MAJORITY)
    deposed = {"n1": Shown(1, 1, replica(1, 1, committed=2))}
    others = deposed | {"n3": Shown(2, 3, replica(1, 1, 2, committed=3))}
    assert safety.broken(others | {"n2": Shown(0, 0, replica(1, 1, 2))}) is None
    assert safety.broken(others | {"n2": Shown(0, 0, Gullible(epoch=2, ready=False))}) is None
    unaware = safety.broken(others | {"n2": Shown(0, 0, Gullible(epoch=1, ready=False))})
    assert unaware is not None
    assert "n1, primary of epoch 1, sent it the log up to 2" in unaware


def test_a_majority_that_lacks_what_was_acknowledged() -> None:
    leading = Shown(1, 1, replica(1, 1, committed=2))
    behind = {"n2": Shown(0, 0, replica(1)), "n3": Shown(0, 0, replica(1))}
    why = NothingForgotten(MAJORITY).broken({"n1": leading, **behind})
    assert why == "n2, n3 would be enough for a takeover, and lack the acknowledged entry at 2"
    lost = behind | {"n2": Shown(0, 0, replica(1, ready=False))}
    assert NothingForgotten(MAJORITY).broken({"n1": leading, **lost}) is None
    assert NothingForgotten().broken({"n1": leading, **behind}) is None  # only those in sync can take over


# ------------------------------------------------------------------------------------------------------ waits for leases


class Waiting:
    """A replica that is looked at every few milliseconds while it waits for a lease."""

    def __init__(self) -> None:
        self.watch = Watch()
        self.now_s = 1000.0
        self._rule = WaitsForLeases()

    def hears(self, version: int, *, after_s: float = 0.05) -> str | None:
        self.now_s += after_s
        self.watch.heard(Configuration(version, 1, "n1", ("n1", "n2")), self.now_s)
        return self.look()

    def look(self) -> str | None:
        self.now_s += 0.01
        return self._rule.broken("n2", self.watch, self.now_s)


def test_each_version_has_a_wait_of_its_own_and_an_old_one_changes_nothing() -> None:
    waiting = Waiting()
    assert waiting.look() is None
    assert [waiting.hears(version) for version in (1, 1, 2, 1, 2, 3)] == [None] * 6
    waiting.watch = Watch()  # it has been started again, and hears of an older version first
    assert [waiting.look(), waiting.hears(2), waiting.hears(3)] == [None] * 3


def test_a_wait_that_is_put_off_by_a_version_that_is_known_already() -> None:
    waiting = Waiting()
    assert waiting.hears(1) is None
    waiting.watch._since_s = waiting.now_s + 0.05
    assert waiting.look() == "n2 waits +60 ms longer for the lease of version 1, which it knew already"


def test_a_wait_that_ends_too_soon() -> None:
    waiting = Waiting()
    assert waiting.look() is None
    looked_s = waiting.now_s
    waiting.watch.heard(Configuration(1, 1, "n1", ("n1", "n2")), looked_s - 0.1)
    assert waiting.look() == "n2 waits at least 100 ms too little for the lease of version 1"


def test_a_replica_that_goes_back_to_an_older_version() -> None:
    waiting = Waiting()
    assert waiting.hears(2) is None
    waiting.watch.configuration = None
    assert waiting.hears(1) == "n2 went back from version 2 of the configuration to 1"


def leased(
    version: int,
    *,
    sent_s: float,
    heard_s: float,
    now_s: float,
    known: int | None = None,
    claims: bool = False,
    epoch: int = 0,
) -> str | None:
    """A primary renewed its lease with this version, and n2 has heard of it, or of another one. Both are looked at now."""
    configuration = Configuration(version, 1, "n1", ("n1", "n2"))
    lease, own, watch = Lease(), Watch(), Watch()
    lease.renewed(sent_s)
    own.heard(configuration, sent_s)
    watch.heard(Configuration(version if known is None else known, 1, "n1", ("n1", "n2")), heard_s)
    primary = Shown(1, 1, replica(1), watch=own, lease=lease, now_s=now_s)
    other = Shown(epoch, 2, replica(1), watch=watch, now_s=now_s, claims=lambda _: claims)
    return overtaken({"n1": primary, "n2": other})


def test_nobody_may_take_over_before_the_lease_is_over() -> None:
    assert leased(1, sent_s=100, heard_s=100.01, now_s=100.3) is None
    assert leased(1, sent_s=100, heard_s=100.01, now_s=100.02 + LEASE_S) is None
    counted_from_the_answer = leased(1, sent_s=100.2, heard_s=100.01, now_s=100.02 + LEASE_S)
    assert counted_from_the_answer == "n2 could take over from n1, the primary of epoch 1, which still holds its lease"


def test_a_replica_that_knows_only_an_older_version_cannot_take_over() -> None:
    assert leased(2, sent_s=100.2, heard_s=100.01, now_s=100.02 + LEASE_S, known=1) is None


def test_a_replica_that_does_not_wait_for_the_lease_could_take_over() -> None:
    told = "n2 could take over from n1, the primary of epoch 1, which still holds its lease"
    assert leased(1, sent_s=100, heard_s=100.01, now_s=100.3, claims=True) == told
    assert leased(2, sent_s=100, heard_s=100.01, now_s=100.3, claims=True, known=1) is None
    assert leased(1, sent_s=100, heard_s=100.01, now_s=100 + LEASE_S, claims=True) is None


def test_nobody_may_have_taken_over_before_the_lease_is_over() -> None:
    after_s = 100.02 + LEASE_S
    assert leased(2, sent_s=100, heard_s=after_s, now_s=after_s, epoch=2) is None
    too_soon = leased(2, sent_s=100, heard_s=100.3, now_s=100.3, epoch=2)
    assert too_soon == "n2 has taken over from n1, the primary of epoch 1, which still holds its lease"


def test_a_primary_that_would_answer_reads_after_its_lease_is_over() -> None:
    def told(now_s: float, *, reads: bool) -> str | None:
        lease = Lease()
        lease.renewed(100)
        return reads_without_lease("n1", Shown(1, 1, replica(1), lease=lease, now_s=now_s, reads=lambda _: reads))

    assert told(100.1, reads=True) is None
    assert told(100 + LEASE_S, reads=False) is None
    assert told(100 + LEASE_S, reads=True) == "n1, the primary of epoch 1, would answer reads after its lease is over"


@pytest.mark.parametrize(
    ("bug", "does"),
    [
        left_to_ci("deposed-reads", "would answer reads after its lease is over"),
        ("lease-cut-short", "which still holds its lease"),
    ],
)
def test_simulation_asks_replicas_what_they_make_of_leases(bug: str, does: str) -> None:
    """The primary is paused: nobody asks it anything meanwhile, and nobody does afterwards."""
    name = "strong/healthy"
    drill = catalog.find_drill(name, [f"system.bug={bug}", "load.seconds=3", "load.rate=20"]).drill
    paused = Disturbance(kind="pause", node="n1", at_s=1.0, for_s=1.6)
    found = run_seed(name, drill, 1, swarm=Swarm(plain=False, disturbances=(paused,))).outcome
    assert INVARIANT in found.found
    assert f"n1, the primary of epoch 1, {does}" in found.why
