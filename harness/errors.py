"""Errors that end a command with one clear line: what was asked, what was found, what to do next."""

from __future__ import annotations

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
