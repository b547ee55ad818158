"""The named rules of a correct node: the code checks each where it matters, and a known bug breaks one of them.

Section numbers refer to D. Ongaro, J. Ousterhout, "In Search of an Understandable Consensus Algorithm (Extended Version)",
2014, or to D. Ongaro's thesis, "Consensus: Bridging Theory and Practice", Stanford 2014.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Rules:
    """Which rules a node keeps. A bug breaks those that are False."""

    # Elections
    majority_is_more_than_half: bool = True
    new_term_clears_vote: bool = True
    votes_need_current_log: bool = True
    """A vote goes only to a candidate whose log is at least as up to date as the voter's (§5.4.1)."""
    asks_before_campaigning: bool = True
    """A node raises its term only if a majority would vote for it: pre-vote (thesis 9.6)."""
    pre_votes_need_silence: bool = True
    """A node that hears its leader would vote for no other node, and says so (thesis 4.2.3)."""
    leader_needs_to_be_heard: bool = True
    """A leader that hears no majority for an election timeout steps down: check-quorum (thesis 6.2)."""
    restarts_wait: bool = True
    """A node that has been started votes for nobody for an election timeout: a lease may rely on a leader that it had heard."""
    term_kept: bool = True
    vote_kept: bool = True
    """Both are on the disk before anything that depends on them is sent."""

    # Replication
    old_terms_refused: bool = True
    """Entries from the leader of an earlier term are not accepted (§5.1)."""
    gaps_refused: bool = True
    """Entries are accepted only if the previous one is there (§5.3)."""
    conflicts_truncated: bool = True
    """An entry that conflicts with the leader's is removed, with all later ones (§5.3)."""
    commit_ends_with_what_was_checked: bool = True
    """A follower regards as committed only what the current message has shown to match the leader's log (§5.3)."""
    commits_by_own_term: bool = True
    """A leader commits by counting copies only an entry of its own term; earlier ones are committed with it (§5.4.2)."""
    acknowledged_when_committed: bool = True
    synced_before_answer: bool = True
    damage_is_amnesia: bool = True
    """A node with a damaged log votes, and reports its state, only when it can no longer break a forgotten promise."""
    damaged_catch_up_first: bool = True
    """Such a node votes only for candidates whose logs are as up to date as its own may have been."""
    entries_known_by_term: bool = True
    """A proposal was carried out only if its own entry was applied, not any entry at that index."""

    # Reads
    reads_ask_leader: bool = True
    leads_only_if_confirmed: bool = True
    """A leader does not assume that it still leads: it answers a read only after a majority has confirmed, since the read
    arrived, that it does (thesis 6.4), and steps down if it hears no majority."""
    reads_wait_for_own_term: bool = True
    """A new leader knows what is committed only once an entry of its own term is committed (thesis 6.4)."""
    leases_on_monotonic_clock: bool = True

    # Members
    one_change_at_a_time: bool = True
    """Members change by one voter at a time, once the previous change and an entry of the leader's own term are committed
    (thesis 4.1)."""

    # Snapshots
    pieces_in_order: bool = True
    """A piece of a snapshot is appended only if it begins where the previous ones end; and a checksum verifies the whole."""
    pieces_of_one_snapshot: bool = True
    """Pieces of different snapshots, or from leaders of different terms, are not combined; the same checksum would show it."""

    # Messages
    checksums_checked: bool = True
    """A message between nodes whose checksum is wrong counts as lost."""

    # State machine
    retries_recognized: bool = True
    compared_when_applied: bool = True
    """Compare-and-set compares when its entry is applied, not when it is proposed."""
    snapshot_names_what_it_holds: bool = True
    """A snapshot carries the index of the last entry that it holds."""


CORRECT: Final = Rules()
