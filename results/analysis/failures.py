"""The load engine's calls that did not succeed, grouped by reason."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

import msgspec

_GROUPS: Final = 20


class FailureGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Calls that did not succeed, for one reason. "wrong": answered with an unexpected body."""

    outcome: Literal["failed", "wrong", "unknown"]
    reason: str
    calls: int
    example: str = ""
    """The start of the answer to one of these calls; empty if there was none."""


def merged(groups: Iterable[FailureGroup], at_most: int = _GROUPS) -> tuple[FailureGroup, ...]:
    """Groups from several sources, added up by outcome and reason: the largest `at_most`, largest first."""
    found: dict[tuple[str, str], FailureGroup] = {}
    for group in groups:
        key = group.outcome, group.reason
        known = found.get(key)
        found[key] = group if known is None else msgspec.structs.replace(
            known, calls=known.calls + group.calls, example=known.example or group.example
        )  # fmt: skip
    return tuple(sorted(found.values(), key=lambda group: -group.calls)[:at_most])
