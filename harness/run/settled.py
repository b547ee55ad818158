"""Tell whether the nodes of a run are idle, so that the last look at their resources can be now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from harness.checkers.all_settled import all_settled
from harness.checkers.nothing_leaked import nothing_leaked
from harness.cluster.usage import Usage
from harness.model.history import History

SETTLE_S: Final = 5.0
"""How long a node may go on working after all calls are over."""


def settled(rows: Sequence[Usage]) -> bool:
    """Whether nothing has piled up and nothing is pending, by the looks at the nodes so far."""
    history = History.of([], usage=[msgspec.to_builtins(row) for row in rows])
    return nothing_leaked(history).valid is True and all_settled(history).valid is not False
