"""The load engine: open-loop HTTP/1.1 load from its own processes, fast enough not to affect what it measures."""

from workloads.load.engine.engine import Engine
from workloads.load.engine.snapshot import Snapshot
from workloads.load.engine.task import EngineTask, Exchange

__all__ = ["Engine", "EngineTask", "Exchange", "Snapshot"]
