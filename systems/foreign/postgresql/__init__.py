"""PostgreSQL: a primary, a standby that it streams to, and a failover that the harness starts."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from harness.model.system import Address, Client, Node
from systems.foreign.postgresql import programs
from systems.foreign.postgresql.client import PostgresqlClient, asked

_NAMES: Final = ("n1", "n2")
_STARTS_WITHIN_S: Final = 90.0
"""The standby begins as a copy of the primary, which has to be created first."""


@dataclass(frozen=True, kw_only=True)
class Postgresql:
    """Two servers, the second one initially the standby of the first; clients ask the one that accepts writes.

    Every commit is on the primary's disk before it is acknowledged. With `synchronous` it is on the standby's disk as well:
    then a failover loses nothing acknowledged, but the primary acknowledges no writes while the standby is away.
    """

    synchronous: bool = True
    """Whether a commit waits for the standby: `synchronous_standby_names` is '*', or empty."""

    def nodes(self) -> Sequence[Node]:
        settings = {
            "listen_addresses": "{host}",
            "port": "{port}",
            "unix_socket_directories": "",
            "synchronous_commit": "on",
            "synchronous_standby_names": "*" if self.synchronous else "",
            "wal_retrieve_retry_interval": "100ms",  # how soon a standby that lost its primary looks for it again
            "wal_keep_size": "64MB",
            "shared_buffers": "16MB",
            "dynamic_shared_memory_type": "mmap",  # files in its folder: a killed server leaves others in the machine's memory
            "max_connections": "60",
        }
        command = (
            str((programs.folder() or Path()) / "postgres"),
            "-D",
            "{data}/cluster",
            *(f"--{name}={value}" for name, value in settings.items()),
        )
        return [
            Node(
                name=name,
                command=command,
                peers=(peer,),
                setup="systems.foreign.postgresql.start",
                starts_within_s=_STARTS_WITHIN_S,
            )
            for name, peer in zip(_NAMES, reversed(_NAMES), strict=True)
        ]

    def entries(self) -> Sequence[str]:
        return _NAMES

    def client(self, index: int, entries: Mapping[str, Address]) -> Client:
        return PostgresqlClient(list(entries.items()))

    def missing(self) -> str | None:
        if find_spec("asyncpg") is None:
            return "PostgreSQL needs its client library: pip install 'distributed-ml-harness[postgresql]'"
        return programs.why_not_here()

    async def probe(self, address: Address) -> None:
        await asked(address, "SELECT 1")

    async def leads(self, address: Address) -> bool:
        return not await asked(address, "SELECT pg_is_in_recovery()")

    async def promote(self, address: Address) -> None:
        """`pg_promote()`. By then the standby has replayed everything that it received."""
        if not await asked(address, "SELECT pg_promote(true, 5)"):
            raise ConnectionError("the server was not promoted within 5 s")

    async def leader(self, addresses: Mapping[str, Address]) -> str:
        """The primary; of two, the one with the newest timeline. Raises `ConnectionError` if there is none."""
        timelines: dict[str, str] = {}
        for name, address in addresses.items():
            with contextlib.suppress(OSError):  # it does not answer
                if await self.leads(address):
                    segment = str(await asked(address, "SELECT pg_walfile_name(pg_current_wal_lsn())"))
                    timelines[name] = segment[:8]
        if not timelines:
            raise ConnectionError("no server says that it accepts writes")
        return max(timelines, key=timelines.__getitem__)
