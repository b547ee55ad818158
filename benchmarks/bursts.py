"""How much a group of requests costs the balancer and the replicas, depending on its size: `python benchmarks/bursts.py`.

Bursts of a fixed shape follow each other, each sent when the one before has been answered. So the size of the groups does not
depend on how busy the machine is otherwise, and the processor time of a request can be compared from one day to the next. Under
open-loop load it cannot: on a busy machine requests wait, and then travel in larger and cheaper groups.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import statistics
import tempfile
import time
from pathlib import Path
from typing import Final

from balancers import BALANCER, REPLICAS, Running, direct, exchanges

SHAPES: Final = ((1,), (1,) * 2, (1,) * 4, (1,) * 8, (16, 9), (16, 16, 16, 2), (16,) * 8)
"""Requests on each connection."""
_ANSWER: Final = b"HTTP/1.1 200 "


def burst(running: Running, shape: tuple[int, ...], seconds: float) -> int:
    """Send bursts for this many seconds; returns how many requests that were."""
    requests = [exchange.request for exchange in exchanges(running.address, 100)]
    sockets = [socket.create_connection(running.address) for _ in shape]
    asked, until_s = 0, time.monotonic() + seconds
    try:
        for connection in sockets:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sent = [b"".join(requests[:count]) for count in shape]
        while time.monotonic() < until_s:
            for connection, content in zip(sockets, sent, strict=True):
                connection.sendall(content)
            for connection, count in zip(sockets, shape, strict=True):
                _read(connection, count)
            asked += sum(shape)
    finally:
        for connection in sockets:
            connection.close()
    return asked


def _read(connection: socket.socket, count: int) -> None:
    """Read this many answers to the end; each is a JSON object with no other inside it."""
    received = b""
    while not (received.count(_ANSWER) == count and received.endswith(b"}")):
        more = connection.recv(1 << 16)
        if not more:
            raise ConnectionError("the balancer closed a connection")
        received += more
        if received.count(b"HTTP/1.1 ") > received.count(_ANSWER):
            raise AssertionError(f"an answer that is not 200: {received[-200:]!r}")


async def main(rounds: int, seconds: float, replicas: int) -> None:
    used: dict[tuple[int, ...], list[tuple[float, float]]] = {shape: [] for shape in SHAPES}
    with tempfile.TemporaryDirectory() as scratch:
        async with direct(replicas, "ours", Path(scratch)) as running:
            for _ in range(rounds):
                for shape, figures in used.items():
                    before = running.cpu_s()
                    asked = await asyncio.to_thread(burst, running, shape, seconds)
                    after = running.cpu_s()
                    balancer, behind = ((after[part] - before[part]) * 1e6 / asked for part in (BALANCER, REPLICAS))
                    figures.append((balancer, behind))
    print("| requests at once | connections | µs a request: balancer | replicas | both | µs a group |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: |")
    for shape, figures in used.items():
        balancer, behind = (statistics.median(column) for column in zip(*figures, strict=True))
        both = balancer + behind
        print(f"| {sum(shape)} | {len(shape)} | {balancer:.1f} | {behind:.1f} | {both:.1f} | {both * sum(shape):,.0f} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each shape in each round")
    parser.add_argument("--replicas", type=int, default=10)
    given = parser.parse_args()
    asyncio.run(main(given.rounds, given.seconds, given.replicas))
