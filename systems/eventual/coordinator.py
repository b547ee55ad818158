"""Carries out the requests of clients."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Final

from systems.eventual.agreeing import Attempts
from systems.eventual.messages import Context, Done, Got, NotDone, State
from systems.eventual.peer import Peer
from systems.eventual.replica import Replica
from systems.eventual.session_reads import SessionReads
from systems.eventual.storage import Arrival, Storage, Write

MOST_REPAIRS: Final = 64
"""At most this many read repairs run at once; further reads are not followed by one."""

MOST_SIBLINGS: Final = 64
"""A key has at most this many concurrent values: a client that writes without reading would add to them for ever."""


class _NotThere(Exception):
    """No replica that answers has what a session has seen."""


class Coordinator:
    """Answers from this node's own replica, and asks others only for what a session has seen and this replica lacks."""

    def __init__(
        self,
        replica: Replica,
        storage: Storage,
        peers: Sequence[Peer],
        random: Random,
        clock: Callable[[], float],
        *,
        repaired_reads: float,
    ) -> None:
        """`repaired_reads`: the share of reads after which it asks all replicas, and sends them what they lack."""
        self._replica = replica
        self._storage = storage
        self._peers = peers
        self._random = random
        self._clock = clock
        self._repaired_reads = repaired_reads
        self._repairing: set[asyncio.Task[None]] = set()
        self.session_reads = SessionReads()
        self.attempts = Attempts()

    @property
    def repairs(self) -> int:
        """How many read repairs are under way."""
        return len(self._repairing)

    async def read(self, key: str, seen: Context) -> Got | NotDone:
        """What this replica holds; at least what the context has seen."""
        state = self._replica.state(key)
        if not self.has_seen(state, seen):
            asking, denied = self.session_reads.begin(key, seen), False
            try:
                state = await self._learned(key, seen)
                denied = not self.has_seen(state, seen)
            except _NotThere:
                return NotDone("failed", f"no replica that answers holds what this session has seen of {key}")
            finally:
                self.session_reads.end(asking, denied=denied)
        if self._random.random() < self._repaired_reads and len(self._repairing) < MOST_REPAIRS:
            self._start(self.repair(key))
        return Got(self._replica.resolution.values(state), self._replica.resolution.context(state))

    async def write(self, key: str, value: str | None, seen: Context) -> Done | NotDone:
        """Acknowledge a write when it is on this node's disk, twice, and before any other replica has it."""
        resolution = self._replica.resolution
        held = self._replica.state(key)
        if len(resolution.values(held)) >= MOST_SIBLINGS and seen != resolution.context(held):
            return NotDone("failed", f"{MOST_SIBLINGS} values stand side by side: read them, and write with their context")
        outcome, states = await self._storage.change([Write(key, value, seen)])
        match outcome:
            case "done":
                return Done(resolution.context(states[key]))
            case "full":
                return NotDone("failed", "too many writes wait for the other replicas")
            case "refused":
                return NotDone("failed", "the disk did not take it")
            case "unknown":
                return NotDone("unknown", "the disk did not say whether it took it")

    def has_seen(self, state: State | None, seen: Context) -> bool:
        """Whether a state includes what a session has seen."""
        return self._replica.resolution.covers(state, seen)

    async def repair(self, key: str) -> None:
        """Bring all replicas that answer up to date on a key."""
        attempts = {peer.name: self.attempts.begin(peer.name, key) for peer in self._peers}
        agreed: dict[str, bool] = {}
        try:
            agreed = await self._agreed(key)
        finally:
            for name, attempt in attempts.items():
                self.attempts.end(attempt, agreed=agreed.get(name, False))

    async def _agreed(self, key: str) -> dict[str, bool]:
        """Which of the other replicas hold the same of a key now."""
        asked = self._replica.graves.window(self._clock())
        found = await asyncio.gather(*(peer.states([key]) for peer in self._peers))
        states = [None if answer is None else answer[0] for answer in found]
        taken = await self.take(key, states, asked)
        agreed = {peer.name: taken and answer is not None for peer, answer in zip(self._peers, found, strict=True)}
        held = self._replica.state(key)
        if held is not None:
            lacking = [
                peer
                for peer, answer, state in zip(self._peers, found, states, strict=True)
                if answer is not None and state != held
            ]
            stored = await asyncio.gather(*(peer.store([key], self._replica.state, fresh=False) for peer in lacking))
            agreed |= {peer.name: taken and done is not None for peer, done in zip(lacking, stored, strict=True)}
        return agreed

    async def take(self, key: str, states: Sequence[State | None], asked: int) -> bool:
        """Merge the states of a key for which others were asked in this window; whether the disk has all of them."""
        arrivals = [Arrival(key, state, fresh=False) for state in states if state is not None]
        if not arrivals:
            return True
        if not self._replica.graves.in_time(asked, self._clock()):
            return False
        outcome, _ = await self._storage.change(arrivals)
        return outcome == "done"

    async def _learned(self, key: str, seen: Context) -> State | None:
        """Ask the others for a key until the answers include what a session has seen, or until all have answered.

        If no replica has it, the session saw a tombstone that all replicas have had and dropped: what is there is not older.
        Raises `_NotThere` if that is not known. This replica stores the answers, too, unless they are late or its disk fails.
        """
        asked = self._replica.graves.window(self._clock())
        asking = [asyncio.ensure_future(peer.states([key])) for peer in self._peers]
        answers = 0
        state = self._replica.state(key)
        try:
            for question in asyncio.as_completed(asking):
                answer = await question
                answers += answer is not None
                for found in answer or ():
                    state = state if found is None else self._replica.resolution.merged(state, found)
                if self.has_seen(state, seen):
                    break
        finally:
            for unanswered in asking:
                unanswered.cancel()
        if not self.has_seen(state, seen) and answers < len(self._peers):
            raise _NotThere
        await self.take(key, [state], asked)
        return state

    def _start(self, repair: Awaitable[None]) -> None:
        task = asyncio.ensure_future(repair)
        self._repairing.add(task)  # the loop itself holds tasks weakly
        task.add_done_callback(self._repairing.discard)
