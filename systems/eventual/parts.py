"""The parts of a node, so that a known bug can replace one of them."""

from __future__ import annotations

from dataclasses import dataclass

from systems.eventual.anti_entropy import AntiEntropy
from systems.eventual.coordinator import Coordinator
from systems.eventual.files import Files
from systems.eventual.graves import Graves
from systems.eventual.outbox import Outbox
from systems.eventual.replica import Replica
from systems.eventual.replication import Replicator
from systems.eventual.resolution import KeepSiblings, LastWriterWins
from systems.eventual.storage import Storage
from systems.parts.hybrid_clock import HybridClock


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The classes of a node's parts, and whether it checks messages. The defaults are correct."""

    clock: type[HybridClock] = HybridClock
    last_writer_wins: type[LastWriterWins] = LastWriterWins
    keep_siblings: type[KeepSiblings] = KeepSiblings
    graves: type[Graves] = Graves
    replica: type[Replica] = Replica
    outbox: type[Outbox] = Outbox
    files: type[Files] = Files
    storage: type[Storage] = Storage
    replicator: type[Replicator] = Replicator
    anti_entropy: type[AntiEntropy] = AntiEntropy
    coordinator: type[Coordinator] = Coordinator
    checksums_checked: bool = True
    """A message between nodes whose checksum is wrong counts as lost."""
