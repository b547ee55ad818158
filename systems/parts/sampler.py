"""Which samples each step of a training uses, whatever happens to its ranks, and a ledger that proves it.

The order is one endless stream: a permutation of all samples, then another one, and so on. Step n takes the n-th `batch` of it,
and virtual shard v the v-th part of that batch. So the order depends on the seed and on nothing that a failure changes: neither
on the set of ranks nor on how often a step was begun. A batch may hold the end of one epoch and the beginning of the next.
Unlike with PyTorch's `DistributedSampler`, no sample is dropped, and none is repeated to fill a batch.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray


class Use(NamedTuple):
    """One use of a sample: in which epoch, which sample, by which virtual shard of which step."""

    epoch: int
    sample: int
    shard: int
    step: int


@dataclass(frozen=True, kw_only=True)
class Order:
    """The order of `samples` samples, `batch` per step in `shards` equal virtual shards."""

    samples: int
    batch: int
    shards: int
    seed: int

    def __post_init__(self) -> None:
        if min(self.samples, self.batch, self.shards) < 1 or self.batch % self.shards:
            raise ValueError(
                f"A batch of {self.batch} of {self.samples} samples cannot be split into {self.shards} shards of one size, each"
                " with at least one sample."
            )

    @property
    def shard_size(self) -> int:
        """Samples per shard and step."""
        return self.batch // self.shards

    def uses(self, step: int, shard: int) -> list[Use]:
        """The samples that one virtual shard of a step uses, in order."""
        first = step * self.batch + shard * self.shard_size
        found: list[Use] = []
        while (left := self.shard_size - len(found)) > 0:
            epoch, at = divmod(first + len(found), self.samples)
            found += [Use(epoch, sample, shard, step) for sample in self.epoch(epoch)[at : at + left].tolist()]
        return found

    def epoch(self, number: int) -> NDArray[np.int64]:
        """The permutation of all samples in an epoch."""
        return _permutation(self.samples, self.seed, number)


def shards_of(rank: int, world: int, shards: int) -> range:
    """The virtual shards that one of `world` ranks computes; each shard belongs to one rank."""
    return range(rank, shards, world)


def key(seed: int, step: int, shard: int) -> int:
    """The seed of all randomness (dropout, augmentation) in a virtual shard of a step: 63 bits.

    It does not depend on the rank, since any rank may compute a shard.
    """
    mixed = _mix(_mix(_mix(np.array([seed & _ALL], dtype=np.uint64)) + np.uint64(step)) + np.uint64(shard))
    return int(mixed[0]) >> 1


_ALL: Final = 2**64 - 1


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The output function of SplitMix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014)."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


@lru_cache(maxsize=4)
def _permutation(samples: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Samples sorted by their own random numbers, so that the order does not depend on a library's shuffle."""
    base = _mix(_mix(np.array([seed & _ALL], dtype=np.uint64)) + np.uint64(epoch))
    numbers = np.arange(samples).astype(np.uint64)
    return np.argsort(_mix(numbers + base), kind="stable")


# ------------------------------------------------------------------------------------------------------------- ledger


class OutOfOrder(Exception):
    """A step that is not the next one: a step was skipped, or would be counted twice."""


class LedgerState(msgspec.Struct, frozen=True):
    """A ledger's state, for a checkpoint."""

    step: int
    sha256: str


class Ledger:
    """The number of committed steps, and a digest of every use in them.

    A step is committed when the sum of its gradients is applied. Two ledgers with the same digest hold the same uses.
    """

    def __init__(self, state: LedgerState | None = None) -> None:
        self._state = state or LedgerState(0, hashlib.sha256().hexdigest())

    @property
    def state(self) -> LedgerState:
        return self._state

    @property
    def next_step(self) -> int:
        """The step to commit next, which is also the number of committed steps."""
        return self._state.step

    def commit(self, step: int, uses: Iterable[Use]) -> None:
        """Commit a step with the uses of all its shards. Raises `OutOfOrder` unless it is the next step."""
        if step != self.next_step:
            raise OutOfOrder(f"step {step} cannot be committed: the next one is step {self.next_step}")
        digest = hashlib.sha256(self._state.sha256.encode())
        digest.update(np.array(sorted(uses), dtype="<i8").tobytes())
        self._state = LedgerState(step + 1, digest.hexdigest())


@dataclass(frozen=True, kw_only=True)
class Audit:
    """The errors in a set of uses. Both are empty if there are none."""

    repeated: Sequence[tuple[int, int]] = field(default=())
    """Pairs (epoch, sample) that were used more than once."""
    missing: Sequence[tuple[int, int]] = field(default=())
    """Pairs (epoch, sample) that were not used. The last epoch is left out, since it may not be complete."""

    @property
    def clean(self) -> bool:
        return not self.repeated and not self.missing


def audit(uses: Iterable[tuple[int, int]], samples: int) -> Audit:
    """Check that (epoch, sample) pairs use each of `samples` samples once per epoch, in all epochs from 0 on."""
    counts = Counter(uses)
    epochs = 1 + max((epoch for epoch, _ in counts), default=0)
    return Audit(
        repeated=sorted(pair for pair, number in counts.items() if number > 1),
        missing=[(epoch, sample) for epoch in range(epochs - 1) for sample in range(samples) if (epoch, sample) not in counts],
    )
