"""Before a run, the harness says which guarantees a system gives up with its settings."""

from __future__ import annotations

import io

from rich.console import Console

from harness.cli.running import say_caveats
from harness.run.catalog import find_drill


def said(drill: str, settings: tuple[str, ...] = ()) -> str:
    console = Console(file=io.StringIO(), width=80)
    say_caveats(drill, find_drill(drill, settings).drill, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_system_whose_quorums_need_not_meet_says_so() -> None:
    assert said("quorum/isolated", ("system.read=1",)).startswith("! quorum/isolated: read + write = 1 + 2 is not more than 3")
    assert said("quorum/sloppy").startswith("! quorum/sloppy: sloppy: nodes that stand in")


def test_nothing_is_said_of_others() -> None:
    assert said("quorum/isolated") == ""
    assert said("serving/replica_crash") == ""
