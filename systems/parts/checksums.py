"""Checksums of tensors, quick enough to be taken at every step: a change of any bit changes them.

They are XXH3's 64 bits less one (xxhash.com), so that they fit a signed integer of a collective. They guard against accidents:
a change that nobody aimed goes unnoticed once in 9·10^18.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import torch
import xxhash


def of_tensor(tensor: torch.Tensor) -> int:
    """Of a tensor's bits."""
    return xxhash.xxh3_64_intdigest(_bytes(tensor)) >> 1


def of_tensors(tensors: Mapping[str, torch.Tensor]) -> int:
    """Of all the tensors' names and bits."""
    digest = xxhash.xxh3_64()
    for name in sorted(tensors):
        digest.update(name.encode() + b"\0")
        digest.update(_bytes(tensors[name]))
    return digest.intdigest() >> 1


def of_numbers(numbers: Iterable[int]) -> int:
    """Of integers, in their order."""
    return xxhash.xxh3_64_intdigest(np.array(list(numbers), dtype="<i8").tobytes()) >> 1


def _bytes(tensor: torch.Tensor) -> memoryview:
    return tensor.detach().cpu().contiguous().reshape(-1).numpy().data.cast("B")
