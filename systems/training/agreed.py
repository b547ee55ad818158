"""A step whose sum a rank holds but has not applied yet, and how the members that lack the sum get it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

import numpy as np
from safetensors.numpy import load, save

from systems.parts.gloo.group import Group
from systems.training.exchange import Combined, State

_TOTAL: Final = "total"
_SHARED: Final = "shared/"
_DIGEST_BYTES: Final = hashlib.sha256().digest_size


@dataclass(frozen=True, kw_only=True)
class Agreed:
    """A step, and the sum for it that a generation's members have added up."""

    generation: int
    step: int
    combined: Combined
    begun_ns: int | None = None
    """When this rank began the step; None if it got the sum from another member."""
    collective_ns: int = 0


def sum_for(step: int, held: Agreed | None) -> Agreed | None:
    """What is held, if that is the sum for this step; otherwise None."""
    return held if held is not None and held.step == step else None


def share(mine: Agreed | None, step: int, group: Group) -> Agreed | None:
    """The latest sum for this step that any member holds, and now this one, too; None if none does. All members call it."""
    own = 0 if mine is None else mine.generation
    held = [generation for (generation,) in group.exchange([own])]
    newest = max(held)
    if min(held) == newest:
        return mine
    source = held.index(newest)
    data = group.broadcast(_sent(mine.combined) if mine is not None and group.rank == source else None, source)
    return mine if own == newest else Agreed(generation=newest, step=step, combined=_received(data))


def _sent(combined: Combined) -> bytes:
    """A sum for other members: without what belongs to this rank alone."""
    shared = {_SHARED + name: array for name, array in combined.state.shared.items()}
    body = save({_TOTAL: combined.total, **shared})
    return hashlib.sha256(body).digest() + body


def _received(data: bytes) -> Combined:
    """The sum that another member has sent. Raises `RuntimeError` if a byte differs."""
    digest, body = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != digest:
        raise RuntimeError("a sum did not arrive as it was sent")
    arrays = {name: np.array(array) for name, array in load(body).items()}
    shared = {name.removeprefix(_SHARED): array for name, array in arrays.items() if name != _TOTAL}
    return Combined(total=arrays[_TOTAL], state=State(shared=shared))
