"""Make small changes to a system's code, one at a time, and list those that simulation does not notice."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Final

import msgspec
from rich.console import Console

from harness.checkers._wording import count
from harness.cli.console import new_console
from harness.cli.load_options import whole
from harness.cli.seeds import simulatable
from harness.cli.written import STDOUT, check_writable, put
from harness.cluster.cluster import prepare
from harness.cluster.interrupts import run_to_its_end
from harness.model.errors import UsageError
from harness.run import catalog
from harness.simulation.mutation.killing import Fate, Killer, Killing
from harness.simulation.mutation.mutants import Mutant, mutants_of
from harness.simulation.mutation.tree import Tree, code_of, name_of
from harness.simulation.seed_run import why_not

_UNNOTICED: Final[tuple[Fate, ...]] = ("survived", "unreached")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which systems, how many mutants, and which drills should notice them."""
    parser.add_argument("systems", nargs="+", metavar="SYSTEM", help="a package or module of systems, such as quorum")
    parser.add_argument(
        "--file",
        dest="files",
        action="append",
        metavar="NAME",
        help="only this file of the systems, such as protocol.py, or of what they share, such as parts/breaker.py",
    )
    parser.add_argument(
        "--drill",
        dest="drills",
        action="append",
        metavar="NAME",
        help="simulate this drill (default: all drills of the systems)",
    )
    parser.add_argument("--mutants", type=whole, default=50, metavar="N", help="number of mutants to draw (default: 50)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="seed of the draw (default: 1)")
    parser.add_argument(
        "--seeds", type=whole, default=5, metavar="N", help="simulate each drill with N seeds of its own (default: 5)"
    )
    parser.add_argument(
        "--again",
        type=Path,
        metavar="FILE",
        help="try only the mutants that nothing noticed according to FILE, which an earlier --json wrote",
    )
    parser.add_argument(
        "--json",
        dest="json_file",
        type=Path,
        metavar="FILE",
        help="write each mutant's fate as JSON, after each of them; - is standard output, at the end",
    )


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """A mutant and its fate: an entry of what `--json` writes."""

    file: str
    line: int
    operator: str
    before: str
    after: str
    nth: int
    fate: Fate
    drill: str
    """The drill that noticed it; empty if none did."""
    why: str
    """What was noticed."""
    differed: int
    """The number of runs that differed from those of the original code."""
    runs: int
    seconds: float

    def is_of(self, file: str, mutant: Mutant) -> bool:
        """Whether it is about this mutant, even if the mutant is on another line by now."""
        return (self.file, self.before, self.after, self.nth) == (file, mutant.before, mutant.after, mutant.nth)


def execute(arguments: argparse.Namespace) -> int:
    """Try the mutants. 0 if all were noticed, 1 if some survived: read those, as some change nothing."""
    again = None if arguments.again is None else _survivors(arguments.again)
    if arguments.json_file is not None:
        check_writable(arguments.json_file)
    console = new_console(stderr=arguments.json_file == STDOUT)
    files = _files(arguments.systems, arguments.files)
    drills = [simulatable(name).again for name in arguments.drills or ()] or _drills(arguments.systems)
    every = [(file, mutant) for file in files for mutant in mutants_of(file.read_text(encoding="utf-8"))]
    if again is not None:
        every = [(file, mutant) for file, mutant in every if any(one.is_of(name_of(file), mutant) for one in again)]
    drawn = sorted(Random(arguments.seed).sample(range(len(every)), min(arguments.mutants, len(every))))
    console.print(
        f"{count(len(drawn), 'mutant')} of {len(every):,} in {count(len(files), 'file')};"
        f" {count(len(drills), 'drill')} of {count(arguments.seeds, 'seed')} each",
        markup=False,
    )
    with tempfile.TemporaryDirectory(prefix="harness-mutants-") as folder:
        killer = Killer(Tree(Path(folder)), files, drills, arguments.seeds)
        tried = run_to_its_end(_try([every[number] for number in drawn], killer, arguments.json_file, console))
    unnoticed = [one for one in tried if one.fate in _UNNOTICED]
    unreached = sum(one.fate == "unreached" for one in unnoticed)
    console.print(
        f"\n{len(tried) - len(unnoticed)} of {count(len(tried), 'mutant')} noticed, {len(unnoticed)} not"
        + (f"; of these, {unreached} are in lines that no run reaches" if unreached else "")
    )
    if arguments.json_file == STDOUT:
        _write(tried, STDOUT)
    return 1 if unnoticed else 0


async def _try(drawn: Sequence[tuple[Path, Mutant]], killer: Killer, json_file: Path | None, console: Console) -> list[Tried]:
    left_out = await killer.measure()
    for run, why in left_out.items():
        console.print(f"?  {run} is left out: it does not pass with the right code ({why})", markup=False, soft_wrap=True)
    if not killer.runs:
        raise UsageError("No drill passes with the right code, so nothing would notice a change.")
    tried: list[Tried] = []
    for file, mutant in drawn:
        tried.append(_tried(file, mutant, await killer.kill(file, mutant)))
        _print(tried[-1], len(tried), len(drawn), console)
        if json_file not in (None, STDOUT):
            _write(tried, json_file)
    return tried


def _write(tried: Sequence[Tried], file: Path) -> None:
    put(msgspec.json.format(msgspec.json.encode(tried), indent=2) + b"\n", file)


def _survivors(file: Path) -> list[Tried]:
    try:
        tried = msgspec.json.decode(file.read_bytes(), type=list[Tried])
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} is not what `harness mutate --json` writes: {error}") from error
    return [one for one in tried if one.fate in _UNNOTICED]


