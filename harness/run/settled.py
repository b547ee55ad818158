"""Whether the nodes of a run have come to rest, so that the last look at what they hold can be now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from harness.checkers.all_settled import all_settled
from harness.checkers.nothing_leaked import nothing_leaked
from harness.cluster.usage import Usage
from harness.model.history import History

SETTLE_S: Final = 5.0
"""A node may work on for so long when all calls are over."""


def settled(rows: Sequence[Usage]) -> bool:
    """Whether nothing has piled up and nothing is under way, by the looks at the nodes until now."""
    history = History.of([], usage=[msgspec.to_builtins(row) for row in rows])
    return nothing_leaked(history).valid is True and all_settled(history).valid is not False
