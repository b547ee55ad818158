"""A replica on its disk: a change is done when it is synced; many changes share one sync (group commit)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from systems.eventual.files import Files, States
from systems.eventual.messages import Context, State
from systems.eventual.outbox import Outbox
from systems.eventual.replica import Replica
from systems.parts.record_log import NothingWritten

IN_DOUBT_SHOWN: Final = 10_000
"""More than a disk fails to take in a simulation."""

Outcome = Literal["done", "full", "refused", "unknown"]
"""The change is on the disk; it certainly never will be, because the peers' queues are full or the disk refused it; or it may
appear after a restart."""


@dataclass(frozen=True)
class Write:
    """A client's write, with what the client has seen; None deletes."""

    key: str
    value: str | None
    seen: Context


@dataclass(frozen=True)
class Arrival:
    """A state that another replica holds. See `messages.Store.fresh`."""

    key: str
    state: State
    fresh: bool = True


@dataclass(frozen=True)
class Forget:
    """A tombstone that is no longer needed. The key stays if it has another state by then, such as a newer tombstone."""

    key: str
    tombstone: State


Change = Write | Arrival | Forget
Changed = dict[str, State | None]


class Storage:
    """Carries changes out; those that arrive in one turn of the event loop together, in order of arrival."""

    def __init__(
        self, replica: Replica, outbox: Outbox, files: Files, *, clock: Callable[[], float], log: Callable[[str], None]
    ) -> None:
        self._replica = replica
        self._outbox = outbox
        self._files = files
        self._clock = clock
        self._log = log
        self._waiting: list[tuple[Sequence[Change], asyncio.Future[tuple[Outcome, Changed]]]] = []
        self.in_doubt: deque[tuple[str, State | None]] = deque(maxlen=IN_DOUBT_SHOWN)
        """What is being written, or what the disk did not take: it may be on the disk or not, until a write has succeeded. Of
        a disk that takes nothing for hours, the last."""

    async def change(self, changes: Sequence[Change]) -> tuple[Outcome, Changed]:
        """Carry out some changes; the outcome, and the resulting states of their keys."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._commit)  # after everything else that has arrived in this turn of the loop
        done: asyncio.Future[tuple[Outcome, Changed]] = loop.create_future()
        self._waiting.append((changes, done))
        return await done

    def imagined(self, changes: Sequence[Change]) -> Changed:
        """What these changes would leave of their keys if they arrived in one turn of the loop: nothing happens."""
        states: Changed = {}
        for change in changes:
            self._apply(change, states)
        return states

    def _commit(self) -> None:
        """Commit everything that is waiting. Blocks the event loop for the syncs."""
        waiting, self._waiting = self._waiting, []
        states: Changed = {}
        own: dict[str, None] = {}
        made: list[Changed | None] = []
        for changes, _ in waiting:
            written = [change.key for change in changes if isinstance(change, Write)]
            if not all(self._outbox.has_room(key, own) for key in written):
                made.append(None)
                continue
            own |= dict.fromkeys(written)
            made.append({change.key: self._apply(change, states) for change in changes})
        news = {key: state for key, state in states.items() if state != self._replica.state(key)}
        # While the disk may hold what is not shown, nothing is done without a write: that would come back after a restart.
        outcome = self._write(news, own) if news or self.in_doubt else "done"
        self.settle(outcome, news, own)
        for (_, done), states_made in zip(waiting, made, strict=True):
            if not done.done():  # the caller may be gone
                done.set_result(("full", {}) if states_made is None else (outcome, states_made))

    def _apply(self, change: Change, states: Changed) -> State | None:
        """The state of a change's key after it and those before it."""
        held = states[change.key] if change.key in states else self._replica.state(change.key)
        match change:
            case Write(key, value, seen):
                states[key] = self._replica.resolution.written(held, value, seen)
            case Arrival(key, state, fresh):
                states[key] = self._replica.arrived(held, state, fresh=fresh)
            case Forget(key, tombstone):
                states[key] = None if held == tombstone else held
        return states[change.key]

    def _write(self, news: Changed, own: Iterable[str]) -> Outcome:
        self.in_doubt += news.items()
        try:
            self._files.write(news, set(own), self._held, self._outbox.keys)
        except NothingWritten as error:
            self._log(f"the disk refused {len(news)} changes: {error}")
            return "refused"
        except OSError as error:
            self._log(f"unknown whether the disk stored {len(news)} changes: {error}")
            return "unknown"
        self.in_doubt.clear()
        return "done"

    def settle(self, outcome: Outcome, news: Changed, own: Iterable[str]) -> None:
        """Show the changes only if the disk stored them."""
        if outcome == "done":
            self.install(news, own)

    def install(self, news: Changed, own: Iterable[str]) -> None:
        """Show the changes that are on the disk, and leave hints of those that clients of this node made."""
        now_s = self._clock()
        for key, state in news.items():
            self._replica.put(key, state, now_s)
        for key in own:
            if (state := self._replica.state(key)) is not None:
                self._outbox.leave(key, state, now_s)

    def _held(self) -> States:
        return dict(self._replica.states())
