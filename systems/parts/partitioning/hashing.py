"""Hashes of keys: 64 bits, the same in every process, on every machine, in every version of Python."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import xxhash
from numpy.typing import NDArray

Key = str | bytes | int
"""A key to partition. 7 and "7" are different keys. An integer beyond 64 bits is taken modulo 2**64."""

Hashes = NDArray[np.uint64]

BITS: Final = 64
MASK: Final = (1 << BITS) - 1
_GOLDEN: Final = 0x9E3779B97F4A7C15
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def key_hash(key: Key) -> int:
    """A key's hash. For text (in UTF-8) and bytes: XXH3, 64 bits."""
    if isinstance(key, str):
        return xxhash.xxh3_64_intdigest(key.encode())
    return xxhash.xxh3_64_intdigest(key) if isinstance(key, bytes) else mixed(key & MASK)


def key_hashes(keys: Sequence[Key] | NDArray[np.integer]) -> Hashes:
    """The hash of each key; for an array of integers without a Python loop."""
    if isinstance(keys, np.ndarray):
        return all_mixed(keys.astype(np.int64).view(np.uint64) if keys.dtype.kind == "i" else keys.astype(np.uint64))
    return np.fromiter(map(key_hash, keys), np.uint64, len(keys))


def mixed(number: int, again: int = 0) -> int:
    """Map a number to another one that looks unrelated, one to one; `again` selects among such functions.

    The output function of SplitMix64: G. Steele, D. Lea and C. Flood, "Fast splittable pseudorandom number generators",
    OOPSLA 2014.
    """
    number = (number + (again + 1) * _GOLDEN) & MASK
    number = ((number ^ (number >> 30)) * _FIRST) & MASK
    number = ((number ^ (number >> 27)) * _SECOND) & MASK
    return number ^ (number >> 31)


def all_mixed(numbers: Hashes, again: int | Hashes = 0) -> Hashes:
    """`mixed` of each number."""
    steps = np.asarray(again, np.uint64) + np.uint64(1)
    with np.errstate(over="ignore"):
        numbers = numbers + steps * np.uint64(_GOLDEN)
        numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(_FIRST)
        numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(_SECOND)
    return numbers ^ (numbers >> np.uint64(31))
