"""A partitioned store grows from one node to two and to three, under load: how fast data moves, and what clients notice of it.

    python benchmarks/rebalancing.py [--megabytes 200] [--rate 100] [--rate-mb 16] [--method consistent]

The store holds the given megabytes. Foreground calls, half of them writes, are open loop: latency counts from when one was due.
At first nothing moves, then n2 joins, then n3; at the end every key is read and compared with the last acknowledged value.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from harness.cluster.cluster import Cluster
from harness.http.client import HttpClient
from harness.model.system import Address, Call, CallFailed, Client
from systems.partitioned import COORDINATOR, Partitioned
from systems.partitioned.messages import MAP_PATH
from systems.partitioned.partition_map import PartitionMap

VALUE_BYTES = 16 * 1024
CLEAN_S = 10.0
PATIENCE_S = 300.0
CLIENTS = 16


@dataclass
class Foreground:
    """Calls on a schedule, and how they ended."""

    clients: Sequence[Client]
    keys: Sequence[str]
    rate: float
    latencies_ms: list[tuple[float, float]] = field(default_factory=list)
    """When each call was due, and how long after that it was answered."""
    failed: int = 0
    acknowledged: dict[str, str] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    """Keys with a write that may or may not have been done."""

    async def run(self, stop: asyncio.Event) -> None:
        random, begun_s = Random(1), time.monotonic()
        free: asyncio.Queue[Client] = asyncio.Queue()
        for client in self.clients:
            free.put_nowait(client)
        async with asyncio.TaskGroup() as tasks:
            number = 0
            while not stop.is_set():
                due_s = begun_s + number / self.rate
                await asyncio.sleep(max(0.0, due_s - time.monotonic()))
                key = random.choice(self.keys)
                value = value_of(key, number) if random.random() < 0.5 and key not in self._writing else None
                if value is not None:
                    self._writing.add(key)
                tasks.create_task(self._call(free, key, value, due_s))
                number += 1

    _writing: set[str] = field(default_factory=set)

    async def _call(self, free: asyncio.Queue[Client], key: str, value: str | None, due_s: float) -> None:
        client = await free.get()
        try:
            await client.invoke(Call("read", key) if value is None else Call("write", key, value))
            if value is not None:
                self.acknowledged[key] = value
        except CallFailed:
            self.failed += 1
        except Exception:
            self.failed += 1
            if value is not None:
                self.unknown.add(key)
        finally:
            free.put_nowait(client)
            if value is not None:
                self._writing.discard(key)
            self.latencies_ms.append((due_s, (time.monotonic() - due_s) * 1e3))

    def between(self, from_s: float, to_s: float) -> np.ndarray:
        return np.array([latency for due_s, latency in self.latencies_ms if from_s <= due_s < to_s] or [np.nan])


def value_of(key: str, number: int) -> str:
    return f"{key}/{number}/".ljust(VALUE_BYTES, "x")


async def fill(clients: Sequence[Client], keys: Sequence[str]) -> None:
    left = list(keys)

    async def use(client: Client) -> None:
        while left:
            key = left.pop()
            await client.invoke(Call("write", key, value_of(key, 0)))

    async with asyncio.TaskGroup() as tasks:
        for client in clients:
            tasks.create_task(use(client))


async def settled(coordinator: Address, member: str) -> None:
    """Return when a member has all the data that it should have."""
    client = HttpClient(coordinator)
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                now = (await client.request("GET", MAP_PATH, timeout_s=5)).decode(PartitionMap)
                if member in now.names and now.settled:
                    return
                await asyncio.sleep(0.05)
    finally:
        client.close()


async def lost(clients: Sequence[Client], keys: Sequence[str], foreground: Foreground) -> int:
    """How many keys do not have the value of the last acknowledged write."""
    left, gone = [key for key in keys if key not in foreground.unknown], []

    async def use(client: Client) -> None:
        while left:
            key = left.pop()
            answer = await client.invoke(Call("read", key))
            if answer.value != foreground.acknowledged.get(key, value_of(key, 0)):
                gone.append(key)

    async with asyncio.TaskGroup() as tasks:
        for client in clients:
            tasks.create_task(use(client))
    return len(gone)


def copied_bytes(cluster: Cluster, node: str) -> int:
    """How many bytes a node has copied, as it reported."""
    lines = cluster.events_file(node).read_text().splitlines() if cluster.events_file(node).exists() else []
    told = [msgspec.json.decode(line, type=tuple[int, str, dict[str, object]]) for line in lines]
    return sum(int(str(detail["taken_bytes"])) for _, kind, detail in told if kind == "copied")


async def measure(arguments: argparse.Namespace, folder: Path) -> Table:
    store = Partitioned(members=1, spares=2, method=arguments.method, rate_mb_per_s=arguments.rate_mb)
    keys = [f"key{number:06}" for number in range(arguments.megabytes * (1 << 20) // VALUE_BYTES)]
    table = Table("", "seconds", "moved MB", "MB/s", "calls", "p50 ms", "p99 ms", "not done")
    async with Cluster.opened(store, folder, seed=1, plane="embedded") as cluster:
        addresses = {name: cluster.address(name) for name in store.entries()}
        clients = [store.client(number, cluster.links.entries) for number in range(2 * CLIENTS)]
        await fill(clients, keys)
        foreground, stop = Foreground(clients[:CLIENTS], keys, arguments.rate), asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(foreground.run(stop))
            at_s, failed = time.monotonic(), 0
            for what, node in (("clean", ""), ("1 → 2 nodes", "n2"), ("2 → 3 nodes", "n3")):
                if node:
                    refused = await store.join(node, addresses)
                    if refused:
                        raise SystemExit(refused)
                    await settled(addresses[COORDINATOR], node)
                else:
                    await asyncio.sleep(CLEAN_S)
                seconds, moved = time.monotonic() - at_s, copied_bytes(cluster, node) / (1 << 20) if node else 0.0
                latencies = foreground.between(at_s, at_s + seconds)
                table.add_row(
                    what, f"{seconds:.1f}", f"{moved:.0f}", f"{moved / seconds:.1f}", f"{len(latencies):,}",
                    f"{np.percentile(latencies, 50):.1f}", f"{np.percentile(latencies, 99):.1f}",
                    f"{foreground.failed - failed}",
                )  # fmt: skip
                at_s, failed = time.monotonic(), foreground.failed
            stop.set()
        gone = await lost(clients[CLIENTS:], keys, foreground)
        table.caption = f"lost: {gone} of {len(keys):,} keys; {len(foreground.acknowledged):,} were written meanwhile"
        for client in clients:
            await client.close()
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--rate", type=float, default=100.0, help="foreground calls a second")
    parser.add_argument("--rate-mb", type=float, default=16.0, help="how much a node copies at most, in MB per second")
    parser.add_argument("--method", default="consistent")
    with tempfile.TemporaryDirectory() as folder:
        Console().print(asyncio.run(measure(parser.parse_args(), Path(folder))))


if __name__ == "__main__":
    main()
