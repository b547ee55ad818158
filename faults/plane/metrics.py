"""Counters of what every proxy passed, as they stand now, in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple


class Labels(NamedTuple):
    """What a byte counter counts, in the order that Prometheus writes labels."""

    direction: str
    listener: str
    proxy: str
    upstream: str


@dataclass(slots=True)
class ByteCounter:
    """Bytes of one direction of one proxy."""

    received: int = 0
    """Read from the one end."""
    withheld: int = 0
    """Of these, not written to the other end: held by a toxic now, or dropped for good."""


def exposition(
    bytes_by_labels: Iterable[tuple[Labels, ByteCounter]],
    connections: Iterable[tuple[str, int]],
    hits: Iterable[tuple[str, str, int]],
) -> bytes:
    """The body of `/metrics`. `hits` are those of toxics by proxy and name; Toxiproxy has no such counter."""
    pairs = list(bytes_by_labels)
    lines = [
        *_head("received_bytes_total", "Bytes read from the sending end."),
        *(_bytes_line("received_bytes_total", labels, counter.received) for labels, counter in pairs),
        *_head("sent_bytes_total", "Bytes written to the receiving end."),
        *(_bytes_line("sent_bytes_total", labels, counter.received - counter.withheld) for labels, counter in pairs),
        *_head("connections_total", "Connections accepted."),
        *(f'toxiproxy_proxy_connections_total{{proxy="{_quoted(name)}"}} {count}' for name, count in connections),
    ]
    hit_lines = [
        f'toxiproxy_proxy_toxic_hits_total{{proxy="{_quoted(proxy)}",toxic="{_quoted(toxic)}"}} {count}'
        for proxy, toxic, count in hits
        if count
    ]
    if hit_lines:
        lines += [*_head("toxic_hits_total", "How often a toxic did what its kind is for."), *hit_lines]
    return ("\n".join(lines) + "\n").encode()


def _head(name: str, text: str) -> tuple[str, str]:
    return f"# HELP toxiproxy_proxy_{name} {text}", f"# TYPE toxiproxy_proxy_{name} counter"


def _bytes_line(name: str, labels: Labels, value: int) -> str:
    inner = ",".join(f'{key}="{_quoted(text)}"' for key, text in labels._asdict().items())
    return f"toxiproxy_proxy_{name}{{{inner}}} {value}"


def _quoted(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
