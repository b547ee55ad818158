"""A primary at work for one epoch: it collects commands, sends backups what they lack, and reports what is acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from copy import copy
from typing import Final

import msgspec

from systems.parts.outcomes import Failed, Unknown
from systems.strong.bugs import Rules
from systems.strong.messages import (
    Begin,
    Command,
    CompareAndSet,
    Diverged,
    Entry,
    Installing,
    Matched,
    ReplicaAnswer,
    Result,
    Write,
)
from systems.strong.peer import Peer
from systems.strong.protocol import Primary
from systems.strong.replica import Take
from systems.strong.telling import Teller

APPEND_TIMEOUT_S: Final = 0.5
HEARTBEAT_S: Final = 0.1

Outcome = Result | Failed | Unknown


class Reign:
    """One epoch of one primary, from its first entry until `end`."""

    def __init__(
        self,
        primary: Primary,
        backups: Mapping[str, Peer],
        teller: Teller,
        *,
        clock: Callable[[], float],
        deposed: Callable[[str], None],
        unable: Callable[[str], None],
        rules: Rules,
    ) -> None:
        """If the epoch cannot go on, one of these is called with the reason, and has to call `end`: `deposed` if there is a
        later epoch, and `unable` if this replica cannot be the primary now."""
        self.primary = primary
        self._replica = primary.replica
        self._backups = backups
        self._teller = teller
        self._clock = clock
        self._deposed = deposed
        self._unable = unable
        self._rules = rules
        self._gathered: list[tuple[Command, asyncio.Future[Outcome] | None]] = []
        self._waiting: dict[int, asyncio.Future[Outcome]] = {}
        self._results: dict[int, Result] = {}
        self._more = {name: asyncio.Event() for name in backups}
        self._tasks: list[asyncio.Task[None]] = []
        self._over = False

    def begin(self) -> None:
        """Put the epoch's first entry into the log, and send the backups what they lack from now on."""
        self._gather(Command(Begin()), None)
        self._tasks = [asyncio.create_task(self._feed(name)) for name in self._backups]

    def end(self, why: str) -> None:
        """End the epoch. What was not acknowledged may still be, by the next primary."""
        self._over = True
        for task in self._tasks:
            task.cancel()
        gathered = [future for _, future in self._gathered if future is not None]
        for future in (*gathered, *self._waiting.values()):
            _resolve(future, Unknown(why))
        self._gathered.clear()
        self._waiting.clear()

    @property
    def under_way(self) -> int:
        return len(self._waiting) + len(self._gathered)

    async def carry_out(self, command: Command) -> Outcome:
        """Carry out a command; returns when it is acknowledged, or the epoch is over."""
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._gather(command, outcome)
        return await outcome

    def advance(self) -> None:
        """Execute and answer the commands that are known to be acknowledged now."""
        if self._over:
            return  # an answer came too late: by now the log may be another primary's
        before = self._replica.committed
        executed = self._replica.commit(self.primary.committable(self._clock()))
        self._results.update(executed)
        self._teller.committed(self._replica, before, executed)
        for index in [index for index in self._waiting if index <= self._replica.committed]:
            _resolve(self._waiting.pop(index), self._results.get(index, Result()))
        if self._rules.executed_when_acknowledged:
            self._results.clear()

    def committed_when_over(self) -> int:
        """Up to which index entries would count as acknowledged if this epoch ended now, with an entry on its way to the
        backups, and all of them then said that they have it: nothing happens to this one."""
        other, replica = copy(self), self._replica.imagined()
        other._replica, other.primary, other._teller = replica, self.primary.imagined(), self._teller.silent()
        other.primary.replica = replica
        other._tasks, other._gathered, other._waiting, other._results = [], [], {}, {}
        last, epoch = replica.log.last.index, self.primary.configuration.epoch
        replica.took(Take(last, [Entry(epoch, Command(Begin()))], Matched(last + 1)))
        other.end("its epoch is over")
        for name in self._backups:
            other._take(name, Matched(last + 1))
        return replica.committed

    def _take(self, name: str, answer: ReplicaAnswer) -> bool:
        """Take a backup's answer; returns whether the epoch goes on."""
        if not self.primary.answered(name, answer):
            self._deposed(f"{name} obeys a later epoch")
            return False
        self.advance()
        return True

    def _gather(self, command: Command, outcome: asyncio.Future[Outcome] | None) -> None:
        if not self._gathered:
            asyncio.get_running_loop().call_soon(self._flush)  # after everything else that has arrived in this turn
        self._gathered.append((command, outcome))

    def _flush(self) -> None:
        """Write the collected entries; this blocks the event loop for one sync."""
        gathered, self._gathered = self._gathered, []
        if not gathered:
            return
        replica, epoch = self._replica, self.primary.configuration.epoch
        entries = [Entry(epoch, self._as_logged(command)) for command, _ in gathered]
        written = Take(replica.log.last.index, entries, Matched(replica.log.last.index + len(entries)))
        for index, (_, future) in enumerate(gathered, start=written.after + 1):
            if future is not None:
                self._waiting[index] = future
        try:
            self._teller.take(replica, written, self.primary.needed_after)
        except OSError as error:
            # The entries may be on this disk, and were sent to no other replica. The next primary decides whether they last.
            self._unable(f"its disk did not take {len(entries)} entries: {error}")
            return
        if not self._rules.executed_when_acknowledged:
            self._results.update(replica.execute(replica.log.last.index))
        for more in self._more.values():
            more.set()
        self.advance()

    def _as_logged(self, command: Command) -> Command:
        operation = command.operation
        if self._rules.compared_in_order or not isinstance(operation, CompareAndSet):
            return command
        if not self._replica.machine.would_change(operation):
            return command
        return msgspec.structs.replace(command, operation=Write(operation.key, operation.value))

    async def _feed(self, name: str) -> None:
        """Send one backup what it lacks, one request after another, or an empty request if it lacks nothing."""
        backup, more, failed = self._backups[name], self._more[name], False
        while True:
            more.clear()
            answer = await backup.ask(self.primary.send(name, self._clock(), backup.most), APPEND_TIMEOUT_S)
            if answer is not None and not self._take(name, answer):
                return
            if isinstance(answer, Matched | Diverged | Installing):
                failed = False
                if not self.primary.has_more_for(name):
                    await _set_within(more, HEARTBEAT_S)
                continue
            if not self._rules.errors_tolerated:
                for index in list(self._waiting):
                    _resolve(self._waiting.pop(index), Failed(f"{name} did not take it"))
            if failed:
                await asyncio.sleep(HEARTBEAT_S)
            failed = not failed  # the first time it may be an old connection that has died; over a new one it may go well


async def _set_within(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


def _resolve(future: asyncio.Future[Outcome], outcome: Outcome) -> None:
    if not future.done():  # its client may be gone
        future.set_result(outcome)
