"""A rank's links to the others: where gloo listens, where it dials, and how to cut both off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from systems.parts.gloo.abort import abort
from systems.parts.gloo.connections import quiet_s
from systems.parts.gloo.front import Front
from systems.parts.gloo.group import Device, device
from systems.parts.gloo.relay import Relay
from torch_drills.addresses import Address, dials

_HIGHEST: Final = 250
"""Ranks listen for gloo on 127.0.1.250, .249, …: the higher address dials, so a lower rank dials a higher one."""


def host_of(number: int) -> str:
    """The address where a rank listens for gloo. It shows the rank's number even in groups where the rank has another place."""
    return f"127.0.1.{_HIGHEST - number}"


class Links:
    """The links `rank0>rank1` that lead from one rank to those of higher numbers."""

    def __init__(self, number: int, peers: Mapping[int, Address], front: Front) -> None:
        """`peers` are addresses by the number of the rank that each leads to: in the fault plane, or on another machine."""
        self._host = host_of(number)
        self._peers = {host_of(other): self._dialled_at(address) for other, address in peers.items()}
        self._front = front
        self._dialled = frozenset(self._peers.values())
        self.device: Device = device(self._host)

    def _dialled_at(self, address: Address) -> Address:
        """An address that gloo dials, rather than waiting to be dialled from there."""
        return address if dials(self._host, address[0]) else Relay(address).address

    def published(self, address: Address) -> None:
        """This process's gloo listens at `address`: what arrives over links goes there."""
        self._front.gloo = address

    def route(self, address: Address) -> Address | None:
        """The address to dial instead of another rank's own; None if that rank dials, or the address is this rank's own."""
        return self._peers[address[0]] if dials(self._host, address[0]) else None

    def abort(self) -> None:
        """Close all connections of gloo, which ends the collective that waits on them."""
        abort(self._is_gloos)

    def quiet_s(self) -> float:
        """How long nothing has arrived from any other rank."""
        return quiet_s(self._is_gloos)

    def _is_gloos(self, own: Address, other: Address) -> bool:
        return own == self._front.gloo or other in self._dialled
