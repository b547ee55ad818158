"""The state machine: a map of keys to values, and the sessions by which a command that comes again is recognized.

Sessions are those of Ongaro's thesis, section 6.3: a client opens one, and numbers its commands in it. The last command and
its answer are remembered for each, so that a retry is answered and not carried out again. Only as many are kept as fit, those
used last, by the order of the log and so the same on all nodes; a command of a session that is gone is refused.
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
    """The session is gone, or has gone on to later commands: whether this one was carried out is not known any more."""


Answer = Done | Swapped | Session | Expired


class _Remembered(msgspec.Struct, array_like=True):
    sequence: int
    swapped: bool | None
    """The answer, if it was that of a compare-and-set."""


class _Kept(msgspec.Struct):
    values: dict[str, str]
    sessions: list[tuple[int, _Remembered]]


class KeyValues:
    """See the module."""

    def __init__(self, rules: Rules = CORRECT, max_sessions: int = MAX_SESSIONS) -> None:
        self._rules = rules
        self._max_sessions = max_sessions
        self._values: dict[str, str] = {}
        self._sessions: dict[int, _Remembered] = {}
        """The one used last comes last."""

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
