"""What became of an operation that was not done, or of which that is not known."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Failed:
    """The operation surely has no effect, now or later."""

    why: str


@dataclass(frozen=True)
class Unknown:
    """The operation may have had its effect, or may have it yet."""

    why: str
