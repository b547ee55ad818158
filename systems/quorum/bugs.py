"""The quorum store's known bugs. Each breaks one of the correct protocol's `Rules`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from harness.model.bug import Bug, BugCatalog


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The named rules that a correct node keeps. A bug breaks those that are False."""

    reads_ask_quorum: bool = True
    writes_ask_quorum: bool = True
    """A write asks a quorum for the highest version before it chooses its own."""
    reads_write_back: bool = True
    writes_wait_for_quorum: bool = True
    versions_ignore_clocks: bool = True
    versions_unique: bool = True
    replicas_count_once: bool = True
    timeouts_are_unknown: bool = True
    """A write that may still take effect is not reported as failed."""
    logged_before_answer: bool = True
    synced_before_answer: bool = True
    failed_syncs_are_final: bool = True
    """After a failed sync, a successful one says nothing about the first one's data."""
    damage_is_amnesia: bool = True
    """A replica with a damaged log answers nothing until it has relearned from the others what it may have known."""
    compaction_keeps_all: bool = True
    """A compacted log also holds what arrived during compaction."""
    newest_kept: bool = True
    """A replica does not replace an entry by an older one."""
    quorums_meet: bool = True
    errors_tolerated: bool = True
    """A replica that refuses a request counts as one that does not answer: the others may still form a quorum."""
    checksums_checked: bool = True
    """A message between nodes whose checksum is wrong counts as lost."""
    starts_counted: bool = True
    requests_name_quorums: bool = True
    """A request that names quorum sizes gets them."""
    hedges: bool = True
    deletes_leave_tombstone: bool = True
    tombstones_wait: bool = True
    """A tombstone is dropped only when every replica has it and nothing older is left anywhere."""
    dropped_counters_kept: bool = True
    """A write chooses a version above those of tombstones that were dropped, for a replica may have one yet."""
    misses_kept: bool = True
    """Writes that a replica missed are kept for it."""
    kept_until_taken: bool = True
    """What is kept for a replica is forgotten only when the replica has it on its disk."""
    kept_as_written: bool = True
    """What was kept for a replica is delivered under its original version."""
    repairs_differences: bool = True
    """Replicas compare their entries, and copy what they lack."""
    successors_agreed: bool = True
    """Replicas agree on the successor that a compare-and-set gives a version."""
    majority_is_more_than_half: bool = True
    proposals_adopted: bool = True
    """A proposer that learns of an accepted proposal adopts it."""
    proposals_leave_doubt: bool = True
    """A compare-and-set whose proposal may yet be decided, by others, is not reported as failed."""


CORRECT: Final = Rules()

