"""A fault's targets, and the evidence that it acted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.model.system import Link


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Evidence, from outside the system, that a fault acted. `acted` is None while that is not known yet."""

    acted: bool | None
    text: str
    readings: Mapping[str, float] = field(default_factory=dict)
    """Measurements that `heal` compares with later ones, by name with unit: `{"n1>n2 held_bytes": 0.0}`."""
    began_ns: int | None = None
    """On the harness's monotonic clock, when the fault began; None: as soon as `inject` was called."""


@dataclass(frozen=True, kw_only=True)
class Targets:
    """The nodes that a selector chose, and their links. `label` is unique to the window."""

    label: str
    nodes: tuple[str, ...]
    links: tuple[Link, ...]
