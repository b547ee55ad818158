"""Tell how far the nodes of a run are from being idle, so that the last look at their resources can be then."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from harness.checkers._looks import MOMENTS, Look
from harness.checkers.all_settled import pending
from harness.checkers.nodes_stayed_up import silent
from harness.checkers.nothing_leaked import leaked
from harness.cluster.usage import Usage

SETTLE_S: Final = 5.0
"""How long nodes may go on working, after all calls are over, without having less to do than ever before."""
MOST_S: Final = 30.0
"""How long they may go on working at all."""


def left(rows: Sequence[Usage]) -> int:
    """What is left to do, by the looks at the nodes so far: 0 if all answer, nothing has piled up and nothing is pending."""
    looks = [msgspec.convert(row, Look, from_attributes=True) for row in rows if row.node and row.moment in MOMENTS]
    wrong = bool(silent(looks, ("end",))) or leaked(looks).valid is not True
    return wrong + sum(abs(number) for look in looks if look.moment == "end" for number in pending(look).values())