BUGS: Final = BugCatalog(
    CORRECT,
    Bug(
        "read-one",
        "a read asks only one replica",
        Rules(reads_ask_quorum=False),
        caught_by=("quorum/partitioned", "linearizable"),
    ),
    Bug(
        "stale-counter",
        "a write asks only one replica for the highest version",
        Rules(writes_ask_quorum=False),
        caught_by=("quorum/jittery_links", "linearizable"),
    ),
    Bug(
        "no-read-repair",
        "a read returns a value without making sure that a quorum has it",
        Rules(reads_write_back=False),
        caught_by=("quorum/slow_link", "linearizable"),
    ),
    Bug(
        "early-ack",
        "a node acknowledges a write as soon as one replica has it",
        Rules(writes_wait_for_quorum=False),
        caught_by=("quorum/slow_link", "linearizable"),
    ),
    Bug(
        "wall-clock",
        "a node uses the time of day as the version, which is right only if all clocks are",
        Rules(versions_ignore_clocks=False),
        caught_by=("clock/skewed", "linearizable"),
    ),
    Bug(
        "shared-version",
        "two concurrent writes through one node may get the same version",
        Rules(versions_unique=False),
        caught_by=("quorum/jittery_links", "linearizable"),
    ),
    Bug(
        "retry-counts",
        "a node counts two answers of one replica as two replicas",
        Rules(replicas_count_once=False),
        caught_by=("quorum/partitioned", "linearizable"),
    ),
    Bug(
        "timeout-failed",
        "a node reports a write that reached no quorum in time as definitely failed",
        Rules(timeouts_are_unknown=False),
        caught_by=("quorum/flapping", "linearizable"),
    ),
    Bug(
        "forgetful",
        "a replica acknowledges what it has only in memory",
        Rules(logged_before_answer=False),
        caught_by=("quorum/all_killed", "linearizable"),
    ),
    Bug(
        "no-sync",
        "a replica acknowledges what it has written but not synced",
        Rules(synced_before_answer=False),
        caught_by=("quorum/power_cut", "linearizable"),
    ),
    Bug(
        "retry-sync",
        "a replica whose sync failed syncs again, and trusts the success",
        Rules(failed_syncs_are_final=False),
        caught_by=("disk/sync_fails", "linearizable"),
    ),
    Bug(
        "skip-damaged",
        "a replica skips the damaged part of its log and goes on",
        Rules(damage_is_amnesia=False),
        caught_by=("disk/bits_flipped", "linearizable"),
    ),
    Bug(
        "last-wins",
        "a replica keeps whatever it received last, even if its version is older",
        Rules(newest_kept=False),
        caught_by=("quorum/slow_link", "linearizable"),
    ),
    Bug(
        "compacts-away",
        "a replica acknowledges what arrives while it compacts its log, but leaves it out of the new log",
        Rules(compaction_keeps_all=False),
        caught_by=("quorum/handed_over", "linearizable"),
    ),
    Bug(
        "half-quorums",
        "quorums are half the size that they must have, rounded down",
        Rules(quorums_meet=False),
        caught_by=("quorum/partitioned", "linearizable"),
    ),
    Bug(
        "one-raises",
        "a write fails if one replica refuses it, even though others have stored it",
        Rules(errors_tolerated=False),
        caught_by=("quorum/flapping", "linearizable"),
    ),
    Bug(
        "start-uncounted",
        "a node's start number does not advance, so it may use a version again after a restart",
        Rules(starts_counted=False),
        caught_by=("quorum/started_again", "starts_differ"),
    ),
    Bug(
        "own-quorums",
        "a node uses its own quorum sizes instead of those that a request asks for",
        Rules(requests_name_quorums=False),
        caught_by=("quorum/asked_for", "linearizable"),
    ),
    Bug(
        "hedges-nothing",
        "a read waits long for the replicas that it asked first before it asks another",
        Rules(hedges=False),
        caught_by=("quorum/hedged", "p90 < 90ms"),
    ),
    Bug(
        "no-tombstone",
        "a delete removes the key without leaving a tombstone",
        Rules(deletes_leave_tombstone=False),
        caught_by=("quorum/deleted", "linearizable"),
    ),
    Bug(
        "early-collection",
        "a replica drops a tombstone when its time is up, even if not all replicas have it",
        Rules(tombstones_wait=False),
        caught_by=("quorum/tombstones_dropped", "linearizable"),
    ),
    Bug(
        "misses-forgotten",
        "nodes do not keep the writes that a replica missed",
        Rules(misses_kept=False),
        caught_by=("quorum/misses_handed_over", "staleness max < 700ms"),
    ),
    Bug(
        "kept-forgotten",
        "a node discards a kept write when it is sent, not when the replica has stored it",
        Rules(kept_until_taken=False),
        caught_by=("quorum/misses_handed_over", "staleness max < 700ms"),
    ),
    Bug(
        "kept-as-new",
        "a node delivers a kept write as a new one, even after a later delete",
        Rules(kept_as_written=False),
        caught_by=("quorum/deleted", "linearizable"),
    ),
    Bug(
        "no-repair",
        "replicas do not compare their contents",
        Rules(repairs_differences=False),
        caught_by=("quorum/repaired", "converges"),
    ),
    Bug(
        "cas-unagreed",
        "a compare-and-set reads, compares and writes without consensus",
        Rules(successors_agreed=False),
        caught_by=("quorum/compared_and_set", "linearizable"),
    ),
    Bug(
        "cas-half-majority",
        "half of the replicas, rounded down, suffice to decide a compare-and-set",
        Rules(majority_is_more_than_half=False),
        caught_by=("quorum/compared_and_set", "linearizable"),
    ),
    Bug(
        "cas-ignores-accepted",
        "a compare-and-set proposes its own value even if replicas have already accepted another one",
        Rules(proposals_adopted=False),
        caught_by=("quorum/compared_and_cut", "linearizable"),
    ),
    Bug(
        "cas-timeout-failed",
        "a compare-and-set that was not decided in time is reported as failed, and others finish it",
        Rules(proposals_leave_doubt=False),
        caught_by=("quorum/compared_and_cut", "linearizable"),
    ),
    Bug(
        "counters-dropped",
        "versions begin anew after a tombstone was dropped, below one that a replica still has",
        Rules(dropped_counters_kept=False),
        caught_by=("quorum/tombstones_missed", "linearizable"),
    ),
    Bug(
        "checksum-ignored",
        "a node takes messages of other nodes that a link has corrupted",
        Rules(checksums_checked=False),
        caught_by=("quorum/links_corrupt", "linearizable"),
    ),
)
