"""Sessions: a command is carried out once, and those used last are kept."""

from __future__ import annotations

import msgspec
import pytest

from systems.parts.session_rules import SessionsStay
from systems.parts.sessions import Latest, Sessions


class Counted:
    """Sessions whose commands count how often they were carried out."""

    def __init__(self, most: int, kept: list[tuple[int, Latest[int]]] | None = None) -> None:
        self.done = 0
        self.sessions: Sessions[int] = Sessions(most, kept or [])

    def once(self, session: int, number: int, *, recognized: bool = True) -> int | None:
        latest = self.sessions.once(session, number, self._do, recognized=recognized)
        return None if latest is None else latest.answer

    def _do(self) -> int:
        self.done += 1
        return self.done


def test_a_command_that_comes_again_has_its_answer_and_an_earlier_one_has_none() -> None:
    counted = Counted(2)
    counted.sessions.begin(7, 0)
    assert [counted.once(7, number) for number in (1, 1, 2, 2, 1, 4)] == [1, 1, 2, 2, None, 3]
    assert counted.done == 3


@pytest.mark.parametrize("number", [0, -1])
def test_a_command_with_a_number_below_1_has_no_answer_since_it_is_not_carried_out(number: int) -> None:
    counted = Counted(2)
    counted.sessions.begin(7, 0)
    assert (counted.once(7, number), counted.done) == (None, 0)
    assert counted.once(7, 1) == 1


def test_the_session_that_was_not_used_for_longest_is_forgotten_first() -> None:
    counted = Counted(2)
    counted.sessions.begin(1, 0)
    counted.sessions.begin(2, 0)
    counted.once(1, 1)
    counted.sessions.begin(3, 0)
    assert [counted.once(session, 1) for session in (1, 2, 3)] == [1, None, 2]


def test_what_a_snapshot_holds_goes_on_in_the_same_order() -> None:
    counted = Counted(2)
    for session in (1, 2):
        counted.sessions.begin(session, 0)
    counted.once(1, 5)
    stored = msgspec.json.encode(counted.sessions.kept())
    assert stored == b"[[2,[0,0]],[1,[5,1]]]"
    again = Counted(2, msgspec.json.decode(stored, type=list[tuple[int, Latest[int]]]))
    again.sessions.begin(3, 0)
    assert [again.once(session, 5) for session in (1, 2)] == [1, None]
    assert again.done == 0


def test_a_bug_that_does_not_recognize_them_does_them_again() -> None:
    counted = Counted(2)
    counted.sessions.begin(1, 0)
    assert [counted.once(1, 2, recognized=False) for _ in range(3)] == [1, 2, 3]


class Has:
    """A copy of a state machine with so many sessions."""

    def __init__(self, sessions: int) -> None:
        self.sessions = sessions


def test_a_copy_that_is_behind_has_fewer_sessions_and_one_that_is_ahead_has_not() -> None:
    rule = SessionsStay()
    for name, applied, sessions in (("n1", 4, 1), ("n1", 9, 3), ("n2", 6, 2), ("n2", 7, 3), ("n3", 5, 1), ("n1", 9, 3)):
        assert rule.broken(name, applied, Has(sessions)) is None
    assert rule.broken("n2", 7, Has(2)) == "n2 has 2 sessions after entry 7, and 3 were open after 7"
    assert rule.broken("n1", 12, Has(2)) == "n1 has 2 sessions after entry 12, and 3 were open after 7"
    assert rule.broken("n3", 3, Has(0)) is None
    assert rule.broken("n3", 12, object()) is None
