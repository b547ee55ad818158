"""One connection to a Cassandra node: the native protocol, version 4, in the codec of Cassandra's own Python driver.

The driver's sessions discover other nodes, bypassing the links, and retry on their own. This connection sends each statement
once, to its own node.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Sequence
from typing import Final

from harness.model.system import Address

_VERSION: Final = 4
_HEADER: Final = struct.Struct(">BBhBi")


class CqlConnection:
    """A connection that carries one statement at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def opened(cls, address: Address) -> CqlConnection:
        """Connect, and start the protocol. Raises `OSError` if that fails."""
        from cassandra.protocol import StartupMessage

        reader, writer = await asyncio.open_connection(*address)
        connection = cls(reader, writer)
        begun = False
        try:
            await connection._exchange(StartupMessage(cqlversion="3.0.0", options={}))
            begun = True
        finally:
            if not begun:
                connection.close()
        return connection

    async def ask(self, statement: str, consistency: str) -> Sequence[Sequence[object]]:
        """Carry out a statement; returns its rows. Raises the driver's exceptions; `ConnectionError` if nothing comes."""
        from cassandra import ConsistencyLevel
        from cassandra.protocol import QueryMessage

        level, serial = getattr(ConsistencyLevel, consistency), ConsistencyLevel.SERIAL
        answer = await self._exchange(QueryMessage(statement, level, serial_consistency_level=serial))
        return getattr(answer, "parsed_rows", None) or ()

    def close(self) -> None:
        self._writer.transport.abort()

    async def _exchange(self, question: object) -> object:
        from cassandra.protocol import ErrorMessage, ProtocolHandler

        self._writer.write(ProtocolHandler.encode_message(question, 0, _VERSION, None, False))
        try:
            _, flags, stream, opcode, length = _HEADER.unpack(await self._reader.readexactly(_HEADER.size))
            body = await self._reader.readexactly(length)
        except asyncio.IncompleteReadError as error:
            raise ConnectionError("the connection ended before the answer") from error
        answer = ProtocolHandler.decode_message(_VERSION, {}, stream, flags, opcode, body, None, None)
        if isinstance(answer, ErrorMessage):
            raise answer.to_exception()
        return answer


def quoted(text: str) -> str:
    """A string as a CQL literal."""
    return "'" + text.replace("'", "''") + "'"
