"""A durable log of records with checksums, which tells a tail that a crash tore from damage to what was acknowledged."""

from __future__ import annotations

from systems.parts.record_log.log import NothingWritten, RecordLog
from systems.parts.record_log.records import Damaged, Log, decode_line, encode_line

__all__ = ["Damaged", "Log", "NothingWritten", "RecordLog", "decode_line", "encode_line"]
