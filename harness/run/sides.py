"""The two sides of a comparison: what the command line names, and how each run is started as a separate command."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Literal

from harness import roots
from harness.model.errors import HarnessError, UsageError

AS_IS: Final = "as-is"
"""The drill without any setting."""
HERE: Final = "."
"""The working tree as it is, changes included."""
_PLANES: Final = ("embedded", "toxiproxy")
Kind = Literal["url", "plane", "settings", "code"]


@dataclass(frozen=True, kw_only=True)
class Side:
    """One side, ready to run."""

    label: str
    url: str | None = None
    """The URL for `harness load`; None for a drill."""
    options: tuple[str, ...] = ()
    """Options of this side's command, besides those that both sides have."""
    folder: Path | None = None
    """The working directory: a checkout of the commit; None for this one."""

    def command(self, drill: str, seed: int, result: Path, runs: Path, extra: Sequence[str]) -> list[str]:
        """The command of one run, which writes its result as JSON."""
        asked = ["load", self.url, *extra] if self.url is not None else ["drill", drill, *extra, *self.options]
        program = [sys.executable, "-P", "-m", "harness.cli"]
        return [*program, *asked, "--seed", str(seed), "--json", str(result), "--runs", str(runs)]

    def environment(self) -> dict[str, str]:
        """The environment of its runs. Modules come from the checkout, the harness included if it is the harness's own."""
        if self.folder is None:
            return roots.environment()
        top, here = _git("rev-parse", "--show-toplevel", cwd=self.folder), _git("rev-parse", "--show-toplevel")
        given = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
        others = [entry for entry in given if not Path(entry).resolve().is_relative_to(here)]
        own = top if (Path(top) / "harness" / "__init__.py").is_file() else str(Path(roots.__file__).parent.parent)
        return {**os.environ, "PYTHONPATH": os.pathsep.join([own, *others])}


def words_of(text: str) -> list[str]:
    """The words of a text as a shell would split it. Raises `UsageError` if it cannot be split."""
    try:
        return shlex.split(text)
    except ValueError as error:  # a quotation mark, or a backslash, that nothing follows
        raise UsageError(f"{text!r} cannot be split into words: {error}.") from error


def kind_of(name: str) -> Kind:
    """What kind of side a name on the command line means."""
    if name.startswith(("http://", "https://")):
        return "url"
    if name in _PLANES:
        return "plane"
    return "settings" if name == AS_IS or "=" in name else "code"


@contextmanager
def two_sides(a: str, b: str) -> Iterator[tuple[Side, Side]]:
    """Both sides. Commits are checked out in a scratch folder, which is always removed at the end.

    Raises `UsageError` if the sides are of different kinds, or if a commit is not known.
    """
    kinds = kind_of(a), kind_of(b)
    if kinds[0] != kinds[1]:
        raise UsageError(f"{a} is {_WORDS[kinds[0]]} and {b} is {_WORDS[kinds[1]]}: these cannot be compared.")
    with ExitStack() as stack:
        yield stack.enter_context(_side(a)), stack.enter_context(_side(b))


_WORDS: Final = {
    "url": "a URL",
    "plane": "a fault plane",
    "settings": "a setting of a drill",
    "code": "a commit",
}


@contextmanager
def _side(name: str) -> Iterator[Side]:
    match kind_of(name):
        case "url":
            yield Side(label=name, url=name)
        case "plane":
            yield Side(label=name, options=("--fault-plane", name))
        case "settings":
            words = [] if name == AS_IS else words_of(name)
            yield Side(label=name, options=tuple(word for setting in words for word in ("--set", setting)))
        case "code" if name == HERE:
            yield Side(label="the working tree")
        case "code":
            with _checkout(name) as (commit, folder):
                yield Side(label=name if name == commit else f"{name} ({commit})", folder=folder)


@contextmanager
def _checkout(name: str) -> Iterator[tuple[str, Path]]:
    try:
        commit = _git("rev-parse", "--verify", "--short=12", "--end-of-options", f"{name}^{{commit}}")
    except HarnessError as error:
        raise UsageError(
            f"{name!r} is not a commit here ({error}). A side is a commit, {HERE!r} for the working tree, settings such as"
            f" 'load.rate=500', {AS_IS!r} for none, {' or '.join(_PLANES)}, or a URL."
        ) from error
    place = _git("rev-parse", "--show-prefix")
    with TemporaryDirectory(prefix="harness-compare-") as scratch:
        folder = Path(scratch) / "code"
        _git("worktree", "add", "--detach", "--quiet", str(folder), commit)
        try:
            inside = folder / place
            if not inside.is_dir():
                raise UsageError(f"There is no folder {place} in {name}. Run this in a folder that both commits have.")
            yield commit, inside
        finally:
            _git("worktree", "remove", "--force", str(folder))


def _git(*arguments: str, cwd: Path | None = None) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments],  # noqa: S607 - whichever git is there
            cwd=cwd,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise UsageError("Comparing commits needs git, which is not installed.") from error
    if done.returncode != 0:
        raise HarnessError(f"git: {(done.stderr.strip() or 'failed').splitlines()[-1]}")
    return done.stdout.strip()
