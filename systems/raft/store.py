"""The state machine: a map from keys to values, and the sessions by which retried commands are recognized.

Sessions are those of Ongaro's thesis, section 6.3: a client opens a session and numbers its commands in it. The last command of
each session is remembered with its answer, so that a retry gets the answer and is not carried out again. The number of sessions
is bounded: the least recently used is dropped, in the order of the log and so identically on all nodes. A command of a dropped
session is refused.
"""

from __future__ import annotations

from typing import Final

import msgspec

from systems.raft.messages import Command, CompareAndSet, Delete, OpenSession, Operation, Session, Swapped, Write
from systems.raft.rules import CORRECT, Rules

MAX_SESSIONS: Final = 4096


class Done(msgspec.Struct, frozen=True, tag=True):
    """A write or a delete was carried out."""


class Expired(msgspec.Struct, frozen=True, tag=True):
    """The session is gone, or has moved on to later commands: whether this one was carried out is no longer known."""


Answer = Done | Swapped | Session | Expired


class _Remembered(msgspec.Struct, array_like=True):
    sequence: int
    swapped: bool | None
    """The answer of a compare-and-set; None for other commands."""


class _Kept(msgspec.Struct):
    values: dict[str, str]
    sessions: list[tuple[int, _Remembered]]


class KeyValues:
    """The key-value store as a state machine."""

    def __init__(self, rules: Rules = CORRECT, max_sessions: int = MAX_SESSIONS) -> None:
        self._rules = rules
        self._max_sessions = max_sessions
        self._values: dict[str, str] = {}
        self._sessions: dict[int, _Remembered] = {}
        """The most recently used session is last."""

    def get(self, key: str) -> str | None:
        return self._values.get(key)

    def apply(self, index: int, data: str) -> Answer:
        """Carry out the command of the entry at an index."""
        command = _DECODE(data)
        if isinstance(command.do, OpenSession):
            self._sessions[index] = _Remembered(0, None)
            if len(self._sessions) > self._max_sessions:
                del self._sessions[next(iter(self._sessions))]
            return Session(index)
        if not command.session:
            return self._carry_out(command.do)
        session = self._sessions.pop(command.session, None)
        if session is None:
            return Expired()
        self._sessions[command.session] = session
        if self._rules.retries_recognized and command.sequence <= session.sequence:
            return _answer(session.swapped) if command.sequence == session.sequence else Expired()
        answer = self._carry_out(command.do)
        session.sequence, session.swapped = command.sequence, answer.swapped if isinstance(answer, Swapped) else None
        return answer

    def snapshot(self) -> str:
        return msgspec.json.encode(_Kept(self._values, list(self._sessions.items()))).decode()

    def restore(self, data: str) -> None:
        kept = msgspec.json.decode(data, type=_Kept)
        self._values, self._sessions = kept.values, dict(kept.sessions)

    def _carry_out(self, do: Operation) -> Answer:
        match do:
            case Write(key, value):
                self._values[key] = value
            case Delete(key):
                self._values.pop(key, None)
            case CompareAndSet(key, expected, new):
                if self._values.get(key) != expected:
                    return Swapped(False)
                if new is None:
                    self._values.pop(key, None)
                else:
                    self._values[key] = new
                return Swapped(True)
        return Done()


_DECODE: Final = msgspec.json.Decoder(Command).decode


def _answer(swapped: bool | None) -> Answer:
    return Done() if swapped is None else Swapped(swapped)
