"""Faults on packets in a simulation: losses between hosts, and rate limits at a host's cable.

See `harness.model.environment.Packets`; the network itself holds and delays (`network`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from harness.model.packets import Dropped, Flow, Shaping
from harness.simulation.network import Network, Pair
from harness.simulation.shaper import ENDS, CableEnd, Shaper

_KIND: Final = "simulated"


class SimulatedPackets:
    """See the module. `hosts` are the possible targets of a fault: "anyone" does not include the harness's own host."""

    def __init__(self, network: Network, hosts: Sequence[str]) -> None:
        self._network = network
        self._hosts = hosts
        self._dropped: dict[str, list[tuple[list[Pair], Dropped]]] = {}
        """By window, the pairs of hosts of each flow, and its losses before the window."""
        self._limits: dict[str, dict[str, float]] = {}
        """By host, the limit of each window."""
        self._shapers: dict[str, dict[CableEnd, Shaper]] = {}

    def drop(self, label: str, flows: Sequence[Flow]) -> None:
        listed = [self._pairs(flow) for flow in flows]
        self._dropped[label] = [(pairs, self._lost(pairs)) for pairs in listed]
        for pair in _each(listed):
            self._network.cut(*pair, acknowledgements=True)

    def stop_dropping(self, label: str) -> Sequence[Dropped]:
        found = self._dropped.pop(label, [])
        for pair in _each([pairs for pairs, _ in found]):
            self._network.mend(*pair, acknowledgements=True)
        told = []
        for pairs, before in found:
            now = self._lost(pairs)
            told.append(Dropped(now.packets - before.packets, now.bytes - before.bytes))
        return told

    def limit(self, label: str, name: str, kbit_per_s: float) -> None:
        self._limits.setdefault(name, {})[label] = kbit_per_s
        self._shape(name)

    def unlimit(self, label: str) -> None:
        for name, limits in self._limits.items():
            if limits.pop(label, None) is not None:
                self._shape(name)

    def shaping(self, name: str) -> Mapping[str, Shaping]:
        shapers = self._shapers.get(name, {})
        return {
            end: Shaping(kind=_KIND, bytes=one.bytes, overlimits=one.overlimits, drops=one.drops)
            for end, one in shapers.items()
        }

    def _shape(self, name: str) -> None:
        """Apply the strictest of a host's limits."""
        limits = self._limits[name].values()
        shapers = self._shapers.setdefault(name, {end: Shaper() for end in ENDS})
        for end, shaper in shapers.items():
            shaper.bytes_per_s = min(limits) * 1000 / 8 if limits else 0.0
            if limits:
                self._network.shapers[name, end] = shaper
            else:
                self._network.shapers.pop((name, end), None)

    def _pairs(self, flow: Flow) -> list[Pair]:
        sources = self._hosts if flow.source is None else (flow.source,)
        targets = self._hosts if flow.target is None else (flow.target,)
        return [(source, target) for source in sources for target in targets if source != target]

    def _lost(self, pairs: Sequence[Pair]) -> Dropped:
        found = [self._network.lost.get(pair, (0, 0)) for pair in pairs]
        return Dropped(sum(packets for packets, _ in found), sum(size for _, size in found))


def _each(listed: Sequence[Sequence[Pair]]) -> list[Pair]:
    """Each pair once, in order."""
    return list(dict.fromkeys(pair for pairs in listed for pair in pairs))
