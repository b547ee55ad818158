"""The strong store's known bugs. Each breaks one rule of the correct protocol, which the code asks for by its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from harness.model.bug import Bug, BugCatalog


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The rules that a correct node keeps. A bug breaks the one that is False."""

    # what is acknowledged
    backups_waited_for: bool = True
    majority_is_more_than_half: bool = True
    keepers_say_who_is_in_sync: bool = True
    """A primary goes on without a backup only after the keepers have removed it."""
    in_sync_when_caught_up: bool = True
    """A replica is in sync only when it has every acknowledged entry."""
    executed_when_acknowledged: bool = True
    """A read finds only what is acknowledged."""
    timeouts_are_unknown: bool = True
    """A write that may yet take effect is not reported as failed."""
    errors_tolerated: bool = True
    """A write that other replicas have does not fail because one backup did."""

    # epochs
    earlier_epochs_refused: bool = True
    fences_bind: bool = True
    """A replica that has told a new primary what it has no longer accepts anything from earlier ones."""
    epochs_kept: bool = True
    """A replica that is started again obeys no earlier epoch than it did before."""
    only_in_sync_promoted: bool = True
    claims_with_majority: bool = True
    """A replica claims an epoch only if a majority could follow it, not merely because it reaches the keepers."""
    best_log_taken_over: bool = True
    """A new primary takes over the most complete log, rather than its own."""
    gives_way_when_alone: bool = True
    """A primary that no majority answers makes room for another one, even if it reaches the keepers."""
    served_when_established: bool = True
    """A new primary does not answer until it knows what earlier ones acknowledged."""

    # leases
    reads_need_lease: bool = True
    leases_waited_out: bool = True
    """No replica takes over from a holder whose lease is in force, even if it seems to be dead."""
    leases_ignore_wall_clock: bool = True

    # logs
    tails_compared: bool = True
    """A backup does not mistake its own entries for the primary's because they are as many."""
    all_pieces_sent: bool = True
    """A backup that lacks many entries gets them in pieces, beginning with the first one."""

    # messages
    checksums_checked: bool = True
    """A message between nodes whose checksum is wrong counts as lost."""

    # disks
    synced_before_answer: bool = True
    damage_is_amnesia: bool = True
    """A replica that finds its log damaged does not count until a primary has completed it."""
    sessions_kept: bool = True
    """A log that is rewritten contains the sessions, too."""

    # commands
    retries_done_once: bool = True
    compared_in_order: bool = True
    """A compare-and-set compares when it is executed, after everything that is before it in the log."""


CORRECT: Final = Rules()

