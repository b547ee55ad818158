"""One seed per run, one independent random stream per component, so that timing in one cannot change another."""

from __future__ import annotations

from random import Random


def stream(seed: int, component: str) -> Random:
    """The random stream of one component. Seeding from text goes through SHA-512, so streams do not resemble each other."""
    return Random(f"{seed}/{component}")
