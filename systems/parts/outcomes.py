"""Outcomes of an operation that was not done, or may not have been."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Failed:
    """The operation certainly has no effect, now or later."""

    why: str


@dataclass(frozen=True)
class Unknown:
    """The operation may have had its effect, or may still have it."""

    why: str
