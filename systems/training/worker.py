"""The thread that trains: one group after another, and in each group step after step until it ends."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import msgspec
import torch

from harness.model import training_events as events
from systems.parts.checkpoint.manifest import Shard
from systems.parts.checkpoint.refusals import NoneTrusted
from systems.parts.checkpoint.saver import Saver
from systems.parts.checkpoint.store import Checkpoints, digest_of
from systems.parts.gloo.group import Ended, Group, sentence_of
from systems.parts.sampler import shards_of
from systems.training.agreed import Agreed, share, sum_for
from systems.training.calls import Calls
from systems.training.carrier import Carrier
from systems.training.guard import Guard, Named, Session, Undecided
from systems.training.links import Links
from systems.training.messages import NO_STATE, Accused, Form, Phase, Stepped, Written
from systems.training.records import Done, Records
from systems.training.rendezvous import Rendezvous
from systems.training.trainer import Trainer
from torch_drills.addresses import Address
from torch_drills.store import LinkStore

COLLECTIVE_S: Final = 20.0
"""After this, gloo itself gives up a collective. The coordinator ends the group long before, unless it is gone, too."""

_LONG_S: Final = 0.3
"""Shorter waits are normal."""

_ACCUSED_S: Final = 20.0
"""How long to wait for the coordinator, which may be gone, to end a group in which a member computes wrongly …"""

_ACCUSE_S: Final = 0.5
"""… and how often to ask it."""

_LOOK_S: Final = 0.01

_DIGITS: Final = 15
"""The hexadecimal digits of a digest that fit into a 64-bit integer."""

T = TypeVar("T")


class Worker:
    """A rank's training. Call `run` in a separate thread, everything else from others."""

    def __init__(
        self,
        name: str,
        *,
        trainer: Trainer,
        checkpoints: Checkpoints,
        links: Links,
        coordinators: Mapping[str, Address],
        records: Records,
        calls: Calls,
        step_s: float,
        guard: Guard | None = None,
    ) -> None:
        self.phase: Phase = "idle"
        self.generation = 0
        self.error = ""
        self.idle = threading.Event()
        self.idle.set()
        self._name = name
        self._trainer = trainer
        self._has_state = False
        self._checkpoints = checkpoints
        self._links = links
        self._coordinators = coordinators
        self._records = records
        self._calls = calls
        self._step_s = step_s
        self._guard = guard
        self._untrained = trainer.encode()
        self._promised = 0
        self._forms: queue.SimpleQueue[Form] = queue.SimpleQueue()
        self._waits_since_s: float | None = None
        self._agreed: Agreed | None = None
        self._saving: dict[int, tuple[int, msgspec.Raw, str]] = {}
        """By step, since the saver was last idle: one is being written, and the later ones were refused meanwhile."""
        self._saver = Saver(
            checkpoints,
            name,
            ThreadPoolExecutor(max_workers=1),
            written=self._written,
            failed=self._not_saved,
            copied=trainer.copied,
        )

    # ---------------------------------------------------------------------------------------------------- for others

    @property
    def step(self) -> int:
        """The next step; `NO_STATE` while there is nothing to train yet."""
        return self._trainer.step if self._has_state else NO_STATE

    @property
    def done(self) -> tuple[int, int]:
        """The next step once it has applied the sum that it holds, if any; and the generation that this state is from."""
        held = sum_for(self.step, self._agreed)
        return (self.step, self.generation) if held is None else (held.step + 1, held.generation)

    def waiting_s(self) -> float:
        """How long it has waited in a collective without anything arriving: over a slow link something does."""
        since_s = self._waits_since_s
        waited_s = 0.0 if since_s is None else time.monotonic() - since_s
        return waited_s if waited_s < _LONG_S else min(waited_s, self._links.quiet_s())

    def leave(self, generation: int) -> bool:
        """Make it leave its group for good; False if it has already promised itself to this generation, or a later one.

        It has left when `idle` is set. Call this again until then: a connection may have been opened meanwhile.
        """
        if generation < self._promised or generation <= self.generation:
            return False
        self._promised = generation
        self._links.abort()
        return True

    def join(self, form: Form) -> bool:
        """Make it join the group of the generation for which it left its last group; False if this is another generation."""
        if form.generation != self._promised or form.generation <= self.generation:
            return False
        self.idle.clear()
        self.error = ""
        self.generation = form.generation
        self._forms.put(form)
        return True

    # ------------------------------------------------------------------------------------------------------ the thread

    def run(self) -> None:
        """Train until the process ends. Raises any error except the loss of a member."""
        torch.set_num_threads(1)
        while True:
            form = self._forms.get()
            try:
                self._work(form)
            except RuntimeError as error:  # what gloo raises
                self._waits_since_s = None
                why = sentence_of(error)
                expected = isinstance(error, Ended) or self._promised > form.generation
                left = events.Left if expected else events.Lost
                self._records.event(left(generation=form.generation, why=why))
                self.error = why
            self.phase = "idle"
            self.idle.set()

    def _work(self, form: Form) -> None:
        self.phase = "forming"
        rank, world = form.members.index(self._name), len(form.members)
        if self.step > form.limits.get(self._name, self.step):
            self._has_state, self._agreed = False, None
        rendezvous = Rendezvous(self._coordinators[form.coordinator], lambda: self._over(form))
        store = LinkStore(rendezvous, published=self._links.published, route=self._links.route)
        name = f"generation{form.generation}"
        group = Group(
            self._links.device,
            store,
            name=name,
            rank=rank,
            world=world,
            timeout_s=COLLECTIVE_S,
            over=lambda: self._over(form),
            begins=self._calls.collective,
        )
        self.phase = "restoring"
        self._agree(form, group)
        self._settle(form, group)
        if self._guard is not None:
            self._guard.joins(form.members, lambda numbers: self._collective(lambda: group.exchange(numbers)))
        self.phase = "training"
        dealt = self._deal(form)
        part = torch.zeros(max(map(len, dealt)), self._trainer.row)
        carrier = Carrier(
            world=world,
            gather=lambda mine, into: self._gather(form, group, dealt, mine, into),
            add=lambda tensor: self._collective(lambda: group.sum(tensor)),
        )
        next_s = time.monotonic()
        while True:
            self._one_step(form, group, carrier, dealt, part)
            next_s = max(next_s + self._step_s, time.monotonic())
            time.sleep(max(0.0, next_s - time.monotonic()))

    def _deal(self, form: Form) -> tuple[range, ...]:
        """The virtual shards that each member computes, in the order of ranks."""
        world, shards = len(form.members), self._trainer.order.shards
        return tuple(shards_of(rank, world, shards) for rank in range(world))

    def _one_step(self, form: Form, group: Group, carrier: Carrier, dealt: tuple[range, ...], part: torch.Tensor) -> None:
        trainer, step, mine = self._trainer, self._trainer.step, dealt[group.rank]
        self._check(form)
        trainer.keeps()
        if self._guard is not None:
            self._guard.begins()
        begun_ns = self._records.begun(form.generation, step, trainer.uses(mine))
        trainer.contribute(mine, part, before_each=lambda: self._check(form))
        self._check(form)
        exchanging_ns = time.monotonic_ns()
        combining = trainer.method.combine(trainer.given(part.numpy(), group.rank, dealt))
        combined = carrier.carry(combining)
        self._agreed = Agreed(
            generation=form.generation,
            step=step,
            begun_ns=begun_ns,
            collective_ns=time.monotonic_ns() - exchanging_ns,
            combined=combined,
        )
        if not trainer.method.repeatable:
            self._collective(lambda: group.exchange([step]))
        self._do(self._agreed, saved_by=group)

    def _do(self, agreed: Agreed, *, saved_by: Group | None = None) -> None:
        """Apply a sum to the state, and begin a checkpoint if one is due and the whole group applies the sum.

        The record of the step is by those who have begun it.
        """
        trainer = self._trainer
        applied = trainer.do(agreed.combined)
        self._agreed = None
        if agreed.begun_ns is None:
            return
        if self._guard is not None:
            self._guard.ends()
        parameters, done_ns = trainer.parameters_digest(), time.monotonic_ns()
        self._calls.stepped(Stepped(node=self._name, generation=agreed.generation, step=agreed.step, parameters=parameters))
        stalled_s = 0.0
        if saved_by is not None and self._checkpoints.schedule.due(trainer.step):
            stalled_s = self._save(agreed.generation, saved_by)
        self._records.done(
            Done(
                node=self._name,
                generation=agreed.generation,
                step=agreed.step,
                begun_ns=agreed.begun_ns,
                at_ns=done_ns,
                collective_ns=agreed.collective_ns,
                stalled_ns=round(stalled_s * 1e9),
                loss=applied.loss,
                gradient_norm=applied.gradient_norm,
                parameters=parameters,
            )
        )

    def _settle(self, form: Form, group: Group) -> None:
        """Complete a step whose sum some member holds, because a lost member may have applied it: the step stands.

        Repeating it without that member would give other bits, unless the method is repeatable. A rank applies a sum only when
        all members of its group hold it, in this group too. So if one has applied it, all others hold it: until they have
        applied it or got another state, whatever happens to the groups in between.
        """
        if self._trainer.method.repeatable:
            self._agreed = None
            return
        mine = sum_for(self.step, self._agreed)
        agreed = self._agreed = self._collective(lambda: share(mine, self.step, group))
        if agreed is not None:
            self._collective(lambda: group.exchange([agreed.step]))
            self._do(agreed)
            self._records.event(
                events.StepSettled(generation=form.generation, step=agreed.step, of_generation=agreed.generation)
            )

    def _gather(self, form: Form, group: Group, dealt: tuple[range, ...], part: torch.Tensor, whole: torch.Tensor) -> None:
        """`whole[r]` becomes member r's part; with the guard, only if no member computes wrongly."""
        if self._guard is None:
            self._collective(lambda: group.gather(part, whole))
            return
        session = Session(
            generation=form.generation,
            members=form.members,
            rank=group.rank,
            dealt=dealt,
            gather=lambda mine, into: self._collective(lambda: group.gather(mine, into)),
            exchange=lambda numbers: self._collective(lambda: group.exchange(numbers)),
            told=self._records.event,
        )
        try:
            self._guard.gather(session, part, whole)
        except Named as named:
            self._accuse(form, named)
        except Undecided as undecided:
            self._records.event(events.Undecided(generation=form.generation, why=str(undecided)))
            self._has_state = self._has_state and not undecided.of_states
            raise

    def _accuse(self, form: Form, named: Named) -> None:
        """Ask the coordinator to end this group, and wait until it does.

        If another member is lost meanwhile, nobody may hear of it. So this one drops its own state by itself, if that is wrong.
        """
        names = tuple(form.members[rank] for rank in sorted(named.ranks))
        self._records.event(events.Accused(generation=form.generation, ranks=names, why=named.why))
        accused = Accused(generation=form.generation, by=self._name, names=names, why=named.why, since=named.since)
        if named.since is None and self._name in names:
            self._has_state = False
        for _ in range(round(_ACCUSED_S / _ACCUSE_S)):
            self._calls.accused(accused)
            until_s = time.monotonic() + _ACCUSE_S
            while time.monotonic() < until_s:
                self._check(form)
                time.sleep(_LOOK_S)
        raise named

    def _agree(self, form: Form, group: Group) -> None:
        """Bring all members to the same state: the furthest that any of them holds, otherwise that of the newest checkpoint."""
        self._checkpoints.refuse(form.withdrawn)
        held = self._held(group)
        if all(step == NO_STATE for step, _ in held):
            self._resume(form)
            held = self._held(group)
        furthest, _ = max(held)
        source = next(rank for rank, (step, _) in enumerate(held) if step == furthest)
        if any(state != held[source] for state in held):
            data = self._trainer.encode() if group.rank == source else None
            data = self._collective(lambda: group.broadcast(data, source))
            if held[group.rank] != held[source]:
                self._trainer.decode(data)
                self._has_state, self._agreed = True, None
                name, size = form.members[source], len(data)
                restored = events.Restored(generation=form.generation, step=self.step, source=name, size_bytes=size)
                self._records.event(restored)
            agreed = self._held(group)
            if any(state != held[source] for state in agreed):
                raise RuntimeError(f"the state of step {furthest} did not arrive as it was sent")

    def _held(self, group: Group) -> list[tuple[int, int]]:
        """The state of each member: its step, and a digest of everything that the next step depends on."""
        digest = int(self._trainer.digest()[:_DIGITS], 16) if self._has_state else 0
        return [(step, number) for step, number in self._collective(lambda: group.exchange([self.step, digest]))]

    def _resume(self, form: Form) -> None:
        try:
            found = self._checkpoints.newest()
            refused = found.refused if found is not None else ()
        except NoneTrusted as error:
            found, refused = None, error.refusals
        self._records.refusals(form.generation, refused)
        if found is not None:
            self._trainer.resume(found, self._name)
        elif self._trainer.step:
            self._trainer.decode(self._untrained)
        self._has_state = True
        self._records.event(events.Resumed(generation=form.generation, step=self._trainer.step))

    def _collective(self, call: Callable[[], T]) -> T:
        self._waits_since_s = time.monotonic()
        result = call()
        self._waits_since_s = None
        return result

    def _check(self, form: Form) -> None:
        if self._over(form):
            raise Ended("the coordinator asked for it")

    def _over(self, form: Form) -> bool:
        return self._promised > form.generation

    # ------------------------------------------------------------------------------------------------------- the saver

    def _save(self, generation: int, group: Group) -> float:
        """Begin a checkpoint of all steps so far; returns for how many seconds that stalled the training."""
        step = self._trainer.step
        tensors = self._trainer.tensors()
        if self._saver.wait(0):
            self._saving.clear()  # none of them is being written any more
        self._saving[step] = generation, self._trainer.progress(), digest_of(tensors)
        own = self._trainer.private_tensors(self._name)
        return self._saver.save(step, group.rank, group.world, tensors, own, generation=generation)

    def _written(self, step: int, world: int, shard: Shard) -> None:
        generation, progress, state = self._saving[step]
        self._calls.written(
            Written(
                generation=generation,
                step=step,
                world=world,
                shard=shard,
                identity=self._checkpoints.identity,
                progress=progress,
                state=state,
            )
        )

    def _not_saved(self, step: int, why: str) -> None:
        generation, *_ = self._saving[step]
        self._records.event(events.NotSaved(generation=generation, step=step, why=why))
