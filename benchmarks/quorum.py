"""How fast the quorum store is: calls per second, latency from the due time, and processor time of generator and nodes.

`python benchmarks/quorum.py` asks three nodes that keep entries in memory for 5,000 reads and writes a second, with the
generator on the same machine. `--durable` keeps them on disk. Reads are hedged (`--hedge-ms 0`: they ask all replicas at once).
`--table` varies the number of nodes (each has every key, with majorities), the number of keys and the size of values, one after
another, and prints Markdown. If other programs use the processor, latencies say little: look at the processor time per call.

Half of the calls are reads. There is no fault plane: nodes call each other directly. The answer to every read is checked.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import psutil

from harness.cluster.ports import HOST, reserved
from harness.cluster.warden_client import WardenClient
from harness.http.client import HttpClient
from harness.http.message import TransportError
from harness.http.writing import encode_request
from harness.model.load import Load
from harness.model.system import Address
from harness.node.context import NODE_PATH, NodeSpec
from results.analysis.histogram import Histogram
from systems.parts.owner import Owner
from systems.quorum import Quorum
from systems.quorum.messages import KEY_PATH, REPLICA_PATH, Entry, Put, Store, Version
from workloads.load.engine import Engine, EngineTask, Exchange, Snapshot

_EXCHANGES: Final = 4000
_PREPARED_AT_ONCE_BYTES: Final = 8 * 1024 * 1024

DEFAULT: Final = (3, 1000, 10)
TABLE: Final = (
    [DEFAULT, (5, 1000, 10), (7, 1000, 10)]
    + [(3, keys, 10) for keys in (10_000, 100_000, 1_000_000)]
    + [(3, 1000, size) for size in (1000, 100_000, 1_000_000)]
)
"""Number of nodes, number of keys, and bytes of a value."""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What one load measured."""

    done_per_s: float
    p50_ms: float
    p99_ms: float
    wrong: int
    not_done: int
    late: bool
    generator_us: float
    nodes_us: float
    """Processor time per call, in microseconds, of all nodes together."""
    node_mib: float
    """Resident memory of the largest node."""


