"""Workloads whose requests can be prepared beforehand, as the load engine needs them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from harness.model.system import Address
from workloads.load.engine.task import Exchange


@runtime_checkable
class HasExchanges(Protocol):
    """A workload of plain HTTP/1.1 requests, each with what a right answer begins with."""

    def exchanges(self, entry: Address) -> Sequence[Exchange]:
        """All requests, to be sent in turn to an entry node at this address."""
