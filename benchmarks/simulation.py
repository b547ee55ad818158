"""How fast simulation is: simulated seconds per second, seeds per minute, and how much more processes help.

    python benchmarks/simulation.py [--seeds 40]

If one process is measured, times are CPU times (`time.process_time`), so that other programs on the machine do not count; if
several are, they are wall times. Beside them is how long a real run of the same drill takes: the time of its load.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import time

from harness.cluster.cluster import prepare
from harness.run import catalog
from harness.simulation.seed_run import run_seed
from harness.simulation.swarm import PLAIN
from harness.simulation.sweep import sweep
from harness.simulation.worker import Reply, Task

DRILLS = ("quorum/healthy", "featured/slow_features", "serving/slow_replica")


def calm(name: str) -> None:
    """A drill as it is, run once to warm up and then three times to measure."""
    drill = catalog.find_drill(name).drill
    prepare(drill.system)
    run_seed(name, drill, 1, swarm=PLAIN)
    gc.collect()
    gc.freeze()
    begun_s, simulated_s, calls, steps = time.process_time(), 0.0, 0, 0
    for seed in range(2, 5):
        judged = run_seed(name, drill, seed, swarm=PLAIN)
        simulated_s += judged.outcome.simulated_s
        steps += judged.outcome.steps
        calls += len(judged.recorded.history.ops)
    cpu_s = time.process_time() - begun_s
    figures = f"{simulated_s / cpu_s:5.1f} simulated s/s, {calls / cpu_s:7,.0f} calls/s, {steps / cpu_s:8,.0f} callbacks/s"
    print(f"calm   {name:26} {figures}, judged; a real run takes {drill.load.seconds:g} s")


def swarms(name: str, seeds: int) -> None:
    """Whole seeds, with all the faults that they add, and judged."""
    drill = catalog.find_drill(name).drill
    begun_s, simulated_s = time.process_time(), 0.0
    for seed in range(1, seeds + 1):
        simulated_s += run_seed(name, drill, seed).outcome.simulated_s
    cpu_s = time.process_time() - begun_s
    print(f"seeds  {name:26} {seeds / cpu_s * 60:5.0f} seeds a minute of one CPU, {simulated_s / cpu_s:5.1f} simulated s/s")


def jobs(name: str, seeds: int, workers: int) -> None:
    """The same seeds in several processes; the time to start these counts."""
    done: list[Reply] = []

    def count(task: Task, reply: Reply) -> bool:
        done.append(reply)
        return True

    begun_s = time.perf_counter()
    asyncio.run(sweep((Task(drill=name, seed=seed) for seed in range(1, seeds + 1)), workers, count))
    wall_s = time.perf_counter() - begun_s
    print(
        f"jobs   {name:26} {len(done) / wall_s * 60:5.0f} seeds a minute with --jobs {workers}, load {os.getloadavg()[0]:.1f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=40)
    arguments = parser.parse_args()
    for name in DRILLS:
        calm(name)
    for name in DRILLS:
        swarms(name, arguments.seeds)
    for workers in range(1, len(os.sched_getaffinity(0)) + 1):
        jobs(DRILLS[0], arguments.seeds, workers)


if __name__ == "__main__":
    main()