class RunningStore:
    """A running store and its processes."""

    def __init__(self, addresses: dict[str, Address], pids: list[int]) -> None:
        self.addresses = addresses
        self.pids = pids

    def cpu_s(self) -> float:
        return sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in self.pids)

    def mib(self) -> float:
        return float(max(psutil.Process(pid).memory_info().rss for pid in self.pids)) / 2**20

    async def fill(self, keys: int, value: str) -> None:
        """Give every key to every node, as if it had been written long ago."""
        together = max(1, min(1000, _PREPARED_AT_ONCE_BYTES // (len(value) + 100)))
        stores = [Store(f"k{number}", Entry(Version(1, "n1", 1, number + 1), value)) for number in range(keys)]
        for name, address in self.addresses.items():
            client, headers = HttpClient(address), Owner(Quorum.cluster, name).headers
            for at in range(0, keys, together):
                body = msgspec.json.encode(stores[at : at + together])
                response = await client.request("POST", REPLICA_PATH, body, timeout_s=60, headers=headers)
                assert response.status == 200, response
            client.close()


@contextlib.asynccontextmanager
async def running(nodes: int, folder: Path, *, memory: bool, hedge_ms: float) -> AsyncIterator[RunningStore]:
    """A store whose nodes call each other directly."""
    majority = nodes // 2 + 1
    quorum = Quorum(replicas=nodes, read=majority, write=majority, memory=memory, hedge_ms=hedge_ms or None)
    with reserved(nodes) as ports:
        parts = {node.name: node for node in quorum.nodes()}
        addresses = dict(zip(parts, ((HOST, port) for port in ports), strict=True))
        async with WardenClient.opened([], folder / "warden.log") as processes:
            pids = []
            for name, node in parts.items():
                spec = NodeSpec(
                    name=name,
                    start=0,
                    host=HOST,
                    port=addresses[name][1],
                    data=str(folder / name),
                    log=str(folder / f"{name}.log"),
                    seed=1,
                    code=node.code,
                    peers={peer: addresses[peer] for peer in node.peers},
                    config=dict(node.config),
                )
                pids.append(await processes.start(spec))
            for address in addresses.values():
                await _answering(address)
            yield RunningStore(addresses, pids)


async def _answering(address: Address) -> None:
    client = HttpClient(address)
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(TransportError):
                await client.request("GET", NODE_PATH, timeout_s=1)
                break
            await asyncio.sleep(0.02)
    client.close()


def exchanges(address: Address, keys: int, value: str, seed: int) -> Iterator[Exchange]:
    """Reads and writes of keys that are drawn with equal chances."""
    drawn = random.Random(seed)
    host = f"{address[0]}:{address[1]}"
    body = msgspec.json.encode(Put(value))
    for number in range(min(_EXCHANGES, max(100, 64 * 2**20 // len(body)))):
        path = f"{KEY_PATH}k{drawn.randrange(keys)}"
        if number % 2:
            yield Exchange(encode_request("PUT", path, host=host, body=body), (b'{"value":null}',))
        else:
            yield Exchange(encode_request("GET", path, host=host), (b'{"value":"',))


async def measure(nodes: int, keys: int, value_bytes: int, options: argparse.Namespace) -> Figures:
    """Start a store, fill it, put its share of the load on each node, and stop the store."""
    value = "x" * value_bytes
    with tempfile.TemporaryDirectory() as scratch:
        opened = running(nodes, Path(scratch), memory=not options.durable, hedge_ms=options.hedge_ms)
        async with opened as store, contextlib.AsyncExitStack() as stack:
            await store.fill(keys, value)
            await asyncio.sleep(options.quiet + keys / 25_000)  # until their digests are up to date
            rate = min(options.rate, options.most_mb * 1e6 / value_bytes)
            engines = []
            for number, address in enumerate(store.addresses.values()):
                load = Load(rate=rate / nodes, seconds=options.seconds, clients=options.connections, timeout_ms=5000)
                task = EngineTask(
                    address=address,
                    exchanges=list(exchanges(address, keys, value, number)),
                    load=load,
                    seed=number,
                    depth=options.depth,
                    warm_up_s=options.warm_up,
                )
                engines.append(stack.enter_context(Engine(task)))
            before_s = store.cpu_s()
            for engine in engines:
                engine.start()
            snapshots = [await asyncio.to_thread(engine.wait) for engine in engines]
            return _figures(snapshots, store.cpu_s() - before_s, store.mib(), options.seconds + options.warm_up)


def _figures(snapshots: list[Snapshot], nodes_cpu_s: float, mib: float, seconds: float) -> Figures:
    latency = Histogram()
    for snapshot in snapshots:
        latency.merge(snapshot.latency)
    done = sum(snapshot.ok / snapshot.seconds for snapshot in snapshots)
    calls = max(1.0, done * seconds)
    return Figures(
        done_per_s=done,
        p50_ms=(latency.percentile_ns(50) or 0) / 1e6,
        p99_ms=(latency.percentile_ns(99) or 0) / 1e6,
        wrong=sum(snapshot.wrong for snapshot in snapshots),
        not_done=sum(snapshot.failed + snapshot.unknown for snapshot in snapshots),
        late=any(snapshot.late for snapshot in snapshots),
        generator_us=sum(snapshot.cpu_s for snapshot in snapshots) / calls * 1e6,
        nodes_us=nodes_cpu_s / calls * 1e6,
        node_mib=mib,
    )


async def main(options: argparse.Namespace) -> None:
    where = "on disk" if options.durable else "in memory"
    if options.table:
        print(
            "| nodes | keys | value bytes | calls/s | p50 ms | p99 ms | processor us a call: nodes, generator | MiB of a node |"
        )
        print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for nodes, keys, size in TABLE if options.table else [(options.nodes, options.keys, options.value_bytes)]:
        one = await measure(nodes, keys, size, options)
        flaws = f"; {one.wrong} WRONG" * (one.wrong > 0) + f"; {one.not_done} not done" * (one.not_done > 0)
        flaws += "; GENERATOR LATE" * one.late
        if options.table:
            print(
                f"| {nodes} | {keys:,} | {size:,} | {one.done_per_s:,.0f}{flaws} | {one.p50_ms:.1f} | {one.p99_ms:.1f}"
                f" | {one.nodes_us:,.0f}, {one.generator_us:,.0f} | {one.node_mib:,.0f} |",
                flush=True,
            )
            continue
        print(
            f"{nodes} nodes {where}, {keys:,} keys of {size:,} bytes: {one.done_per_s:,.0f} calls/s, p50 {one.p50_ms:.1f} ms,"
            f" p99 {one.p99_ms:.1f} ms from due{flaws}; processor: nodes {one.nodes_us:.0f} us a call, generator"
            f" {one.generator_us:.0f} us, {1e6 / (one.nodes_us + one.generator_us):,.0f} calls a CPU-second of all"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=5000, help="calls a second of all nodes together")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--warm-up", type=float, default=2)
    parser.add_argument("--quiet", type=float, default=0.5, help="seconds between filling the store and the load")
    parser.add_argument("--nodes", type=int, default=DEFAULT[0])
    parser.add_argument("--keys", type=int, default=DEFAULT[1])
    parser.add_argument("--value-bytes", type=int, default=DEFAULT[2])
    parser.add_argument("--connections", type=int, default=2, help="to each node")
    parser.add_argument("--depth", type=int, default=64, help="requests under way on a connection")
    parser.add_argument("--most-mb", type=float, default=20, help="most MB of values a second: large ones get fewer calls")
    parser.add_argument("--hedge-ms", type=float, default=10)
    parser.add_argument("--durable", action="store_true", help="entries on disk, synced")
    parser.add_argument("--table", action="store_true", help="vary nodes, keys and value sizes")
    asyncio.run(main(parser.parse_args()))
