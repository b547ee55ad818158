"""The chart of a recorded run's messages: those around the failure, and no more than fit on a page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec
import pandas as pd

from harness.model.system import CLIENT
from harness.simulation.cluster import HARNESS
from harness.simulation.messages import Message
from harness.simulation.seed_run import Judged
from harness.simulation.world import Happening
from results.record.result import Result
from results.record.sequence import ChartedCall, HostEvent, SentMessage, SequenceChart

_AROUND_S: Final = 0.05
"""The chart begins this long before the first operation that shows the failure, and ends this long after the last one."""

_LAST_S: Final = 2.0
"""If no operation shows the failure, the chart covers this much of the run's end."""

_MOST: Final = 4000
_MOST_EVENTS: Final = 4000


def chart(judged: Judged, result: Result) -> SequenceChart:
    """The chart of a recorded run."""
    start_s = judged.recorded.start_ns / 1e9
    ops = judged.recorded.history.ops
    shown = next((check.ops for check in judged.checks if check.valid is False and check.ops), ())
    marked = ops.loc[list(shown)]
    if marked.empty:
        to_s = judged.run.world.now - start_s
        from_s = to_s - _LAST_S
    else:
        from_s = float(marked["sent_ns"].min()) / 1e9 - _AROUND_S
        to_s = float(marked["done_ns"].max()) / 1e9 + _AROUND_S
    sent = [
        message
        for message in judged.recorded.cluster.network.messages
        if from_s <= message.sent_s - start_s <= to_s and HARNESS not in (message.source, message.target)
    ]
    kept = (sent if marked.empty else _about(sent, [str(key) for key in marked["key"].unique()]))[:_MOST]
    return SequenceChart(
        title=f"{result.drill}, seed {result.seed}",
        verdict="; ".join(check.why for check in judged.checks if check.valid is False)
        or judged.outcome.why  # missed SLOs, and what is unknown
        or "every check held",
        hosts=(CLIENT, *judged.recorded.cluster.nodes),
        messages=tuple(_sent(message, start_s) for message in kept),
        events=_events(judged.run.world.happenings or (), start_s, from_s, to_s),
        calls=_calls(ops, marked, from_s, to_s),
        left_out=len(sent) - len(kept),
    )


def _events(happenings: Sequence[Happening], start_s: float, from_s: float, to_s: float) -> tuple[HostEvent, ...]:
    """What hosts did in the time shown: every death and start, and no more of the rest than fits.

    A host that is down as that time begins dies then.
    """
    lives, others, last = list[HostEvent](), list[HostEvent](), dict[str, HostEvent]()
    for one in happenings:
        event = HostEvent(at_s=round(one.at_s - start_s, 6), host=one.host, kind=one.kind, detail=one.detail)
        of_a_life = event.kind in ("start", "end")
        if event.host == HARNESS or event.at_s > to_s:
            continue
        if event.at_s >= from_s:
            (lives if of_a_life else others).append(event)
        elif of_a_life:
            last[event.host] = msgspec.structs.replace(event, at_s=round(from_s, 6))
    lives += [event for event in last.values() if event.kind == "end"]
    return tuple(sorted([*lives, *others[:_MOST_EVENTS]], key=lambda event: event.at_s))


def _about(messages: Sequence[Message], keys: Sequence[str]) -> list[Message]:
    """The messages that name one of the keys, and the next message back on the same connection."""
    named = re.compile("|".join(rf"(?<!\w){re.escape(key)}(?!\w)" for key in keys))
    kept, awaited = [], set[tuple[int, str]]()
    for message in messages:
        answer = (message.connection, message.source)
        if named.search(message.text):
            kept.append(message)
            awaited.add((message.connection, message.target))
        elif answer in awaited:
            kept.append(message)
            awaited.discard(answer)
    return kept


def _sent(message: Message, start_s: float) -> SentMessage:
    return SentMessage(
        sent_s=round(message.sent_s - start_s, 6),
        arrived_s=None if message.arrived_s is None else round(message.arrived_s - start_s, 6),
        source=message.source,
        target=message.target,
        text=message.text[:160],
    )


def _calls(ops: pd.DataFrame, marked: pd.DataFrame, from_s: float, to_s: float) -> tuple[ChartedCall, ...]:
    """The calls on the keys of the marked ones that overlap with the time shown."""
    near = ops[ops["key"].isin(marked["key"].unique()) & (ops["done_ns"] >= from_s * 1e9) & (ops["sent_ns"] <= to_s * 1e9)]
    plain = near.astype(object).where(near.notna(), "")
    return tuple(
        ChartedCall(
            from_s=row["sent_ns"] / 1e9,
            to_s=row["done_ns"] / 1e9,
            text=f"op {number}: client {row['client']}, "
            + " ".join(str(row[name]) for name in ("kind", "key", "value", "outcome", "node")),
            marked=number in marked.index,
        )
        for number, row in zip(near.index, plain.to_dict("records"), strict=True)
    )
