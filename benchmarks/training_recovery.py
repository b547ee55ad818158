"""How training comes back from faults, and what it gets done under them: ours beside torchrun's restarts and torchft.

    python benchmarks/training_recovery.py [--only kill freeze goodput cut growth] [--faults N] [--seconds S] [--mean-s S]

All train the same model (`digits`) on the same data, in the same order and batches, on three ranks on this machine, and save
every 20 steps; a step begins no sooner than 25 ms after the one before. In each part they take turns, so that all see the same
neighbours on the machine, and the load average is printed. *torchrun* is torch's elastic launcher with a DDP script that saves
and loads; "fixed" is with TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1, without which many restarts never come back. *torchft* is
left out, with the reason, if it does not run here.

*kill*: from SIGKILL of a rank to the next step that was begun after it. *freeze*: the same from SIGSTOP; torchrun with a
time-out of five seconds for collectives, where gloo's own is half an hour. *goodput*: ranks killed at the same random times:
different steps done × median step before the first kill / time. *cut*: one of three links goes silent; when the rank that
is at neither end of it hears. *growth*: what a step and a recovery cost ours by ranks and parameters (`training_growth.py`).
All figures are of the time that went by. Ours starts ranks again from a process that has imported torch; the others cannot. All
parts take about ten minutes on an idle machine, and no part is begun after `--limit-s`.
"""

from __future__ import annotations

import argparse
import itertools
import signal
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import training_growth
from torch.distributed.constants import default_pg_timeout
from training import load
from training_ours import cut, goodput_of, killed_at, recoveries
from training_peer_cut import bystander_s
from training_peers import Peer, goodput_under, running, torchft, torchrun

_WITHIN_S: Final = 40.0
"""A peer that has made no step this long after a kill does not count as back. Torchrun takes 3 s on an idle machine."""

_FREEZE_WITHIN_S: Final = 90.0
_LIMIT_S: Final = 240.0
_FREEZE_TIMEOUT_S: Final = 5.0
_GROWTH_S: Final = 100.0
_ROUNDS: Final = 2
_FIRST_KILL_S: Final = 4.0
_LEAST_APART_S: Final = 1.0

Figures = Mapping[str, Sequence[float | None]]
"""Milliseconds of each fault, by the name of the system; None for a fault from which it did not come back in time."""


def percentiles(figures: Figures, within_s: float, ours: str) -> None:
    """Print one row per system: how often it came back, p50, p99, the worst, and how many times as long as ours."""
    print(f"{'':26}{'back':>10}{'p50 ms':>10}{'p99 ms':>10}{'worst ms':>10}{'p50 x ours':>12}{'p99 x ours':>12}")
    base = _of([value for value in figures[ours] if value is not None])
    for name, values in figures.items():
        back = [value for value in values if value is not None]
        count = f"{len(back)} of {len(values)}"
        if not back:
            print(f"{name:26}{count:>10}   (none within {within_s:g} s)", flush=True)
            continue
        p50, p99, worst = _of(back)
        print(
            f"{name:26}{count:>10}{p50:>10,.0f}{p99:>10,.0f}{worst:>10,.0f}{p50 / base[0]:>12.0f}{p99 / base[1]:>12.0f}",
            flush=True,
        )


def _of(values: Sequence[float]) -> tuple[float, float, float]:
    p50, p99, worst = np.percentile(values, [50, 99, 100], method="higher").tolist()
    return p50, p99, worst


def peers() -> list[Peer]:
    """All peers that run here; prints which do not, and why."""
    found = [torchrun(fixed=True)]
    try:
        found.append(torchft())
    except LookupError as missing:
        print(missing)
    return found


def broken(peer: Peer, number: int, sent: signal.Signals, within_s: float, folder: Path, step_ms: float) -> list[float | None]:
    """Milliseconds from each of `number` faults to the next step. A job that does not come back is replaced by a new one."""
    taken: list[float | None] = []
    for attempt in itertools.count():
        with running(peer, folder / str(attempt), step_ms=step_ms, limit_s=_LIMIT_S) as job:
            while len(taken) < number:
                taken.append(job.next_step_ms(len(taken) % 3, sent, within_s))
                if taken[-1] is None or (len(taken) < number and not job.settle()):
                    break
        if len(taken) >= number:
            break
    return taken


