"""Hooks into torch: the creation of gloo groups, connections to the rendezvous store, and optimizer steps."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from datetime import timedelta
from typing import Any, Final

from torch import distributed
from torch._C._distributed_c10d import Store
from torch.distributed import distributed_c10d

from torch_drills.gates import Gates
from torch_drills.host import Host, is_namespaced
from torch_drills.journal import Journal
from torch_drills.links import Links, host_of
from torch_drills.step_journal import StepJournal
from torch_drills.store import LinkStore

_THREADS: Final = 2
"""Torch's own default for gloo."""

_installed: list[Hook] = []


def install(folder: str) -> None:
    """Hook into this process's torch, once."""
    if not _installed:
        _installed.append(Hook(folder))


class Hook:
    """The hooks of one process."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._journal = Journal(folder)
        self._namespaced = is_namespaced(folder)
        self._host: Host | None = None
        self._links: Links | None = None
        self._device: object | None = None
        self._stores: list[LinkStore] = []
        """Torch holds a group's store weakly."""
        if "RANK" in os.environ:
            self._journal.write("loaded", rank=int(os.environ["RANK"]), world=int(os.environ.get("WORLD_SIZE", "1")))
        StepJournal(self._journal, Gates(folder))
        if distributed.is_available():
            if distributed.is_gloo_available():
                self._lead_gloo()
            self._lead_store()

    def _lead_gloo(self) -> None:
        """Let every gloo group be one whose connections are links, or whose ranks are on their hosts."""
        hook, plain = self, distributed_c10d.ProcessGroupGloo

        class ProcessGroupGloo(plain):  # type: ignore[misc, valid-type] # a subclass, because torch asks isinstance
            def __init__(self, store: Store, rank: int, size: int, *other: Any, **named: Any) -> None:
                led = hook.led(plain, store, rank, size, *other, **named)
                if led is None:
                    super().__init__(store, rank, size, *other, **named)
                else:
                    super().__init__(led[0], rank, size, led[1])

        distributed_c10d.ProcessGroupGloo = ProcessGroupGloo  # type: ignore[misc]
        distributed.ProcessGroupGloo = ProcessGroupGloo  # type: ignore[misc]

    def led(
        self,
        plain: Any,
        store: Store,
        rank: int,
        size: int,
        timeout: object = None,
        enable_reconfigure: bool = False,
    ) -> tuple[LinkStore, object] | None:
        """The store and the options that lead a group's connections over links; None if that cannot be, or ranks have hosts."""
        if self._namespaced:
            self._placed(rank, size)
            return None
        try:
            links = self._joined(rank, size)
            if self._device is None:
                self._device = plain.create_device(hostname=host_of(links.rank))  # one for all groups: one port to lead to
            options: Any = plain._Options() if timeout is None or isinstance(timeout, timedelta) else timeout
            options._devices = [self._device]
            if options is not timeout:
                options._threads = _THREADS
                if timeout is not None:
                    options._timeout = timeout
                if enable_reconfigure:
                    options.enable_reconfigure = True
            led = LinkStore(store, published=lambda at: None, route=links.to_rank)
        except Exception as error:
            self._say(f"a gloo group of {size} is not led over links", error)
            return None
        self._stores.append(led)
        return led, options

    def _lead_store(self) -> None:
        """Let connections to a rendezvous store that another process keeps be links, or reach the host of that process."""
        rendezvous: Any = importlib.import_module("torch.distributed.rendezvous")  # a function of that name hides it
        hook, plain, create = self, rendezvous.TCPStore, rendezvous._create_c10d_store
        signature = inspect.signature(create)
        rank_and_world: list[tuple[int, int]] = []

        class TCPStore(plain):  # type: ignore[misc, valid-type]
            def __init__(self, host_name: str, port: int, *other: Any, **named: Any) -> None:
                if rank_and_world:
                    own = bool(named.get("is_master", other[1] if len(other) > 1 else False))
                    of_rank0 = bool(named.get("multi_tenant", False))  # torch shares a store only if rank 0 keeps it
                    host_name, port = hook.store_at(host_name, port, *rank_and_world[-1], own=own, of_rank0=of_rank0)
                super().__init__(host_name, port, *other, **named)

        def create_c10d_store(*arguments: Any, **named: Any) -> Any:
            asked = signature.bind(*arguments, **named).arguments
            rank_and_world.append((asked["rank"], asked["world_size"]))
            try:
                return create(*arguments, **named)
            finally:
                rank_and_world.pop()

        rendezvous.TCPStore = TCPStore
        rendezvous._create_c10d_store = create_c10d_store

    def store_at(self, host: str, port: int, rank: int, world: int, *, own: bool, of_rank0: bool) -> tuple[str, int]:
        """Where this rank is to connect to the store, which is its own, or rank 0's, or else the launcher's."""
        if self._namespaced:
            placed = self._placed(rank, world)
            return (placed.store(own=own, of_rank0=of_rank0), port) if placed else (host, port)
        if own:
            return host, port
        try:
            return self._joined(rank, world).to_store((host, port)) or (host, port)
        except Exception as error:
            self._say("the rendezvous store is not led over a link", error)
            return host, port

    def _placed(self, rank: int, size: int) -> Host | None:
        """The host of this process, which it is on from now on; None if that cannot be."""
        rank, size = _rank_and_world(rank, size)
        if self._host is None or self._host.rank != rank:
            try:
                self._host = Host(self._folder, self._journal, rank, size)
            except Exception as error:
                self._say(f"rank{rank} is on no host of its own", error)
        return self._host

    def _joined(self, rank: int, size: int) -> Links:
        """The links of this process; made when it first joins a group, which is the one of all ranks."""
        rank, size = _rank_and_world(rank, size)
        if self._links is None or self._links.rank != rank:
            self._links, self._device = Links(self._folder, self._journal, rank, size), None
        return self._links

    def _say(self, what: str, error: Exception) -> None:
        self._journal.write("not led", why=f"{what}: {error}")
        print(f"torch_drills: {what}: {error!r}", file=sys.stderr)


def _rank_and_world(rank: int, size: int) -> tuple[int, int]:
    """The rank among all ranks, of one that joins a group of `size` as `rank`: the first group is the one of all."""
    return (distributed.get_rank(), distributed.get_world_size()) if distributed.is_initialized() else (rank, size)
