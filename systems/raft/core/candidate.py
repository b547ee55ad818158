"""A candidate: first asks whether it would get votes (pre-vote), then asks for them."""

from __future__ import annotations

from systems.raft.core.copies import twin
from systems.raft.core.messages import Message, PreVote, PreVoteAnswer, Vote, VoteAnswer
from systems.raft.core.role import RoleName, Turn
from systems.raft.core.state import State


class Candidate:
    """A candidate, or a pre-candidate if `asks_only`. A candidate's term is new, and it has voted for itself in it."""

    def __init__(self, state: State, *, asks_only: bool, transfer: bool = False) -> None:
        self.name: RoleName = "pre-candidate" if asks_only else "candidate"
        self._state = state
        self._asks_only = asks_only
        self._granted = {state.name}
        self._gives_up_at_ms = state.election_timeout_ms()
        state.leader = None
        term, (last_term, last_index) = state.term, state.last
        request = (
            PreVote(term=term, last_index=last_index, last_term=last_term)
            if asks_only
            else Vote(term=term, last_index=last_index, last_term=last_term, transfer=transfer)
        )
        for name in state.log.members.voters:
            if name != state.name:
                state.send(name, request)

    def imagined(self, state: State) -> Candidate:
        """A copy that goes on with another state: see `Core.imagined`."""
        other = twin(self)
        other._state, other._granted = state, set(self._granted)
        return other

    @property
    def due_ms(self) -> int:
        return self._gives_up_at_ms

    def tick(self) -> Turn | None:
        """If no node was elected in time, the vote was split or messages were lost: ask again."""
        return Turn.ASK if self._state.now_ms >= self._gives_up_at_ms else self._won()

    def step(self, source: str, message: Message) -> Turn | None:
        match message:
            case PreVoteAnswer(granted=True) if self._asks_only:
                self._granted.add(source)
            case VoteAnswer(granted=True) if not self._asks_only:
                self._granted.add(source)
        return self._won()

    def flush(self) -> None:
        """Nothing to send: a candidate sends all its requests when it becomes one."""

    def saved(self) -> Turn | None:
        return self._won()

    def _won(self) -> Turn | None:
        votes = [int(name in self._granted) for name in self._state.voters]
        if not votes or not self._state.majority_of(votes):
            return None
        return Turn.CAMPAIGN if self._asks_only else Turn.LEAD
