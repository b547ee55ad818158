"""Whether simulation notices a mutant: drills of its system are simulated, with a few seeds each, until one is not well."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from harness.simulation.mutation.mutants import Mutant
from harness.simulation.mutation.tree import Tree

_SLACK_S: Final = 30.0
"""A drill of a mutant may take this much longer than ten times what it takes with the right code."""

Fate = Literal["killed", "timed out", "survived"]


@dataclass(frozen=True)
class Killing:
    """What became of one mutant."""

    fate: Fate
    drill: str
    """That noticed it; empty if none did."""
    seconds: float


class Killer:
    """Simulates the drills of a system in a copy of the code. Not for several threads at once."""

    def __init__(self, tree: Tree, drills: Sequence[str], seeds: int, settings: Sequence[str] = ()) -> None:
        self._tree = tree
        self._seeds = seeds
        self._settings = [argument for setting in settings for argument in ("--set", setting)]
        self._usual_s = dict.fromkeys(drills, 0.0)
        self._kills: Counter[str] = Counter(dict.fromkeys(drills, 0))

    def measure(self) -> dict[str, str]:
        """Simulate the right code. Drills that are not well with it are left out; returns what they said, by drill."""
        left_out = {}
        for drill in list(self._usual_s):
            begun_s = time.monotonic()
            code, said = self._simulate(drill, None)
            self._usual_s[drill] = time.monotonic() - begun_s
            if code != 0:
                left_out[drill] = f"exit code {code}: {said}"
                del self._usual_s[drill], self._kills[drill]
        return left_out

    def kill(self, file: Path, mutant: Mutant) -> Killing:
        """Change the copy of the file, simulate, and change it back. The drill that has noticed most so far comes first."""
        copied, source, begun_s = self._tree.place(file), file.read_text(), time.monotonic()
        copied.write_text(mutant.applied(source))
        try:
            for drill, _ in self._kills.most_common():
                code, _ = self._simulate(drill, 10 * self._usual_s[drill] + _SLACK_S)
                if code != 0:
                    self._kills[drill] += 1
                    return Killing("timed out" if code is None else "killed", drill, time.monotonic() - begun_s)
        finally:
            copied.write_text(source)
        return Killing("survived", "", time.monotonic() - begun_s)

    def _simulate(self, drill: str, limit_s: float | None) -> tuple[int | None, str]:
        """The exit code, None if it took too long, and the last line that was said."""
        command = [
            sys.executable, "-P", "-m", "harness.cli", "simulate", drill, "--seeds", str(self._seeds), "--jobs", "1",
            "--shrink", "0", "--runs", str(self._tree.users / "runs"), *self._settings,
        ]  # fmt: skip
        try:
            done = subprocess.run(
                command, cwd=self._tree.users, env=self._tree.environment(), capture_output=True, text=True, check=False,
                timeout=limit_s,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return None, ""
        return done.returncode, next(iter((done.stderr or done.stdout).strip().splitlines()[-1:]), "")
