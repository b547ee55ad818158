"""A coordinator while it decides: it forms one group after another, and completes checkpoints."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

import msgspec

from harness.model import training_events as events
from harness.node.context import NodeContext
from systems.parts.checkpoint.refusals import TooLate, why_of
from systems.parts.checkpoint.store import Checkpoints, Schedule, withdraw
from systems.training.asking import Ranks
from systems.training.distrust import Distrust, Finding
from systems.training.heard import Heard
from systems.training.ledger import Ledger
from systems.training.membership import Cause, Group, choose
from systems.training.messages import CHECKPOINTS, Accused, Form, Prepare, Prepared, Status, Written
from systems.training.records import Records

_LOOK_S: Final = 0.02
"""How often the coordinator checks the group."""

_TAKE_IN_S: Final = 0.25
"""How often the coordinator tries to take in ranks that wait outside."""

_GENERATION: Final = "generation"
_GROUP: Final = "group"


class Reign:
    """Carries out what `Membership` decides. Every method that uses the ledger raises what that does: `Deposed`, `OSError`."""

    def __init__(
        self,
        node: NodeContext,
        ledger: Ledger,
        heard: Heard,
        ranks: Ranks,
        records: Records,
        schedule: Schedule,
        *,
        alone: bool,
        repeatable: bool,
    ) -> None:
        """Call `begin` first. `alone`: no other coordinator can ever decide. `repeatable` is that of the method of exchange."""
        self._node = node
        self._ledger = ledger
        self._heard = heard
        self._membership = heard.membership
        self._ranks = ranks
        self._records = records
        self._schedule = schedule
        self._alone = alone
        self._repeatable = repeatable
        self.generation = 0
        self._last: Group | None = None
        """The last group in the ledger: the only one that can train."""
        self._found: Finding | None = None
        self._parts: dict[tuple[int, int], dict[str, Written]] = {}

    async def begin(self) -> None:
        """Take over from whoever decided before."""
        self.generation = int(await self._ledger.read(_GENERATION) or 0)
        stored = await self._ledger.read(_GROUP)
        self._last = msgspec.json.decode(stored, type=Group) if stored else None
        self._distrust = await Distrust.read(self._ledger, self._membership.ranks)
        self._membership.takes_over(self._last, self._heard.now_s())

    def status(self) -> Status | None:
        """The group."""
        group = self._membership.group
        return Status(generation=group.generation, members=group.members) if group else None

    def accused(self, accused: Accused) -> None:
        """A member of the group says that others compute wrongly."""
        self._found = self._found or self._distrust.accused(accused, self._membership.group)
        self._heard.woken.set()

    # ----------------------------------------------------------------------------------------------------------- groups

    async def decide(self) -> None:
        """Form groups for as long as there are ranks."""
        look_outside_s = 0.0
        if (found := self._distrust.finding) is not None:  # a coordinator may have died before it reported the finding
            self._name(found)
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S):
                    await self._heard.woken.wait()
            self._heard.woken.clear()
            now_s = self._heard.now_s()
            if self._found is not None:
                await self._leave_out(self._found)
            elif cause := self._membership.cause(now_s):
                await self._regroup(cause)
            elif self._membership.complete and self._distrust.pending(self._membership.group):
                await self._settle(self._membership.group)
            elif now_s >= look_outside_s and self._membership.complete:
                await self._take_in(self._distrust.without(self._membership.outside(now_s)))
                look_outside_s = self._heard.now_s() + _TAKE_IN_S

    async def _take_in(self, outside: list[str]) -> None:
        """Form a group with the first rank outside that all members reach."""
        for name in outside:
            group = self._membership.group
            assert group is not None  # noqa: S101 - it is complete
            if await self._ranks.reaches_all(name, group):
                await self._regroup(Cause(why="can be taken in", about=(name,)))
                return

    async def _leave_out(self, found: Finding) -> None:
        """Exclude ranks that compute wrongly, and continue from before the first step that they may have spoilt."""
        await self._distrust.keep(found, self.generation)
        self._found = None
        self._name(found)
        await self._regroup(_cause(found))

    async def _settle(self, group: Group | None) -> None:
        """Trust the states of a group that trains, unless a finding is about them: whoever kept it could not end the group."""
        found = self._distrust.finding
        if found is not None and self._distrust.concerns(group):
            await self._regroup(_cause(found))
        else:
            await self._distrust.settled(group)

    def _name(self, found: Finding) -> None:
        for name in found.names:
            self._note(events.Named(generation=self.generation, rank=name, by=found.by, why=found.why))

    async def _withdraw(self) -> None:
        """Withdraw all checkpoints that may contain wrong steps.

        If the disk fails, it is tried again before the next group; meanwhile members refuse them because their group is told.
        """
        if (after := self._distrust.to_withdraw) is None:
            return
        generation = self._distrust.all_withdrawn[-1].generation
        try:
            steps = withdraw(self._node.shared(CHECKPOINTS), self._node.name, self._distrust.all_withdrawn)
            await self._distrust.withdrawn()
        except OSError as error:
            self._note(events.NotWithdrawn(generation=generation, step=after, why=why_of(error)))
        else:
            self._note(events.TakenBack(generation=generation, step=after, withdrawn=tuple(steps)))

    async def _regroup(self, cause: Cause) -> None:
        """Tell all ranks to leave the group, and form the next one of the ranks that answer and reach each other."""
        self._note(events.Decided(generation=self.generation, about=cause.about, why=cause.why))
        await self._ledger.confirm()
        await self._withdraw()
        self.generation += 1
        await self._ledger.write(_GENERATION, str(self.generation).encode())
        self._heard.forget_store()
        answers = await self._prepare()
        trusted = {name: answers[name] for name in self._distrust.without(list(answers))}
        members = choose(trusted, repeatable=self._repeatable)
        if not members or not self._has_ended(self._last, answers):
            self._note(events.Alone(generation=self.generation, outside=members))
            self._membership.disbanded()
            return
        incarnations = {name: answers[name].incarnation for name in members}
        group = Group(generation=self.generation, members=members, incarnations=incarnations)
        await self._ledger.write(_GROUP, msgspec.json.encode(group))
        self._last = group
        form = Form(
            generation=group.generation,
            members=members,
            limits=self._distrust.limits(members),
            withdrawn=tuple(self._distrust.all_withdrawn),
            coordinator=self._node.name,
        )
        unanswered = await self._ranks.form(form)
        self._membership.formed(group, self._heard.now_s())
        self._note(events.Formed(generation=self.generation, members=members, unanswered=unanswered))

    def _has_ended(self, group: Group | None, answers: dict[str, Prepared]) -> bool:
        """Whether a group can do no further step, because a member has left it. The only coordinator does not ask for that."""
        return self._alone or group is None or any(name in answers for name in group.members)

    async def _prepare(self) -> dict[str, Prepared]:
        """The answers of the ranks that have left their group, in the order of ranks. Does not wait for silent ranks."""
        asked: dict[str, asyncio.Task[Prepared | None]] = {}
        membership, now_s = self._membership, self._heard.now_s
        async with asyncio.TaskGroup() as asking:
            heard = self._heard.ranks()
            for number, name in enumerate(membership.ranks):
                reach = tuple(other for other in membership.ranks[number + 1 :] if other in heard)
                prepare = Prepare(generation=self.generation, reach=reach)
                asked[name] = asking.create_task(self._ranks.prepared(name, prepare))
            while waited := [name for name in asked if not asked[name].done()]:
                if all(membership.silent(name, now_s()) for name in waited):
                    for name in waited:
                        asked[name].cancel()
                    break
                await asyncio.wait([asked[name] for name in waited], timeout=_LOOK_S)
        found = {name: None if task.cancelled() else task.result() for name, task in asked.items()}
        answers = {name: answer for name, answer in found.items() if answer is not None}
        self._heard.unreached = frozenset(self._heard.ranks()) - answers.keys()
        return answers

    # ------------------------------------------------------------------------------------------------------ checkpoints

    async def written(self, written: Written) -> None:
        """Complete a checkpoint with its last part. A later checkpoint overwrites one whose parts never come."""
        for known in [known for known in self._parts if known[0] < written.step]:
            del self._parts[known]
        parts = self._parts.setdefault((written.step, written.generation), {})
        parts[written.shard.name] = written
        if len(parts) < written.world:
            return
        del self._parts[written.step, written.generation]
        await self._ledger.confirm()
        if self._distrust.void(written.generation, written.step):
            return
        if len({(part.state, bytes(part.progress)) for part in parts.values()}) > 1:
            self._not_saved(written, "its ranks hold different states")
            return
        checkpoints = Checkpoints(self._node.shared(CHECKPOINTS), written.identity, self._schedule)
        try:
            shards = [part.shard for _, part in sorted(parts.items())]
            checkpoints.commit(written.step, self._node.name, shards, written.progress, written.state, written.generation)
        except (OSError, TooLate) as error:
            self._not_saved(written, why_of(error))
        else:
            self._note(events.Saved(generation=written.generation, step=written.step))

    def _not_saved(self, written: Written, why: str) -> None:
        self._note(events.NotSaved(generation=written.generation, step=written.step, why=why))

    def _note(self, event: events.TrainingEvent) -> None:
        self._node.log(f"{events.kind_of(event)}: {events.sentence(event)}")
        self._records.event(event)


def _cause(found: Finding) -> Cause:
    return Cause(why="computes wrongly" if found.since is not None else "held another state", about=found.names)
