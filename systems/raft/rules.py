"""The rules that a correct node keeps, by name: the code asks for each where it matters, and a known bug breaks one of them.

Numbers of sections are those of D. Ongaro, J. Ousterhout, "In Search of an Understandable Consensus Algorithm (Extended
Version)", 2014, or of D. Ongaro's thesis, "Consensus: Bridging Theory and Practice", Stanford 2014.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Rules:
    """See the module. A bug breaks the one that is False."""

    # Elections
    majority_is_more_than_half: bool = True
    new_term_clears_vote: bool = True
    votes_need_current_log: bool = True
    """A vote goes only to a candidate whose log is at least as up to date as the voter's (§5.4.1)."""
    asks_before_campaigning: bool = True
    """A node raises its term only when a majority would vote for it: pre-vote (thesis 9.6)."""
    leader_needs_to_be_heard: bool = True
    """A leader that hears no majority for an election timeout steps down: check-quorum (thesis 6.2)."""
    term_kept: bool = True
    vote_kept: bool = True
    """Both are on the disk before anything is sent that rests on them."""

    # Replication
    old_terms_refused: bool = True
    """Entries from the leader of an earlier term are not accepted (§5.1)."""
    gaps_refused: bool = True
    """Entries are accepted only if the one before them is there (§5.3)."""
    conflicts_truncated: bool = True
    """An entry that differs from the leader's goes, with all after it (§5.3)."""
    commit_ends_with_what_was_checked: bool = True
    """A follower takes as committed no more than it has just been found to share with the leader (§5.3)."""
    commits_by_own_term: bool = True
    """Only an entry of its own term is committed by counting; those before it are committed with it (§5.4.2)."""
    acknowledged_when_committed: bool = True
    synced_before_answer: bool = True
    damage_is_amnesia: bool = True
    """A node that finds its log damaged votes, and tells what it has, only when it cannot break a promise that it forgot."""
    entries_known_by_term: bool = True
    """A proposal was carried out if its own entry was applied, not whichever came to that place of the log."""

    # Reads
    reads_ask_leader: bool = True
    leads_only_if_confirmed: bool = True
    """A leader does not take itself for the leader until it is told otherwise: it reads when a majority has said, after the
    read was asked, that it still leads (thesis 6.4), and steps down when it hears none."""
    reads_wait_for_own_term: bool = True
    """A new leader knows what is committed only when an entry of its own term is (thesis 6.4)."""
    leases_on_monotonic_clock: bool = True

    # Members
    one_change_at_a_time: bool = True
    """Members change by one voter, when the last change is committed, and an entry of the leader's own term is (thesis 4.1)."""

    # Snapshots
    pieces_in_order: bool = True
    """A piece of a snapshot is put after what is there only if it begins where that ends; and a checksum tells if the whole is
    not what was sent."""
    pieces_of_one_snapshot: bool = True
    """Pieces of another snapshot, or from the leader of another term, are not put after those that are there; the same
    checksum would tell."""

    # State machine
    retries_recognized: bool = True
    compared_when_applied: bool = True
    """Compare-and-set compares when its entry is applied, not when it is proposed."""
    snapshot_names_what_it_holds: bool = True
    """A snapshot carries the index of the last entry that it holds."""


CORRECT: Final = Rules()
