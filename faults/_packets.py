"""Shared parts of the faults that drop packets between hosts and count them there."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from harness.model.environment import Environment
from harness.model.evidence import Evidence
from harness.model.packets import Flow


async def drop(environment: Environment, label: str, flows: Sequence[Flow]) -> Evidence:
    """Drop the packets of these flows from now on."""
    await asyncio.to_thread(environment.packets.drop, label, flows)
    return Evidence(acted=None, text="")


async def stop_dropping(environment: Environment, label: str, flows: Sequence[Flow]) -> Evidence:
    """Let the packets through again. Evidence is the number of packets that the kernel dropped."""
    dropped = await asyncio.to_thread(environment.packets.stop_dropping, label)
    seen = [(flow, lost) for flow, lost in zip(flows, dropped, strict=False) if lost.packets]
    if not seen:
        return Evidence(acted=False, text=f"no packet was dropped: {', '.join(map(str, flows))}")
    listed = ", ".join(f"{lost.packets:,} from {flow} ({lost.bytes:,} bytes)" for flow, lost in seen)
    return Evidence(acted=True, text=f"dropped {sum(lost.packets for _, lost in seen):,} packets: {listed}")
