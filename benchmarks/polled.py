"""Round trips through a proxy with one polling process at both its ends, so that the time they take is the proxy's alone.

An end that sleeps needs time to wake up, up to some hundreds of microseconds, which says nothing about the proxy.
"""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from typing import Final

_POLLED_S: Final = 0.0005
"""This process stops sleeping this long before bytes are due. It must sleep sometimes: the kernel holds up a real-time process
that never does."""
_PATIENCE_S: Final = 10.0


@dataclass
class _Pair:
    """The two ends of one proxied connection."""

    client: socket.socket
    upstream: socket.socket
    flying: bool = False
    """Whether its message is on the way, rather than waiting to be sent."""
    at_upstream: bool = False
    """Whether the message on the way has passed the upstream."""
    sent_s: float = 0.0
    due_s: float = 0.0
    """When the next thing is to be done for it."""


def round_trips(
    port: int, listener: socket.socket, message: bytes, connections: int, seconds: float, delay_s: float
) -> list[float]:
    """Seconds that `message` took to `listener` and back through the proxy at `port`, which delays the way back by `delay_s`.

    Each connection has one message in flight, and sends it again `delay_s` after it came back. Raises `TimeoutError` if one is
    lost.
    """
    pairs = []
    for number in range(connections):
        client = socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_S)
        upstream, _ = listener.accept()
        for end in (client, upstream):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            end.setblocking(False)
        pairs.append(_Pair(client, upstream, due_s=time.perf_counter() + delay_s * (1 + number / connections)))
    taken_s: list[float] = []
    end_s = time.perf_counter() + seconds + delay_s
    try:
        while (now_s := time.perf_counter()) < end_s:
            sleep_s = min(pair.due_s for pair in pairs) - now_s - _POLLED_S
            if sleep_s > 0:
                time.sleep(sleep_s)
            for pair in pairs:
                if pair.due_s - _POLLED_S <= now_s:
                    _step(pair, message, delay_s, taken_s)
        return taken_s
    finally:
        for pair in pairs:
            pair.client.close()
            pair.upstream.close()


def _step(pair: _Pair, message: bytes, delay_s: float, taken_s: list[float]) -> None:
    """Send, echo or receive, if it is time to."""
    if not pair.flying:
        if time.perf_counter() >= pair.due_s:
            pair.flying, pair.at_upstream = True, False
            pair.sent_s = time.perf_counter()
            pair.client.send(message)
    elif not pair.at_upstream:
        if _came(pair, pair.upstream, message):
            pair.at_upstream = True
            pair.due_s = time.perf_counter() + delay_s
            pair.upstream.send(message)
    elif _came(pair, pair.client, message):
        now_s = time.perf_counter()
        taken_s.append(now_s - pair.sent_s)
        pair.flying = False
        pair.due_s = now_s + delay_s


def _came(pair: _Pair, end: socket.socket, message: bytes) -> bool:
    try:
        received = end.recv(len(message))
    except BlockingIOError:
        if time.perf_counter() - pair.sent_s > _PATIENCE_S:
            raise TimeoutError(f"a message of {len(message)} bytes did not come through within {_PATIENCE_S:g} s") from None
        return False
    if received != message:  # it is one segment on loopback: it comes whole or not at all
        raise ConnectionError(f"{len(received)} of {len(message)} bytes came through; the proxy has cut or closed the stream")
    return True
