"""The load engine's calls that did not succeed, grouped by reason."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

import msgspec

_GROUPS: Final = 20
OTHER_REASONS: Final = "other reasons"
"""The reason of calls whose own reason is one too many to be listed."""


class FailureGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Calls that did not succeed, for one reason. "wrong": answered with an unexpected body."""

    outcome: Literal["failed", "wrong", "unknown"]
    reason: str
    calls: int
    example: str = ""
    """The start of the answer to one of these calls; empty if there was none."""


def merged(groups: Iterable[FailureGroup], at_most: int = _GROUPS) -> tuple[FailureGroup, ...]:
    """Groups from several sources, added up by outcome and reason: the largest `at_most`, largest first.

    The calls of the others are not lost: after those, each outcome has one group of `OTHER_REASONS`.
    """
    added = _added(groups)
    listed = [group for group in added if group.reason != OTHER_REASONS][:at_most]
    others = [msgspec.structs.replace(group, reason=OTHER_REASONS, example="") for group in added if group not in listed]
    return *listed, *_added(others)


def _added(groups: Iterable[FailureGroup]) -> list[FailureGroup]:
    """One group an outcome and reason, largest first."""
    found: dict[tuple[str, str], FailureGroup] = {}
    for group in groups:
        key = group.outcome, group.reason
        known = found.get(key)
        found[key] = group if known is None else msgspec.structs.replace(
            known, calls=known.calls + group.calls, example=known.example or group.example
        )  # fmt: skip
    return sorted(found.values(), key=lambda group: -group.calls)
