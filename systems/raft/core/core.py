"""The Raft core: one node of a group as a deterministic state machine, without I/O, time or threads.

Inputs are messages, time, proposals and reads, each with the time in milliseconds of a monotonic clock. After one or several
inputs, `take` returns what to do, and in which order:

    output = core.take()
    storage.save(output)        # vows, a snapshot, entries: on the disk when this returns
    core.saved()
    send(output.messages)       # not before: an answer promises what was saved
    apply(output.committed)     # to the state machine, in order

Repeat this until the output is empty: after `saved`, `take` may return more, since a leader's own copy of an entry counts only
once it is saved.

After D. Ongaro, J. Ousterhout, "In Search of an Understandable Consensus Algorithm", USENIX ATC 2014, and Ongaro's thesis,
Stanford 2014. The interface follows etcd's raft library.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field
from random import Random
from typing import Final

import msgspec

from systems.raft.core.candidate import Candidate
from systems.raft.core.copies import IMAGINED, twin
from systems.raft.core.follower import Follower
from systems.raft.core.leader import Leader, Refusal
from systems.raft.core.log import Log
from systems.raft.core.messages import (
    Append,
    Appended,
    Entry,
    Install,
    Members,
    Message,
    PreVote,
    PreVoteAnswer,
    Sent,
    Snapshot,
    Vote,
    VoteAnswer,
    Vows,
)
from systems.raft.core.reads import ReadReady
from systems.raft.core.recovery import Told, report
from systems.raft.core.role import Role, RoleName, Turn
from systems.raft.core.state import State, Timing
from systems.raft.rules import CORRECT, Rules


class NotLeading(Exception):
    """Only the leader can do that. `leader` is its name, if known."""

    def __init__(self, leader: str | None, why: str = "this node does not lead") -> None:
        super().__init__(why)
        self.leader = leader


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """What to do, in the order of the fields."""

    vows: Vows | None = None
    """Save these; None if they have not changed."""
    installed: Snapshot | None = None
    """Save this in place of the whole log, and restore the state machine from it."""
    entries: Sequence[Entry] = ()
    """Save these from the first one's index on; entries that were there or later are void."""
    messages: Sequence[Sent] = ()
    """Send these once everything above is saved. They may be lost, delayed, duplicated or reordered."""
    led: int | None = None
    """The term in which the node has become the leader, if it has."""
    committed: Sequence[Entry] = ()
    """Apply these."""
    reads: Sequence[ReadReady] = ()
    """Answer each of these once the entry that it names has been applied."""

    @property
    def empty(self) -> bool:
        return self == _NOTHING_TO_DO


_NOTHING_TO_DO: Final = Output()


@dataclass(frozen=True, kw_only=True)
class Saved:
    """Everything that a node finds on its disk when it starts. The default is for a new node."""

    vows: Vows = field(default_factory=Vows)
    snapshot: Snapshot | None = None
    base_index: int = 0
    base_term: int = 0
    base_members: Members | None = None
    entries: Sequence[Entry] = field(default=())


_NOTHING: Final = Saved()
_TIMING: Final = Timing()


