"""How load reaches the partitioned store: a client keeps a map, and asks the node that answers for a key according to it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import quote

import msgspec

from harness.http.client import HttpClient
from harness.http.message import Response, TransportError, Unreachable
from harness.model.system import Address, Answer, Call, CallFailed
from systems.partitioned.bugs import CORRECT, Rules
from systems.partitioned.messages import (
    KEY_PATH,
    MANY_PATH,
    MAP_PATH,
    MISDIRECTED,
    SCAN_PATH,
    GetMany,
    Got,
    GotMany,
    NotDone,
    Put,
    Refusal,
    Scan,
    Scanned,
)
from systems.partitioned.partition_map import PartitionMap

PATIENCE_S: Final = 0.9
"""For how long a call is tried that has had no effect yet. The load gives up a call soon after that."""
READ_S: Final = 0.4
"""A read that has had no answer for this long is sent again, with a new map."""
WRITE_S: Final = 60.0
"""A last resort, in case nothing else ends the waiting."""
MAP_S: Final = 0.15
PAUSE_S: Final = 0.01
LONGEST_PAUSE_S: Final = 0.08
"""The longest pause between two tries of a call: each is twice as long as the one before, up to this."""
SCAN_LIMIT: Final = 1000
"""How many keys a scan asks a node for at once, unless the system's settings say otherwise."""


