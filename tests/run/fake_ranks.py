"""A fake launcher and fake ranks, which take milliseconds: they write journals like the hook, without torch.

python fake_ranks.py RANKS STEPS [again] [orphans] [differ] [nccl] [unplaced] [alone] [silent] [deaf] [hang=SECONDS] [abort]
                     [uncounted=STEP] [grow] [unled]

On hosts of their own, ranks send each other a datagram in each step.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from torch_drills import FOLDER, host
from torch_drills.gates import Gates
from torch_drills.journal import Journal
from torch_drills.links import FILE

STEP_S = 0.005
CHECKPOINT = 20
"""A rank that is started again begins with the last step that this divides."""


def train(rank: int, world: int, steps: int, begin: int, how: set[str]) -> None:
    """One rank."""
    folder, journal = Path(os.environ[FOLDER]), Journal(os.environ[FOLDER])
    journal.write("loaded", rank=rank, world=world)
    if "silent" in how:
        return
    if "deaf" in how:
        time.sleep(60)
    if "grow" in how and (folder / FILE).exists():
        world += 1
    peers = []
    if "unled" in how:
        journal.write("not led", why=f"rank{rank} is on no host of its own: as asked")
    if host.is_namespaced(str(folder)):
        host.Host(str(folder), journal, rank, world)
        hosts = json.loads((folder / host.FILE).read_text())["hosts"]
        peers = [hosts[name]["address"] for name in hosts if name not in (f"rank{rank}", host.LAUNCHER)]
    elif "alone" not in how:
        journal.write("joining", rank=rank, world=world)
        while not (folder / FILE).exists():
            time.sleep(0.002)
    backend = "" if "alone" in how else "nccl" if "nccl" in how else "gloo"
    first = "other" if begin and "unplaced" in how else f"m{begin}"
    journal.write("began", rank=rank, world=world, backend=backend, parameters=first)
    gates = Gates(str(folder))
    gates.ask()
    wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for step in range(begin, steps):
        begun_ns = time.monotonic_ns()
        for peer in peers:
            wire.sendto(bytes(100), (peer, 9))
        time.sleep(STEP_S)
        if f"uncounted={step}" in how:
            journal.write("not counted", rank=rank, world=world, why="as asked")
            break
        odd = "differ" in how and rank == 1 and step >= 30
        journal.write("step", step=step - begin, begun_ns=begun_ns, parameters=f"{'x' if odd else 'm'}{step + 1}")
        gates.wait(step + 1 - begin)
    for word in how:
        if word.startswith("hang="):
            time.sleep(float(word.removeprefix("hang=")))
    if "abort" in how:
        print("terminate called without an active exception", file=sys.stderr, flush=True)
        os.abort()


def launch(world: int, steps: int, how: list[str]) -> int:
    """Start all ranks; if one is killed, end the others, and start all again from the last checkpoint if asked to."""
    begin = 0
    while True:
        ranks = [
            subprocess.Popen(
                [sys.executable, __file__, "rank", *map(str, (rank, world, steps, begin)), *how], start_new_session=True
            )
            for rank in range(world)
            if not ("deaf" in how and rank == 0)
        ]
        while None in (codes := [one.poll() for one in ranks]) and not any(code for code in codes if code):
            time.sleep(0.005)
        if not any(codes):
            return 0
        if "orphans" in how:
            return 1
        for one in ranks:
            one.kill()
            one.wait()
        if "again" not in how:
            return 1
        journals = Path(os.environ[FOLDER]).glob("*.jsonl")
        done = max(text.count('"step"') // 2 for text in (file.read_text() for file in journals))
        begin = done // CHECKPOINT * CHECKPOINT
        how = [word for word in how if word != "again"]


if __name__ == "__main__":
    if sys.argv[1] == "rank":
        number, ranks, last, first = map(int, sys.argv[2:6])
        train(number, ranks, last, first, set(sys.argv[6:]))
    else:
        sys.exit(launch(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
