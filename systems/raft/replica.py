"""A node's part in a Raft group: the core, with its disk, its peers, its timers and any state machine.

Other systems build on this: a store that keeps its epochs in a group, or a coordinator that keeps the owners of partitions
there. Give it a `StateMachine`, answer requests at `RAFT_PATH` with `receive` and `status`, run `run`, and `propose` commands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final, Generic

import msgspec

from harness.model.system import Address
from harness.node.context import NodeContext
from systems.parts.record_log import Damaged
from systems.raft.core.core import Core, NotLeading, Output, Saved
from systems.raft.core.messages import Entry, Members, Message, Snapshot
from systems.raft.core.recovery import Recovery
from systems.raft.core.state import Timing
from systems.raft.invariant import Shown, fingerprint
from systems.raft.machine import StateMachine
from systems.raft.messages import Batch, Status
from systems.raft.peer import Peer
from systems.raft.proposals import Answer, Proposals
from systems.raft.reads import Reads
from systems.raft.rules import CORRECT, Rules
from systems.raft.storage import Storage
from systems.raft.telling import Telling

_SAVE_AGAIN_S: Final = 0.01
_ASK_AGAIN_S: Final = 0.05
_KEEP: Final = 200
"""How many entries are kept although a snapshot holds them, so that a node that is a little behind needs no snapshot."""


class _Kept(msgspec.Struct, frozen=True):
    digest: int
    machine: str


class Replica(Generic[Answer]):
    """A node's part in a group. Every node gets the same initial `members`; others join by `change`."""

    def __init__(
        self,
        node: NodeContext,
        machine: StateMachine[Answer],
        *,
        members: Sequence[str],
        cluster: str,
        timing: Timing,
        rules: Rules = CORRECT,
        compact_at_kib: int = 1024,
        keep: int = _KEEP,
        peers: Mapping[str, Address] | None = None,
    ) -> None:
        """Load what is on the disk. Raises `OtherNode` if the folder is not this node's.

        `peers` are the other nodes that are or may become members; None: all of the node's peers.
        """
        self._node = node
        self._machine = machine
        self._rules = rules
        self._timing = timing
        self._cluster = cluster
        self._keep = keep
        self._first_members = Members(tuple(members))
        self._clock = node.clock if rules.leases_on_monotonic_clock else node.time
        self._storage = Storage(node.disk, cluster=cluster, node=node.name, compact_at_bytes=compact_at_kib * 1024, rules=rules)
        self._peers = {
            name: Peer(address, timing, cluster=cluster, name=node.name, checked=rules.checksums_checked)
            for name, address in (node.peers if peers is None else peers).items()
        }
        self._proposals = Proposals[Answer](rules)
        self._reads = Reads()
        self._pumped: asyncio.Event | None = None
        """Set by the next `_pump`, if that is scheduled."""
        self._failure: Exception | None = None
        """What kept this node from carrying out an output of the core. It must not go on: the rest would be skipped."""
        self._unsaved: Output | None = None
        """An output that could not be saved: until it is, this node does nothing, as if it were down."""
        self.applied = 0
        self._digest = 0
        self._telling = Telling(node)
        self._core: Core | None = None
        self._damage = ""
        try:
            self._start(self._storage.load())
        except Damaged as damage:
            self._damage = str(damage)
            node.log(f"{damage}: nothing is answered until every other member has told what this node may have promised")
        if self._storage.torn_bytes:
            node.log(f"the log's last {self._storage.torn_bytes} bytes were torn by a crash and are cut off")
        node.show(self._shown)
        node.must_recover(lambda disk: self._storage.forgotten(disk, self._core))

    # ---------------------------------------------------------------------------------------------------- what others ask

    @property
    def leads(self) -> bool:
        return self._core is not None and self._core.leading is not None

    @property
    def holds_lease(self) -> bool:
        """Whether no other node can lead yet; only with `Timing.lease_ms`, and by its assumption about clocks."""
        if self._core is None or self._unsaved is not None:
            return False
        self._core.tick(self._now_ms())
        return self._core.leading is not None and self._core.leading.holds_lease

    @property
    def leader(self) -> str | None:
        """The leader, if known."""
        return None if self._core is None else self._core.leader

    @property
    def term(self) -> int:
        """This node's term. A leader's term is a fencing token: no later leader has the same or a lower one."""
        return 0 if self._core is None else self._core.term

    @property
    def members(self) -> Members:
        return self._first_members if self._core is None else self._core.members

    async def propose(self, data: str) -> Answer:
        """Have a command carried out; returns its answer. Cancel it to stop waiting.

        Raises `NotLeading` if the command was not and will not be carried out, `Unknown`, and `ValueError` if it is not one.
        """
        self._machine.check(data)
        entry = self._ready().propose(self._now_ms(), data)
        self._schedule()
        return await self._proposals.outcome(entry)  # type: ignore[return-value]  # a command has an answer

    async def confirm(self) -> None:
        """Return once everything that was committed when this was called is applied; then read. Raises `NotLeading`."""
        core = self._ready()

        def ask(number: int) -> None:
            core.read(self._now_ms(), number)
            self._schedule()

        await self._reads.confirmed(ask)

    async def change(self, members: Members) -> None:
        """Return when the group has these members. Raises `NotLeading`, `Unknown`, and `ValueError` for an invalid change."""
        entry = self._ready().change(self._now_ms(), members)
        self._schedule()
        await self._proposals.outcome(entry)

    def hand_over(self, target: str) -> None:
        """Transfer leadership to another voter soon. Raises `NotLeading`, and `ValueError` if that is not possible."""
        self._ready().hand_over(self._now_ms(), target)
        self._schedule()

    async def receive(self, batch: Batch) -> list[Message] | None:
        """Take a peer's messages; returns those for it, or None if this node cannot take any now.

        Raises `ValueError` if the messages are not from this group.
        """
        if batch.cluster != self._cluster or batch.source not in self._peers:
            raise ValueError(
                f"this is {self._node.name} of cluster {self._cluster!r}, and knows {', '.join(self._peers)}; these messages"
                f" are from {batch.source} of cluster {batch.cluster!r}"
            )
        if self._core is None or self._unsaved is not None:
            return None
        for message in batch.messages:
            self._core.step(self._now_ms(), batch.source, message)
        self._schedule()
        assert self._pumped is not None  # noqa: S101 - it was just scheduled
        await self._pumped.wait()
        return self._peers[batch.source].take()

    def status(self) -> Status:
        core = self._core
        return Status(
            cluster=self._cluster,
            name=self._node.name,
            role="damaged" if core is None else core.role,
            term=self.term,
            leader=self.leader,
            members=self.members,
            changing=core is None or core.state.log.members_index > core.state.commit,
            last_index=0 if core is None else core.state.log.last_index,
            commit=0 if core is None else core.state.commit,
            applied=self.applied,
            told=None if core is None or self._unsaved is not None else core.tell(),
        )

    def unsettled(self) -> dict[str, int]:
        """For `NodeContext.report_unsettled`."""
        return {
            "proposals under way": len(self._proposals),
            "reads under way": len(self._reads),
            "damaged logs": int(self._core is None),
            "disks that take nothing": int(self._unsaved is not None),
        }

    def _shown(self) -> Shown | None:
        known = self.applied, self._digest, self._machine, self._now_ms()
        return None if self._core is None else Shown(self._core, self._telling.vows, *known)

    # ------------------------------------------------------------------------------------------------------------- running

    async def run(self) -> None:
        """Take part in the group until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            if self._core is None:
                await self._recover()
            for name, peer in self._peers.items():
                tasks.create_task(peer.carry(partial(self._step, name), partial(self._limit, name)))
            while True:
                self._tick()
                await asyncio.sleep(self._until_due_s())

    async def _recover(self) -> None:
        """Return when the node may take part again. See `core.recovery`."""
        recovery = Recovery(self._node.name, self._first_members)
        if not self._peers:
            self._node.log(f"{self._damage}, and there is no other node to ask: restore the folder from a copy")
        while True:
            answers = await asyncio.gather(*(peer.tell(name) for name, peer in self._peers.items()))
            told = {name: answer for name, answer in zip(self._peers, answers, strict=True) if answer is not None}
            vows = recovery.vows_after(told)
            if vows is not None:
                try:
                    self._start(Saved(vows=vows))
                except OSError as error:
                    self._node.log(f"the disk did not take what the others told: {error}")
                else:
                    self._node.log(f"takes part again, in term {vows.term}")
                    return
            await asyncio.sleep(_ASK_AGAIN_S)

    def _start(self, saved: Saved) -> None:
        core = Core(
            self._node.name,
            self._first_members,
            random=self._node.random,
            timing=self._timing,
            rules=self._rules,
            saved=saved,
            now_ms=self._now_ms(),
        )
        self._storage.write_anew(core)
        self._core = core
        self._telling.found(saved)
        if saved.snapshot is not None:
            self._restore(saved.snapshot)

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)

    def _ready(self) -> Core:
        """The core, if it can take requests. Raises `NotLeading`."""
        if self._core is None:
            raise NotLeading(None, f"{self._damage}, and the other members have yet to tell what was in it")
        if self._unsaved is not None:
            raise NotLeading(None, "the disk takes nothing now")
        return self._core

    def _step(self, source: str, message: Message) -> None:
        if self._core is not None and self._unsaved is None:
            self._core.step(self._now_ms(), source, message)
            self._schedule()

    def _limit(self, target: str, most: int) -> None:
        if self._core is not None:
            self._core.limit(target, most)

    def _tick(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._core is not None and self._unsaved is None:
            self._core.tick(self._now_ms())
        self._pump()

    def _until_due_s(self) -> float:
        """How long to wait for the next tick: a heartbeat at most, because a message may make one due sooner."""
        if self._core is None or self._unsaved is not None:
            return _SAVE_AGAIN_S
        return min(max(self._core.due_ms - self._now_ms(), 1), self._timing.heartbeat_ms) / 1000

    def _schedule(self) -> None:
        """Pump after everything else that arrived in this turn of the loop, with one sync for all of it."""
        if self._pumped is None:
            self._pumped = asyncio.Event()
            asyncio.get_running_loop().call_soon(self._pump_scheduled)

    def _pump_scheduled(self) -> None:
        done, self._pumped = self._pumped, None
        try:
            if self._failure is None:
                self._pump()
        except Exception as error:  # `run` ends with it, and so does the node
            self._failure = error
        if done is not None:
            done.set()

    def _pump(self) -> None:
        """Do what the core asks for until it asks for nothing more. Blocks the loop for each sync."""
        core = self._core
        if core is None or (self._unsaved is not None and not self._save_again(core)):
            return
        while not (output := core.take()).empty:
            try:
                self._storage.save(output, core)
            except OSError as error:
                self._node.log(f"the disk takes nothing, so this node keeps still: {error}")
                self._unsaved = output
                return
            self._after(core, output)
        if core.leading is None:
            self._reads.refuse(lambda: NotLeading(core.leader, "leadership was lost before the read was answered"))
        if self._storage.long:
            self._compact(core)

    def _save_again(self, core: Core) -> bool:
        """Write everything again: the core still has what could not be saved."""
        output = self._unsaved
        assert output is not None  # noqa: S101 - asked by the caller
        try:
            self._storage.write_anew(core)
        except OSError:
            return False
        self._node.log("the disk takes what is written to it again")
        self._unsaved = None
        self._after(core, output)
        return True

    def _after(self, core: Core, output: Output) -> None:
        """What to do once an output is saved."""
        core.saved()
        for sent in output.messages:
            if (peer := self._peers.get(sent.target)) is not None:
                peer.send(sent.message)
        if output.led is not None:
            self._node.log(f"leads term {output.led}")
        self._telling.saved(output, core.term)
        if output.installed is not None:
            self._restore(output.installed)
        for entry in output.committed:
            self._apply(entry)
        for ready in output.reads:
            self._reads.ready(ready.number)

    # ------------------------------------------------------------------------------------------------------- state machine

    def _apply(self, entry: Entry) -> None:
        self.applied = entry.index
        self._digest = fingerprint(entry, self._digest)
        answer = None
        try:
            answer = self._machine.apply(entry.index, entry.data) if entry.data else None
        except ValueError as error:  # every node skips it, now and whenever the log is replayed
            self._node.log(f"entry {entry.index} is not a command, and has no effect: {error}")
        self._telling.applied(entry)
        self._proposals.applied(entry, answer, self.leader)

    def _restore(self, snapshot: Snapshot) -> None:
        kept = msgspec.json.decode(snapshot.data, type=_Kept)
        self._machine.restore(kept.machine)
        self.applied, self._digest = snapshot.index, kept.digest
        self._proposals.skipped(snapshot.index)

    def _compact(self, core: Core) -> None:
        log = core.state.log
        index = self.applied if self._rules.snapshot_names_what_it_holds else log.last_index
        if (term := log.term(index)) is None:
            return
        kept = msgspec.json.encode(_Kept(self._digest, self._machine.snapshot())).decode()
        core.compact(Snapshot(index, term, log.members_at(index), kept), keep=self._keep)
        try:
            self._storage.write_anew(core)
        except OSError as error:
            self._node.log(f"the disk takes nothing, so this node keeps still: {error}")
            self._unsaved = Output()
