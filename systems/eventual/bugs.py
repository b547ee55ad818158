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
        "replicas get writes without versions, and keep whatever arrives last",
        Parts(replica=bad.LastArrivalWins),
        caught_by=("eventual/partitioned", "nothing_lost"),
    ),
    Bug(
        "siblings-dropped",
        "a replica keeps only one of several concurrent values",
        Parts(keep_siblings=bad.OneSiblingKept),
        caught_by=("eventual/siblings", "set_full"),
    ),
    Bug(
        "replaces-unseen",
        "a write also replaces values that its client has not seen",
        Parts(keep_siblings=bad.UnseenReplaced),
        caught_by=("eventual/siblings", "set_full"),
    ),
    Bug(
        "counts-anew",
        "a node counts the writes of a key from 1 again after it has dropped the key's tombstone",
        Parts(keep_siblings=bad.CountsAnew),
        caught_by=("eventual/siblings_deleted", "set_full"),
    ),
    Bug(
        "repair-overwrites",
        "anti-entropy and read repair replace newer values by older ones",
        Parts(replica=bad.RepairOverwrites),
        caught_by=("eventual/partitioned", "nothing_lost"),
    ),
    Bug(
        "repair-writes",
        "read repair writes what it read, which may be old by now, as a new value",
        Parts(coordinator=bad.RepairsByWriting),
        caught_by=("eventual/repaired_by_reads", "nothing_lost"),
    ),
    Bug(
        "queue-dropped",
        "a node drops the writes queued for a peer when the connection to it fails",
        Parts(replicator=bad.DropsOnReconnect),
        caught_by=("eventual/killed_with_hints", "converges"),
    ),
    Bug(
        "hints-forgotten",
        "a node keeps hints only in memory",
        Parts(files=bad.ForgetsHints),
        caught_by=("eventual/killed_with_hints", "converges"),
    ),
    Bug(
        "acks-without-room",
        "a node acknowledges a write for which no queue has room, and sends it to no other replica",
        Parts(outbox=bad.AcknowledgesWithoutRoom),
        caught_by=("eventual/queues_full", "converges"),
    ),
    Bug(
        "no-tombstone",
        "a delete removes the key, so replicas that still hold it bring it back",
        Parts(storage=bad.NoTombstones),
        caught_by=("eventual/deletes", "nothing_lost"),
    ),
    Bug(
        "hint-replayed",
        "a node replays a hint as a new write, even after a delete",
        Parts(replicator=bad.ReplaysHints),
        caught_by=("eventual/deletes", "nothing_lost"),
    ),
    Bug(
        "early-collection",
        "a replica drops a tombstone before all replicas have had it",
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
        "a replica does not update its Merkle tree when a key changes",
        Parts(replica=bad.TreeOfFirstStates),
        caught_by=("eventual/away_too_long", "nothing_lost"),
    ),
    Bug(
        "session-hops",
        "a replica answers a session although it lacks what the session has seen",
        Parts(coordinator=bad.SessionsHop),
        caught_by=("eventual/sessions", "monotonic_reads"),
    ),
    Bug(
        "deaf-clock",
        "the hybrid clock does not advance when it receives a later timestamp",
        Parts(clock=bad.DeafClock),
        caught_by=("eventual/sessions_skewed", "read_your_writes"),
    ),
    Bug(
        "failed-visible",
        "a write that the disk refused stays visible",
        Parts(storage=bad.ShowsFailed),
        caught_by=("eventual/disk_full", "monotonic_reads"),
    ),
    Bug(
        "forgetful",
        "a node acknowledges a write as soon as it is in memory",
        Parts(storage=bad.InMemory),
        caught_by=("eventual/killed_with_hints", "nothing_lost"),
    ),
    Bug(
        "no-sync",
        "a node acknowledges a write before it is synced",
        Parts(files=bad.NotSynced),
        caught_by=("eventual/power_cut", "nothing_lost"),
    ),
    Bug(
        "skips-damaged",
        "a node skips the damaged part of its log, and counts writes anew from what is left",
        Parts(files=bad.SkipsDamaged),
        caught_by=("eventual/bits_flipped", "set_full"),
    ),
    Bug(
        "checksum-ignored",
        "a node takes messages of other nodes that a link has corrupted",
        Parts(checksums_checked=False),
        caught_by=("eventual/links_corrupt", "nothing_lost"),
    ),
)
