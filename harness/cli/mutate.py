"""Make small changes to a system's code, one at a time, and list those that simulation does not notice."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from random import Random

import msgspec
from rich.console import Console

from harness.checkers._wording import count
from harness.cli.console import new_console
from harness.cli.load_options import whole
from harness.cli.written import STDOUT, check_writable, put
from harness.cluster.cluster import prepare
from harness.model.errors import UsageError
from harness.run import catalog
from harness.simulation.mutation.killing import Fate, Killer, Killing
from harness.simulation.mutation.mutants import Mutant, mutants_of
from harness.simulation.mutation.tree import Tree, code_of
from harness.simulation.seed_run import why_not


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which system, how many mutants, and which drills should notice them."""
    parser.add_argument("system", metavar="SYSTEM", help="a package or module of systems, such as quorum")
    parser.add_argument(
        "--file", dest="files", action="append", metavar="NAME", help="only this file of the system, such as protocol.py"
    )
    parser.add_argument(
        "--drill",
        dest="drills",
        action="append",
        metavar="NAME",
        help="simulate this drill (default: all drills of the system)",
    )
    parser.add_argument("--mutants", type=whole, default=50, metavar="N", help="number of mutants to draw (default: 50)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="seed of the draw (default: 1)")
    parser.add_argument(
        "--seeds", type=whole, default=5, metavar="N", help="simulate each drill with seeds 1 to N (default: 5)"
    )
    parser.add_argument(
        "--json", dest="json_file", type=Path, metavar="FILE", help="write each mutant's fate as JSON; - is standard output"
    )


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """A mutant and its fate: an entry of what `--json` writes."""

    file: str
    line: int
    operator: str
    before: str
    after: str
    fate: Fate
    drill: str
    """The drill that noticed it; empty if none did."""
    seconds: float


def execute(arguments: argparse.Namespace) -> int:
    """Try the mutants. 0 if all were noticed, 1 if some survived: read those, as some change nothing."""
    if arguments.json_file is not None:
        check_writable(arguments.json_file)
    console = new_console(stderr=arguments.json_file == STDOUT)
    files = _files(arguments.system, arguments.files)
    drills = arguments.drills or _drills(arguments.system)
    every = [(file, mutant) for file in files for mutant in mutants_of(file.read_text())]
    drawn = sorted(Random(arguments.seed).sample(range(len(every)), min(arguments.mutants, len(every))))
    console.print(
        f"{count(len(drawn), 'mutant')} of {len(every):,} in {count(len(files), 'file')};"
        f" {count(len(drills), 'drill')} of {count(arguments.seeds, 'seed')} each",
        markup=False,
    )
    tried: list[Tried] = []
    with tempfile.TemporaryDirectory(prefix="harness-mutants-") as folder:
        killer = Killer(Tree(Path(folder)), drills, arguments.seeds)
        _leave_out(killer, len(drills), console)
        for number in drawn:
            file, mutant = every[number]
            killing = killer.kill(file, mutant)
            tried.append(_tried(arguments.system, file, mutant, killing))
            _print(tried[-1], len(tried), len(drawn), console)
    survived = sum(one.fate == "survived" for one in tried)
    console.print(f"\n{len(tried) - survived} of {count(len(tried), 'mutant')} noticed, {survived} not")
    if arguments.json_file is not None:
        put(msgspec.json.format(msgspec.json.encode(tried), indent=2) + b"\n", arguments.json_file)
    return 1 if survived else 0


def _leave_out(killer: Killer, drills: int, console: Console) -> None:
    """Leave out drills that fail with the correct code: they say nothing about a mutant."""
    left_out = killer.measure()
    for drill, why in left_out.items():
        console.print(f"?  {drill} is left out: it does not pass with the correct code ({why})", markup=False, soft_wrap=True)
    if len(left_out) == drills:
        raise UsageError("No drill passes with the correct code, so nothing would notice a change.")


def _files(system: str, names: Sequence[str] | None) -> list[Path]:
    found = code_of(system)
    if names is None:
        return found
    known = {file.name: file for file in found}
    for name in names:
        if name not in known:
            raise UsageError(f"systems/{system} has no code in {name!r}. It has {', '.join(known)}.")
    return [known[name] for name in names]


def _drills(system: str) -> list[str]:
    """The drills of a system that can be simulated and should pass."""
    chosen = []
    for name in catalog.drill_files():
        try:
            drill = catalog.find_drill(name).drill
        except UsageError:  # `harness list` shows it with its error
            continue
        if type(drill.system).__module__.split(".")[1:2] == [system] and drill.caught_by is None and why_not(drill) is None:
            prepare(drill.system)
            chosen.append(name)
    if not chosen:
        raise UsageError(f"No drill of {system!r} can be simulated, so nothing would notice a change. Name one with --drill.")
    return chosen


def _tried(system: str, file: Path, mutant: Mutant, killing: Killing) -> Tried:
    return Tried(
        file=f"systems/{system}/{file.name}" if file.stem != system else f"systems/{file.name}",
        line=mutant.line,
        operator=mutant.operator,
        before=mutant.before,
        after=mutant.after,
        fate=killing.fate,
        drill=killing.drill,
        seconds=round(killing.seconds, 1),
    )


def _print(one: Tried, number: int, total: int, console: Console) -> None:
    where = f"{number}/{total}  {one.file}:{one.line}  {one.operator}"
    if one.fate == "survived":
        console.print(f"✘  {where}  survived {one.seconds:g} s", style="red", markup=False, soft_wrap=True)
        for sign, text in (("-", one.before), ("+", one.after)):
            console.print(f"     {sign} {' '.join(text.split())}", markup=False, highlight=False, soft_wrap=True)
    else:
        console.print(f"✔  {where}  {one.fate} by {one.drill} in {one.seconds:g} s", markup=False, soft_wrap=True)
