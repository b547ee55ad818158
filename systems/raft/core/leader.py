"""A leader: appends entries to its log, sends them, and determines which are committed."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Final, Literal

from systems.raft.core.copies import twin
from systems.raft.core.messages import Append, Appended, CampaignNow, Entry, Installing, Members, Message, Snapshot
from systems.raft.core.pieces import Sending
from systems.raft.core.progress import Progress
from systems.raft.core.reads import ReadReady, Reads
from systems.raft.core.role import RoleName, Turn
from systems.raft.core.state import State

_CAUGHT_UP: Final = 64
"""A learner that is behind by fewer entries than this becomes a voter."""

Refusal = Literal["leadership is being handed over", "members are changing", "a new leader has yet to commit an entry"]


class Leader:
    """The leader's role. Its term begins with an entry of its own, without which it could commit nothing (thesis 6.4)."""

    name: RoleName = "leader"

    def __init__(self, state: State) -> None:
        self._state = state
        self.reads = Reads()
        self._early_reads: list[int] = []
        """Reads that arrived before an entry of this term was committed."""
        self._others: dict[str, Progress] = {}
        self._heartbeat_at_ms = state.now_ms
        self._successor: str | None = None
        self._hands_over_until_ms = 0
        self.told_successor = False
        """Whether it has told the node to which it hands over, or handed over last, to campaign."""
        self._gave_leave = False
        """Whether it has told another node to campaign, which may happen any time later: no lease holds in this term."""
        state.leader = state.name
        self._first_index = state.log.last_index + 1
        state.append(Entry(self._first_index, state.term))
        self._follow_members()

    # ------------------------------------------------------------------------------------------------------ what is asked

    def propose(self, data: str) -> Entry | Refusal:
        """Append a command to the log, or say why not."""
        if self._successor is not None:
            return "leadership is being handed over"
        return self._append(data=data)

    def change(self, members: Members) -> Entry | Refusal:
        """Append a change of members, or say why not. Raises `ValueError` if more than one voter would change."""
        state = self._state
        if state.rules.one_change_at_a_time:
            if len(set(state.log.members.voters) ^ set(members.voters)) > 1:
                raise ValueError(f"members change by one voter at a time, not from {state.log.members} to {members}")
            if state.log.members_index > state.commit:
                return "members are changing"
            if state.commit < self._first_index:
                return "a new leader has yet to commit an entry"
        if self._successor is not None:
            return "leadership is being handed over"
        entry = self._append(members=members)
        self._follow_members()
        return entry

    def read(self, number: int) -> None:
        """Start a read: it appears in `reads.ready`, unless leadership is lost before."""
        state = self._state
        if state.commit < self._first_index and state.rules.reads_wait_for_own_term:
            self._early_reads.append(number)
        elif self.holds_lease or not state.rules.leads_only_if_confirmed:
            self.reads.ready.append(ReadReady(number, state.commit))
        else:
            self.reads.add(number, state.commit)

    def hand_over(self, target: str) -> str | None:
        """Have another voter lead as soon as it has all entries; returns why not, or None. It is given an election timeout."""
        state = self._state
        if target == state.name or target not in state.log.members.voters:
            return f"{target} is no other voter of {state.log.members}"
        self._successor, self._hands_over_until_ms = target, state.now_ms + state.timing.election_ms
        self.told_successor = False
        return None

    @property
    def matches(self) -> Mapping[str, int]:
        """By other node, the last entry that it is known to have on its disk."""
        return {name: progress.match for name, progress in self._others.items()}

    @property
    def sending(self) -> Mapping[str, Snapshot]:
        """By other node, the snapshot that is being sent to it."""
        return {name: one.sending.snapshot for name, one in self._others.items() if one.sending is not None}

    def droppable(self, index: int) -> int:
        """The last entry, at or before an index, that need not stay in the log because of snapshots that are being sent.

        Without the entries after it, whoever gets such a snapshot would need another one next, and so on for as long as writes
        go on. But if they are longer than the newest snapshot, that is the shorter way.
        """
        state = self._state
        most = max(0 if state.snapshot is None else len(state.snapshot.data), state.timing.in_flight_bytes)
        sent = {snapshot.index for snapshot in self.sending.values()}
        for last in sorted(at for at in sent if state.log.base_index <= at < index):
            if sum(len(entry.data) for entry in state.log.slice(last + 1, index)) <= most:
                return last
        return index

    @property
    def hands_over_until_ms(self) -> int | None:
        """Until when it refuses commands, because another node is to lead; None if none is."""
        return None if self._successor is None else self._hands_over_until_ms

    @property
    def lease_until_ms(self) -> int | None:
        """Before this no other node can lead, if clocks meet the assumption of `Timing.lease_ms`; None: it has no lease."""
        lease_ms, asked_ms = self._state.timing.lease_ms, self.reads.confirmed_ms
        if lease_ms is None or asked_ms is None or self._gave_leave:
            return None
        return asked_ms + lease_ms

    @property
    def holds_lease(self) -> bool:
        """Whether no other node can lead yet."""
        until_ms = self.lease_until_ms
        return until_ms is not None and self._state.now_ms < until_ms

    def imagined(self, state: State) -> Leader:
        """A copy that goes on with another state: see `Core.imagined`."""
        other = twin(self)
        other._state, other.reads, other._early_reads = state, copy(self.reads), self._early_reads[:]
        other._others = {name: twin(progress) for name, progress in self._others.items()}
        return other

    # ------------------------------------------------------------------------------------------------- as any role's are

    @property
    def due_ms(self) -> int:
        return self._heartbeat_at_ms

    def tick(self) -> Turn | None:
        state = self._state
        if not self._is_heard():
            return Turn.FOLLOW
        if self._successor is not None and state.now_ms >= self._hands_over_until_ms:
            self._successor = None
        if state.now_ms >= self._heartbeat_at_ms:
            self._begin_round()
        return None

    def step(self, source: str, message: Message) -> Turn | None:
        progress = self._others.get(source)
        if progress is None or not isinstance(message, Appended | Installing):
            return None
        progress.heard_ms = self._state.now_ms
        progress.round = max(progress.round, message.round)
        if isinstance(message, Installing):
            progress.installing(message.index, message.offset)
        elif message.accepted:
            progress.accepted(message.match, message.round, self._state.log.base_index)
        else:
            progress.refused(message.match, message.round)
        return self._advance()

    def flush(self) -> None:
        if self.reads.need_round:
            self._begin_round()
        for name, progress in self._others.items():
            self._send_entries(name, progress)
        self._promote()
        self._give_leave()

    def saved(self) -> Turn | None:
        return self._advance()

    # ------------------------------------------------------------------------------------------------------------ entries

    def _append(self, *, data: str = "", members: Members | None = None) -> Entry:
        entry = Entry(self._state.log.last_index + 1, self._state.term, data, members)
        self._state.append(entry)
        return entry

    def _send_entries(self, name: str, progress: Progress) -> None:
        state, log, timing = self._state, self._state.log, self._state.timing
        limit = state.limits.get(name, timing.in_flight_bytes)
        while progress.next <= log.last_index and progress.may_send(state.now_ms, min(limit, timing.in_flight_bytes)):
            if progress.next <= log.base_index:
                self._send_piece(name, progress)
                return
            entries = self._batch(progress, min(limit, timing.batch_bytes))
            self._send_append(name, progress, entries)
            if progress.probing:
                progress.waits_until_ms = state.now_ms + timing.heartbeat_ms
                return
            progress.next += len(entries)

    def _send_piece(self, name: str, progress: Progress) -> None:
        """Send the next piece of a snapshot, or the same one again if it was not answered in time."""
        state = self._state
        if progress.sending is None and state.snapshot is not None:
            progress.sending = Sending(state.snapshot)
            progress.sent_bytes = 0  # what was sent before is of no use to the node, and no answer would take it off the count
        if progress.sending is not None:
            most = min(state.timing.piece, state.limits.get(name, state.timing.piece))
            state.send(name, progress.sending.piece(state.term, most, self.reads.last_round))
        progress.waits_until_ms = state.now_ms + state.timing.election_ms

    def _batch(self, progress: Progress, most: int) -> tuple[Entry, ...]:
        """The next entries for a node, as many as fit into a message of about so many characters, and at least one."""
        timing, batch, size = self._state.timing, [], 0
        for entry in self._state.log.slice(progress.next, progress.next + timing.batch - 1):
            batch.append(entry)
            size += len(entry.data)
            if size >= most:
                break
        progress.sent_bytes += size
        return tuple(batch)

    def _send_append(self, name: str, progress: Progress, entries: tuple[Entry, ...] = ()) -> None:
        state, log = self._state, self._state.log
        previous = max(progress.next - 1, log.base_index)
        append = Append(
            term=state.term,
            previous_index=previous,
            previous_term=log.term(previous) or 0,
            entries=entries,
            commit=state.commit,
            round=self.reads.last_round,
        )
        state.send(name, append)

    def _give_leave(self) -> None:
        """Tell the successor to campaign, once it has everything."""
        name, state = self._successor, self._state
        if name in self._others and not self.told_successor and self._others[name].match == state.log.last_index:
            state.send(name, CampaignNow(term=state.term))
            self.told_successor = self._gave_leave = True

    def _begin_round(self) -> None:
        """Send a heartbeat to every other member."""
        state = self._state
        self.reads.begin_round(state.now_ms)
        for name, progress in self._others.items():
            self._send_append(name, progress)
        self._heartbeat_at_ms = state.now_ms + state.timing.heartbeat_ms
        self._confirm()

    # ---------------------------------------------------------------------------------------------------- what is known

    def _advance(self) -> Turn | None:
        """Commit what a majority has, and release the reads that waited for it."""
        state = self._state
        if state.voters:
            index = state.majority_of([self._match(name) for name in state.voters])
            own = state.log.term(index) == state.term or not state.rules.commits_by_own_term
            if index > state.commit and own:
                state.commit = index
        if state.commit >= self._first_index and self._early_reads:
            for number in self._early_reads:
                self.reads.add(number, state.commit)
            self._early_reads.clear()
        self._confirm()
        removed = state.name not in state.log.members.all and state.log.members_index <= state.commit
        return Turn.FOLLOW if removed else None

    def _confirm(self) -> None:
        rounds = [self._round(name) for name in self._state.voters]
        if rounds:
            self.reads.confirm(self._state.majority_of(rounds))

    def _round(self, name: str) -> int:
        return self.reads.last_round if name == self._state.name else self._others[name].round

    def _match(self, name: str) -> int:
        """The last entry of which a voter's copy counts: none before a new voter knows that it is one.

        Until then, only this node could tell that it must be heard about what was committed with its help.
        """
        state = self._state
        if name == state.name:
            return state.saved_index
        match, log = self._others[name].match, state.log
        return match if match >= log.members_index or name in log.members_at(state.commit).voters else 0

    def _is_heard(self) -> bool:
        """Whether a majority has answered within an election timeout."""
        state = self._state
        needed = state.rules.leader_needs_to_be_heard and state.rules.leads_only_if_confirmed
        if not needed or not state.voters:
            return True
        heard_ms = [state.now_ms if name == state.name else self._others[name].heard_ms for name in state.voters]
        return state.majority_of(heard_ms) > state.now_ms - state.timing.election_ms

    # ------------------------------------------------------------------------------------------------------------ members

    def _follow_members(self) -> None:
        """Send to the members of the last entry that changed them."""
        state = self._state
        for name in state.log.members.all:
            if name != state.name and name not in self._others:
                self._others[name] = Progress(next=state.log.last_index, heard_ms=state.now_ms)
        for name in [name for name in self._others if name not in state.log.members.all]:
            del self._others[name]

    def _promote(self) -> None:
        """Promote a learner that has caught up to a voter, if members may change now (thesis 4.2.1)."""
        state, members = self._state, self._state.log.members
        for name in (learner for learner in members.learners if learner != state.name):
            if self._others[name].match > state.log.last_index - _CAUGHT_UP and not self._others[name].probing:
                learners = tuple(other for other in members.learners if other != name)
                self.change(Members((*members.voters, name), learners))
                return