class PartitionedClient:
    """Asks the first owner of a key, according to the map that it has.

    If a node refers it to another one, it gets a newer map from a node that has one, and tries again. It never sends a write
    again that may have had an effect.
    """

    def __init__(
        self,
        home: int,
        entries: Sequence[tuple[str, Address]],
        coordinator: str,
        rules: Rules = CORRECT,
        *,
        scan_at_once: int = SCAN_LIMIT,
    ) -> None:
        self._nodes = {name: HttpClient(address) for name, address in entries}
        self._coordinator = coordinator
        self._rules = rules
        self._scan_at_once = scan_at_once
        self._turn = home
        self._map: PartitionMap | None = None
        self._behind = False

    async def invoke(self, call: Call) -> Answer:
        try:
            async with asyncio.timeout(PATIENCE_S) as patience:
                match call.kind:
                    case "read":
                        return await self._one("GET", call.key, b"", READ_S)
                    case "write" if call.value is not None:
                        self._lasts(patience)
                        return await self._one("PUT", call.key, msgspec.json.encode(Put(call.value)), WRITE_S)
                    case "delete":
                        self._lasts(patience)
                        return await self._one("DELETE", call.key, b"", WRITE_S)
                    case "multi_get":
                        return await self._many(msgspec.json.decode(call.key, type=list[str]))
                    case "scan":
                        return await self._scanned(*msgspec.json.decode(call.key, type=tuple[str, str | None]))
        except TimeoutError as error:
            raise CallFailed(f"no node answered within {PATIENCE_S:g} s") from error
        raise CallFailed(f"this store reads, writes, deletes, and knows multi_get and scan; this call is {call}")

    async def close(self) -> None:
        for client in self._nodes.values():
            client.close()

    @staticmethod
    def _lasts(patience: asyncio.Timeout) -> None:
        """Remove the time limit of a call, because from now on the call may have an effect."""
        patience.reschedule(None)

    # --------------------------------------------------------------------------------------------------------- calls

    async def _one(self, method: str, key: str, body: bytes, timeout_s: float) -> Answer:
        clock = asyncio.get_running_loop().time
        until_s, why, pause_s = clock() + PATIENCE_S, "no map", PAUSE_S
        while clock() < until_s:
            name = await self._owner_of(key)
            if name is not None:
                try:
                    response = await self._nodes[name].request(
                        method, KEY_PATH + quote(key, safe=""), body, timeout_s=timeout_s
                    )
                    got = response.decode(Got) if response.status == 200 else None
                except Unreachable as error:
                    why = f"{name}: {error}"
                except TransportError as error:
                    if method != "GET":
                        raise type(error)(f"{name}: {error}") from error
                    why = f"{name}: {error}"
                else:
                    if got is not None:
                        self._heard(got.epoch)
                        return Answer(got.value, name)
                    why = _told(name, response)
                    if response.status == 504 and method != "GET":
                        raise TransportError(why)
                    if response.status not in (MISDIRECTED, 503, 504):
                        raise TransportError(why)
            await self._refresh()
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        raise CallFailed(why)

    async def _many(self, keys: Sequence[str]) -> Answer:
        """The values of all keys as a JSON object; each node is asked for its own, all at once."""
        values: dict[str, str | None] = {}

        async def ask(name: str, mine: list[str]) -> None:
            try:
                response = await self._nodes[name].request(
                    "POST", MANY_PATH, msgspec.json.encode(GetMany(mine)), timeout_s=READ_S
                )
                got = response.decode(GotMany) if response.status == 200 else None
            except TransportError:
                return
            if got is not None:
                values.update(got.values)
                self._heard(got.epoch)

        while missing := [key for key in keys if key not in values]:
            owners: dict[str, list[str]] = {}
            for key in missing:
                name = await self._owner_of(key)
                if name is not None:
                    owners.setdefault(name, []).append(key)
            async with asyncio.TaskGroup() as tasks:
                for name, mine in owners.items():
                    tasks.create_task(ask(name, mine))
            if any(key not in values for key in keys):
                await self._refresh()
                await asyncio.sleep(PAUSE_S)
        return Answer(msgspec.json.encode(values).decode())

    async def _scanned(self, low: str, high: str | None) -> Answer:
        """The keys of a range with their values as a JSON object; one node is asked after another."""
        values: dict[str, str] = {}
        at: str | None = low
        while at is not None:
            name = await self._owner_of(at)
            if name is not None:
                try:
                    response = await self._nodes[name].request(
                        "POST", SCAN_PATH, msgspec.json.encode(Scan(at, high, self._scan_at_once)), timeout_s=READ_S
                    )
                    scanned = response.decode(Scanned) if response.status == 200 else None
                except TransportError:
                    response, scanned = Response(503), None
                if scanned is not None:
                    values |= scanned.values
                    at = scanned.until
                    continue
                if response.status == 400:
                    raise CallFailed(_told(name, response))
            await self._refresh()
            await asyncio.sleep(PAUSE_S)
        return Answer(msgspec.json.encode(values).decode())

    # ----------------------------------------------------------------------------------------------------------- map

    async def _owner_of(self, key: str) -> str | None:
        if self._map is None or self._behind:
            await self._refresh()
        if self._map is None:
            return None
        leaders = self._rules.leaders(self._map.partition_at(self._map.position(key)))
        self._turn += 1
        name = leaders[self._turn % len(leaders)]
        return name if name in self._nodes else None

    def _heard(self, epoch: int) -> None:
        """Take note that a node uses this epoch."""
        self._behind = self._rules.maps_refreshed and self._map is not None and epoch > self._map.epoch

    async def _refresh(self) -> None:
        """Get a newer map, from the coordinator or, if that does not answer, from the nodes in turn."""
        if self._map is not None and not self._rules.maps_refreshed:
            return
        self._behind = False
        for name in self._in_turn():
            try:
                response = await self._nodes[name].request("GET", MAP_PATH, timeout_s=MAP_S)
                if response.status != 200:
                    continue
                found = response.decode(PartitionMap)
            except (TransportError, msgspec.MsgspecError):
                continue
            if self._map is None or found.epoch > self._map.epoch:
                self._map = found
                return
            if name == self._coordinator:  # it has the newest
                return

    def _in_turn(self) -> Iterable[str]:
        """The coordinator and then two nodes, different ones each time."""
        others = [name for name in self._nodes if name != self._coordinator]
        self._turn += 1
        first = [self._coordinator] if self._coordinator in self._nodes else []
        return (*first, *(others[(self._turn + step) % len(others)] for step in range(min(2, len(others)))))


def _told(name: str, response: Response) -> str:
    try:
        told = response.decode(Refusal).why if response.status == MISDIRECTED else response.decode(NotDone).error
    except msgspec.MsgspecError:
        told = f"status {response.status}, {response.body.decode(errors='replace')}"
    return f"{name}: {told}"
