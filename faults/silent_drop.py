"""SilentDrop: links swallow all bytes and all ends of connections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from faults._toxics import Toxic
from harness.model.fault import Aim, Evidence, Fault, Targets

if TYPE_CHECKING:
    from harness.cluster.cluster import Cluster

_TOXIC: Final = Toxic(kind="blackhole", counts="bytes swallowed")


@dataclass(frozen=True)
class SilentDrop(Fault):
    """All that is sent over the links vanishes, the ends of connections as well: even the death of a peer is not told.

    `Isolate` stops bytes alone. Connections that lost nothing go on afterwards; the others are closed. Needs the embedded fault
    plane; `Blackhole` is the same between machines, below TCP.

    Models a firewall or a NAT gateway that forgot its connections and drops what belongs to none: of the failures that Bailis
    and Kingsbury collected, "The Network is Reliable", ACM Queue 12(7), 2014.
    """

    aims_at: ClassVar[Aim] = "links"

    async def inject(self, cluster: Cluster, targets: Targets) -> Evidence:
        return await _TOXIC.put(cluster, targets)

    async def heal(self, cluster: Cluster, targets: Targets, injected: Evidence) -> Evidence:
        return await _TOXIC.take(cluster, targets)
