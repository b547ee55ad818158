"""One connection to a Cassandra node: the native protocol, version 4, in the codec of Cassandra's own Python driver.

The driver's sessions find other nodes by themselves, past the links, and ask again by themselves. Here each question is
asked once, of the node that the connection leads to.
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
    """Questions and answers, one after another."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def opened(cls, address: Address) -> CqlConnection:
        """Connect and begin to speak. Raises `OSError` if that fails."""
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
    """A text as CQL writes it."""
    return "'" + text.replace("'", "''") + "'"
