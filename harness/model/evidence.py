"""What a fault hits, and what was seen of it from outside the system."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.model.system import Link


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What was seen, from outside the system, of a fault acting. `acted` is None while that cannot be told yet."""

    acted: bool | None
    text: str
    readings: Mapping[str, float] = field(default_factory=dict)
    """Measurements that `heal` compares with later ones, by name with unit: `{"n1>n2 held_bytes": 0.0}`."""


@dataclass(frozen=True, kw_only=True)
class Targets:
    """What a selector chose: nodes, and the links that follow from them. `label` is unique to the window."""

    label: str
    nodes: tuple[str, ...]
    links: tuple[Link, ...]
