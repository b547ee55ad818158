"""Tell whether the nodes of a run are idle, so that the last look at their resources can be now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from harness.checkers._looks import MOMENTS, Look
from harness.checkers.all_settled import unsettled
from harness.checkers.nodes_stayed_up import silent
from harness.checkers.nothing_leaked import leaked
from harness.cluster.usage import Usage

SETTLE_S: Final = 5.0
"""How long a node may go on working after all calls are over."""


def settled(rows: Sequence[Usage]) -> bool:
    """Whether all nodes answer, nothing has piled up and nothing is pending, by the looks at the nodes so far."""
    looks = [msgspec.convert(row, Look, from_attributes=True) for row in rows if row.node and row.moment in MOMENTS]
    return not silent(looks, ("end",)) and leaked(looks).valid is True and unsettled(looks).valid is not False
