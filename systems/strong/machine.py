"""The state that the commands of the log lead to: values by key, and the result of each session's last command."""

from __future__ import annotations

from typing import Final

from systems.parts.sessions import Sessions
from systems.strong.bugs import CORRECT, Rules
from systems.strong.messages import CompareAndSet, Entry, OpenSession, Operation, Position, Result, Snapshot, Write

MOST_SESSIONS: Final = 10_000
"""At most this many are remembered: the one that was not used for longest is forgotten, and its next command refused."""


class Machine:
    """A key-value store that executes entries one after another: the same entries lead to the same state on every replica.

    A command that comes again, because its client got no answer, is not executed again; its result is the same as before.
    """

    def __init__(self, snapshot: Snapshot | None = None, rules: Rules = CORRECT) -> None:
        of = snapshot or Snapshot()
        self.applied = of.index
        """The index of the last entry that was executed."""
        self._values = dict(of.values)
        self._sessions = Sessions(MOST_SESSIONS, of.sessions.items())
        self._rules = rules

    def read(self, key: str) -> str | None:
        return self._values.get(key)

    def apply(self, entry: Entry) -> Result:
        """Execute the next entry."""
        self.applied += 1
        command = entry.command
        if isinstance(command.operation, OpenSession):
            self._sessions.begin(self.applied, Result())
            return Result(session=self.applied)
        if not command.session:
            return self._carry_out(command.operation)
        done = self._sessions.once(
            command.session,
            command.number,
            lambda: self._carry_out(command.operation),
            recognized=self._rules.retries_done_once,
        )
        return Result(done=False, forgotten=True) if done is None else done.answer

    def would_change(self, operation: CompareAndSet) -> bool:
        """Whether the command would find the value that it expects now."""
        return self.read(operation.key) == operation.expected

    def snapshot(self, ends: list[Position]) -> Snapshot:
        """The state, after entries with these ends of epochs."""
        return Snapshot(index=self.applied, ends=ends, values=dict(self._values), sessions=dict(self._sessions.kept()))

    def _carry_out(self, operation: Operation) -> Result:
        match operation:
            case CompareAndSet() if not self.would_change(operation):
                return Result(done=False)
            case CompareAndSet(key, _, value) | Write(key, value):
                if value is None:
                    self._values.pop(key, None)
                else:
                    self._values[key] = value
        return Result()
