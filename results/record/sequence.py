"""The messages between hosts of a simulated run, reduced to a readable chart: messages.json in the run's folder."""

from __future__ import annotations

import msgspec


class SentMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One message. Times are seconds since the load began; `arrived_s` is None if it never arrived."""

    sent_s: float
    arrived_s: float | None
    source: str
    target: str
    text: str


class HostEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a host did, or that happened to it."""

    at_s: float
    host: str
    kind: str
    detail: str


class ChartedCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call of a client."""

    from_s: float
    to_s: float
    text: str
    marked: bool
    """Whether it is among the operations that show why a check failed."""


class SequenceChart(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a chart shows."""

    title: str
    verdict: str
    hosts: tuple[str, ...]
    """In the order of the chart's columns."""
    messages: tuple[SentMessage, ...]
    events: tuple[HostEvent, ...]
    calls: tuple[ChartedCall, ...]
    left_out: int
    """Messages that are not shown: too many, or too far from what went wrong."""
