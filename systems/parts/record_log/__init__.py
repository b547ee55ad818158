"""A durable log of records with checksums, which tells a torn tail after a crash from damage to acknowledged records."""

from __future__ import annotations

from systems.parts.record_log.log import NothingWritten, RecordLog
from systems.parts.record_log.records import Damaged, Log, decode_line, encode_line

__all__ = ["Damaged", "Log", "NothingWritten", "RecordLog", "decode_line", "encode_line"]
