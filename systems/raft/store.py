"""The state machine: a map from keys to values, and the sessions by which retried commands are recognized."""

from __future__ import annotations

from typing import Final

import msgspec

from systems.parts.sessions import Latest, Sessions
from systems.raft.messages import Command, CompareAndSet, Delete, OpenSession, Operation, Session, Swapped, Write
from systems.raft.rules import CORRECT, Rules

MAX_SESSIONS: Final = 4096


class Done(msgspec.Struct, frozen=True, tag=True):
    """A write or a delete was carried out."""


class Expired(msgspec.Struct, frozen=True, tag=True):
    """The session is gone, or has moved on to later commands: whether this one was carried out is no longer known."""


Answer = Done | Swapped | Session | Expired


Swap = bool | None
"""The answer of a compare-and-set; None for other commands."""


class _Kept(msgspec.Struct):
    values: dict[str, str]
    sessions: list[tuple[int, Latest[Swap]]]


class KeyValues:
    """The key-value store as a state machine."""

    def __init__(self, rules: Rules = CORRECT, max_sessions: int = MAX_SESSIONS) -> None:
        self._rules = rules
        self._max_sessions = max_sessions
        self._values: dict[str, str] = {}
        self._sessions: Sessions[Swap] = Sessions(max_sessions)

    def get(self, key: str) -> str | None:
        return self._values.get(key)

    @property
    def sessions(self) -> int:
        """How many are open."""
        return len(self._sessions)

    def check(self, data: str) -> None:
        """Raise `ValueError` if this is not a command."""
        _DECODE(data)

    def apply(self, index: int, data: str) -> Answer:
        """Carry out the command of the entry at an index. Raises `ValueError`, with no effect, if it is not a command."""
        command = _DECODE(data)
        if isinstance(command.do, OpenSession):
            self._sessions.begin(index, None)
            return Session(index)
        if not command.session:
            return _answer(self._carry_out(command.do))
        done = self._sessions.once(
            command.session,
            command.sequence,
            lambda: self._carry_out(command.do),
            recognized=self._rules.retries_recognized,
        )
        return Expired() if done is None else _answer(done.answer)

    def snapshot(self) -> str:
        return msgspec.json.encode(_Kept(self._values, self._sessions.kept())).decode()

    def restore(self, data: str) -> None:
        kept = msgspec.json.decode(data, type=_Kept)
        self._values, self._sessions = kept.values, Sessions(self._max_sessions, kept.sessions)

    def _carry_out(self, do: Operation) -> Swap:
        match do:
            case Write(key, value):
                self._values[key] = value
            case Delete(key):
                self._values.pop(key, None)
            case CompareAndSet(key, expected, new):
                if self._values.get(key) != expected:
                    return False
                if new is None:
                    self._values.pop(key, None)
                else:
                    self._values[key] = new
                return True
        return None


_DECODE: Final = msgspec.json.Decoder(Command).decode


def _answer(swapped: Swap) -> Answer:
    return Done() if swapped is None else Swapped(swapped)
