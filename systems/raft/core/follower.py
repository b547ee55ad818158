"""A follower: accepts what the leader sends, and begins an election when it hears no leader."""

from __future__ import annotations

from systems.raft.core.messages import Append, Appended, CampaignNow, Entry, Install, Installing, Message, Snapshot
from systems.raft.core.role import RoleName, Turn
from systems.raft.core.state import State


class Follower:
    """The follower's role; see the module."""

    name: RoleName = "follower"

    def __init__(self, state: State) -> None:
        self._state = state
        self.postpone()

    def postpone(self) -> None:
        """Restart the election timer: a leader was heard, or a candidate got this node's vote."""
        self._campaigns_at_ms = self._state.election_timeout_ms()

    @property
    def due_ms(self) -> int:
        return self._campaigns_at_ms

    def tick(self) -> Turn | None:
        state = self._state
        if state.now_ms < self._campaigns_at_ms:
            return None
        if not state.may_campaign:
            self.postpone()
            return None
        return Turn.ASK

    def step(self, source: str, message: Message) -> Turn | None:
        state = self._state
        match message:
            case Append():
                self._hear(source)
                accepted, match = self._append(message)
                state.send(source, Appended(term=message.term, accepted=accepted, match=match, round=message.round))
            case Install(index=index, round=round_):
                self._hear(source)
                if self._installed(source, message):
                    state.send(source, Appended(term=state.term, accepted=True, match=state.commit, round=round_))
                else:
                    offset = state.receiving.offset
                    state.send(source, Installing(term=state.term, index=index, offset=offset, round=round_))
            case CampaignNow() if state.may_campaign:
                return Turn.CAMPAIGN_AT_ONCE
        return None

    def flush(self) -> None:
        """Nothing to send: a follower answers at once."""

    def saved(self) -> Turn | None:
        return None

    def _hear(self, leader: str) -> None:
        self._state.leader, self._state.heard_ms = leader, self._state.now_ms
        self.postpone()

    def _append(self, message: Append) -> tuple[bool, int]:
        """Whether the entries were accepted, and the last entry that this log shares with the leader's; if not accepted, the
        last one that it may share."""
        state, log = self._state, self._state.log
        previous, term, entries = message.previous_index, message.previous_term, list(message.entries)
        if previous < log.base_index:  # earlier entries are committed, and in a snapshot
            entries = [entry for entry in entries if entry.index > log.base_index]
            previous, term = log.base_index, log.base_term
        if log.term(previous) != term and state.rules.gaps_refused:
            return False, self._last_that_may_match(min(previous - 1, log.last_index), term)
        if previous > log.last_index:
            return False, log.last_index
        self._take(entries)
        checked = previous + len(entries)
        known = min(message.commit, checked if state.rules.commit_ends_with_what_was_checked else log.last_index)
        state.commit = max(state.commit, known)
        return True, checked

    def _take(self, entries: list[Entry]) -> None:
        state, log = self._state, self._state.log
        for entry in entries:
            held = log.term(entry.index)
            if held == entry.term:
                continue  # a duplicate; truncating here would drop entries of a later message
            if held is not None:
                if not state.rules.conflicts_truncated:
                    continue
                state.truncate(entry.index)
            state.append(entry)

    def _last_that_may_match(self, index: int, term: int) -> int:
        """The last entry, at or before an index, that the leader's log may share: one round trip skips a whole term."""
        state, log = self._state, self._state.log
        while index > max(state.commit, log.base_index) and (log.term(index) or 0) > term:
            index -= 1
        return index

    def _installed(self, leader: str, piece: Install) -> bool:
        """Take a piece; returns whether everything in the snapshot is here now, through this piece or before it."""
        state = self._state
        if piece.index <= state.commit:
            state.receiving.drop_to(state.commit)
            return True
        snapshot = state.receiving.take(leader, piece)
        if snapshot is None:
            return False
        self._install(snapshot)
        return True

    def _install(self, snapshot: Snapshot) -> None:
        """Start from a snapshot; later entries of this log are kept if they follow it (extended paper, figure 13)."""
        state, log = self._state, self._state.log
        if log.term(snapshot.index) == snapshot.term:
            log.drop_to(snapshot.index)
        else:
            log.begin_at(snapshot.index, snapshot.term, snapshot.members)
            state.saved_index = min(state.saved_index, state.commit)  # of what was there after that, nothing is left
        state.unsaved_from = snapshot.index + 1  # kept entries are written again, since the snapshot replaces the file
        state.commit = snapshot.index
        state.snapshot = state.installed = snapshot
