"""When the load is over and everything is healed, a system's nodes have to agree, and a core of them has to answer alone.

A system that stays down for ever is safe, too; that it comes back is the other half of its promise.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from itertools import islice
from random import Random
from typing import Final

from harness.http.message import TransportError
from harness.model.drill import Drill
from harness.model.simulated import HasCores
from harness.model.system import Call, CallFailed, Client, HasLeader
from harness.simulation.cluster import SimulatedCluster

_SETTLE_S: Final = 1.0
"""The longest time between losing the nodes outside the core and the first call: in some seeds it meets an election."""

_PATIENCE_S: Final = 6.0
"""The longest time for a call to succeed, with retries."""

_ASK_AGAIN_S: Final = 0.05
_CALL_S: Final = 2.0
_CALLS_LOOKED_AT: Final = 100
_LABEL: Final = "core"

_AGREE_WITHIN_S: Final = 30.0
_LOOK_S: Final = 0.2


async def not_agreed(apart: Callable[[], str | None]) -> str | None:
    """What nodes still do not agree about although nothing has been asked for a long time; None as soon as they agree."""
    clock = asyncio.get_running_loop().time
    until_s = clock() + _AGREE_WITHIN_S
    while (why := apart()) is not None and clock() < until_s:
        await asyncio.sleep(_LOOK_S)
    return why


async def unanswered(cluster: SimulatedCluster, drill: Drill) -> str | None:
    """The call that got no answer, as text; None if all were answered. Leaves the nodes outside the core dead or cut off."""
    random = cluster.random("liveness")
    nodes = list(cluster.nodes)
    core = random.choice(await _cores(cluster, drill))
    await _lose(cluster, drill, core, random)
    await asyncio.sleep(random.uniform(0.0, _SETTLE_S))
    asked = {call.kind: call for call in islice(drill.workload.calls(random), _CALLS_LOOKED_AT)}
    alone = f" of {', '.join(core)} alone" if len(core) < len(nodes) else ""
    for place, entry in enumerate(drill.system.entries()):
        if entry not in core:
            continue
        client = drill.system.client(place, {name: cluster.address(name) for name in drill.system.entries()})
        for call in asked.values():
            why = await _asked(client, call)
            if why is not None:
                return f"{entry}{alone} did not answer a {call.kind} within {_PATIENCE_S:g} s when all was healed: {why}"
        await client.close()
    return None


async def _cores(cluster: SimulatedCluster, drill: Drill) -> list[Sequence[str]]:
    """The system's cores; those without its leader, if there are any: what they do without it is the hardest part."""
    system = drill.system
    cores: list[Sequence[str]] = list(system.cores()) if isinstance(system, HasCores) else [list(cluster.nodes)]
    if isinstance(system, HasLeader):
        with contextlib.suppress(TransportError, TimeoutError):  # without a leader, any core will show that there is none
            async with asyncio.timeout(_PATIENCE_S):
                leader = await system.leader({name: cluster.address(name) for name in cluster.nodes})
            return [core for core in cores if leader not in core] or cores
    return cores


async def _lose(cluster: SimulatedCluster, drill: Drill, core: Sequence[str], random: Random) -> None:
    """Kill the nodes outside the core, or cut them off from it, or only replicas from replicas: who lives on may do harm."""
    outside = [name for name in cluster.nodes if name not in core]
    replicas = {node.name for node in drill.system.nodes() if node.replica}
    match random.choice(("killed", "cut off", "replicas cut off")):
        case "killed":
            for name in outside:
                if cluster.processes.runs(name):
                    await cluster.processes.kill(name, _LABEL)
        case "cut off":
            _cut_off(cluster, outside, core)
        case _:
            # Whoever leads the other nodes must stay within the replicas' reach: no protocol routes around a cut.
            _cut_off(cluster, [name for name in outside if name in replicas], [name for name in core if name in replicas])


def _cut_off(cluster: SimulatedCluster, outside: Sequence[str], core: Sequence[str]) -> None:
    for one in outside:
        for other in core:
            cluster.network.cut(one, other)
            cluster.network.cut(other, one)


async def _asked(client: Client, call: Call) -> str | None:
    clock = asyncio.get_running_loop().time
    until_s, why = clock() + _PATIENCE_S, ""
    while clock() < until_s:
        try:
            async with asyncio.timeout(_CALL_S):
                await client.invoke(call)
        except TimeoutError:
            why = f"no answer within {_CALL_S:g} s"
        except CallFailed as error:
            why = str(error)
        except Exception as error:  # a client is the system's own code
            why = f"{type(error).__name__}: {error}"
        else:
            return None
        await asyncio.sleep(_ASK_AGAIN_S)
    return why
