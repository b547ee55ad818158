"""Compares our Raft store with etcd 3.6: how soon writes go on after the leader is killed, and what a durable write costs.

`python benchmarks/raft.py [--kills 20] [--rounds 5]` runs both in turn on real processes, three nodes each, with the same
timers (heartbeats every 100 ms, elections after 1 s or more), the same calls, links through the same fault plane, and every
write synced by a majority before it is acknowledged. etcd is called through its JSON gateway, which costs it more than gRPC
would.

It prints for each the time from the leader's death to the end of the first write that was sent after it, and acknowledged
writes per second of the nodes' CPU time under 64 clients; and the ratios of ours to etcd's. On a busy machine, CPU time can
still be compared; the time to an election cannot.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Final

import numpy as np

from faults.kill import Kill
from harness.model.drill import Drill
from harness.model.errors import UsageError
from harness.model.history import History
from harness.model.load import Load
from harness.model.system import System
from harness.run.runner import run
from harness.run.spec import RunSpec
from systems.foreign.etcd import Etcd
from systems.raft import Raft
from workloads.registers import Registers

_HEARTBEAT_MS: Final = 100
_ELECTION_MS: Final = 1000
_KILLED_S: Final = 1.5

SYSTEMS: Final[dict[str, System]] = {
    "ours": Raft(replicas=3, heartbeat_ms=_HEARTBEAT_MS, election_ms=_ELECTION_MS),
    "etcd": Etcd(members=3, heartbeat_ms=_HEARTBEAT_MS, election_ms=_ELECTION_MS),
}


def failover_s(system: System, seed: int, runs: Path) -> float | None:
    """Seconds from the leader's death to the end of the first write that was sent after it; None if there was none."""
    drill = Drill(
        system=system,
        workload=Registers(keys=100, writes=1.0),
        load=Load(rate=100, clients=64, seconds=_KILLED_S + 5),
        faults=[Kill("leader").between(_KILLED_S, _KILLED_S + 4.5)],
        checks=[],
        slos=[],
    )
    history = run(RunSpec(name="failover", title="", drill=drill, seed=seed), runs=runs).history
    [killed_ns] = history.windows["injected_ns"].tolist()
    ops = history.ops
    done = ops[(ops["outcome"] == "ok") & (ops["sent_ns"] > killed_ns)]["done_ns"]
    return None if done.empty else float(done.min() - killed_ns) / 1e9


def writes_per_cpu_s(system: System, seed: int, rate: float, seconds: float, runs: Path) -> tuple[float, float]:
    """Acknowledged writes per second of CPU time of all nodes, and per second of real time."""
    drill = Drill(
        system=system,
        workload=Registers(keys=1000, writes=1.0),
        load=Load(rate=rate, clients=64, seconds=seconds, timeout_ms=10_000),
        checks=[],
        slos=[],
    )
    history = run(RunSpec(name="writes", title="", drill=drill, seed=seed), runs=runs).history
    ops = history.load
    done = ops[ops["outcome"] == "ok"]
    lasted_s = float(done["done_ns"].max() - ops["sent_ns"].min()) / 1e9
    return len(done) / _cpu_s(history), len(done) / lasted_s


def _cpu_s(history: History) -> float:
    """CPU time of the nodes from soon after their start until all calls were over."""
    usage = history.usage[history.usage["node"].str.startswith("n") & history.usage["cpu_ns"].notna()]
    used = usage.groupby(["node", "pid"])["cpu_ns"].agg(["min", "max"])
    return float((used["max"] - used["min"]).sum()) / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20, help="how many leaders of each are killed")
    parser.add_argument("--rounds", type=int, default=5, help="how many loads of writes each gets")
    parser.add_argument("--rate", type=float, default=400.0, help="writes per second that are asked for")
    parser.add_argument("--seconds", type=float, default=8.0, help="how long each load lasts")
    options = parser.parse_args()
    lacking = SYSTEMS["etcd"].missing() if isinstance(SYSTEMS["etcd"], Etcd) else None
    if lacking:
        raise UsageError(lacking)
    failovers: dict[str, list[float]] = {name: [] for name in SYSTEMS}
    costs: dict[str, list[float]] = {name: [] for name in SYSTEMS}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.kills):
            for name, system in SYSTEMS.items():
                took_s = failover_s(system, number + 1, Path(folder))
                print(f"kill {number + 1} {name}: {'no write any more' if took_s is None else f'{took_s:.3f} s'}", flush=True)
                failovers[name].append(float("inf") if took_s is None else took_s)
        for number in range(options.rounds):
            for name, system in SYSTEMS.items():
                per_cpu_s, per_s = writes_per_cpu_s(system, number + 1, options.rate, options.seconds, Path(folder))
                print(f"writes {number + 1} {name}: {per_cpu_s:,.0f} per CPU second, {per_s:,.0f} per second", flush=True)
                costs[name].append(per_cpu_s)
    for name in SYSTEMS:
        if failovers[name]:
            p50, p99 = np.percentile(failovers[name], [50, 99], method="higher")
            print(f"{name}: leader killed to first write: median {p50:.2f} s, p99 {p99:.2f} s of {len(failovers[name])}")
        if costs[name]:
            print(f"{name}: {np.median(costs[name]):,.0f} durable writes per CPU second (median of {len(costs[name])})")
    if options.kills:
        ours, theirs = (np.percentile(failovers[name], 99, method="higher") for name in SYSTEMS)
        print(f"leader killed to first write, p99, ours to etcd's: {ours / theirs:.2f}")
    if options.rounds:
        print(f"durable writes per CPU second, ours to etcd's: {np.median(costs['ours']) / np.median(costs['etcd']):.2f}")


if __name__ == "__main__":
    main()