BUGS: Final = BugCatalog(
    CORRECT,
    Bug(
        "no-fencing",
        "a backup obeys a primary whose epoch is over",
        Rules(earlier_epochs_refused=False),
        caught_by=("strong/cut_from_keepers", "linearizable"),
    ),
    Bug(
        "early-ack",
        "a primary acknowledges a write as soon as it has it itself",
        Rules(backups_waited_for=False),
        caught_by=("strong/primary_partitioned", "linearizable"),
    ),
    Bug(
        "half-majority",
        "a primary counts half of the replicas as a majority",
        Rules(majority_is_more_than_half=False),
        caught_by=("strong/primary_partitioned_of_majority", "linearizable"),
    ),
    Bug(
        "never-gives-way",
        "a primary that reaches no backup stays the primary as long as it reaches the keepers",
        Rules(gives_way_when_alone=False),
        caught_by=("strong/cut_from_backups", "p50 < 500ms"),
    ),
    Bug(
        "claims-alone",
        "a replica claims the next epoch although no majority of the replicas could follow it",
        Rules(claims_with_majority=False),
        caught_by=("strong/minority_near_keepers", "p50 < 500ms"),
    ),
    Bug(
        "drops-by-itself",
        "a primary goes on without a backup that does not answer, without asking the keepers",
        Rules(keepers_say_who_is_in_sync=False),
        caught_by=("strong/primary_partitioned", "linearizable"),
    ),
    Bug(
        "in-sync-too-early",
        "a replica counts as in sync before it has what was acknowledged without it",
        Rules(in_sync_when_caught_up=False),
        caught_by=("strong/rejoining", "linearizable"),
    ),
    Bug(
        "dirty-reads",
        "a read returns what is in the primary's log, acknowledged or not",
        Rules(executed_when_acknowledged=False),
        caught_by=("strong/primary_partitioned", "linearizable"),
    ),
    Bug(
        "timeout-failed",
        "a primary reports a write that was not acknowledged in time as definitely failed",
        Rules(timeouts_are_unknown=False),
        caught_by=("strong/majority_lost", "linearizable"),
    ),
    Bug(
        "one-error-fails",
        "a primary reports a write as failed if one backup refuses it, but keeps it in the log",
        Rules(errors_tolerated=False),
        caught_by=("strong/keepers_lost", "linearizable"),
    ),
    Bug(
        "loose-fence",
        "a replica tells a new primary what it has, but still obeys the old one",
        Rules(fences_bind=False),
        caught_by=("strong/takeover_raced", "linearizable"),
    ),
    Bug(
        "forgets-epoch",
        "a replica obeys any epoch after a restart",
        Rules(epochs_kept=False),
        caught_by=("strong/backups_restarted", "deposed_leaders_refused"),
    ),
    Bug(
        "promotes-laggard",
        "a replica that is not in sync becomes the primary",
        Rules(only_in_sync_promoted=False),
        caught_by=("strong/laggard", "linearizable"),
    ),
    Bug(
        "own-log",
        "a new primary keeps its own log, even if others are more complete",
        Rules(best_log_taken_over=False),
        caught_by=("strong/primary_killed_of_majority", "linearizable"),
    ),
    Bug(
        "serves-too-early",
        "a new primary answers before it knows what was acknowledged",
        Rules(served_when_established=False),
        caught_by=("strong/laggard", "linearizable"),
    ),
    Bug(
        "deposed-reads",
        "a primary reads from its memory, whether or not it still holds its lease",
        Rules(reads_need_lease=False),
        caught_by=("strong/primary_partitioned_of_majority", "linearizable"),
    ),
    Bug(
        "lease-cut-short",
        "a replica takes over from a silent primary while its lease is in force",
        Rules(leases_waited_out=False),
        caught_by=("strong/primary_partitioned_of_majority", "linearizable"),
    ),
    Bug(
        "wall-clock-lease",
        "replicas measure leases with the wall clock",
        Rules(leases_ignore_wall_clock=False),
        caught_by=("strong/clock_wrong", "linearizable"),
    ),
    Bug(
        "keeps-tail",
        "a backup mistakes its own entries for the primary's because they are as many",
        Rules(tails_compared=False),
        caught_by=("strong/failover_twice", "log_matching"),
    ),
    Bug(
        "wrong-offset",
        "a primary sends a backup that lacks many entries all pieces of them except the first",
        Rules(all_pieces_sent=False),
        caught_by=("strong/caught_up_by_another", "linearizable"),
    ),
    Bug(
        "no-sync",
        "a replica acknowledges what it has written but not synced",
        Rules(synced_before_answer=False),
        caught_by=("strong/power_lost", "linearizable"),
    ),
    Bug(
        "skip-damaged",
        "a replica skips the damaged part of its log and goes on",
        Rules(damage_is_amnesia=False),
        caught_by=("strong/bits_flipped", "linearizable"),
    ),
    Bug(
        "sessions-lost",
        "a replica leaves the sessions out of a rewritten log",
        Rules(sessions_kept=False),
        caught_by=("strong/killed_compacting", "linearizable"),
    ),
    Bug(
        "retries-twice",
        "a replica executes a retried command again",
        Rules(retries_done_once=False),
        caught_by=("strong/killed_in_mid_replication", "linearizable"),
    ),
    Bug(
        "compares-early",
        "a compare-and-set compares before the entries ahead of it in the log are executed",
        Rules(compared_in_order=False),
        caught_by=("strong/contended", "linearizable"),
    ),
    Bug(
        "checksum-ignored",
        "a replica takes messages of other nodes that a link has corrupted",
        Rules(checksums_checked=False),
        caught_by=("strong/links_corrupt", "log_matching"),
    ),
)
