"""Run two systems in turn and say which is better, or which differences can be excluded."""

from __future__ import annotations

import argparse
import secrets
import shlex
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Final

from rich.console import Console
from rich.status import Status

from harness.cli.load_options import whole
from harness.cli.running import INTERRUPTED, console_for
from harness.cli.written import check_writable, put
from harness.model.errors import UsageError
from harness.model.verdict import EXIT_CODES
from harness.run import catalog, provenance
from harness.run.comparing import Pair, pairs_of
from harness.run.sides import AS_IS, HERE, Side, kind_of, two_sides, words_of
from harness.run.spec import SEED_BITS
from results.record.nights.figures import RATE
from results.report.compare_terminal import pair_line, print_comparison
from results.trends.comparison import ComparisonResult, LeftOut, encode, metric_of
from results.trends.pairs import ALPHA, Comparison, Look, Subject
from results.trends.series import Metric

_LEAST_PAIRS: Final = 8
"""Fewer cannot show a difference, however large: seven pairs all point the same way by chance in 1.6% of cases."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The two sides, and what to run."""
    sides = (
        f"a commit, {HERE} for the working tree, settings ('load.rate=500'; {AS_IS} for none), embedded, toxiproxy, or a URL"
    )
    parser.add_argument("a", metavar="A", help=sides)
    parser.add_argument("b", metavar="B", help="the same kind of side as A: is it worse than A?")
    parser.add_argument(
        "--drill",
        dest="drills",
        action="append",
        default=[],
        metavar="NAME",
        help="the drill to run; may be given several times",
    )
    parser.add_argument(
        "--both",
        default="",
        metavar="OPTIONS",
        help="options of `harness drill`, or of `harness load`, for both sides: --both='--set load.seconds=5'",
    )
    parser.add_argument(
        "--pairs", type=whole, default=10, metavar="N", help=f"maximum number of pairs, at least {_LEAST_PAIRS} (default: 10)"
    )
    parser.add_argument("--seed", type=int, metavar="N", help="seed of the first pair; the next pair uses N+1, …")
    parser.add_argument(
        "--json", dest="json_file", type=Path, metavar="FILE", help="write the result as JSON; - is standard output"
    )


def execute(arguments: argparse.Namespace) -> int:
    """Run pairs until they decide, or until the maximum.

    1 if a run showed wrong behaviour; 3 if B is worse than A; 4 if too few pairs count; else 0.
    """
    console = console_for(arguments)
    drills = _drills(arguments)
    if arguments.pairs < _LEAST_PAIRS:
        raise UsageError(f"--pairs {arguments.pairs}: fewer than {_LEAST_PAIRS} cannot show any difference. Ask for more.")
    both = words_of(arguments.both)
    if arguments.json_file is not None:
        check_writable(arguments.json_file)
    seed = secrets.randbits(SEED_BITS) if arguments.seed is None else arguments.seed
    started = datetime.now(UTC).isoformat(timespec="seconds")
    with two_sides(arguments.a, arguments.b) as sides, TemporaryDirectory(prefix="harness-compare-") as scratch:
        progress = _Progress(console, arguments.pairs, drills)
        state = _State(arguments.pairs)
        try:
            with progress.shown():
                for pair in pairs_of(sides, drills, seed, Path(scratch), both, progress.on_run):
                    state.take(pair)
                    if pair.number >= 0:
                        console.print(
                            pair_line(pair.number + 1, _by_subject(pair), pair.not_counted), markup=False, soft_wrap=True
                        )
                    if state.over:
                        break
        except KeyboardInterrupt:
            state.interrupted = True
        result = _result(state, sides, drills, seed, started, arguments)
    if arguments.json_file is not None:
        put(encode(result), arguments.json_file)
    print_comparison(result, console)
    return result.exit_code


def _drills(arguments: argparse.Namespace) -> list[str]:
    if kind_of(arguments.a) == "url":
        if arguments.drills:
            raise UsageError("--drill does not apply to URLs, which get plain load. Leave it out.")
        return [""]
    if not arguments.drills:
        raise UsageError("Which drill? For example: harness compare main . --drill quorum/healthy")
    return [catalog.find_drill(name).name for name in arguments.drills]


def _by_subject(pair: Pair) -> dict[Subject, tuple[float, float]]:
    return {
        Subject(drill=drill, metric=Metric(name=of.name, unit=of.unit, better=of.better)): values
        for (drill, of), values in pair.values.items()
    }


