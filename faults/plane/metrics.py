"""Current counters of all proxies and of the process, in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple


class Labels(NamedTuple):
    """The labels of a byte counter, in the order in which they are written."""

    direction: str
    listener: str
    proxy: str
    upstream: str


@dataclass(slots=True)
class ByteCounter:
    """Bytes of one proxy in one direction."""

    received: int = 0
    """Read from the sending end."""
    withheld: int = 0
    """How many of them were not written to the other end: toxics hold or have dropped them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyFigures:
    """The counters of one proxy."""

    name: str
    bytes_by_labels: Iterable[tuple[Labels, ByteCounter]]
    connections: int
    failures: Mapping[str, int]
    """By reason."""
    hits: Mapping[str, int]
    """By toxic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessFigures:
    """Resources that the server itself uses."""

    cpu_s: float
    started_s: float
    resident_bytes: int
    virtual_bytes: int
    open_descriptors: int
    most_descriptors: int


def exposition(proxies: Iterable[ProxyFigures], own: ProcessFigures) -> bytes:
    """The body of `/metrics`."""
    figures = list(proxies)
    pairs = [pair for one in figures for pair in one.bytes_by_labels]
    lines = [
        *_head("received_bytes_total", "Bytes read from the sending end."),
        *(_bytes_line("received_bytes_total", labels, counter.received) for labels, counter in pairs),
        *_head("sent_bytes_total", "Bytes written to the receiving end."),
        *(_bytes_line("sent_bytes_total", labels, counter.received - counter.withheld) for labels, counter in pairs),
        *_head("connections_total", "Connections accepted."),
        *(f"toxiproxy_proxy_connections_total{_labels(proxy=one.name)} {one.connections}" for one in figures),
        *_some(
            "connection_failures_total",
            "Accepted connections that could not be proxied or were dropped, by reason.",
            [({"proxy": one.name, "reason": reason}, count) for one in figures for reason, count in one.failures.items()],
        ),
        *_some(
            "toxic_hits_total",
            "How often a toxic took effect.",
            [({"proxy": one.name, "toxic": toxic}, count) for one in figures for toxic, count in one.hits.items()],
        ),
        *_process_lines(own),
    ]
    return ("\n".join(lines) + "\n").encode()


def _some(name: str, text: str, samples: Iterable[tuple[Mapping[str, str], int]]) -> list[str]:
    """A metric that Toxiproxy does not have. It is left out while it is 0 everywhere."""
    lines = [f"toxiproxy_proxy_{name}{_labels(**labels)} {count}" for labels, count in samples if count]
    return [*_head(name, text), *lines] if lines else []


def _process_lines(own: ProcessFigures) -> list[str]:
    return [
        line
        for name, kind, text, value in (
            ("cpu_seconds_total", "counter", "User and system CPU time spent.", own.cpu_s),
            ("max_fds", "gauge", "Most file descriptors that may be open.", own.most_descriptors),
            ("open_fds", "gauge", "Open file descriptors.", own.open_descriptors),
            ("resident_memory_bytes", "gauge", "Resident memory.", own.resident_bytes),
            ("start_time_seconds", "gauge", "When the process started, in seconds since 1970.", own.started_s),
            ("virtual_memory_bytes", "gauge", "Virtual memory.", own.virtual_bytes),
        )
        for line in (f"# HELP process_{name} {text}", f"# TYPE process_{name} {kind}", f"process_{name} {value}")
    ]


def _head(name: str, text: str) -> tuple[str, str]:
    return f"# HELP toxiproxy_proxy_{name} {text}", f"# TYPE toxiproxy_proxy_{name} counter"


def _bytes_line(name: str, labels: Labels, value: int) -> str:
    return f"toxiproxy_proxy_{name}{_labels(**labels._asdict())} {value}"


def _labels(**texts: str) -> str:
    return "{" + ",".join(f'{key}="{_quoted(text)}"' for key, text in texts.items()) + "}"


def _quoted(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
