"""Asynchronous saving: tensors are copied at once, and the copy is written in the background while training continues."""

from __future__ import annotations

import errno
import os
import queue
import threading
import time
from collections.abc import Callable
from types import MappingProxyType
from typing import Final

import torch

from systems.parts.checkpoint.manifest import Shard
from systems.parts.checkpoint.refusals import StillNeeded, why_of
from systems.parts.checkpoint.store import Checkpoints, Tensors, part_of

NOTHING: Final[Tensors] = MappingProxyType({})


class Saver:
    """Saves the part of the rank of this name. The training waits only while the part is copied, never for the disk.

    `written(step, world, shard)` is called when the part is on the disk, `failed(step, why)` if it will not be, for example
    because there is no memory for the copy, because the disk refused it, or because the previous save is still running.
    `copied(tensors)` is called with each copy before it is written. `copied` runs in `save`, `written` in the saver's own
    thread, `failed` in either.
    """

    def __init__(
        self,
        checkpoints: Checkpoints,
        name: str,
        *,
        written: Callable[[int, int, Shard], None],
        failed: Callable[[int, str], None],
        copied: Callable[[Tensors], None] = lambda tensors: None,
    ) -> None:
        self._checkpoints = checkpoints
        self._name = name
        self._written = written
        self._failed = failed
        self._copied = copied
        self._buffers: dict[str, torch.Tensor] = {}
        self._idle = threading.Event()
        self._idle.set()
        self._work: queue.SimpleQueue[tuple[int, int, int, Tensors] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_all, name="checkpoint saver", daemon=True)
        self._thread.start()

    def save(self, step: int, rank: int, world: int, tensors: Tensors, own: Tensors = NOTHING, *, generation: int = 0) -> float:
        """Save this rank's part of the job's tensors, and all of its own; returns how long the caller was blocked, in seconds.

        `generation` is that of the rank's group. The tensors may be changed as soon as this returns.
        """
        begun_s = time.perf_counter()
        if not self._idle.is_set():
            self._failed(step, "the save before it is not done yet")
            return time.perf_counter() - begun_s
        try:
            copies = self._copy({**part_of(tensors, rank, world), **own})
        except (MemoryError, RuntimeError) as error:  # torch has no class of its own for memory that the kernel refuses
            if not _is_out_of_memory(error):
                raise
            self._failed(step, "Cannot allocate memory for the copy")
            return time.perf_counter() - begun_s
        self._idle.clear()
        self._work.put((step, world, generation, copies))
        return time.perf_counter() - begun_s

    def wait(self, timeout_s: float) -> bool:
        """Wait until nothing is being written; returns False on timeout."""
        return self._idle.wait(timeout_s)

    def close(self) -> None:
        """Finish the current save, then stop the thread."""
        self._work.put(None)
        self._thread.join()

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

    def _write_all(self) -> None:
        while (work := self._work.get()) is not None:
            step, world, generation, tensors = work
            try:
                self._written(step, world, self._checkpoints.write_shard(step, self._name, tensors, generation))
            except (OSError, StillNeeded) as error:
                self._failed(step, why_of(error))
            except Exception as error:  # this save's failure, and not that of all later ones
                self._failed(step, f"{type(error).__name__}: {error}")
            finally:
                self._idle.set()


def _is_out_of_memory(error: MemoryError | RuntimeError) -> bool:
    return isinstance(error, MemoryError) or os.strerror(errno.ENOMEM) in str(error)