def kill(options: argparse.Namespace, folder: Path) -> None:
    """Print what a killed rank costs."""
    figures: dict[str, list[float | None]] = {}
    equal = []
    others = [*peers(), torchrun(fixed=False)]
    for round_ in range(_ROUNDS):
        number = options.faults // _ROUNDS
        taken, same = recoveries("rank killed", number, options.step_ms, folder)
        figures.setdefault("ours", []).extend(taken)
        equal.append(same)
        for peer in others:
            # Half of torchrun's restarts run into the time-out unless it is "fixed", so it gets fewer.
            faults = number if peer.name != "torchrun" else max(1, number // 3)
            taken_by = broken(peer, faults, signal.SIGKILL, _WITHIN_S, folder / f"kill {peer.name} {round_}", options.step_ms)
            figures.setdefault(peer.name, []).extend(taken_by)
    print("\nSIGKILL of a rank to the next step" + load())
    percentiles(figures, _WITHIN_S, "ours")
    print(f"ours: parameters after all steps bit-equal to an undisturbed training's: {', '.join(equal)}")


def freeze(options: argparse.Namespace, folder: Path) -> None:
    """Print what a frozen rank costs."""
    peer = torchrun(fixed=True, timeout_s=_FREEZE_TIMEOUT_S)
    taken, same = recoveries("rank frozen", options.faults // 2, options.step_ms, folder)
    frozen = broken(peer, options.freezes, signal.SIGSTOP, _FREEZE_WITHIN_S, folder / "freeze", options.step_ms)
    name = f"{peer.name}, {_FREEZE_TIMEOUT_S:g} s"
    print("\nSIGSTOP of a rank to the next step" + load())
    percentiles({"ours": taken, name: frozen}, _FREEZE_WITHIN_S, "ours")
    print(f"ours: bit-equal: {same}; with gloo's own time-out torchrun waits {default_pg_timeout.total_seconds():,.0f} s first")


def random_kills(seconds: float, mean_s: float, seed: int) -> list[tuple[float, int]]:
    """The seconds at which ranks are killed, and which ones: a Poisson process given its number of kills, at least 1 s apart.

    Raises `SystemExit` if that many do not fit.
    """
    random = np.random.default_rng(seed)
    number = round((seconds - _FIRST_KILL_S) / mean_s)
    free_s = seconds - _FIRST_KILL_S - number * _LEAST_APART_S
    if number < 1 or free_s <= 0:
        most = int(seconds - _FIRST_KILL_S)
        raise SystemExit(f"--seconds {seconds:g} --mean-s {mean_s:g} comes to {number} kills; 1 to {most} fit.")
    times = _FIRST_KILL_S + np.sort(random.uniform(0, free_s, number)) + np.arange(number) * _LEAST_APART_S
    return [(float(at_s), int(random.integers(3))) for at_s in times]


def goodput(options: argparse.Namespace, folder: Path) -> None:
    """Print what ours and the peers get done under the same random kills."""
    kills = random_kills(options.seconds, options.mean_s, options.seed)
    clean = goodput_of(killed_at([], options.seconds, options.step_ms, folder), options.seconds)
    ours = goodput_of(killed_at(kills, options.seconds, options.step_ms, folder), options.seconds)
    rows = {"ours, no kills": clean, "ours": ours}
    for peer in peers():
        with running(peer, folder / f"goodput {peer.name}", step_ms=options.step_ms, limit_s=_LIMIT_S) as job:
            rows[peer.name] = goodput_under(job, kills, options.seconds)
    told = f"\n{len(kills)} kills in {options.seconds:g} s, after {_FIRST_KILL_S:g} s one in {options.mean_s:g} s on average"
    print(told + load())
    print(f"{'':26}{'steps':>10}{'step ms':>10}{'goodput':>10}{'of clean':>10}{'ours / it':>12}")
    for name, row in rows.items():
        of_clean = f"{row.steps / clean.steps:>10.2f}"
        print(f"{name:26}{row.steps:>10,}{row.step_ms:>10.1f}{row.goodput:>10.1%}{of_clean}{ours.goodput / row.goodput:>12.1f}")


def link(options: argparse.Namespace, folder: Path) -> None:
    """Print when the bystander hears of a cut link."""
    taken, same = cut(options.faults // 2, options.step_ms, folder)
    p50, p99, worst = _of(taken)
    default_s = default_pg_timeout.total_seconds()
    waited = {timeout_s: bystander_s(timeout_s, options.step_ms, folder / f"cut {timeout_s}") for timeout_s in (3.0, 6.0)}
    print("\nA link is silent until the bystander hears" + load())
    print(f"ours: p50 {p50:,.0f} ms, p99 {p99:,.0f}, worst {worst:,.0f} of {len(taken)}; bit-equal: {same}")
    for timeout_s, heard_s in waited.items():
        told = f"after {heard_s:.1f} s" if heard_s is not None else "not at all"
        print(f"DDP over gloo with a time-out of {timeout_s:g} s: {told}")
    print(f"so with gloo's own time-out after {default_s:,.0f} s (not waited for): {default_s * 1e3 / p50:,.0f} times ours")


def growth(options: argparse.Namespace, folder: Path) -> None:
    """Print, and plot if asked to, how the cost of ours grows with ranks and parameters."""
    training_growth.table(folder, options.plot, within_s=_GROWTH_S)


_PARTS: Final[Mapping[str, Callable[[argparse.Namespace, Path], None]]] = {
    "kill": kill,
    "freeze": freeze,
    "goodput": goodput,
    "cut": link,
    "growth": growth,
}


def main() -> None:
    """Print the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(_PARTS), default=list(_PARTS), help="these parts (default: all)")
    parser.add_argument(
        "--faults", type=int, default=6, help="kills of each (default: 6), half as many freezes and cuts of ours"
    )
    parser.add_argument("--freezes", type=int, default=1, help="of torchrun, of which each takes most of a minute (default: 1)")
    parser.add_argument("--seconds", type=float, default=25.0, help="under random kills (default: 25)")
    parser.add_argument("--mean-s", type=float, default=5.0, help="from one kill to the next on average (default: 5)")
    parser.add_argument("--step-ms", type=float, default=25.0, help="a step begins no sooner than this after the one before")
    parser.add_argument("--limit-s", type=float, default=500.0, help="no part is begun after this (default: 500)")
    parser.add_argument("--seed", type=int, default=1, help="of the times of kills")
    parser.add_argument("--plot", type=Path, help="draw the part on growth into this SVG file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        until_s = time.monotonic() + options.limit_s
        for part in options.only:
            if time.monotonic() < until_s:
                _PARTS[part](options, Path(folder))
            else:
                print(f"\nleft out after {options.limit_s:g} s: {part}; --only {part} prints it")


if __name__ == "__main__":
    main()
