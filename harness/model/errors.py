"""Errors that end a command with one clear line: what was asked, what was found, what to do next."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar


class HarnessError(Exception):
    """The harness itself could not go on."""

    exit_code: ClassVar[int] = 70


class UsageError(HarnessError):
    """What was asked makes no sense; nothing was started."""

    exit_code = 2


class FaultError(HarnessError):
    """A fault could not act; its window, and so its run, is unknown."""

    exit_code = 4


class NodeDown(HarnessError):
    """A node did not start, or not again; where that keeps the run from its verdict, it is unknown."""

    exit_code = 4


def hint(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """What to do about a name that is not known: the known one most like it, or all there are.

    `cutoff` is how like it must be, from 0 to 1 (see `difflib.get_close_matches`).
    """
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=cutoff)
    return f"Did you mean {close[0]!r}?" if close else f"There are: {', '.join(known)}."
