"""One seed per run, one independent random stream per component, so that timing in one cannot change another."""

from __future__ import annotations

from random import Random
from typing import Final

HASH_SEED: Final = "PYTHONHASHSEED"
"""The environment variable that decides in which order a Python process iterates over a set of strings."""

SIMULATION_HASH_SEED: Final = 0
"""Its value in processes that simulate, so that a seed is repeated exactly even if a node depends on that order."""


def stream(seed: int, component: str) -> Random:
    """The random stream of one component. Seeding from text goes through SHA-512, so streams do not resemble each other."""
    return Random(f"{seed}/{component}")
