"""A rank's way to the others: where gloo listens, where it dials, and how both are cut off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from systems.parts.gloo.abort import abort
from systems.parts.gloo.connections import quiet_s
from systems.parts.gloo.front import Front
from systems.parts.gloo.group import Device, device
from torch_drills.addresses import Address, dials

_HIGHEST: Final = 250
"""Ranks listen for gloo on 127.0.1.250, .249, …: the one with the higher address dials, so a lower rank dials a higher one."""


def host_of(number: int) -> str:
    """Where the rank of a number listens for gloo. It tells the number, in groups in which that rank has another place, too."""
    return f"127.0.1.{_HIGHEST - number}"


class Links:
    """The links `rank0>rank1` that lead from one rank to those of higher numbers."""

    def __init__(self, number: int, peers: Mapping[int, Address], front: Front) -> None:
        """`peers` are addresses of the fault plane, by the number of the rank that they lead to."""
        self._host = host_of(number)
        self._peers = {host_of(other): address for other, address in peers.items()}
        self._front = front
        self._dialled = frozenset(peers.values())
        self.device: Device = device(self._host)

    def published(self, address: Address) -> None:
        """This process's gloo listens here: what comes over links to it is led there."""
        self._front.gloo = address

    def route(self, address: Address) -> Address | None:
        """Where to dial in place of another rank's own address; None if that one dials, or it is this rank's own."""
        return self._peers[address[0]] if dials(self._host, address[0]) else None

    def abort(self) -> None:
        """End all connections of gloo, and with them the collective that waits on them."""
        abort(self._is_gloos)

    def quiet_s(self) -> float:
        """For how long nothing has come from any other rank."""
        return quiet_s(self._is_gloos)

    def _is_gloos(self, own: Address, other: Address) -> bool:
        return own == self._front.gloo or other in self._dialled
