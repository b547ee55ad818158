"""What moves when the members change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from systems.parts.partitioning.hashing import BITS
from systems.parts.partitioning.placement import HashPlacement

SAMPLES: Final = 1 << 17


@dataclass(frozen=True, order=True)
class Move:
    """A share of all keys that moves from one node to another."""

    source: str
    target: str
    share: float


@dataclass(frozen=True)
class Plan:
    """All moves, and their total `share` of the keys, from 0 to 1."""

    moves: tuple[Move, ...]

    @property
    def share(self) -> float:
        return sum(move.share for move in self.moves)


def plan(before: HashPlacement, after: HashPlacement, samples: int = SAMPLES) -> Plan:
    """What moves between two placements, measured at evenly spaced hashes: shares are accurate to about 1 / `samples`.

    Raises `ValueError` unless `samples` is at least 1.
    """
    if samples < 1:
        raise ValueError(f"plan(samples={samples}): must be at least 1")
    apart = (1 << BITS) // samples  # 2^64 itself, which no uint64 holds, if there is one sample
    hashes = np.arange(samples, dtype=np.uint64) * np.uint64(apart % (1 << BITS)) + np.uint64(apart // 2)
    old, new = before.numbers_of(hashes), after.numbers_of(hashes)
    names, then = np.array(before.members.names), np.array(after.members.names)
    moved = names[old] != then[new]
    pairs, counts = np.unique(np.stack([names[old[moved]], then[new[moved]]], axis=1), axis=0, return_counts=True)
    return Plan(
        tuple(
            Move(str(source), str(target), int(count) / samples) for (source, target), count in zip(pairs, counts, strict=True)
        )
    )
