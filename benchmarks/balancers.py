"""The same replicas behind either balancer, ours or HAProxy, for the benchmarks that compare the two."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import signal
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
import psutil

from harness.cluster.ports import HOST, reserved
from harness.cluster.warden_client import WardenClient
from harness.http.client import HttpClient
from harness.http.message import TransportError
from harness.http.writing import encode_request
from harness.model.system import Address
from harness.node.context import NodeSpec
from systems.serving import Serving, Settings, artifacts, health
from systems.serving.dispatch import Dispatcher
from systems.serving.ejection import FALL_REQUESTS
from systems.serving.messages import PredictRequest
from systems.serving.policy import FALL_CHECKS, RISE_CHECKS
from workloads.load.engine import Exchange

BALANCER: Final = "balancer"
REPLICAS: Final = "replicas"
_START_S: Final = 30.0

# Everything HAProxy can do about a replica that dies or is slow, with the same numbers as ours. A POST whose connection breaks
# is sent again (`retry-on`), to another replica each time (`redispatch 1`); it fits into the buffer that this needs. Several
# failed requests in a row take a replica down before its checks do (`observe`). `random(2)` takes the better of two choices,
# which avoids a slow replica; `leastconn` would send everything to a dead one, because that has no connections.
_HAPROXY: Final = f"""
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout client 30s
  timeout connect {Dispatcher.TRY_TIMEOUT_S * 1e3:.0f}ms
  timeout server {Dispatcher.TRY_TIMEOUT_S * 1e3:.0f}ms
  timeout check {health.CHECK_TIMEOUT_S * 1e3:.0f}ms
  option redispatch 1
  retries 3
  retry-on all-retryable-errors
backend replicas
  balance random(2)
  http-reuse always
  option httpchk GET /healthz
  default-server check inter {health.INTERVAL_S * 1e3:.0f}ms fall {FALL_CHECKS} rise {RISE_CHECKS}
  default-server observe layer7 error-limit {FALL_REQUESTS} on-error mark-down slowstart {Settings().slow_start_ms:.0f}ms
"""


@dataclass
class Running:
    """A system that answers requests: its address, and which processes do which part."""

    address: Address
    pids: dict[str, list[int]] = field(default_factory=dict)

    def cpu_s(self) -> dict[str, float]:
        return {part: sum(_cpu_s(pid) for pid in pids) for part, pids in self.pids.items()}


class Direct(Running):
    """Replicas that a balancer calls directly, each of which can be killed and started again."""

    def __init__(self, processes: WardenClient, specs: Sequence[NodeSpec], address: Address) -> None:
        super().__init__(address, {BALANCER: [], REPLICAS: []})
        self._processes = processes
        self._specs = {spec.name: spec for spec in specs}
        self._ended_cpu_s = 0.0

    @property
    def replicas(self) -> list[str]:
        return [name for name in self._specs if name != BALANCER]

    def cpu_s(self) -> dict[str, float]:
        used = super().cpu_s()
        return {**used, REPLICAS: used[REPLICAS] + self._ended_cpu_s}

    def pid(self, name: str) -> int:
        pid = self._processes.pid(name)
        assert pid is not None, f"{name} does not run"
        return pid

    async def start(self, name: str) -> None:
        """Start a node's process, and return when it answers."""
        spec = self._specs[name]
        pid = await self._processes.start(spec)
        self.pids[BALANCER if name == BALANCER else REPLICAS].append(pid)
        self._specs[name] = msgspec.structs.replace(spec, start=spec.start + 1)
        if name == BALANCER:
            await answering(self.address, "POST", "/predict", _a_request())
        else:
            await answering((spec.host, spec.port), "GET", "/healthz")

    async def kill(self, name: str) -> None:
        """SIGKILL a node's process; it has ended when this returns."""
        pid = self.pid(name)
        self._ended_cpu_s += _cpu_s(pid)
        self.pids[REPLICAS].remove(pid)
        os.kill(pid, signal.SIGKILL)
        await self._processes.exit_code(name)


@contextlib.asynccontextmanager
async def direct(replicas: int, balancer: str, folder: Path, cache: int = 0) -> AsyncIterator[Direct]:
    """Replicas that a balancer calls directly: ours, or HAProxy with one thread. A replica remembers up to `cache` answers."""
    system = Serving(replicas=replicas, cache=cache)
    system.prepare()
    with reserved(replicas + 1) as ports:
        nodes = {node.name: node for node in system.nodes()}
        addresses = dict(zip(nodes, ((HOST, port) for port in ports), strict=True))
        specs = [
            NodeSpec(
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
            for name, node in nodes.items()
        ]
        async with (
            WardenClient.opened(system.preload(), folder / "warden.log") as processes,
            contextlib.AsyncExitStack() as stack,
        ):
            running = Direct(processes, specs, addresses[BALANCER])
            await asyncio.gather(*map(running.start, running.replicas))
            if balancer == "haproxy":
                behind = [addresses[name] for name in running.replicas]
                pid = await stack.enter_async_context(_haproxy(running.address, behind, folder))
                running.pids[BALANCER].append(pid)
                await answering(running.address, "POST", "/predict", _a_request())
            else:
                await running.start(BALANCER)
            yield running


def exchanges(address: Address, count: int) -> list[Exchange]:
    """Prepared requests for digits, each with how a right answer to it begins."""
    chosen = random.Random(1).sample(artifacts.digits(artifacts.folder()), count)
    made = []
    for digit in chosen:
        body = msgspec.json.encode(PredictRequest(digit.pixels))
        request = encode_request("POST", "/predict", host=f"{address[0]}:{address[1]}", body=body)
        made.append(Exchange(request, (msgspec.json.encode(digit.answer)[:-1] + b",",)))
    return made


async def answering(address: Address, method: str, path: str, body: bytes = b"") -> None:
    """Return when this request is answered with 200."""
    client, give_up_s = HttpClient(address), time.monotonic() + _START_S
    while time.monotonic() < give_up_s:
        with contextlib.suppress(TransportError):
            if (await client.request(method, path, body, timeout_s=5)).status == 200:
                client.close()
                return
        await asyncio.sleep(0.02)
    raise TimeoutError(f"nothing answers at {address[0]}:{address[1]}")


@contextlib.asynccontextmanager
async def _haproxy(listen: Address, behind: Sequence[Address], folder: Path) -> AsyncIterator[int]:
    servers = "".join(f"  server r{number} {host}:{port}\n" for number, (host, port) in enumerate(behind))
    config = folder / "haproxy.cfg"
    frontend = f"frontend clients\n  bind {listen[0]}:{listen[1]}\n  default_backend replicas\n"
    config.write_text(_HAPROXY + servers + frontend)
    process = await asyncio.create_subprocess_exec(_program("haproxy"), "-db", "-q", "-f", str(config))
    try:
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()


def _a_request() -> bytes:
    return msgspec.json.encode(PredictRequest(artifacts.digits(artifacts.folder())[0].pixels))


def _cpu_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise SystemExit(f"{name} is not installed: apt install {name}")
    return found
