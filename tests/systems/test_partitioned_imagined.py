"""What a node of the partitioned store would do at moments that hardly come: nodes to accept, and nodes to reject."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.node.disk import Disk
from harness.run import catalog
from harness.simulation.seed_run import INVARIANT, run_seed
from harness.simulation.swarm import PLAIN
from systems.partitioned import node
from systems.partitioned.bugs import CORRECT
from systems.partitioned.imagined import ConfirmsInItsEpoch, EmptiesOnlyWhatIsCopied
from systems.partitioned.known_map import KnownMap
from systems.partitioned.messages import Entry, Held, Query, Refusal, Store, Version
from systems.partitioned.moving import first_map
from systems.partitioned.replica import Replica
from systems.partitioned.storage import Storage
from systems.parts.partitioning.members import Member
from systems.parts.rules import Rule

LOOKS = 16 * 8


class ConfirmsTooLate(Replica):
    """Does not look at the map again once it has stored something."""

    async def answer(self, request: Query | Store) -> Entry | Refusal | None:
        refused = self.refused(request.place, request.epoch)
        if refused is None and isinstance(request, Store):
            await self._storage.put([Held(request.place, request.entry)])
        return refused or self._storage.entry(request.place)


class EmptiesAnyway(Storage):
    """Empties a segment although the disk has not taken the copy of what it holds."""

    def _clean(self) -> None:
        worst = self._closed[0]
        try:
            super()._clean()
        finally:
            self._disk.replace(f"segment-{worst:06}", b"")


class CopiesAnyway(Storage):
    """Goes on if the disk does not take the copy of a segment."""

    _cleans = False

    def _clean(self) -> None:
        self._cleans = True
        super()._clean()
        self._cleans = False

    def _write(self, held: list[Held], notes: Mapping[str, str | None]) -> None:
        try:
            super()._write(held, notes)
        except OSError:
            if not self._cleans:
                raise


def found(rule: Rule[dict[str, object]], **state: object) -> str | None:
    """What a rule finds of a node in some looks, beside a coordinator and a node that still reads its disk."""
    others: dict[str, dict[str, object]] = {"coordinator": {"map": None}, "n2": {**state, "map": None, "opened": False}}
    each = (rule.broken({"n1": {**state, "opened": True}, **others}) for _ in range(LOOKS))
    return next((why for why in each if why is not None), None)


def confirmed(kind: type[Replica], tmp_path: Path, *, has_a_map: bool = True) -> str | None:
    disk, now = Disk(tmp_path), first_map("rendezvous", [Member("n1")], 1, 4, ())
    storage, known = Storage(disk, lambda text: None), KnownMap(disk, lambda text: None, CORRECT)
    storage.open()
    if has_a_map:
        assert known.install(now)
    why = found(ConfirmsInItsEpoch(), replica=kind(storage, known, CORRECT), map=known.map)
    assert not list(storage.between("", None))  # nothing has happened to it
    assert not storage.on_their_way
    assert known.map is (now if has_a_map else None)
    return why


def test_a_node_confirms_nothing_under_an_epoch_that_has_ended(tmp_path: Path) -> None:
    assert confirmed(Replica, tmp_path) is None
    assert confirmed(ConfirmsTooLate, tmp_path, has_a_map=False) is None


def test_a_node_that_confirms_what_it_stored_whatever_has_become_of_the_map(tmp_path: Path) -> None:
    why = confirmed(ConfirmsTooLate, tmp_path)
    assert why is not None
    assert why.startswith("n1 would confirm under epoch 1 what it stored in the partition from '")


def emptied(kind: type[Storage], tmp_path: Path, *, segment_bytes: int = 300) -> str | None:
    """What is found of a node with several segments."""
    storage = kind(Disk(tmp_path), lambda text: None, segment_bytes=segment_bytes)
    storage.open()
    for counter in range(1, 9):
        assert asyncio.run(storage.put([Held(f"k{counter}", Entry(Version(counter, "n1", 1), "v" * 100))], {"note": "n"}))
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    why = found(EmptiesOnlyWhatIsCopied(), storage=storage)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before  # nothing has happened to it
    assert len(list(storage.between("", None))) == 8
    assert storage.notes == {"note": "n"}
    return why


@pytest.mark.parametrize("segment_bytes", [1, 300, 1 << 20])
def test_a_node_leaves_a_segment_as_it_is_if_it_cannot_be_copied(segment_bytes: int, tmp_path: Path) -> None:
    assert emptied(Storage, tmp_path, segment_bytes=segment_bytes) is None


@pytest.mark.parametrize("kind", [EmptiesAnyway, CopiesAnyway])
def test_a_node_that_empties_a_segment_that_is_not_copied(kind: type[Storage], tmp_path: Path) -> None:
    why = emptied(kind, tmp_path)
    assert why is not None
    assert why.startswith("n1 would empty segment-0000")
    assert "of the copy of what that still holds" in why


@pytest.mark.slow
@pytest.mark.parametrize(("part", "kind"), [("Replica", ConfirmsTooLate), ("Storage", CopiesAnyway)])
def test_simulation_finds_it(part: str, kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
    drill = catalog.find_drill("partitioned/not_compacted", ["load.seconds=2.9"]).drill
    assert INVARIANT not in run_seed("not_compacted", drill, 1, swarm=PLAIN).outcome.found
    monkeypatch.setattr(node, part, kind)
    assert INVARIANT in run_seed("not_compacted", drill, 1, swarm=PLAIN).outcome.found
