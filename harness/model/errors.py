"""Errors that end a command with one clear line: what was asked, what was found, what to do next."""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable
from typing import ClassVar, Final


class HarnessError(Exception):
    """The harness itself could not go on."""

    exit_code: ClassVar[int] = 70


class UsageError(HarnessError):
    """The request makes no sense; nothing was started."""

    exit_code = 2


class FaultError(HarnessError):
    """A fault could not act, so its window and its run are unknown."""

    exit_code = 4


class NodeDown(HarnessError):
    """A node did not start or restart. If the run cannot be judged without it, the run is unknown."""

    exit_code = 4


class DrillError(HarnessError):
    """What a drill brings along, its workload or its system's client, cannot be used. The run has no verdict."""

    exit_code = 2


OF_ONE_RUN: Final = (FaultError, NodeDown, DrillError)
"""Errors that leave a run without a verdict, and do not keep others from running."""

_WRONG_PLACE: Final = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG}
)
"""Errors that writing to another path would avoid."""

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


def cannot_write(what: str, error: OSError) -> HarnessError:
    """The error for something that cannot be written: a `UsageError` if the path is to blame rather than the disk."""
    why = error.strerror or str(error).splitlines()[0]
    if error.errno in _WRONG_PLACE:
        return UsageError(f"Cannot write {what}: {why}. Choose another place.")
    return HarnessError(f"Cannot write {what}: {why}. Free space there, or choose another place.")


def broke_off(run: str, error: OSError) -> HarnessError:
    """The error for a run that the operating system kept from going on."""
    advice = " Free space there, or choose another place with --runs." if error.errno in _FULL else ""
    return HarnessError(f"The run in {run} broke off: {error.strerror or error}.{advice}")


_MOST_LISTED: Final = 40
"""More names than this are not listed in a message."""


def hint(name: str, known: Iterable[str], *, cutoff: float = 0.6, shown_by: str = "") -> str:
    """Advice for an unknown name: the most similar known name, or all of them, or a few and the command that shows them.

    `cutoff` is how similar it must be, from 0 to 1 (see `difflib.get_close_matches`).
    """
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=cutoff)
    if close:
        return f"Did you mean {close[0]!r}?"
    if len(known) <= _MOST_LISTED:
        return f"There are: {', '.join(known)}."
    few = ", ".join(known[:: len(known) // 3][:3])
    return f"There are {len(known)}, such as {few}{f'; `{shown_by}` shows them' if shown_by else ''}."
