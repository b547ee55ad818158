"""What logs say of their epochs: logs to accept, and logs to reject."""

from __future__ import annotations

import pytest

from systems.strong import log_rules
from systems.strong.invariant import NothingForgotten
from systems.strong.log import Log
from systems.strong.log_rules import ImaginedRewriting, strange_ends
from systems.strong.messages import Begin, Command, Entry, Position, Snapshot
from systems.strong.replica import Replica, Take
from systems.strong.shown import Shown

HISTORIES = [[], [1], [1, 1, 1], [1, 2, 3], [1, 1, 3, 3, 3, 4]]


def entries(*epochs: int) -> list[Entry]:
    return [Entry(epoch, Command(Begin())) for epoch in epochs]


class OneTooMany(Log):
    """A log that, cut off just where an epoch ends, also has an end of the next one."""

    def ends(self, until: int | None = None) -> list[Position]:
        ends, every = super().ends(until), super().ends()
        if until in [end.index for end in every[:-1]]:
            ends.append(Position(every[len(ends)].epoch, until))
        return ends


@pytest.mark.parametrize("epochs", HISTORIES)
def test_a_log_is_right_wherever_it_is_cut_off(epochs: list[int]) -> None:
    for base in range(len(epochs)):
        log = Log((), entries(*epochs))
        log.forget(base)
        assert strange_ends("n1", log) is None
        snapshot = Log(log.ends(base), log.after(base))
        assert strange_ends("n1", snapshot) is None


def test_a_log_with_an_end_too_many() -> None:
    assert strange_ends("n1", OneTooMany((), entries(1, 1))) is None
    why = strange_ends("n1", OneTooMany((), entries(1, 1, 2)))
    assert why == (
        "n1 has a log with the ends 2 of epoch 1, 3 of epoch 2, and cut off at 2 it would have 2 of epoch 1, 2 of epoch 2"
    )
    why = strange_ends("n1", Log([Position(1, 2), Position(2, 2)], []))
    assert why == "n1 has a log with the ends 2 of epoch 1, 2 of epoch 2"


def test_the_store_is_held_to_it() -> None:
    replica = Replica(entries=entries(1, 2), epoch=2)
    assert NothingForgotten().broken({"n1": Shown(0, 0, replica)}) is None
    replica.log = OneTooMany((), entries(1, 2))
    assert NothingForgotten().broken({"n1": Shown(0, 0, replica)}) is not None


def keeps_the_tail(replica: Replica, written: Take) -> tuple[Snapshot, list[Entry]]:
    """What comes after an entry stays, although others take its place."""
    return replica.snapshot(), [*replica.log.after(replica.machine.applied), *written.entries]


def rewriting(*epochs: int, committed: int, forgets: bool = False) -> str | None:
    """What is found of a replica with this log in some looks."""
    replica = Replica(entries=entries(*epochs), epoch=max(epochs))
    replica.commit(committed)
    if forgets:
        replica.log.forget(committed)
    rule, shown = ImaginedRewriting(), {"n1": Shown(0, 0, replica)}
    return next((why for why in (rule.broken(shown) for _ in range(8)) if why is not None), None)


@pytest.mark.parametrize("forgets", [False, True])
def test_a_log_that_is_rewritten_is_the_same(monkeypatch: pytest.MonkeyPatch, forgets: bool) -> None:
    for committed in (0, 2, 3):
        assert rewriting(1, 1, 2, committed=committed, forgets=forgets) is None
    monkeypatch.setattr(log_rules, "rewritten", keeps_the_tail)
    assert rewriting(1, 1, 2, committed=3, forgets=forgets) is None  # nothing may take the place of its last entry
    assert rewriting(1, 1, 2, committed=2, forgets=forgets) == (
        "n1 has the log up to 3, and if it were rewritten for an entry after 2, it would have the ends 2 of epoch 1, 3 of epoch"
        " 2, 4 of epoch 3"
    )
