"""Check that every acknowledged message was received."""

from __future__ import annotations

from typing import Final

from harness.checkers._calls import has
from harness.checkers._messages import delivers, judged, lost
from harness.model.history import History
from harness.model.verdict import Verdict
from harness.model.vocabulary import RECEIVES, SENDS

KINDS: Final = (*SENDS, *RECEIVES)


def no_lost_messages(history: History) -> Verdict:
    """Every message whose send was acknowledged is received by each subscription of its topic.

    Kinds and spelling: `harness.model.vocabulary`. A message that was acknowledged n times must be received n times. A
    missing one is lost if the subscription was drained: each client that received in the phase "final" (in all of the
    history, if none did) ended with an empty answer, which it asked for after the message was acknowledged. Otherwise, and if
    a client got no answer in the phase "final", the message may still come, and the verdict is unknown. A `receive` of unknown
    outcome may have consumed a message, a `poll` any number; if it has a value, it brought just these messages, and the
    consumer has them. In a subscription with `ack` calls this holds only for messages that were acked, since what was not
    acked comes again.

    O(n log n). After Jepsen's checker "total-queue".
    """
    return judged(history, lambda found: lost(history, found))


def applies(history: History) -> bool:
    """Whether messages were sent and received."""
    return has(history, *SENDS) and delivers(history)
