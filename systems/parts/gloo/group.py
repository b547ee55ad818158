"""One generation of a group of ranks: gloo collectives among a fixed set of members, until one of them is gone.

A group is made anew for each generation, straight from torch's gloo backend: that takes a few milliseconds, and nothing of the
group before is left in it. (`torch.distributed._reconfigure` does the same for the default group in about 11 ms; it is private
and missing from most releases.) Connections are made when the first collective wants them.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final, Protocol, cast

import torch
from torch._C._distributed_c10d import BroadcastOptions, PrefixStore, ProcessGroupGloo, Store, Work

Device = ProcessGroupGloo.Device

_THREADS: Final = 2


class _Backend(Protocol):
    """What is used of torch's gloo backend; its stubs leave that out."""

    def _allgather_base(self, output: torch.Tensor, mine: torch.Tensor) -> Work: ...

    def broadcast(self, tensors: list[torch.Tensor], options: BroadcastOptions) -> Work: ...


def device(host: str) -> Device:
    """What listens for gloo on a host's address, for all groups of this process."""
    made: Device = ProcessGroupGloo.create_device(hostname=host)
    return made


class Group:
    """The members of one generation, seen from one of them.

    All calls are collective: every member makes the same ones in the same order. They raise `RuntimeError` if a member is
    gone, the group was aborted, or `timeout_s` is over.
    """

    def __init__(self, listens: Device, store: Store, *, name: str, rank: int, world: int, timeout_s: float) -> None:
        """`name` is unique to this generation."""
        self.rank = rank
        self.world = world
        options = ProcessGroupGloo._Options()  # type: ignore[attr-defined] # not in torch's stubs
        options._devices = [listens]
        options._threads = _THREADS
        options._timeout = timedelta(seconds=timeout_s)
        self._store = store  # torch holds it weakly
        self._prefixed = PrefixStore(name, store)
        self._backend = cast(_Backend, ProcessGroupGloo(self._prefixed, rank, world, options))

    def gather(self, mine: torch.Tensor, into: torch.Tensor) -> None:
        """Every member's tensor, all of one shape: `into[r]` becomes member r's."""
        self._backend._allgather_base(into.view(self.world * mine.shape[0], *mine.shape[1:]), mine).wait()

    def exchange(self, numbers: list[int]) -> list[list[int]]:
        """Every member's numbers, as many from each, in the order of ranks."""
        mine = torch.tensor([numbers], dtype=torch.int64)
        into = torch.empty(self.world, 1, len(numbers), dtype=torch.int64)
        self.gather(mine, into)
        return into.view(self.world, len(numbers)).tolist()

    def broadcast(self, data: bytes | None, source: int) -> bytes:
        """What one member gives, at every member; the others give None."""
        size = torch.tensor([0 if data is None else len(data)], dtype=torch.int64)
        self._send(size, source)
        if data is None:
            content = torch.empty(int(size), dtype=torch.uint8)
        else:
            content = torch.frombuffer(bytearray(data), dtype=torch.uint8)
        self._send(content, source)
        return content.numpy().tobytes()

    def _send(self, tensor: torch.Tensor, source: int) -> None:
        options = BroadcastOptions()
        options.rootRank = source
        options.rootTensor = 0
        self._backend.broadcast([tensor], options).wait()
