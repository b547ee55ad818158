"""Check that every acknowledged message is received, and not again after it was acked, and no other message is."""

from __future__ import annotations

from typing import Final

import pandas as pd

from harness.checkers._calls import as_elements, calls, has
from harness.checkers._messages import Messages, delivers, judged, lost
from harness.checkers._wording import count
from harness.model.history import History
from harness.model.verdict import Verdict
from harness.model.vocabulary import ACK, RECEIVES, SENDS

KINDS: Final = (*SENDS, *RECEIVES, ACK)


def at_least_once(history: History) -> Verdict:
    """Every acknowledged message is received, and redelivered only until a client acks it; nothing that was not sent comes.

    A weaker promise than `no_lost_messages` and `no_duplicates` together: a message may come again until an `ack` of it was
    answered; a `receive` or `poll` sent after that must not bring it. Messages sent more than once are judged only for loss,
    because it is unknown which of them comes again. A message must not come before it was sent, or if its sending had failed.
    A queue that leases messages has to refuse a `receive` while all that is left is leased: answered with nothing at the
    end, it counts as drained, and what is still leased as lost.
    Kinds and spelling: `harness.model.vocabulary`. O(n log n).
    """
    return judged(history, lambda found: _judge(history, found))


def _judge(history: History, found: Messages) -> Verdict:
    strange = _strange(found)
    if has(history, *SENDS) and not strange.empty:
        first = strange.sort_values("done_ns", kind="stable").iloc[0]
        return Verdict(
            valid=False,
            why=f"{count(len(strange), 'message')} received that had not been sent: client {first['client']} received"
            f" {first['message']} from {first['key']} (op {first['op']})",
            ops=tuple(sorted({int(op) for op in strange["op"].iloc[:10]})),
        )
    again = _again(found, calls(history, [ACK]))
    if again.empty:
        return lost(history, found)
    first = again.sort_values("done_ns", kind="stable").iloc[0]
    return Verdict(
        valid=False,
        why=f"{count(len(again), 'message')} received after an ack: client {first['client']} received {first['message']} from"
        f" {first['key']} (op {first['op']}), which had been acked (op {first['op_ack']})",
        ops=tuple(sorted({int(first["op"]), int(first["op_ack"])})),
    )


def _strange(found: Messages) -> pd.DataFrame:
    """The receipts of messages that had not been sent by then, or whose sending had failed."""
    sent = found.sends.groupby(["topic", "message"], sort=False)["sent_ns"].min().rename("first_ns").reset_index()
    both = found.receipts.merge(sent, on=["topic", "message"], how="left")
    late = (both["done_ns"] < both["first_ns"]).fillna(False).to_numpy(dtype=bool)
    return both[both["first_ns"].isna().to_numpy(dtype=bool) | late]


def _again(found: Messages, acks: pd.DataFrame) -> pd.DataFrame:
    """The receipts of messages whose ack was answered before the receive was sent."""
    acks = acks.assign(key=acks["key"].fillna(""), message=as_elements(acks["value"])).reset_index(names="op")
    acks = acks.sort_values("done_ns", kind="stable").drop_duplicates(["key", "message"])
    often = found.sends[found.sends.duplicated(["topic", "message"])][["topic", "message"]].drop_duplicates()
    once = found.receipts.merge(often.assign(often=True), on=["topic", "message"], how="left")
    once = once[once["often"].isna().to_numpy(dtype=bool)]
    beside = once.merge(acks[["key", "message", "op", "done_ns"]], on=["key", "message"], suffixes=("", "_ack"))
    return beside[(beside["done_ns_ack"] < beside["sent_ns"]).to_numpy(dtype=bool)]


def applies(history: History) -> bool:
    """Whether messages were received and acked."""
    return delivers(history) and has(history, ACK)
