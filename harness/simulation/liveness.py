"""When the load is over and everything is healed, a system has to answer, and so does a core of it alone.

A system that stays down for ever is safe, too; that it comes back is the other half of its promise.
"""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import Final

from harness.model.drill import Drill
from harness.model.simulated import HasCores
from harness.model.system import Call, CallFailed, Client
from harness.simulation.cluster import SimulatedCluster

_SETTLE_S: Final = 1.0
"""The time between killing the nodes outside the core and the first call."""

_PATIENCE_S: Final = 5.0
"""The longest time for a call to succeed, with retries."""

_ASK_AGAIN_S: Final = 0.05
_CALL_S: Final = 2.0
_CALLS_LOOKED_AT: Final = 100
_LABEL: Final = "core"


async def unanswered(cluster: SimulatedCluster, drill: Drill) -> str | None:
    """The call that got no answer, as text; None if all were answered. Leaves the nodes outside the core dead."""
    random = cluster.random("liveness")
    nodes = list(cluster.nodes)
    cores = drill.system.cores() if isinstance(drill.system, HasCores) else [nodes]
    core = random.choice(list(cores))
    for name in nodes:
        if name not in core and cluster.processes.runs(name):
            await cluster.processes.kill(name, _LABEL)
    await asyncio.sleep(_SETTLE_S)
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
