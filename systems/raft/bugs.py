"""The known bugs of the Raft store. Each breaks one of the correct system's `Rules`."""

from __future__ import annotations

from typing import Final

from harness.model.bug import Bug, BugCatalog
from systems.raft.rules import CORRECT, Rules

BUGS: Final = BugCatalog(
    CORRECT,
    Bug(
        "half-is-majority",
        "half of the voters, rounded down, count as a majority",
        Rules(majority_is_more_than_half=False),
        caught_by=("raft/partitioned", "linearizable"),
    ),
    Bug(
        "vote-kept",
        "a vote is not reset in a new term",
        Rules(new_term_clears_vote=False),
        caught_by=("raft/leader_killed", "p90 < 2s"),
    ),
    Bug(
        "vote-forgotten",
        "a vote is not written to the disk",
        Rules(vote_kept=False),
        caught_by=("raft/all_killed", "vows_kept"),
    ),
    Bug(
        "term-forgotten",
        "a term is not written to the disk",
        Rules(term_kept=False),
        caught_by=("raft/all_killed", "vows_kept"),
    ),
    Bug(
        "stale-candidate",
        "a vote goes to a candidate whose log is behind",
        Rules(votes_need_current_log=False),
        caught_by=("raft/one_behind", "leader_completeness"),
    ),
    Bug(
        "no-pre-vote",
        "a node that hears no leader raises its term without asking first",
        Rules(asks_before_campaigning=False),
        caught_by=("raft/rejoining", "leader_undisturbed"),
    ),
    Bug(
        "deaf-leader",
        "a leader that hears no majority leads on",
        Rules(leader_needs_to_be_heard=False),
        caught_by=("raft/one_way", "p90 < 2s"),
    ),
    Bug(
        "gaps-accepted",
        "entries are accepted without a look at the one before them",
        Rules(gaps_refused=False),
        caught_by=("raft/partitioned", "log_matching"),
    ),
    Bug(
        "conflicts-kept",
        "an entry that differs from the leader's stays in the log",
        Rules(conflicts_truncated=False),
        caught_by=("raft/partitioned", "state_machine_safety"),
    ),
    Bug(
        "commits-unchecked",
        "a follower takes as committed what it has not compared with the leader's log",
        Rules(commit_ends_with_what_was_checked=False),
        caught_by=("raft/partitioned", "state_machine_safety"),
    ),
    Bug(
        "counts-old-terms",
        "an entry of an earlier term is committed by counting its copies",
        Rules(commits_by_own_term=False),
        caught_by=("raft/figure_eight", "commits_by_own_term"),
    ),
    Bug(
        "early-ack",
        "a write is acknowledged before a majority has it",
        Rules(acknowledged_when_committed=False),
        caught_by=("raft/partitioned", "linearizable"),
    ),
    Bug(
        "no-sync",
        "what was written is taken to be on the disk before it is synced",
        Rules(synced_before_answer=False),
        caught_by=("raft/power_lost", "linearizable"),
    ),
    Bug(
        "skip-damaged",
        "a node skips what it cannot read of its log, and goes on",
        Rules(damage_is_amnesia=False),
        caught_by=("raft/bits_flipped", "linearizable"),
    ),
    Bug(
        "any-entry",
        "a client is answered when the place in the log that its command was given is applied, whatever is there by then",
        Rules(entries_known_by_term=False),
        caught_by=("raft/flapping", "linearizable"),
    ),
    Bug(
        "local-reads",
        "any node answers reads from what it has applied",
        Rules(reads_ask_leader=False),
        caught_by=("raft/slow_links", "linearizable"),
    ),
    Bug(
        "unconfirmed-reads",
        "a leader takes itself for the leader, and answers reads, until it is told otherwise",
        Rules(leads_only_if_confirmed=False),
        caught_by=("raft/stale_leader", "linearizable"),
    ),
    Bug(
        "early-reads",
        "a new leader answers reads before it has committed an entry of its term",
        Rules(reads_wait_for_own_term=False),
        caught_by=("raft/slow_links", "linearizable"),
    ),
    Bug(
        "wall-clock-lease",
        "leases and timers go by the time of day",
        Rules(leases_on_monotonic_clock=False),
        caught_by=("raft/leased_reads", "linearizable"),
    ),
    Bug(
        "two-at-once",
        "members change while an earlier change is not committed",
        Rules(one_change_at_a_time=False),
        caught_by=("raft/grown_in_a_minority", "state_machine_safety"),
    ),
    Bug(
        "retries-twice",
        "a command that comes again is carried out again",
        Rules(retries_recognized=False),
        caught_by=("raft/killed_in_mid_append", "linearizable"),
    ),
    Bug(
        "compares-early",
        "compare-and-set compares when it is asked, and writes when it is committed",
        Rules(compared_when_applied=False),
        caught_by=("raft/healthy", "linearizable"),
    ),
    Bug(
        "pieces-anywhere",
        "a piece of a snapshot is put after what is there, wherever it belongs, and the whole is not checked",
        Rules(pieces_in_order=False),
        caught_by=("raft/snapshot_in_pieces", "linearizable"),
    ),
    Bug(
        "pieces-mixed",
        "pieces of one leader's snapshot are put after those of another one's, and the whole is not checked",
        Rules(pieces_of_one_snapshot=False),
        caught_by=("raft/snapshot_in_pieces", "linearizable"),
    ),
    Bug(
        "snapshot-mislabelled",
        "a snapshot is taken to hold the whole log, also what was not applied yet",
        Rules(snapshot_names_what_it_holds=False),
        caught_by=("raft/snapshots", "linearizable"),
    ),
)
