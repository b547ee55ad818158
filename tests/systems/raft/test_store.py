"""The key-value store as a state machine: what commands do, and how often."""

from __future__ import annotations

import msgspec

from systems.raft.messages import Command, CompareAndSet, Delete, OpenSession, Operation, Session, Swapped, Write
from systems.raft.store import Answer, Done, Expired, KeyValues


class Log:
    """Commands with their places in a log."""

    def __init__(self, store: KeyValues) -> None:
        self.store = store
        self.index = 0

    def apply(self, do: Operation, session: int = 0, sequence: int = 0) -> Answer:
        self.index += 1
        return self.store.apply(self.index, msgspec.json.encode(Command(do, session, sequence)).decode())


def test_what_is_written_is_read_until_it_is_deleted() -> None:
    log = Log(KeyValues())
    assert log.apply(Write("k", "v")) == Done()
    assert log.store.get("k") == "v"
    log.apply(Delete("k"))
    log.apply(Delete("k"))
    assert log.store.get("k") is None


def test_compare_and_set_writes_what_is_new_only_if_what_is_there_is_expected() -> None:
    log = Log(KeyValues())
    assert log.apply(CompareAndSet("k", None, "a")) == Swapped(True)
    assert log.apply(CompareAndSet("k", None, "b")) == Swapped(False)
    assert log.apply(CompareAndSet("k", "a", "c")) == Swapped(True)
    assert log.store.get("k") == "c"
    assert log.apply(CompareAndSet("k", "c", None)) == Swapped(True)
    assert log.store.get("k") is None


def test_a_command_that_comes_again_is_answered_as_before_and_done_once() -> None:
    log = Log(KeyValues())
    session = log.apply(OpenSession())
    assert session == Session(1)
    for _ in range(3):
        assert log.apply(CompareAndSet("k", None, "a"), 1, 1) == Swapped(True)
    log.apply(Write("k", "b"), 1, 2)
    assert log.apply(CompareAndSet("k", "b", "c"), 1, 1) == Expired()
    assert log.store.get("k") == "b"


def test_commands_of_a_session_that_is_gone_are_refused_and_the_oldest_goes_first() -> None:
    log = Log(KeyValues(max_sessions=2))
    first, second = log.apply(OpenSession()), log.apply(OpenSession())
    assert isinstance(first, Session)
    assert isinstance(second, Session)
    log.apply(Write("k", "a"), first.session, 1)
    log.apply(OpenSession())
    assert log.apply(Write("k", "b"), second.session, 1) == Expired()
    assert log.apply(Write("k", "c"), first.session, 2) == Done()


def test_a_snapshot_holds_values_and_sessions() -> None:
    log = Log(KeyValues(max_sessions=2))
    log.apply(OpenSession())
    log.apply(CompareAndSet("k", None, "a"), 1, 1)
    restored = KeyValues(max_sessions=2)
    restored.restore(log.store.snapshot())
    log.store = restored
    assert log.apply(CompareAndSet("k", None, "a"), 1, 1) == Swapped(True)
    assert restored.snapshot() == log.store.snapshot()
    assert restored.get("k") == "a"
