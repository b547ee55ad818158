"""The strong store's state machine: retries, sessions, null."""

from __future__ import annotations

from systems.strong.machine import Machine
from systems.strong.messages import Command, CompareAndSet, Entry, OpenSession, Position, Result, Write


def ran(machine: Machine, *commands: Command) -> list[Result]:
    return [machine.apply(Entry(1, command)) for command in commands]


def test_a_command_that_comes_again_is_done_once_and_answered_as_before() -> None:
    machine = Machine()
    compare = Command(CompareAndSet("k", None, "a"), session=1, number=1)
    later = Command(Write("k", "b"), session=1, number=2)
    assert ran(machine, Command(OpenSession()), compare, compare, later, later) == [
        Result(session=1),
        *[Result()] * 4,
    ]
    assert machine.read("k") == "b"
    assert ran(machine, compare) == [Result(done=False, forgotten=True)]


def test_sessions_are_kept_by_a_snapshot_and_others_are_refused() -> None:
    machine = Machine()
    ran(machine, Command(OpenSession()), Command(Write("k", "a"), session=1, number=1), Command(Write("k", "b")))
    again = Machine(machine.snapshot([Position(1, 3)]))
    assert ran(again, Command(Write("k", "a"), session=1, number=1)) == [Result()]
    assert again.read("k") == "b"
    assert ran(again, Command(Write("k", "c"), session=7, number=1)) == [Result(done=False, forgotten=True)]


def test_null_is_nothing() -> None:
    machine = Machine()
    found = ran(machine, *(Command(CompareAndSet("k", *pair)) for pair in ((None, "a"), (None, "b"), ("a", None))))
    assert [result.done for result in found] == [True, False, True]
    assert machine.snapshot([]).values == {}
