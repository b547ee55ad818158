"""What `--json` writes, for one drill and for many."""

from __future__ import annotations

import msgspec

from results.record.result import Result


class Unfinished(msgspec.Struct, frozen=True, kw_only=True):
    """A drill that has no result, and why."""

    drill: str
    why: str


class SuiteResult(msgspec.Struct, frozen=True, kw_only=True):
    """The results of the drills that a command was asked for, in the order in which they ran."""

    version: int = 1
    """The version of this format; each result has a version of its own."""
    exit_code: int
    """The exit code of the command if it ended now."""
    results: tuple[Result, ...]
    unfinished: tuple[Unfinished, ...] = ()
    """Drills that broke off, could not run here, or had not begun when the command was interrupted."""


def encode(suite: SuiteResult) -> bytes:
    """As indented JSON."""
    return msgspec.json.format(msgspec.json.encode(suite), indent=2) + b"\n"
