"""Asynchronous saving: tensors are copied at once, and the copy is written in the background while training continues."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from concurrent import futures
from concurrent.futures import Executor, Future
from types import MappingProxyType
from typing import Final

import torch

from systems.parts.checkpoint.manifest import Shard
from systems.parts.checkpoint.refusals import StillNeeded, why_of
from systems.parts.checkpoint.store import Checkpoints, Tensors, part_of

NOTHING: Final[Tensors] = MappingProxyType({})


class Saver:
    """Saves the part of the rank of this name. The training waits only while the part is copied, never for the disk.

    It writes in `thread`, which ends with it. `written(step, world, shard)` is called when the part is on the disk,
    `failed(step, why)` if it will not be, for example because there is no memory for the copy, because the disk refused it, or
    because the previous save is still running. `copied(tensors)` is called with each copy before it is written. `copied` runs
    in `save`, `written` in the thread, `failed` in either. `now_ns` is a monotonic clock.
    """

    def __init__(
        self,
        checkpoints: Checkpoints,
        name: str,
        thread: Executor,
        *,
        written: Callable[[int, int, Shard], None],
        failed: Callable[[int, str], None],
        copied: Callable[[Tensors], None] = lambda tensors: None,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._checkpoints = checkpoints
        self._name = name
        self._written = written
        self._failed = failed
        self._copied = copied
        self._now_ns = now_ns
        self._buffers: dict[str, torch.Tensor] = {}
        self._thread = thread
        self._saving: Future[None] | None = None

    def save(self, step: int, rank: int, world: int, tensors: Tensors, own: Tensors = NOTHING, *, generation: int = 0) -> float:
        """Save this rank's part of the job's tensors, and all of its own; returns how long the caller was blocked, in seconds.

        `generation` is that of the rank's group. The tensors may be changed as soon as this returns.
        """
        begun_ns = self._now_ns()
        if self._saving is not None and not self._saving.done():
            self._failed(step, "the save before it is not done yet")
            return self._since_s(begun_ns)
        try:
            copies = self._copy({**part_of(tensors, rank, world), **own})
        except (MemoryError, RuntimeError) as error:  # torch has no class of its own for memory that the kernel refuses
            if not _is_out_of_memory(error):
                raise
            self._failed(step, "Cannot allocate memory for the copy")
            return self._since_s(begun_ns)
        self._saving = self._thread.submit(self._write, step, world, generation, copies)
        return self._since_s(begun_ns)

    def wait(self, timeout_s: float) -> bool:
        """Wait until nothing is being written; returns False on timeout."""
        return self._saving is None or self._saving in futures.wait([self._saving], timeout_s).done

    def close(self) -> None:
        """Finish the current save, then end the thread."""
        self._thread.shutdown()

    def _since_s(self, begun_ns: int) -> float:
        return (self._now_ns() - begun_ns) / 1e9

    def _copy(self, tensors: Tensors) -> Tensors:
        """Copy into buffers that the next save reuses, so that it need not allocate."""
        copies: dict[str, torch.Tensor] = {}
        for name, tensor in tensors.items():
            buffer = self._buffers.get(name)
            if buffer is None or buffer.shape != tensor.shape or buffer.dtype != tensor.dtype:
                buffer = torch.empty_like(tensor, device="cpu", requires_grad=False)
            copies[name] = buffer.copy_(tensor.detach())
        self._buffers = copies
        self._copied(copies)
        return copies

    def _write(self, step: int, world: int, generation: int, tensors: Tensors) -> None:
        try:
            self._written(step, world, self._checkpoints.write_shard(step, self._name, tensors, generation))
        except (OSError, StillNeeded) as error:
            self._failed(step, why_of(error))
        except Exception as error:  # what `written` raises, too: nobody asks the future
            self._failed(step, f"{type(error).__name__}: {error}")


def _is_out_of_memory(error: MemoryError | RuntimeError) -> bool:
    return isinstance(error, MemoryError) or os.strerror(errno.ENOMEM) in str(error)
