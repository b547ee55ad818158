"""What teaches a replica that has lost something: messages from after the loss, and none from before it."""

from __future__ import annotations

from systems.strong.lease import Watch
from systems.strong.loss_rules import LearnsAfterTheLoss
from systems.strong.messages import Configuration
from systems.strong.replica import Replica
from systems.strong.shown import Shown


def shown(replica: Replica, version: int, *, informed: bool = True) -> Shown:
    """A replica, which has heard of this version of the configuration, if it is not 0."""
    watch = Watch()
    if version:
        watch.heard(Configuration(version, 1, "n1", ("n1", "n2")), 0.0)
    return Shown(0, 0, replica, informed=informed, watch=watch)


def lost(informed_by: int) -> Replica:
    replica = Replica(epoch=1, ready=False)
    replica.informed_by = informed_by
    return replica


def found(*looks: tuple[Replica, int, bool]) -> list[str | None]:
    """What is found of n2, at looks at it, the version that n1 knows, and whether n2 is informed."""
    rule, first = LearnsAfterTheLoss(), Replica()
    return [
        rule.broken({"n1": shown(first, version), "n2": shown(replica, 0, informed=informed)})
        for replica, version, informed in looks
    ]


BREACH = "n2 has lost something, and would learn from a message of version 7, sent before that"


def test_who_has_lost_something_learns_from_what_was_sent_after_it() -> None:
    before, after = Replica(), lost(0)
    assert found((before, 7, True), (after, 8, False)) == [None, None]
    after = lost(7)
    assert found((before, 7, True), (after, 8, True), (after, 9, True)) == [None, None, None]


def test_one_that_does_not_know_what_was_in_force_after_the_loss() -> None:
    before, after = Replica(), lost(6)
    assert found((before, 7, True), (after, 7, True)) == [None, BREACH]
    before, after = Replica(), lost(0)
    assert found((before, 5, True), (before, 7, True), (after, 8, False), (after, 9, True)) == [None, None, None, BREACH]


def test_one_that_has_lost_nothing_or_had_no_life_before() -> None:
    before, after = Replica(), Replica()
    assert found((before, 7, True), (after, 8, True)) == [None, None]
    first = lost(0)
    assert found((first, 7, True), (first, 8, True)) == [None, None]


def test_what_was_learned_while_it_was_down_counts_as_before_only_if_the_life_before_saw_it() -> None:
    rule, first, before, after = LearnsAfterTheLoss(), Replica(), Replica(), lost(8)
    assert rule.broken({"n1": shown(first, 7), "n2": shown(before, 0)}) is None
    assert rule.broken({"n1": shown(first, 9)}) is None
    assert rule.broken({"n1": shown(first, 9), "n2": shown(after, 0)}) is None
