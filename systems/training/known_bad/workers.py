"""Workers that are wrong in one way each."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from systems.parts.gloo.group import Group
from systems.parts.sampler import Ledger, LedgerState, Order, Use, shards_of
from systems.training.carrier import Carrier
from systems.training.messages import NO_STATE, Form
from systems.training.worker import Worker


class LostShards(Worker):
    """Shards are dealt once, among the members of the first group."""

    _first: tuple[str, ...] = ()

    def _deal(self, form: Form) -> tuple[range, ...]:
        known = [*self._first, *(name for name in form.members if name not in self._first)]
        self._first = tuple(sorted(known))
        shards = self._trainer.order.shards
        return tuple(shards_of(self._first.index(name), len(self._first), shards) for name in form.members)


@dataclass(frozen=True, kw_only=True)
class Shifted(Order):
    """Step n uses what step n - `by` should."""

    by: int

    def uses(self, step: int, shard: int) -> list[Use]:
        return super().uses(step - self.by, shard)


@dataclass(frozen=True, kw_only=True)
class OtherPermutation(Order):
    """Epochs go through the samples as the next one should."""

    def epoch(self, number: int) -> NDArray[np.int64]:
        return super().epoch(number + 1)


def _plain(order: Order) -> dict[str, int]:
    return {field.name: getattr(order, field.name) for field in dataclasses.fields(Order)}


class OrderRestarts(Worker):
    """The loader is made anew with the group, and begins at its beginning."""

    def _agree(self, form: Form, group: Group) -> None:
        super()._agree(form, group)
        self._trainer.order = Shifted(**_plain(self._trainer.order), by=self._trainer.step)


class NextPermutation(Worker):
    """The epoch is counted up with each group but the first."""

    def _agree(self, form: Form, group: Group) -> None:
        super()._agree(form, group)
        if self._trainer.step:
            self._trainer.order = OtherPermutation(**_plain(self._trainer.order))


class SkipsUnfinished(Worker):
    """A step that has begun counts as done for the data."""

    def _agree(self, form: Form, group: Group) -> None:
        super()._agree(form, group)
        if self._trainer.step:
            self._trainer.order = Shifted(**_plain(self._trainer.order), by=-1)


class AppliesAlone(Worker):
    """Better some gradient than none."""

    def _one_step(self, form: Form, group: Group, carrier: Carrier, dealt: tuple[range, ...], part: torch.Tensor) -> None:
        try:
            super()._one_step(form, group, carrier, dealt, part)
        except RuntimeError:
            self._trainer.apply(list(part))
            raise


class RescaledRate(Worker):
    """More ranks, larger steps; of a batch that stays as it is."""

    _world = 0

    def _agree(self, form: Form, group: Group) -> None:
        super()._agree(form, group)
        if self._world:
            for group_of_parameters in self._trainer.optimizer.param_groups:
                group_of_parameters["lr"] *= group.world / self._world
        self._world = group.world


class StatesNotCompared(Worker):
    """Only a rank that has nothing is sent anything."""

    def _agree(self, form: Form, group: Group) -> None:
        if any(step == NO_STATE for step, _ in self._held(group)):
            super()._agree(form, group)


class HealedEarly(Worker):
    """The step comes first, and then the parameters."""

    def _agree(self, form: Form, group: Group) -> None:
        furthest, _ = max(self._held(group))
        if furthest > self.step:
            self._trainer.ledger = Ledger(LedgerState(furthest, self._trainer.ledger.state.sha256))
            self._has_state = True
        super()._agree(form, group)


class CountsAllWaiting(Worker):
    """Also while something comes."""

    def waiting_s(self) -> float:
        since_s = self._waits_since_s
        return 0.0 if since_s is None else time.monotonic() - since_s
