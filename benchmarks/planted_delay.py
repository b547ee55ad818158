"""Whether a real slow-down is found on this machine, and none if there is none: 10 ms in the write path of the quorum store.

`python benchmarks/planted_delay.py` commits the delay in a scratch checkout of HEAD, and prints the result of
- `harness compare` of the code with itself, and with the code that has the delay;
- five nights of the short suite `store` of `examples/nights` in one history, and a sixth one with the delay.
It takes about ten minutes. The checkout is removed at the end; `--keep DIR` keeps the history and the nights' pages.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
SUITE: Final = Path("examples") / "nights"
STORAGE: Final = Path("systems") / "quorum" / "storage.py"
WRITES: Final = "loop.call_soon(self._commit)"
DELAYED: Final = "loop.call_later(0.010, self._commit)"


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How one command ended."""

    exit_code: int
    took_s: float
    told: str
    """Its summary."""


class Checkout:
    """HEAD checked out in a folder of its own, where the delay can be committed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def plant(self) -> None:
        """Commit the delay."""
        storage = self._folder / STORAGE
        code = storage.read_text()
        if code.count(WRITES) != 1:
            raise SystemExit(f"{STORAGE} does not hold {WRITES!r} once: the delay cannot be planted")
        storage.write_text(code.replace(WRITES, DELAYED))
        who = ("-c", "user.name=planted", "-c", "user.email=planted@example.org")
        _git(self._folder, *who, "commit", "--quiet", "--no-verify", "-am", "Writes wait for 10 ms")

    def compare(self, a: str, b: str, *, seed: int, pairs: int = 10) -> Ended:
        """`harness compare` of two commits."""
        asked = ("compare", a, b, "--drill", "store/steady", "--pairs", str(pairs), "--seed", str(seed))
        return self._harness(*asked, says="why")

    def night(self, history: Path) -> Ended:
        """`harness nightly`, once."""
        asked = ("nightly", "store", "--repeats", "2", "--history", str(history), "--runs", str(history.parent / "runs"))
        return self._harness(*asked, says="summary")

    def _harness(self, *arguments: str, says: str) -> Ended:
        command = [sys.executable, "-P", "-m", "harness.cli", *arguments, "--json", "-"]
        environment = {**os.environ, "PYTHONPATH": str(self._folder)}
        began_s = time.monotonic()
        done = subprocess.run(
            command, cwd=self._folder / SUITE, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
        took_s = time.monotonic() - began_s
        try:
            told = json.loads(done.stdout)
        except json.JSONDecodeError as error:
            raise SystemExit(f"harness {' '.join(arguments)} exited with {done.returncode}: {done.stderr.strip()}") from error
        return Ended(exit_code=done.returncode, took_s=took_s, told=told[says])


@contextmanager
def checkout() -> Iterator[Checkout]:
    """HEAD of this repository, without uncommitted changes."""
    with TemporaryDirectory(prefix="harness-planted-") as scratch:
        folder = Path(scratch) / "code"
        _git(ROOT, "worktree", "add", "--detach", "--quiet", str(folder), "HEAD")
        try:
            yield Checkout(folder)
        finally:
            _git(ROOT, "worktree", "remove", "--force", str(folder))


def _git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True)  # noqa: S607 - whichever git is there


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("compare", "nights"), help="only this half")
    parser.add_argument("--nights", type=int, default=5, metavar="N", help="before the delay (5)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the comparisons (1)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the history and the pages there")
    asked = parser.parse_args(arguments)
    with TemporaryDirectory(prefix="harness-nights-") as scratch:
        kept = asked.keep or Path(scratch)
        kept.mkdir(parents=True, exist_ok=True)
        with checkout() as code:
            if asked.only != "nights":
                _say("compare the code with itself", code.compare("HEAD", "HEAD", seed=asked.seed))
            if asked.only != "compare":
                _nights(code, asked.nights, kept)
            code.plant()
            if asked.only != "compare":
                _say("the night with 10 ms in each write", code.night(kept / "history.sqlite"))
                shutil.copy(kept / "runs" / "nightly.html", kept / "delayed.html")
            if asked.only != "nights":
                _say("compare it with 10 ms in each write", code.compare("HEAD~1", "HEAD", seed=asked.seed))


def _nights(code: Checkout, nights: int, kept: Path) -> None:
    for number in range(1, nights + 1):
        _say(f"night {number}, unchanged", code.night(kept / "history.sqlite"))
    shutil.copy(kept / "runs" / "nightly.html", kept / "unchanged.html")


def _say(what: str, ended: Ended) -> None:
    print(f"{what:<38} exit {ended.exit_code}, {ended.took_s:4.0f} s: {ended.told}", flush=True)


if __name__ == "__main__":
    main()
