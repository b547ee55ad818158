"""The system `Quorum`: its topology, and what it refuses."""

from __future__ import annotations

import pytest

from harness.model.codec import describe, restore
from harness.model.errors import UsageError
from harness.model.system import System, links_of
from systems.quorum import Quorum


def test_every_node_is_linked_with_every_other_in_each_direction() -> None:
    quorum = Quorum(replicas=3)
    assert isinstance(quorum, System)
    assert [node.name for node in quorum.nodes()] == ["n1", "n2", "n3"]
    assert {link.name for link in links_of(quorum)} == {
        "client>n1", "client>n2", "client>n3", "n1>n2", "n1>n3", "n2>n1", "n2>n3", "n3>n1", "n3>n2",
    }  # fmt: skip


def test_it_travels_to_another_process() -> None:
    quorum = Quorum(replicas=5, read=3, write=3, bug="early-ack")
    assert restore(describe(quorum)) == quorum


@pytest.mark.parametrize(("replicas", "read", "write"), [(1, 1, 1), (3, 2, 2), (3, 1, 3), (3, 3, 1), (5, 3, 3), (4, 2, 3)])
def test_quorums_that_meet_are_accepted(replicas: int, read: int, write: int) -> None:
    assert len(Quorum(replicas=replicas, read=read, write=write).nodes()) == replicas


@pytest.mark.parametrize(
    ("replicas", "read", "write", "words"),
    [
        (3, 1, 2, "read \\+ write must be more than replicas"),
        (5, 2, 3, "a read quorum may miss every replica"),
        (3, 0, 3, "read=0"),
        (3, 2, 4, "write=4"),
        (0, 2, 2, "replicas=0"),
        (-1, 1, 1, "replicas=-1"),
    ],
)
def test_quorums_that_do_not_meet_are_refused(replicas: int, read: int, write: int, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Quorum(replicas=replicas, read=read, write=write)


def test_a_bug_that_is_misspelt_is_guessed() -> None:
    with pytest.raises(UsageError, match=r"No bug called 'read-on'\. Did you mean 'read-one'\?"):
        Quorum(bug="read-on")
    with pytest.raises(UsageError, match=r"There are: read-one, "):
        Quorum(bug="zzz")
