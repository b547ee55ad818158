"""Changes of one key that are carried out together: storage that keeps each of them, and storage that loses one."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from harness.node.disk import Disk
from systems.eventual.batch_rules import TogetherNoneIsLost
from systems.eventual.files import Files
from systems.eventual.graves import Graves
from systems.eventual.messages import Context, State
from systems.eventual.outbox import Outbox
from systems.eventual.replica import Replica
from systems.eventual.resolution import KeepSiblings, LastWriterWins, Resolution
from systems.eventual.shown import Shown
from systems.eventual.storage import Change, Changed, Forget, Storage
from systems.parts.hybrid_clock import HybridClock

RESOLUTIONS: list[Resolution] = [LastWriterWins(HybridClock("n1", lambda: 1)), KeepSiblings("n1")]


class DropsWhatCame(Storage):
    """Looks at what it held before, and not at what has come in this turn, when it drops a tombstone."""

    def _apply(self, change: Change, states: Changed) -> State | None:
        if isinstance(change, Forget) and self._replica.state(change.key) == change.tombstone:
            states[change.key] = None
            return None
        return super()._apply(change, states)


class LastArrivalCounts(Storage):
    """Merges what comes with what it held before, and not with what has come in this turn."""

    def _apply(self, change: Change, states: Changed) -> State | None:
        states.pop(change.key, None)
        return super()._apply(change, states)


def found(kind: type[Storage], resolution: Resolution, at: Path, value: str | None) -> str | None:
    """What is found of a node with this storage that holds one key with a value, or its tombstone."""
    replica = Replica(resolution, Graves(["n2"], grace_s=1))
    files = Files(Disk(at), lambda text: None, compact_at_bytes=1 << 20)
    storage = kind(replica, Outbox(["n2"], most=9, keep_s=60), files, clock=lambda: 0.0, log=lambda text: None)
    replica.put("k", resolution.written(None, value, Context()), 0.0)
    before = dict(replica.states())
    rule = TogetherNoneIsLost()
    look = partial(rule.broken, {"n1": Shown(states=replica.by_key, resolution=resolution, changes=storage.imagined)})
    why = look() or look()
    assert dict(replica.states()) == before
    return why


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_what_arrives_as_a_tombstone_is_dropped_stays(resolution: Resolution, tmp_path: Path) -> None:
    assert found(Storage, resolution, tmp_path / "right", None) is None
    assert found(Storage, resolution, tmp_path / "right, with a value", "v") is None
    assert found(DropsWhatCame, resolution, tmp_path / "no tombstone", "v") is None
    why = "n1, asked to take and then drop a state of key k in one turn, would lose one that it was to take"
    assert found(DropsWhatCame, resolution, tmp_path / "wrong", None) == why


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_of_two_that_arrive_together_none_is_lost(resolution: Resolution, tmp_path: Path) -> None:
    why = "n1, asked to take and then take a state of key k in one turn, would lose one that it was to take"
    assert found(LastArrivalCounts, resolution, tmp_path, "v") == why


def test_a_node_that_shows_no_storage_or_holds_nothing_breaks_nothing(tmp_path: Path) -> None:
    assert TogetherNoneIsLost().broken({"n1": Shown(states={"k": b"any"})}) is None
    assert TogetherNoneIsLost().broken({"n1": Shown(states={}, resolution=RESOLUTIONS[0], changes=lambda changes: {})}) is None
    assert TogetherNoneIsLost().broken({}) is None
