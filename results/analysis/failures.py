"""Calls of the load engine that were not done, grouped by the reason."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

import msgspec

_GROUPS: Final = 20


class FailureGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Calls that were not done for one reason. "wrong": answered, with a body that was not expected."""

    outcome: Literal["failed", "wrong", "unknown"]
    reason: str
    calls: int
    example: str = ""
    """The beginning of what one of these calls was answered with; empty if there was no answer."""


def merged(groups: Iterable[FailureGroup], at_most: int = _GROUPS) -> tuple[FailureGroup, ...]:
    """Groups from several sources, those of one outcome and reason added up; the largest first, so many at most."""
    found: dict[tuple[str, str], FailureGroup] = {}
    for group in groups:
        key = group.outcome, group.reason
        known = found.get(key)
        found[key] = group if known is None else msgspec.structs.replace(
            known, calls=known.calls + group.calls, example=known.example or group.example
        )  # fmt: skip
    return tuple(sorted(found.values(), key=lambda group: -group.calls)[:at_most])
