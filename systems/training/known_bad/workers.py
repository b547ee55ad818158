"""Broken workers, each wrong in one way."""

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
    """Deals shards only once, among the members of the first group."""

    _first: tuple[str, ...] = ()

    def _deal(self, form: Form) -> tuple[range, ...]:
        known = [*self._first, *(name for name in form.members if name not in self._first)]
        self._first = tuple(sorted(known))
        shards = self._trainer.order.shards
        return tuple(shards_of(self._first.index(name), len(self._first), shards) for name in form.members)


@dataclass(frozen=True, kw_only=True)
class Shifted(Order):
    """Uses the data of step n - `by` in step n."""

    by: int

    def uses(self, step: int, shard: int) -> list[Use]:
        return super().uses(step - self.by, shard)


@dataclass(frozen=True, kw_only=True)
class OtherPermutation(Order):
    """Uses the next epoch's order of samples."""

    def epoch(self, number: int) -> NDArray[np.int64]:
        return super().epoch(number + 1)


def _plain(order: Order) -> dict[str, int]:
    return {field.name: getattr(order, field.name) for field in dataclasses.fields(Order)}


class OrderRestarts(Worker):
    """Creates a new loader with each group, which starts from the beginning."""

    def _agree(self, form: Form, group: Group) -> None:
        super()._agree(form, group)
        self._trainer.order = Shifted(**_plain(self._trainer.order), by=self._trainer.step)


class NextPermutation(Worker):
    """Increments the epoch with each group except the first."""

    def _agree(self, form: Form, group: Group) -> None:
        super()._agree(form, group)
        if self._trainer.step:
            self._trainer.order = OtherPermutation(**_plain(self._trainer.order))


class SkipsUnfinished(Worker):
    """Skips the data of every step that has begun."""

    def _agree(self, form: Form, group: Group) -> None:
        super()._agree(form, group)
        if self._trainer.step:
            self._trainer.order = Shifted(**_plain(self._trainer.order), by=-1)


class AppliesAlone(Worker):
    """Applies its own gradient if the exchange fails."""

    def _one_step(self, form: Form, group: Group, carrier: Carrier, dealt: tuple[range, ...], part: torch.Tensor) -> None:
        try:
            super()._one_step(form, group, carrier, dealt, part)
        except RuntimeError:
            self._trainer.apply(list(part))
            raise


class RescaledRate(Worker):
    """Scales the learning rate with the number of ranks, although the batch stays the same."""

    _world = 0

    def _agree(self, form: Form, group: Group) -> None:
        super()._agree(form, group)
        if self._world:
            for group_of_parameters in self._trainer.optimizer.param_groups:
                group_of_parameters["lr"] *= group.world / self._world
        self._world = group.world


class StatesNotCompared(Worker):
    """Sends the state only to ranks that have none."""

    def _agree(self, form: Form, group: Group) -> None:
        if any(step == NO_STATE for step, _ in self._held(group)):
            super()._agree(form, group)


class HealedEarly(Worker):
    """Reports the step before it has the parameters."""

    def _agree(self, form: Form, group: Group) -> None:
        furthest, _ = max(self._held(group))
        if furthest > self.step:
            self._trainer.ledger = Ledger(LedgerState(furthest, self._trainer.ledger.state.sha256))
            self._has_state = True
        super()._agree(form, group)


class CountsAllWaiting(Worker):
    """Counts all waiting, even while something arrives."""

    def waiting_s(self) -> float:
        since_s = self._waits_since_s
        return 0.0 if since_s is None else time.monotonic() - since_s
