"""What the hook costs: `import torch` outside of a drill, and a step of an unedited DDP script over links without a fault.

    python benchmarks/training_shim.py [--pairs N] [--steps N] [--imports N]

Ways of running the same two ranks under torchrun, in turn, so that all see the same neighbours on the machine:

    plain       no hook: torch as it is
    journal     the hook writes down every step; connections are gloo's own
    links       as in `harness train`: every connection through the fault plane too
    namespaces  as in `harness train --namespaces`: every packet through a router, which counts it; left out if not possible

A step's time is the script's own, from one optimizer step to the next; the first ones are left out. Figures are medians over
all steps of all pairs of runs, and the ratio's spread is that of the pairs.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from harness.cluster import network_namespaces
from harness.cluster.interrupts import run_to_its_end
from harness.run.script_run import ScriptRun
from harness.run.script_spec import ScriptSpec

_WARM_UP: Final = 50
_SCRIPT: Final = """
import gc, os, sys, time, torch, torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
torch.set_num_threads(1)
if os.environ.get("BENCHMARK_JOURNAL"):
    from torch_drills.gates import Gates
    from torch_drills.journal import Journal
    from torch_drills.step_journal import StepJournal
    StepJournal(Journal(os.environ["BENCHMARK_JOURNAL"]), Gates(os.environ["BENCHMARK_JOURNAL"]))
dist.init_process_group("gloo")
torch.manual_seed(0)
width, batch = int(sys.argv[3]), int(sys.argv[4])
hidden = [layer for _ in range(2) for layer in (torch.nn.Linear(width, width), torch.nn.ReLU())]
model = DistributedDataParallel(torch.nn.Sequential(*hidden, torch.nn.Linear(width, 10)))
labels = torch.zeros(batch, dtype=torch.long)
optimizer = torch.optim.SGD(model.parameters(), 0.05)
times = []
for _ in range(int(sys.argv[1])):
    begun = time.perf_counter()
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(model(torch.randn(batch, width)), labels).backward()
    optimizer.step()
    times.append(time.perf_counter() - begun)
if dist.get_rank() == 0:
    open(sys.argv[2], "w").write("\\n".join(map(str, times)))
del model
gc.collect()
dist.destroy_process_group()
"""


class _Nobody:
    def on_window(self, record: object) -> None: ...


def step_times_ms(way: str, folder: Path, steps: int, width: int, batch: int) -> list[float]:
    """The times of the steps of one run, without the first ones."""
    script, out = folder / "script.py", folder / "times"
    script.write_text(_SCRIPT)
    arguments = (str(script), str(steps), str(out), str(width), str(batch))
    command = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", *arguments)
    if way in ("links", "namespaces"):
        run_dir = folder / "run"
        (run_dir / "nodes").mkdir(parents=True)
        spec = ScriptSpec(
            command=command, faults=(), fault_texts=(), slos=(), seed=1, plane="embedded", namespaces=way == "namespaces",
            start_s=300, stall_s=300, limit_s=900,
        )  # fmt: skip
        run_to_its_end(ScriptRun(spec, run_dir, _Nobody()).record())
    else:
        journal = {"BENCHMARK_JOURNAL": str(folder)} if way == "journal" else {}
        done = subprocess.run(command, env={**os.environ, **journal}, check=False, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"the {way} run failed with exit code {done.returncode}: {done.stderr[-2000:]}")
    return [float(line) * 1e3 for line in out.read_text().split()][_WARM_UP:]


def import_ms(hooked: bool) -> float:
    """How long a fresh process takes to load and call the hook outside of a drill, or to find that there is none."""
    code = (
        "import time\nfrom importlib.metadata import entry_points\nbegun = time.perf_counter()\n"
        "found = [one for one in entry_points(group='torch.backends') if one.name == 'torch_drills' or not HOOKED]\n"
        "searched = time.perf_counter()\n"
        "if HOOKED:\n    for one in found: one.load()()\n"
        "print((time.perf_counter() - searched) * 1e3)"
    ).replace("HOOKED", str(hooked))
    environment = {name: value for name, value in os.environ.items() if name != "HARNESS_TRAIN"}
    return float(subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True).stdout)


def import_torch_s() -> float:
    """How long `import torch` takes in all."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import torch"], check=True)
    return time.perf_counter() - begun


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5, help="runs of each way (default: 5)")
    parser.add_argument("--steps", type=int, default=400, help="steps of each run (default: 400)")
    parser.add_argument("--imports", type=int, default=30, help="processes that load the hook (default: 30)")
    parser.add_argument("--width", type=int, default=256, help="of the model's layers (default: 256: 134,000 parameters)")
    parser.add_argument("--batch", type=int, default=256, help="samples a step and rank (default: 256)")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    hook, nothing = ([import_ms(hooked) for _ in range(options.imports)] for hooked in (True, False))
    cost_ms, whole_s = (
        statistics.median(hook) - statistics.median(nothing),
        statistics.median(import_torch_s() for _ in range(3)),
    )
    print(f"the hook outside of a drill: {cost_ms:.3f} ms (median of {options.imports}), of {whole_s:.2f} s for `import torch`")
    times: dict[str, list[list[float]]] = {"plain": [], "journal": [], "links": []}
    if lacks := network_namespaces.missing():
        print(lacks)
    else:
        times["namespaces"] = []
    for number in range(options.pairs):
        ways = list(times)
        first = number % len(ways)
        for way in [*ways[first:], *ways[:first]]:
            with tempfile.TemporaryDirectory() as folder:
                times[way].append(step_times_ms(way, Path(folder), options.steps, options.width, options.batch))
    plain = [statistics.median(run) for run in times["plain"]]
    for way, runs in times.items():
        medians = [statistics.median(run) for run in runs]
        ratios = [one / other - 1 for one, other in zip(medians, plain, strict=True)]
        every = sorted(step for run in runs for step in run)
        print(
            f"{way:10} step p50 {statistics.median(every):6.2f} ms, p99 {every[int(len(every) * 0.99)]:6.2f} ms;"
            f" against plain {statistics.median(ratios):+6.1%} (pairs {min(ratios):+.1%} to {max(ratios):+.1%})"
        )


if __name__ == "__main__":
    main()
