"""Compares our ways to divide keys with uhashring: look-ups, changes, balance, how many keys move, and memory.

    python benchmarks/partitioning.py [--rounds 5]

Times are processor time: the least of several rounds, with ours and uhashring's in turn. Needs `pip install -e '.[benchmark]'`.
"""

from __future__ import annotations

import argparse
import math
import time
import tracemalloc
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from rich.console import Console
from rich.table import Table
from uhashring import HashRing

from systems.parts.partitioning.bounded import BoundedLoads
from systems.parts.partitioning.consistent import ConsistentHashing
from systems.parts.partitioning.jump import Jump
from systems.parts.partitioning.members import Member, Members
from systems.parts.partitioning.multi_probe import multi_probe
from systems.parts.partitioning.placement import HashPlacement
from systems.parts.partitioning.plan import plan
from systems.parts.partitioning.rendezvous import Rendezvous
from systems.parts.partitioning.slots import HashSlots

KEYS = [f"user:{number}" for number in range(40_000)]
WAYS: dict[str, Callable[[Members], HashPlacement]] = {
    "ConsistentHashing": ConsistentHashing,
    "… with 1 probe": lambda members: ConsistentHashing(members, probes=1),
    "multi_probe": multi_probe,
    "Rendezvous": Rendezvous,
    "HashSlots": HashSlots,
    "Jump": lambda members: Jump(members.names),
}


def members(count: int) -> Members:
    return Members.named(*(f"node{number}" for number in range(count)))


def cpu_s(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def in_turn(works: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The least processor time of each, in several rounds."""
    least = dict.fromkeys(works, math.inf)
    for _ in range(rounds):
        for name, work in works.items():
            least[name] = min(least[name], cpu_s(work))
    return least


def look_ups(nodes: int, rounds: int) -> Table:
    one_by_one = KEYS[:4000]
    theirs = HashRing(nodes=list(members(nodes).names))
    works: dict[str, Callable[[], object]] = {"uhashring": lambda: [theirs.get_node(key) for key in one_by_one]}
    batches: dict[str, Callable[[], object]] = {}
    for name, make in WAYS.items():
        placement = make(members(nodes))
        placement.owner("warm")
        works[name] = partial(_each, placement, one_by_one)
        batches[name] = partial(placement.owners_of, KEYS)
    single = {name: len(one_by_one) / s for name, s in in_turn(works, rounds).items()}
    many = {name: len(KEYS) / s for name, s in in_turn(batches, rounds).items()}
    title = f"look-ups, {nodes} nodes"
    table = Table("", "one by one, /s", "× uhashring", "all at once, /s", "× uhashring", title=title)
    for name, rate in single.items():
        batch = many.get(name, math.nan)
        table.add_row(
            name, f"{rate:,.0f}", f"{rate / single['uhashring']:.1f}",
            *([f"{batch:,.0f}", f"{batch / single['uhashring']:.1f}"] if name in many else ["", ""]),
        )  # fmt: skip
    return table


def _each(placement: HashPlacement, keys: Sequence[str]) -> None:
    for key in keys:
        placement.owner(key)


def changes(nodes: int, rounds: int) -> Table:
    """Building a ring and adding a node to it, until it answers look-ups of many keys at once."""
    before, theirs = ConsistentHashing(members(nodes)), HashRing(nodes=list(members(nodes).names))
    before.owners_of(KEYS[:1])

    def build() -> None:
        ConsistentHashing(members(nodes)).owners_of(KEYS[:1])

    def join() -> None:
        before.with_members(before.members.added(Member("another"))).owners_of(KEYS[:1])

    def their_join() -> None:
        theirs.add_node("another")
        theirs.get_node("x")

    least = in_turn({"build": build, "join": join, "their build": lambda: HashRing(nodes=list(members(nodes).names))}, rounds)
    joins = []
    for _ in range(rounds):
        joins.append(cpu_s(their_join))
        theirs.remove_node("another")
    least["their join"] = min(joins)
    table = Table("", "ConsistentHashing, ms", "uhashring, ms", "times", title=f"changes, {nodes} nodes")
    for what in ("build", "join"):
        ours_s, theirs_s = least[what], least[f"their {what}"]
        table.add_row(what, f"{ours_s * 1e3:.2f}", f"{theirs_s * 1e3:.2f}", f"{theirs_s / ours_s:.1f}")
    return table


def balance() -> Table:
    """The fullest node relative to the mean, and what a join moves: 40,000 keys, 8 nodes and then 9, over 20 sets of names."""
    table = Table("", "max/mean, mean", "p95", "moved × N", "memory, KiB", title="8 → 9 nodes, 40,000 keys")
    theirs = [_their_counts(run, size) for run in range(20) for size in (8, 9)]
    table.add_row("uhashring", *_told(theirs), "", f"{_memory(lambda: HashRing(nodes=list(members(9).names))):,.0f}")
    for name, make in WAYS.items():
        counts, moved = [], []
        for run in range(20):
            before = make(_named(run, 8))
            after = before.with_members(_named(run, 9))
            counts += [np.bincount(placement.owners_of(KEYS)) for placement in (before, after)]
            moved.append(plan(before, after).share * 9)
        memory = _memory(partial(_warm, make))
        table.add_row(name, *_told(counts), f"{np.mean(moved):.3f}", f"{memory:,.0f}")
    loads = [_bounded(run) for run in range(3)]
    table.add_row("BoundedLoads, 1.05", *_told(loads), "", "")
    return table


def _warm(make: Callable[[Members], HashPlacement]) -> HashPlacement:
    placement = make(members(9))
    placement.owners_of(KEYS[:1])
    placement.owner(KEYS[0])
    return placement


def _named(run: int, count: int) -> Members:
    return Members.named(*(f"run{run}-node{number}" for number in range(count)))


def _their_counts(run: int, size: int) -> np.ndarray:
    ring = HashRing(nodes=list(_named(run, size).names))
    return np.unique([ring.get_node(key) for key in KEYS[:10_000]], return_counts=True)[1]


def _bounded(run: int) -> np.ndarray:
    loads = BoundedLoads(ConsistentHashing(_named(run, 9)), bound=1.05)
    for key in KEYS[:10_000]:
        loads.take(key)
    return np.array(list(loads.loads.values()))


def _told(counts: Sequence[np.ndarray]) -> tuple[str, str]:
    worst = [one.max() / one.mean() for one in counts]
    return f"{np.mean(worst):.3f}", f"{np.quantile(worst, 0.95):.3f}"


def _memory(make: Callable[[], object]) -> float:
    """The memory that is allocated and kept, in KiB."""
    tracemalloc.start()
    kept = make()
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    del kept
    return held / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    console = Console()
    for nodes in (10, 1000):
        console.print(look_ups(nodes, rounds))
    console.print(changes(1000, rounds))
    console.print(balance())


if __name__ == "__main__":
    main()
