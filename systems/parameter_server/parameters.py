"""What travels of a trainer's state: the parameters to the workers, gradients back. The optimizer stays with the master."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import torch
from safetensors.torch import load, save

from systems.parameter_server.messages import Damaged
from systems.parts.sampler import LedgerState
from systems.training.trainer import MODEL, Trainer


def parameters_of(trainer: Trainer) -> bytes:
    """The parameters as they are now."""
    return save({name: tensor for name, tensor in trainer.tensors().items() if name.startswith(MODEL)})


def take_parameters(trainer: Trainer, data: bytes, progress: msgspec.Raw) -> None:
    """Have a trainer compute gradients at these parameters."""
    trainer.restore(load(data), progress)


def row_bytes(rows: torch.Tensor) -> bytes:
    """The gradients and losses of shards, one after another."""
    return rows.numpy().tobytes()


def rows_of(data: bytes, rows: int, numbers: int) -> torch.Tensor:
    """So many rows that `row_bytes` gave. Raises `Damaged` if they have another length."""
    found = torch.frombuffer(bytearray(data), dtype=torch.float32)
    if len(found) != rows * numbers:
        raise Damaged(f"gradients of {len(found):,} numbers, not {rows:,} of {numbers:,}")
    return found.view(rows, numbers)


def whole(rows: Iterable[torch.Tensor], numbers: int) -> torch.Tensor:
    """The gradient of a batch: its shards' rows, added in their order."""
    total = torch.zeros(numbers)
    for row in rows:
        total += row
    return total


def at_batch(batch: int) -> msgspec.Raw:
    """What a trainer's progress has to be for it to compute a batch, whatever was done before."""
    return msgspec.Raw(msgspec.json.encode(LedgerState(batch, "")))
