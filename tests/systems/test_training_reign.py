"""What a coordinator writes down before it acts, and what only after that."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import msgspec
import pytest

from harness.node.context import NodeContext
from harness.node.crashpoints import MemoryFiles
from harness.node.disk import Disk
from harness.node.journal import FILE, FileJournal
from systems.parts.checkpoint.manifest import Withdrawn, is_withdrawn
from systems.parts.checkpoint.store import Schedule
from systems.training.asking import Ranks
from systems.training.coordinator import Coordinator
from systems.training.distrust import Finding
from systems.training.heard import Heard
from systems.training.ledger import DiskLedger, Ledger
from systems.training.membership import Cause, Group, Limits, Membership
from systems.training.messages import Accused, Beat, Form, Phase, Prepare, Prepared
from systems.training.records import Records, rows
from systems.training.reign import Reign
from tests.helpers.failing_files import FailingFiles
from tests.helpers.journals import journal_in

RANKS = ("rank0", "rank1", "rank2")
CAUSE = Cause(why="x", about=())


class FullDisk:
    """Lists and writes nothing until it `has_room`."""

    has_room = False

    def names(self) -> Iterable[str]:
        if not self.has_room:
            raise OSError(28, "No space left on device")
        return ()

    def replace(self, name: str, data: bytes) -> None:
        self.names()


class AllAnswer:
    """Ranks that all leave their group and reach each other. Notes the last group in the ledger when they are told of one."""

    def __init__(self, ledger: DiskLedger) -> None:
        self._ledger = ledger
        self.known: list[Group] = []
        self.limits: dict[str, int] = {}
        self.withdrawn: tuple[Withdrawn, ...] = ()
        self.told = asyncio.Event()

    async def prepared(self, name: str, prepare: Prepare) -> Prepared | None:
        return Prepared(incarnation=1, step=30, done=(30, 0), reached=prepare.reach)

    async def form(self, form: Form) -> tuple[str, ...]:
        self.known.append(msgspec.json.decode(await self._ledger.read("group") or b"", type=Group))
        assert self.known[-1].generation == form.generation
        self.limits, self.withdrawn = form.limits, form.withdrawn
        self.told.set()
        return ()


def beat(name: str, generation: int = 0, phase: Phase = "idle") -> Beat:
    return Beat(name=name, incarnation=1, generation=generation, phase=phase, step=30, waiting_s=0.0, error="")


def said(by: str, generation: int) -> Accused:
    return Accused(generation=generation, by=by, names=("rank0",), why="x", since=20)


class World:
    """A coordinator that hears all ranks."""

    def __init__(self, folder: Path) -> None:
        self.checkpoints = FullDisk()
        node = SimpleNamespace(name="coordinator", log=lambda text: None, shared=lambda name: self.checkpoints)
        membership = Membership(RANKS, Limits(), 0.0)
        for name in RANKS:
            membership.beat(beat(name), 1.0)
        self.folder = folder
        self.ledger = DiskLedger(Disk(folder))
        self.ranks = AllAnswer(self.ledger)
        self.heard = Heard(membership, lambda: 1.0)
        self.reign = Reign(
            cast(NodeContext, node),
            self.ledger,
            self.heard,
            cast(Ranks, self.ranks),
            Records(FileJournal(folder / FILE), "coordinator"),
            Schedule(every=10),
            alone=True,
            repeatable=True,
        )

    async def until_it_forms_a_group(self) -> None:
        """Let it decide, while all members of its last group train, until it forms another one."""
        for name in RANKS:
            self.heard.membership.beat(beat(name, self.reign.generation, "training"), 1.0)
        self.ranks.told.clear()
        deciding = asyncio.create_task(self.reign.decide())
        told = asyncio.create_task(self.ranks.told.wait())
        await asyncio.wait([deciding, told], return_when=asyncio.FIRST_COMPLETED, timeout=30)
        deciding.cancel()
        assert told.done(), "it forms no group"

    @property
    def kinds(self) -> list[object]:
        return [event["kind"] for event in rows(journal_in(self.folder)).events]


async def with_a_group(folder: Path) -> World:
    """A coordinator that has formed its first group."""
    world = World(folder)
    await world.reign.begin()
    await world.reign._regroup(CAUSE)
    return world


def test_a_group_is_in_the_ledger_before_its_members_know_of_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        world = await with_a_group(tmp_path)
        assert [group.members for group in world.ranks.known] == [RANKS]

    asyncio.run(scenario())


def test_spoilt_checkpoints_are_withdrawn_by_the_next_group_if_the_disk_failed(tmp_path: Path) -> None:
    async def scenario() -> None:
        world = await with_a_group(tmp_path)
        distrust = world.reign._distrust
        group = Group(generation=world.reign.generation, members=RANKS, incarnations={})
        found: Finding | None = None
        for name in RANKS[1:]:
            found = distrust.accused(said(name, group.generation), group)
        assert found is not None
        await world.reign._leave_out(found)
        assert distrust.to_withdraw == 20
        assert world.kinds.count("not withdrawn") == 1
        spoilt = (Withdrawn(generation=group.generation, step=20),)
        assert world.ranks.withdrawn == spoilt, "no member resumes them meanwhile"
        again = World(tmp_path)  # the coordinator was started again
        await again.reign.begin()
        again.checkpoints.has_room = True
        await again.reign._regroup(CAUSE)
        assert again.reign._distrust.to_withdraw is None
        assert again.ranks.withdrawn == spoilt
        assert world.kinds.count("taken back") == 1
        told = [
            event["detail"] for event in rows(journal_in(tmp_path)).events if event["kind"] in ("not withdrawn", "taken back")
        ]
        assert [json.loads(str(detail))["generation"] for detail in told] == [group.generation, group.generation]

    asyncio.run(scenario())


def test_a_group_whose_states_are_not_trusted_ends_though_the_coordinator_died_before_it_could_end_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        world = await with_a_group(tmp_path)
        for name in RANKS[1:]:
            world.reign.accused(said(name, 1))
        assert world.reign._found is not None
        await world.reign._distrust.keep(world.reign._found, world.reign.generation)
        again = World(tmp_path)  # the coordinator was started again, before the members left the group
        await again.reign.begin()
        await again.until_it_forms_a_group()
        assert [group.members for group in again.ranks.known] == [RANKS[1:]]
        assert again.ranks.limits == {"rank1": 20, "rank2": 20}

    asyncio.run(scenario())


def test_checkpoints_of_a_group_that_was_formed_while_members_accused_another_are_withdrawn_as_well(tmp_path: Path) -> None:
    async def scenario() -> None:
        world = await with_a_group(tmp_path)
        for name in RANKS[1:]:
            world.reign.accused(said(name, 1))
        await world.reign._regroup(CAUSE)  # for another cause, which came first: this group goes on from the same states
        assert world.ranks.limits == {}
        await world.until_it_forms_a_group()
        assert [group.generation for group in world.ranks.known] == [1, 2, 3]
        assert world.ranks.limits == {"rank1": 20, "rank2": 20}
        assert is_withdrawn(world.ranks.withdrawn, 2, 21)
        assert not is_withdrawn(world.ranks.withdrawn, 3, 21)

    asyncio.run(scenario())


@pytest.mark.parametrize("restarted", [False, True])
def test_what_is_found_in_a_ledger_outlasts_a_power_loss_before_it_is_used(restarted: bool) -> None:
    files = FailingFiles()

    def left() -> set[bytes | None]:
        return {Disk(MemoryFiles(one)).read("generation") for one in files.survivors()}

    async def scenario() -> None:
        ledger = DiskLedger(Disk(files))
        await ledger.write("generation", b"1")
        files.failing = "folder"
        with pytest.raises(OSError, match="Input/output error"):
            await ledger.write("generation", b"2")
        assert left() == {b"1", b"2"}
        if restarted:
            ledger = DiskLedger(Disk(files))
        with pytest.raises(OSError, match="Input/output error"):
            await ledger.read("generation")
        files.failing = ""
        assert await ledger.read("generation") == b"2"
        assert left() == {b"2"}

    asyncio.run(scenario())


def test_the_only_coordinator_begins_anew_if_it_cannot_use_its_ledger(tmp_path: Path) -> None:
    ledgers: list[Ledger] = []

    class Deciding(SimpleNamespace):
        async def _decide(self, ledger: Ledger, term: int | None) -> None:
            ledgers.append(ledger)
            if len(ledgers) == 1:
                raise OSError(28, "No space left on device")
            raise asyncio.CancelledError

    told: list[str] = []
    coordinator = Deciding(_node=SimpleNamespace(disk=Disk(tmp_path), log=told.append))
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(Coordinator._decide_alone(cast(Coordinator, coordinator)))
    assert len(ledgers) == 2
    assert told == ["cannot use the ledger: No space left on device"]
