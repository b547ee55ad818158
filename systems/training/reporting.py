"""How a rank reports to coordinators, and whom it reaches: plain requests, which need no gloo."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from harness.http.client import HttpClient
from harness.http.message import TransportError
from harness.model.system import Address
from systems.training.messages import BEAT, STATUS, WATCH, WATCH_S, Beat

_BEAT_S: Final = 0.05
_ANSWER_S: Final = 1.0
_REACH_S: Final = 0.15
"""A rank that does not answer over a link within this time is not reached."""


async def report(coordinators: Iterable[HttpClient], beat: Callable[[], Beat]) -> None:
    """Tell each coordinator, whether it decides or not, that this rank is alive, until cancelled.

    It also holds a connection to each; the end of that shows that this process is gone.
    """
    async with asyncio.TaskGroup() as tasks:
        for coordinator in coordinators:
            tasks.create_task(_repeat(coordinator, BEAT, beat, _ANSWER_S))
            tasks.create_task(_repeat(coordinator, WATCH, beat, WATCH_S))


async def tell(coordinator: HttpClient, path: str, body: bytes, timeout_s: float = _ANSWER_S) -> None:
    """Tell a coordinator something, unless it is not there: it may be gone, and come back."""
    with contextlib.suppress(TransportError):
        await coordinator.request("POST", path, body, timeout_s=timeout_s)


async def reached(links: Mapping[str, Address], others: Sequence[str]) -> tuple[str, ...]:
    """The ranks among `others` that answer over their links."""
    found = await asyncio.gather(*(_answers(links[name]) for name in others))
    return tuple(name for name, there in zip(others, found, strict=True) if there)


async def _repeat(coordinator: HttpClient, path: str, beat: Callable[[], Beat], timeout_s: float) -> None:
    while True:
        await tell(coordinator, path, msgspec.json.encode(beat()), timeout_s)
        await asyncio.sleep(_BEAT_S)


async def _answers(address: Address) -> bool:
    client = HttpClient(address)  # a new connection: closing gloo's may have closed the existing ones
    try:
        return (await client.request("GET", STATUS, timeout_s=_REACH_S)).status == 200
    except TransportError:
        return False
    finally:
        client.close()
