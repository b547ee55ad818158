"""One generation of a group of ranks: gloo collectives among a fixed set of members, until one of them is lost.

Each generation gets a new group, made directly from torch's gloo backend. That takes a few milliseconds, and nothing of the
previous group is left in it. (`torch.distributed._reconfigure` does the same for the default group in about 11 ms; it is
private and missing from most releases.) Connections are made by the first collective that needs them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Final, Protocol, cast

import torch
from torch._C._distributed_c10d import AllreduceOptions, BroadcastOptions, PrefixStore, ProcessGroupGloo, Store, Work

Device = ProcessGroupGloo.Device

_THREADS: Final = 2
_LOOK_S: Final = 0.01
"""How often a waiting collective checks whether its result is still wanted."""


class Ended(RuntimeError):
    """The group is ending: this collective's result is no longer wanted."""


class _Backend(Protocol):
    """The methods of torch's gloo backend that are used here and missing from its stubs."""

    def _allgather_base(self, output: torch.Tensor, mine: torch.Tensor) -> Work: ...

    def allreduce(self, tensors: list[torch.Tensor], options: AllreduceOptions) -> Work: ...

    def broadcast(self, tensors: list[torch.Tensor], options: BroadcastOptions) -> Work: ...


def device(host: str) -> Device:
    """A gloo device that listens on a host's address, for all groups of this process."""
    made: Device = ProcessGroupGloo.create_device(hostname=host)
    return made


class Group:
    """One generation of members, seen from one of them.

    All calls are collective: every member makes the same calls in the same order. They raise `RuntimeError` if a member is
    lost, the group was aborted, or `timeout_s` has passed; and `Ended` as soon as `over()` says that the result is not wanted.
    """

    def __init__(
        self,
        listens: Device,
        store: Store,
        *,
        name: str,
        rank: int,
        world: int,
        timeout_s: float,
        over: Callable[[], bool] = lambda: False,
        begins: Callable[[str], None] = lambda collective: None,
    ) -> None:
        """`name` is unique to this generation. `begins` is called with each collective's name, such as "gather", before it."""
        _forget_the_finished()
        self._over = over
        self._begins = begins
        self.rank = rank
        self.world = world
        options = ProcessGroupGloo._Options()  # type: ignore[attr-defined] # not in torch's stubs
        options._devices = [listens]
        options._threads = _THREADS
        options._timeout = timedelta(seconds=timeout_s)
        self._store = store  # torch holds only a weak reference
        self._prefixed = PrefixStore(name, store)
        self._backend = cast(_Backend, ProcessGroupGloo(self._prefixed, rank, world, options))

    def gather(self, mine: torch.Tensor, into: torch.Tensor) -> None:
        """Gather every member's tensor, all of one shape: `into[r]` becomes member r's."""
        self._begins("gather")
        self._gather(mine, into)

    def _gather(self, mine: torch.Tensor, into: torch.Tensor) -> None:
        self._finish(self._backend._allgather_base(into.view(self.world * mine.shape[0], *mine.shape[1:]), mine))

    def sum(self, tensor: torch.Tensor) -> None:
        """Every member's tensor becomes the sum of all, bit for bit the same everywhere. The bits depend on the world size."""
        self._finish(self._backend.allreduce([tensor], AllreduceOptions()))

    def exchange(self, numbers: list[int]) -> list[list[int]]:
        """Every member's numbers, the same count from each, in the order of ranks."""
        self._begins("exchange")
        mine = torch.tensor([numbers], dtype=torch.int64)
        into = torch.empty(self.world, 1, len(numbers), dtype=torch.int64)
        self._gather(mine, into)
        return into.view(self.world, len(numbers)).tolist()

    def broadcast(self, data: bytes | None, source: int) -> bytes:
        """Send one member's data to every member; the others pass None."""
        self._begins("broadcast")
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
        self._finish(self._backend.broadcast([tensor], options))

    def _finish(self, work: Work) -> None:
        """Wait for a collective. An unwanted one is abandoned, but what it may still write to is kept alive.

        Gloo sometimes misses that a connection has ended (about once in 200 aborts during a transfer), and then waits for its
        timeout. Freeing its backend would wait for the collective, too.
        """
        done = threading.Event()
        work.get_future().add_done_callback(lambda _: done.set())
        while not done.wait(_LOOK_S):
            if self._over():
                _left_behind.append((work, self._backend))
                raise Ended("it was aborted")
        work.wait()


_left_behind: list[tuple[Work, _Backend]] = []
"""The collectives that were abandoned, with their backends, until they end: see `Group._finish`."""


def _forget_the_finished() -> None:
    _left_behind[:] = [(work, backend) for work, backend in _left_behind if not work.is_completed()]


def sentence_of(error: RuntimeError) -> str:
    """The message of an error of gloo, without the place in gloo's sources before it and the advice after it."""
    return str(error).partition("\n")[0].rpartition("] ")[2].partition(". ")[0] or str(error)
