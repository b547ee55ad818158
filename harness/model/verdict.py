"""What checkers are, and what they find."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.model.history import History


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a checker found. `valid` is None where it cannot decide; `why` is one sentence; `ops` are rows of `history.ops`."""

    valid: bool | None
    why: str
    ops: tuple[int, ...] = ()


Checker = Callable[[History], Verdict]
"""A pure function from what happened to a verdict; its name and the first line of its docstring describe it."""
