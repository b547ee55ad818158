"""The part of a trainer's state that travels: parameters to the workers, gradients back. The master keeps the optimizer."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from itertools import accumulate

import msgspec
import torch

from systems.parameter_server.messages import Buffer, Damaged
from systems.parts.sampler import LedgerState
from systems.training.trainer import Trainer

# What is received is only read, and a writable copy takes time.
warnings.filterwarnings("ignore", message="The given buffer is not writable", category=UserWarning)


def parameters_of(trainer: Trainer) -> bytes:
    """The parameters as they are now: the model's tensors, one after another."""
    return b"".join(tensor.contiguous().numpy().data.cast("B") for tensor in trainer.model_tensors)


def take_parameters(trainer: Trainer, data: Buffer, progress: msgspec.Raw) -> None:
    """Set a trainer's parameters, to compute gradients with them. Raises `Damaged` if their length is not its own."""
    own = trainer.model_tensors
    begins = list(accumulate((tensor.nbytes for tensor in own), initial=0))
    if len(data) != begins[-1]:
        raise Damaged(f"parameters of {len(data):,} bytes, not {begins[-1]:,}")
    for tensor, at in zip(own, begins, strict=False):
        tensor.copy_(torch.frombuffer(data, dtype=tensor.dtype, count=tensor.numel(), offset=at).view_as(tensor))
    trainer.progress_to(progress)


def row_bytes(rows: torch.Tensor) -> memoryview:
    """The gradients and losses of shards, one after another. Not a copy."""
    return rows.numpy().data.cast("B")


def rows_of(data: Buffer, rows: int, numbers: int) -> torch.Tensor:
    """The rows from `row_bytes`; not a copy, so only for reading. Raises `Damaged` if they have another length."""
    wanted = rows * numbers * torch.float32.itemsize
    if len(data) != wanted:
        raise Damaged(f"gradients of {len(data):,} bytes, not {wanted:,}: {rows:,} rows of {numbers:,} numbers")
    return torch.frombuffer(data, dtype=torch.float32).view(rows, numbers)


def whole(rows: Iterable[torch.Tensor], numbers: int) -> torch.Tensor:
    """The gradient of a batch: the rows of its shards, added in order."""
    total = torch.zeros(numbers)
    for row in rows:
        total += row
    return total


def at_batch(batch: int) -> msgspec.Raw:
    """The progress with which a trainer computes a given batch next."""
    return msgspec.Raw(msgspec.json.encode(LedgerState(batch, "")))
