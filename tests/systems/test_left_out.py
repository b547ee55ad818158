"""The rule of work with each of several others in turn."""

from __future__ import annotations

from collections.abc import Sequence

from systems.eventual import Eventual
from systems.eventual.shown import Shown as EventualShown
from systems.parts.left_out import LeftOut
from systems.quorum import Quorum
from systems.quorum.shown import Shown as QuorumShown

PEERS = ("n2", "n3", "n4")


def found(begun: Sequence[str], *, restart_after: int | None = None) -> str | None:
    """What the rule finds if a node begins with these, one at each look."""
    rule, counts = LeftOut("asked others"), dict.fromkeys(PEERS, 0)
    assert rule.look({"n1": counts}) is None
    for number, peer in enumerate(begun):
        if number == restart_after:
            counts = dict.fromkeys(PEERS, 0)
        counts[peer] += 1
        if (why := rule.look({"n1": counts})) is not None:
            return why
    return None


def test_each_gets_its_turn() -> None:
    assert found(10 * PEERS) is None
    assert found(10 * ("n2", "n2", "n3", "n4")) is None


def test_one_that_is_left_out_is_found() -> None:
    assert found(4 * ("n2", "n3")) == "n1 has asked others 7 times since it last did so with n4"
    assert found([*PEERS, *10 * ["n2"]]) is not None


def test_a_node_that_has_started_again_begins_anew() -> None:
    assert found(5 * ("n2", "n3"), restart_after=5) is None


def test_stores_are_held_to_it() -> None:
    eventual, quorum, counts = Eventual().invariant(), Quorum().invariant(), {"n2": 0, "n3": 0}
    for turn in range(10):
        why = eventual.broken({"n1": EventualShown(states={}, compared=counts)})
        assert (why is None) is (turn < 5)
        assert (quorum.broken({"n1": QuorumShown(entries={}, compared=counts)}) is None) is (turn < 5)
        counts["n2"] += 1