class Core:
    """One node's Raft state machine; see the module."""

    def __init__(
        self,
        name: str,
        members: Members,
        *,
        random: Random,
        timing: Timing = _TIMING,
        rules: Rules = CORRECT,
        saved: Saved = _NOTHING,
        now_ms: int = 0,
    ) -> None:
        """`members` are the group's initial members, the same on all nodes; later ones are in the log."""
        log = Log(
            saved.base_members or members,
            base_index=saved.base_index,
            base_term=saved.base_term,
            entries=saved.entries,
        )
        self.state = State(
            name=name,
            log=log,
            vows=saved.vows,
            random=random,
            timing=timing,
            rules=rules,
            snapshot=saved.snapshot,
            now_ms=now_ms,
            commit=saved.snapshot.index if saved.snapshot else 0,
            # A leader may have been heard just before the restart, and its lease relies on this node having heard it.
            heard_ms=now_ms if saved.vows.term and rules.restarts_wait else None,
            saved_index=log.last_index,
            unsaved_from=log.last_index + 1,
        )
        self._role: Role = Follower(self.state)
        self._saved_vows = saved.vows
        self._handed_out = self.state.commit
        self._led: int | None = None

    # --------------------------------------------------------------------------------------------------------- what it is

    @property
    def role(self) -> RoleName:
        return self._role.name

    @property
    def due_ms(self) -> int:
        """The time from which `tick` may do something, if no message arrives before."""
        return self._role.due_ms

    @property
    def term(self) -> int:
        return self.state.term

    @property
    def leader(self) -> str | None:
        return self.state.leader

    @property
    def members(self) -> Members:
        return self.state.log.members

    @property
    def leading(self) -> Leader | None:
        """The leader's role object if this node leads, else None."""
        return self._role if isinstance(self._role, Leader) else None

    def tell(self) -> Told | None:
        """What this node tells one whose disk was damaged; None if this node's own disk was, and it has not caught up yet."""
        return report(self.state)

    def would_vote(self, now_ms: int, candidate: str, request: Vote) -> bool:
        """Whether this node would grant this vote, in a later term. A copy is asked, so nothing happens to this node.

        The copy shares the log, which no vote changes.
        """
        asked = twin(self)
        asked.state = twin(self.state)
        asked.state.outbox, asked.state.random = [], IMAGINED
        asked.step(now_ms, candidate, request)
        return any(isinstance(sent.message, VoteAnswer) and sent.message.granted for sent in asked.state.outbox)

    def answers(self, now_ms: int, source: str, request: Append | Vote | PreVote) -> Sequence[Message]:
        """What this node would answer. A copy is asked, as a follower, so nothing happens to this node."""
        asked, state = twin(self), self._imagined_state()
        asked.state, asked._role = state, Follower(state)
        asked.step(now_ms, source, request)
        return [sent.message for sent in state.outbox if sent.target == source]

    def imagined(self) -> Core | None:
        """A copy of a leader or candidate, to give messages to: nothing happens to this node. None of a follower."""
        if not isinstance(self._role, Leader | Candidate):
            return None
        other, state = twin(self), self._imagined_state()
        other.state, other._role = state, self._role.imagined(state)
        return other

    def _imagined_state(self) -> State:
        """A copy of the state that can be changed, with nothing to send."""
        state = twin(self.state)
        state.log, state.outbox, state.random = copy(self.state.log), [], IMAGINED
        return state

    # ------------------------------------------------------------------------------------------------------------- inputs

    def tick(self, now_ms: int) -> None:
        """Time has passed."""
        self._begin(now_ms)
        self._turn(self._role.tick())

    def step(self, now_ms: int, source: str, message: Message) -> None:
        """A message has arrived."""
        self._begin(now_ms)
        state = self.state
        if isinstance(message, PreVote | Vote) and self._leader_is_known(message):
            return
        if message.term > state.term:
            self._enter(message.term)
        elif message.term < state.term and not self._takes_old(message):
            self._refuse(source, message)
            return
        match message:
            case PreVote():
                state.send(source, PreVoteAnswer(term=state.term, granted=self._current(message)))
            case Vote():
                state.send(source, VoteAnswer(term=state.term, granted=self._vote(source, message)))
            case Append() | Install():
                if not isinstance(self._role, Follower):
                    self._turn(Turn.FOLLOW)
                self._turn(self._role.step(source, message))
            case _:
                self._turn(self._role.step(source, message))
        self._recall()

    def limit(self, target: str, most: int) -> None:
        """Send a node at most so many characters of entries, or of a snapshot, at once: more would not get through in time.

        This node keeps to it in any later term as well: the link does not change with the leader.
        """
        self.state.limits[target] = most

    def propose(self, now_ms: int, data: str) -> Entry:
        """Append a command to the log; returns its entry, which may or may not become committed. Raises `NotLeading`."""
        return self._placed(self._as_leader(now_ms).propose(data))

    def change(self, now_ms: int, members: Members) -> Entry:
        """Propose other members. Raises `NotLeading`, also if members cannot change now; `ValueError` if it is invalid."""
        return self._placed(self._as_leader(now_ms).change(members))

    def read(self, now_ms: int, number: int) -> None:
        """Start a read, which later appears in `Output.reads`; never if leadership is lost before. Raises `NotLeading`."""
        self._as_leader(now_ms).read(number)

    def hand_over(self, now_ms: int, target: str) -> None:
        """Transfer leadership to another node. Raises `NotLeading`, and `ValueError` if that node cannot lead."""
        why = self._as_leader(now_ms).hand_over(target)
        if why is not None:
            raise ValueError(why)

    def compact(self, snapshot: Snapshot, *, keep: int) -> None:
        """Replace the entries that a snapshot holds by it, except for the last `keep`, which slow followers may need, and those
        that will be needed after a snapshot which is on its way to one of them."""
        self.state.snapshot = snapshot
        index = snapshot.index - keep
        self.state.log.drop_to(index if self.leading is None else self.leading.droppable(index))

    # ------------------------------------------------------------------------------------------------------------ outputs

    def take(self) -> Output:
        """What to do next. Call `saved` once it is saved."""
        state = self.state
        self._role.flush()
        reads: Sequence[ReadReady] = ()
        if (leader := self.leading) is not None:
            reads, leader.reads.ready = leader.reads.ready, []
        vows = state.vows if state.vows != self._saved_vows else None
        last = state.log.last_index
        log_is_done = state.unsaved_from > last and self._handed_out >= state.commit
        if log_is_done and not (vows or state.installed or state.outbox or self._led or reads):
            return _NOTHING_TO_DO
        output = Output(
            vows=vows,
            installed=state.installed,
            entries=tuple(state.log.slice(state.unsaved_from, last)),
            messages=tuple(state.outbox),
            led=self._led,
            committed=tuple(state.log.slice(max(self._handed_out, state.log.base_index) + 1, state.commit)),
            reads=tuple(reads),
        )
        self._saved_vows, self._led, self._handed_out = state.vows, None, state.commit
        state.installed, state.outbox, state.unsaved_from = None, [], last + 1
        return output

    def saved(self) -> None:
        """The last output is on the disk."""
        self.state.saved_index = self.state.unsaved_from - 1
        self._turn(self._role.saved())

    # ------------------------------------------------------------------------------------------------------ terms and roles

    def _begin(self, now_ms: int) -> None:
        self.state.now_ms = max(self.state.now_ms, now_ms)

    def _enter(self, term: int) -> None:
        """Enter a later term."""
        state = self.state
        vote = None if state.rules.new_term_clears_vote else state.vows.vote
        state.vows = Vows(term, vote, state.vows.votes_from)
        state.leader = None
        self._role = Follower(state)

    def _turn(self, turn: Turn | None) -> None:
        """Change roles, possibly several times: a candidate that is alone in its group wins at once."""
        state = self.state
        while turn is not None:
            match turn:
                case Turn.ASK if state.rules.asks_before_campaigning:
                    self._role = Candidate(state, asks_only=True)
                case Turn.ASK | Turn.CAMPAIGN | Turn.CAMPAIGN_AT_ONCE:
                    state.vows = Vows(state.term + 1, state.name)
                    self._role = Candidate(state, asks_only=False, transfer=turn is Turn.CAMPAIGN_AT_ONCE)
                case Turn.LEAD:
                    self._led = state.term
                    self._role = Leader(state)
                    return
                case Turn.FOLLOW:
                    state.leader = None
                    self._role = Follower(state)
                    return
            turn = self._role.tick()

    def _leader_is_known(self, message: PreVote | Vote) -> bool:
        """Whether to ignore a request for votes: a removed or partitioned node must not disrupt a leader that others hear
        (thesis 4.2.3)."""
        if isinstance(message, Vote) and message.transfer:
            return False
        if isinstance(message, PreVote) and not self.state.rules.pre_votes_need_silence:
            return False
        return self.leading is not None or self.state.leader_lives(self.state.now_ms)

    def _takes_old(self, message: Message) -> bool:
        """Only for a known bug: whether to accept entries from a leader of an earlier term."""
        return not self.state.rules.old_terms_refused and isinstance(message, Append) and self.leading is None

    def _refuse(self, source: str, message: Message) -> None:
        """Answer a request of an earlier term with the current one; answers of an earlier term are ignored."""
        state = self.state
        match message:
            case PreVote():
                state.send(source, PreVoteAnswer(term=state.term, granted=False))
            case Vote():
                state.send(source, VoteAnswer(term=state.term, granted=False))
            case Append() | Install():
                state.send(source, Appended(term=state.term, accepted=False, match=state.log.last_index, round=0))

    def _current(self, message: PreVote | Vote) -> bool:
        """Whether a candidate's log is at least as up to date as this one, and as this one may have been (see `recovery`)."""
        state = self.state
        last = max(state.last, state.vows.votes_from or state.last)
        return not state.rules.votes_need_current_log or (message.last_term, message.last_index) >= last

    def _vote(self, candidate: str, message: Vote) -> bool:
        state = self.state
        if state.vows.vote not in (None, candidate) or not self._current(message):
            return False
        state.vows = Vows(state.term, candidate, state.vows.votes_from)
        if isinstance(self._role, Follower):
            self._role.postpone()
        return True

    def _recall(self) -> None:
        """A node that had lost its log is like any other once its log holds everything that it may have acknowledged."""
        state = self.state
        votes_from = state.vows.votes_from
        if votes_from is not None and (state.last >= votes_from or not state.rules.damaged_catch_up_first):
            state.vows = Vows(state.vows.term, state.vows.vote)

    def _as_leader(self, now_ms: int) -> Leader:
        self._begin(now_ms)
        if self.leading is None:
            raise NotLeading(self.state.leader)
        return self.leading

    def _placed(self, entry: Entry | Refusal) -> Entry:
        if not isinstance(entry, Entry):
            raise NotLeading(None, entry)
        return entry
