"""Checksums of tensors, fast enough to be computed at every step.

They are the upper 63 bits of XXH3 (xxhash.com), so that they fit a collective's signed integers. They guard against accidents,
not attacks: an accidental change goes unnoticed once in 9·10^18.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import torch
import xxhash


def of_tensor(tensor: torch.Tensor) -> int:
    """The checksum of a tensor's bits."""
    return xxhash.xxh3_64_intdigest(_bytes(tensor)) >> 1


def of_tensors(tensors: Mapping[str, torch.Tensor]) -> int:
    """The checksum of all the tensors' names and bits."""
    digest = xxhash.xxh3_64()
    for name in sorted(tensors):
        digest.update(name.encode() + b"\0")
        digest.update(_bytes(tensors[name]))
    return digest.intdigest() >> 1


def of_numbers(numbers: Iterable[int]) -> int:
    """The checksum of integers, in their order."""
    return xxhash.xxh3_64_intdigest(np.array(list(numbers), dtype="<i8").tobytes()) >> 1


def _bytes(tensor: torch.Tensor) -> memoryview:
    return tensor.detach().cpu().contiguous().reshape(-1).numpy().data.cast("B")