def _files(systems: Sequence[str], names: Sequence[str] | None) -> list[Path]:
    found = [file for system in systems for file in code_of(system)]
    if names is None:
        return found
    chosen = []
    for name in names:
        package, slash, _ = name.partition("/")
        known = code_of(package) if slash else found
        named = [file for file in known if name in (file.name, name_of(file).removeprefix("systems/"))]
        if not named:
            which = " and ".join(f"systems/{system}" for system in ([package] if slash else systems))
            raise UsageError(f"{which} has no code in {name!r}. It has {', '.join(file.name for file in known)}.")
        chosen += named
    return chosen


def _drills(systems: Sequence[str]) -> list[str]:
    """The drills of the systems that can be simulated and should pass."""
    chosen = []
    for name in catalog.drill_files():
        try:
            drill = catalog.find_drill(name).drill
        except UsageError:  # `harness list` shows it with its error
            continue
        of = type(drill.system).__module__.partition(".")[2].partition(".")[0]
        if of in systems and drill.caught_by is None and why_not(drill) is None:
            prepare(drill.system)
            chosen.append(name)
    if not chosen:
        told = " or ".join(map(repr, systems))
        raise UsageError(f"No drill of {told} can be simulated, so nothing would notice a change. Name one with --drill.")
    return chosen


def _tried(file: Path, mutant: Mutant, killing: Killing) -> Tried:
    return Tried(
        file=name_of(file),
        line=mutant.line,
        operator=mutant.operator,
        before=mutant.before,
        after=mutant.after,
        nth=mutant.nth,
        fate=killing.fate,
        drill=killing.drill,
        why=killing.why,
        differed=killing.differed,
        runs=killing.runs,
        seconds=round(killing.seconds, 1),
    )


def _print(one: Tried, number: int, total: int, console: Console) -> None:
    where = f"{number}/{total}  {one.file}:{one.line}  {one.operator}"
    if one.fate not in _UNNOTICED:
        told = f"✔  {where}  {one.fate} by {one.drill} in {one.seconds:g} s"
        console.print(f"{told}: {one.why}", markup=False, soft_wrap=True)
        return
    ran = f"survived {count(one.runs, 'run')} in {one.seconds:g} s, of which {one.differed} went otherwise"
    told = "no run reaches it" if one.fate == "unreached" else ran
    console.print(f"✘  {where}  {told}", style="red", markup=False, soft_wrap=True)
    for sign, text in (("-", one.before), ("+", one.after)):
        console.print(f"     {sign} {' '.join(text.split())}", markup=False, highlight=False, soft_wrap=True)