def _idle(pair: Pair) -> str:
    """Say in which drill no call was done on either side, so that there is nothing to compare; empty if there is none."""
    idle = [drill for (drill, of), rates in pair.values.items() if of == RATE and rates == (0.0, 0.0)]
    return f"no call was done on either side{f' in {idle[0]}' if idle[0] else ''}" if idle else ""


class _State:
    """The pairs so far, and what they show."""

    def __init__(self, most_pairs: int) -> None:
        self._most = most_pairs
        self._comparison = Comparison(most_pairs)
        self.look: Look | None = None
        self.left_out: list[LeftOut] = []
        self.wrong: tuple[str, ...] = ()
        self.interrupted = False

    @property
    def pairs(self) -> int:
        return self._comparison.pairs

    @property
    def over(self) -> bool:
        hopeless = len(self.left_out) > self._most
        return bool(self.wrong) or hopeless or self.pairs >= self._most or (self.look is not None and self.look.decided)

    def take(self, pair: Pair) -> None:
        """Add a pair. The warm-up counts only if it showed wrong behaviour."""
        self.wrong += pair.wrong
        if pair.number < 0 or pair.wrong:
            return
        if why := pair.not_counted or _idle(pair):
            self.left_out.append(LeftOut(pair=pair.number + 1, why=why))
        else:
            self.look = self._comparison.add(_by_subject(pair))

    def verdict(self) -> tuple[int, str]:
        """The exit code, and why."""
        if self.wrong:
            return EXIT_CODES["fail"], "Wrong behaviour; performance does not matter until that is fixed."
        counted = f"{self.pairs} {'pair' if self.pairs == 1 else 'pairs'}"
        if self.look is not None and self.look.regressed:
            worse = ", ".join(dict.fromkeys(one.subject.metric.name for one in self.look.compared if one.verdict == "worse"))
            return EXIT_CODES["slo"], f"B is worse than A, after {counted}: {worse}."
        if self.interrupted:
            return INTERRUPTED, f"Interrupted after {counted}: not decided."
        if self.look is None or (self.pairs < self._most and not self.look.decided):
            return EXIT_CODES["unknown"], f"Unknown: only {counted} count; {len(self.left_out)} do not."
        better = any(one.verdict == "better" for one in self.look.compared)
        return 0, f"B is no worse than A{', and better in some' if better else ''}, as far as {counted} can tell."


def _result(
    state: _State, sides: tuple[Side, Side], drills: list[str], seed: int, started: str, arguments: argparse.Namespace
) -> ComparisonResult:
    code, why = state.verdict()
    words = ["harness", "compare", arguments.a, arguments.b]
    words += [word for name in drills if name for word in ("--drill", name)]
    words += ["--pairs", str(arguments.pairs), "--seed", str(seed), *([f"--both={arguments.both}"] if arguments.both else [])]
    return ComparisonResult(
        a=sides[0].label,
        b=sides[1].label,
        drills=tuple(drills),
        exit_code=code,
        why=why,
        pairs=state.pairs,
        most_pairs=arguments.pairs,
        alpha=ALPHA,
        metrics=tuple(metric_of(one) for one in state.look.compared) if state.look is not None else (),
        left_out=tuple(state.left_out),
        wrong=state.wrong,
        interrupted=state.interrupted,
        seed=seed,
        started_utc=started,
        machine=provenance.machine(),
        rerun=shlex.join(words),
    )


class _Progress:
    """Shows the current run, on one line of a terminal."""

    def __init__(self, console: Console, pairs: int, drills: list[str]) -> None:
        self._status = Status("", console=console)
        self._console = console
        self._pairs = pairs
        self._runs = 2 * len(drills)
        self._began_s = monotonic()
        self._done = 0

    def shown(self) -> Status | nullcontext[None]:
        return self._status if self._console.is_terminal else nullcontext()

    def on_run(self, number: int, side: Side, drill: str) -> None:
        """A run begins."""
        left = ""
        if self._done:
            each_s = (monotonic() - self._began_s) / self._done
            left = f", at most {each_s * (self._runs * (self._pairs + 1) - self._done) / 60:.0f} min left"
        place = "warming up" if number < 0 else f"pair {number + 1} of {self._pairs}"
        self._status.update(f"{place}: {drill + ' of ' if drill else ''}{side.label}{left}")
        self._done += 1
