"""Rendezvous hashing: each node bids for each key, and the best bid owns it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from systems.parts.partitioning.hashing import Hashes, all_mixed, key_hashes
from systems.parts.partitioning.members import Members
from systems.parts.partitioning.placement import HashPlacement, Numbers

_BIDS_AT_ONCE: Final = 1 << 20


@dataclass(frozen=True)
class Rendezvous(HashPlacement):
    """Exact shares by weight and no memory besides the members; a look-up takes time proportional to their number.

    D. Thaler and C. Ravishankar, "Using name-based mappings to increase hit rates", IEEE/ACM ToN 6(1), 1998. Weights: a bid is
    an exponentially distributed time with the weight as its rate, and the first one wins (the logarithmic method of
    C. Schindelhauer and G. Schomaker, "Weighted distributed hash tables", SPAA 2005).
    """

    members: Members

    def with_members(self, members: Members) -> Rendezvous:
        return replace(self, members=members)

    def number_of(self, hashed: int) -> int:
        return int(np.argmin(self._times(np.array([hashed], np.uint64))))

    def numbers_of(self, hashes: Hashes) -> Numbers:
        rows = max(1, _BIDS_AT_ONCE // max(1, len(self.members.all)))
        parts = [np.argmin(self._times(hashes[at : at + rows]), axis=1) for at in range(0, len(hashes), rows)]
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)

    def preference(self, hashed: int) -> Iterator[int]:
        return map(int, np.argsort(self._times(np.array([hashed], np.uint64))[0], kind="stable"))

    def _times(self, hashes: Hashes) -> NDArray[np.float64] | Hashes:
        """A row per hash, a column per member. With equal weights the bids themselves, whose order is that of the times."""
        bids = all_mixed(hashes[:, None] ^ self._names[None, :])
        if self._rates is None:
            return bids
        times: NDArray[np.float64] = -np.log1p(-(bids.astype(np.float64) / 2.0**64).clip(max=1 - 2.0**-53)) / self._rates
        return times

    @cached_property
    def _names(self) -> Hashes:
        return key_hashes(self.members.names)

    @cached_property
    def _rates(self) -> NDArray[np.float64] | None:
        weights = np.array([member.weight for member in self.members.all])
        return None if (weights == weights[0]).all() else weights
