"""A replica that misses long values while it is cut off, and is then behind a thin link: what it gets in a simulated run, and
whether it can take over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

import msgspec

from faults.kill import Kill
from faults.partition import Isolate, Partition
from faults.shared_bandwidth import SharedBandwidth
from harness.checkers.linearizable import linearizable
from harness.model.consensus_events import Applied
from harness.model.drill import Drill
from harness.model.history import History
from harness.model.load import Load
from harness.model.shapes import Steps
from harness.model.system import Call, System
from harness.simulation.seed_run import run_seed
from harness.simulation.swarm import PLAIN
from workloads.registers import Registers

UNTIL_S = 9.0
"""Until then, n3's links carry 80 kB/s. Written are about 30 kB/s."""


@dataclass(frozen=True, kw_only=True)
class _LongRegisters(Registers):
    """Registers with values of 2000 characters."""

    def calls(self, random: Random) -> Iterator[Call]:
        for call in super().calls(random):
            yield Call("write", call.key, str(call.value).ljust(2000)) if call.kind == "write" else call


def entries_behind(system: System) -> int:
    """How many entries of n1's log n3 still lacks when its links have been thin for six seconds."""
    drill = Drill(
        system=system,
        workload=_LongRegisters(keys=50, writes=0.9),
        load=Load(rate=16, clients=5, seconds=UNTIL_S + 0.5),
        faults=[Isolate("n3").between(0.3, 3), SharedBandwidth("n3", kb_per_s=80).between(2.9, UNTIL_S)],
        checks=[linearizable],
    )
    history = run_seed("thin", drill, 1, swarm=PLAIN).recorded.history
    return _applied(history, "n1") - _applied(history, "n3")


def takes_over_at_s(system: System, keepers: Sequence[str]) -> float | None:
    """When n3 leads, in seconds, if n1 is dead and n2, which has the log, does not reach the keepers; None if not at all.

    n3 lacks 80 kB of state, or 300 kB of entries. From 1.9 s to 12 s, when all of them recover, its links carry 40 kB/s.
    """
    until_s = 12.0
    drill = Drill(
        system=system,
        workload=_LongRegisters(keys=40, writes=1.0),
        load=Load(rate=90, clients=20, seconds=until_s + 0.5, shape=Steps(factors=(1.0, 0.02), every_s=1.8)),
        faults=[
            Isolate("n3").between(0.1, 2),
            SharedBandwidth("n3", kb_per_s=40).between(1.9, until_s),
            Kill("n1").between(1.9, until_s),
            *(Partition(f"n2>{keeper}").between(1.9, until_s) for keeper in keepers),
        ],
        checks=[linearizable],
    )
    events = run_seed("thin", drill, 1, swarm=PLAIN).recorded.history.events
    led = events[(events["node"] == "n3") & (events["kind"] == "leader") & (events["at_ns"] < until_s * 1e9)]
    return None if led.empty else led["at_ns"].min() / 1e9


def _applied(history: History, node: str) -> int:
    """The last entry that a node had applied while the links were thin."""
    events = history.events
    told = events[(events["node"] == node) & (events["kind"] == "applied") & (events["at_ns"] < UNTIL_S * 1e9)]
    return max(msgspec.json.decode(detail, type=Applied).index for detail in told["detail"])
