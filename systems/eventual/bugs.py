"""The eventual store's known bugs: each replaces one part of a correct node by a broken one."""

from __future__ import annotations

from typing import Final

from harness.model.bug import Bug, BugCatalog
from systems.eventual import known_bad as bad
from systems.eventual.parts import Parts

BUGS: Final = BugCatalog(
    Parts(),
    Bug(
        "unversioned",
        "replicas are told without versions, and hold what arrived last",
        Parts(replica=bad.LastArrivalWins),
        caught_by=("eventual/partitioned", "nothing_lost"),
    ),
    Bug(
        "siblings-dropped",
        "of values that were written concurrently one is kept",
        Parts(keep_siblings=bad.OneSiblingKept),
        caught_by=("eventual/siblings", "set_full"),
    ),
    Bug(
        "replaces-unseen",
        "a write replaces also what its client had not seen",
        Parts(keep_siblings=bad.UnseenReplaced),
        caught_by=("eventual/siblings", "set_full"),
    ),
    Bug(
        "repair-overwrites",
        "what anti-entropy or read repair brings replaces what is newer",
        Parts(replica=bad.RepairOverwrites),
        caught_by=("eventual/partitioned", "nothing_lost"),
    ),
    Bug(
        "repair-writes",
        "read repair writes what it has read, which may be old by now, as a new value",
        Parts(coordinator=bad.RepairsByWriting),
        caught_by=("eventual/repaired_by_reads", "nothing_lost"),
    ),
    Bug(
        "queue-dropped",
        "what waits for a peer is dropped when the connection to it fails",
        Parts(replicator=bad.DropsOnReconnect),
        caught_by=("eventual/killed_with_hints", "converges"),
    ),
    Bug(
        "hints-forgotten",
        "what a peer has yet to be told is in memory only",
        Parts(files=bad.ForgetsHints),
        caught_by=("eventual/killed_with_hints", "converges"),
    ),
    Bug(
        "acks-without-room",
        "a write for which no queue has room is acknowledged, and told to no other replica",
        Parts(outbox=bad.AcknowledgesWithoutRoom),
        caught_by=("eventual/queues_full", "converges"),
    ),
    Bug(
        "no-tombstone",
        "a deleted key is removed, so that replicas that still hold it bring it back",
        Parts(storage=bad.NoTombstones),
        caught_by=("eventual/deletes", "nothing_lost"),
    ),
    Bug(
        "hint-replayed",
        "a hint is replayed as a new write, after a delete",
        Parts(replicator=bad.ReplaysHints),
        caught_by=("eventual/deletes", "nothing_lost"),
    ),
    Bug(
        "early-collection",
        "a tombstone is forgotten before all replicas have had it",
        Parts(graves=bad.ForgetsEarly),
        caught_by=("eventual/away_too_long", "nothing_lost"),
    ),
    Bug(
        "skips-deleted",
        "anti-entropy and read repair skip deleted keys",
        Parts(replica=bad.SkipsDeleted),
        caught_by=("eventual/away_too_long", "nothing_lost"),
    ),
    Bug(
        "tree-not-updated",
        "the Merkle tree is not updated when a key changes",
        Parts(replica=bad.TreeOfFirstStates),
        caught_by=("eventual/away_too_long", "nothing_lost"),
    ),
    Bug(
        "session-hops",
        "a session is answered by a replica that has not what the session has seen",
        Parts(coordinator=bad.SessionsHop),
        caught_by=("eventual/sessions", "monotonic_reads"),
    ),
    Bug(
        "deaf-clock",
        "the hybrid clock does not advance on timestamps that it receives",
        Parts(clock=bad.DeafClock),
        caught_by=("eventual/sessions_skewed", "read_your_writes"),
    ),
    Bug(
        "failed-visible",
        "a write that the disk did not take stays visible",
        Parts(storage=bad.ShowsFailed),
        caught_by=("eventual/disk_full", "monotonic_reads"),
    ),
    Bug(
        "forgetful",
        "a write is acknowledged when it is in memory",
        Parts(storage=bad.InMemory),
        caught_by=("eventual/killed_with_hints", "nothing_lost"),
    ),
    Bug(
        "no-sync",
        "a write is acknowledged before it is synced",
        Parts(files=bad.NotSynced),
        caught_by=("eventual/power_lost", "nothing_lost"),
    ),
    Bug(
        "skips-damaged",
        "what cannot be read of a damaged log is skipped, and writes are counted anew from what is left",
        Parts(files=bad.SkipsDamaged),
        caught_by=("eventual/bits_flipped", "set_full"),
    ),
)
