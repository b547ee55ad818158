"""The topology of a training script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.model.errors import FaultError
from harness.model.system import Address, Client, Node
from torch_drills.host import LAUNCHER
from torch_drills.links import STORE


@dataclass(frozen=True, kw_only=True)
class TorchScript:
    """Ranks `rank0`, `rank1`, …; the process that starts them, `launcher`; and the rendezvous store, `store`.

    Each pair of ranks shares one connection and so has one link, from the lower rank to the higher: `rank0>rank1`. Selectors
    choose among the ranks.

    If each is in a network namespace, a link is the packets from one to another, so each pair of ranks has two. The store is
    then a part of its process, which is rank 0's or the launcher.
    """

    command: tuple[str, ...]
    ranks: int
    namespaces: bool = False

    def nodes(self) -> Sequence[Node]:
        names = [f"rank{number}" for number in range(self.ranks)]
        if self.namespaces:
            hosts = [*names, LAUNCHER]
            return [
                Node(
                    name=name,
                    command=self.command,
                    replica=name != LAUNCHER,
                    peers=tuple(other for other in hosts if other != name),
                )
                for name in hosts
            ]
        return [
            *(Node(name=name, command=self.command, peers=(*names[number + 1 :], STORE)) for number, name in enumerate(names)),
            *(Node(name=name, command=self.command, replica=False) for name in (LAUNCHER, STORE)),
        ]

    def entries(self) -> Sequence[str]:
        return []

    def client(self, index: int, entries: Mapping[str, Address]) -> Client:
        raise FaultError("a training script has no clients")
