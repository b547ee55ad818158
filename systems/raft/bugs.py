"""The known bugs of the Raft store. Each breaks one of the correct system's `Rules`."""

from __future__ import annotations

from typing import Final

from harness.model.bug import Bug, BugCatalog
from systems.raft.rules import CORRECT, Rules

BUGS: Final = BugCatalog(
    CORRECT,
    Bug(
        "half-is-majority",
        "a node counts half of the voters, rounded down, as a majority",
        Rules(majority_is_more_than_half=False),
        caught_by=("raft/partitioned", "linearizable"),
    ),
    Bug(
        "vote-kept",
        "a node does not reset its vote in a new term",
        Rules(new_term_clears_vote=False),
        caught_by=("raft/leader_killed", "p90 < 2s"),
    ),
    Bug(
        "vote-forgotten",
        "a node does not write its vote to the disk",
        Rules(vote_kept=False),
        caught_by=("raft/all_killed", "vows_kept"),
    ),
    Bug(
        "term-forgotten",
        "a node does not write its term to the disk",
        Rules(term_kept=False),
        caught_by=("raft/all_killed", "vows_kept"),
    ),
    Bug(
        "stale-candidate",
        "a node votes for a candidate whose log is behind its own",
        Rules(votes_need_current_log=False),
        caught_by=("raft/one_behind", "leader_completeness"),
    ),
    Bug(
        "no-pre-vote",
        "a node that hears no leader raises its term without a pre-vote",
        Rules(asks_before_campaigning=False),
        caught_by=("raft/rejoining", "leader_undisturbed"),
    ),
    Bug(
        "pre-votes-freely",
        "a node that hears its leader tells others that it would vote for them",
        Rules(pre_votes_need_silence=False),
        caught_by=("raft/leader_unheard", "leader_undisturbed"),
    ),
    Bug(
        "deaf-leader",
        "a leader that no longer hears a majority does not step down",
        Rules(leader_needs_to_be_heard=False),
        caught_by=("raft/one_way", "p90 < 2s"),
    ),
    Bug(
        "gaps-accepted",
        "a follower accepts entries without checking the entry before them",
        Rules(gaps_refused=False),
        caught_by=("raft/late_appends", "log_matching"),
    ),
    Bug(
        "conflicts-kept",
        "a follower keeps entries that differ from the leader's",
        Rules(conflicts_truncated=False),
        caught_by=("raft/partitioned", "state_machine_safety"),
    ),
    Bug(
        "commits-unchecked",
        "a follower commits entries that it has not compared with the leader's log",
        Rules(commit_ends_with_what_was_checked=False),
        caught_by=("raft/partitioned", "state_machine_safety"),
    ),
    Bug(
        "counts-old-terms",
        "a leader commits an entry of an earlier term by counting its copies",
        Rules(commits_by_own_term=False),
        caught_by=("raft/figure_eight", "commits_by_own_term"),
    ),
    Bug(
        "early-ack",
        "a leader acknowledges a write before a majority has it",
        Rules(acknowledged_when_committed=False),
        caught_by=("raft/partitioned", "linearizable"),
    ),
    Bug(
        "no-sync",
        "a node takes what it has written to be on the disk before it is synced",
        Rules(synced_before_answer=False),
        caught_by=("raft/power_cut", "linearizable"),
    ),
    Bug(
        "skip-damaged",
        "a node skips the damaged part of its log and goes on",
        Rules(damage_is_amnesia=False),
        caught_by=("raft/bits_flipped", "linearizable"),
    ),
    Bug(
        "damaged-votes",
        "a node that has lost its log votes before it has caught up",
        Rules(damaged_catch_up_first=False),
        caught_by=("raft/bits_flipped", "leader_completeness"),
    ),
    Bug(
        "any-entry",
        "a node answers a client when the index of its command is applied, even if another command is there by then",
        Rules(entries_known_by_term=False),
        caught_by=("raft/flapping", "linearizable"),
    ),
    Bug(
        "local-reads",
        "every node answers reads from what it has applied",
        Rules(reads_ask_leader=False),
        caught_by=("raft/slow_links", "linearizable"),
    ),
    Bug(
        "unconfirmed-reads",
        "a leader answers reads without confirming that it still leads",
        Rules(leads_only_if_confirmed=False),
        caught_by=("raft/stale_leader", "linearizable"),
    ),
    Bug(
        "early-reads",
        "a new leader answers reads before it has committed an entry of its term",
        Rules(reads_wait_for_own_term=False),
        caught_by=("raft/reads_after_failover", "linearizable"),
    ),
    Bug(
        "wall-clock-lease",
        "a node measures leases and timers with the wall clock",
        Rules(leases_on_monotonic_clock=False),
        caught_by=("raft/leased_reads", "linearizable"),
    ),
    Bug(
        "votes-when-started",
        "a node votes for others as soon as it is started, although it may just have heard a leader that reads by lease",
        Rules(restarts_wait=False),
        caught_by=("raft/voters_restarted", "linearizable"),
    ),
    Bug(
        "two-at-once",
        "a leader changes members while an earlier change is not yet committed",
        Rules(one_change_at_a_time=False),
        caught_by=("raft/grown_in_a_minority", "state_machine_safety"),
    ),
    Bug(
        "checksum-ignored",
        "a node takes messages of other nodes that a link has corrupted",
        Rules(checksums_checked=False),
        caught_by=("raft/links_corrupt", "log_matching"),
    ),
    Bug(
        "retries-twice",
        "a node executes a retried command again",
        Rules(retries_recognized=False),
        caught_by=("raft/killed_in_mid_append", "linearizable"),
    ),
    Bug(
        "compares-early",
        "a compare-and-set compares when it arrives, and writes when it is committed",
        Rules(compared_when_applied=False),
        caught_by=("raft/healthy", "linearizable"),
    ),
    Bug(
        "pieces-anywhere",
        "a node appends a piece of a snapshot wherever it belongs, and does not verify the whole",
        Rules(pieces_in_order=False),
        caught_by=("raft/pieces_resent", "nodes_stayed_up"),
    ),
    Bug(
        "pieces-mixed",
        "a node mixes pieces of two leaders' snapshots, and does not verify the whole",
        Rules(pieces_of_one_snapshot=False),
        caught_by=("raft/snapshot_in_pieces", "nodes_stayed_up"),
    ),
    Bug(
        "snapshot-mislabelled",
        "a node labels a snapshot as holding the whole log, including entries not yet applied",
        Rules(snapshot_names_what_it_holds=False),
        caught_by=("raft/snapshots", "linearizable"),
    ),
)
