"""A drill as the command line asks for it: with its seed, settings, fault plane and schedule."""

from __future__ import annotations

import shlex
from typing import Literal

import msgspec


class Invocation(msgspec.Struct, frozen=True, kw_only=True):
    """One `harness drill` of one drill. A run keeps it, so that other commands can repeat the run."""

    drill: str
    """The drill's name, or its file if no searched folder has it."""
    seed: int
    settings: tuple[str, ...] = ()
    """As given to `--set`, such as "load.rate=1000"."""
    fault_plane: Literal["embedded", "toxiproxy"] = "embedded"
    schedule: str | None = None
    """The schedule file or run folder to replay; None if the drill and the seed decide."""

    def line(self) -> str:
        """The command line, quoted for a shell."""
        words = ["harness", "drill", self.drill, "--seed", str(self.seed)]
        words += ["--fault-plane", self.fault_plane] if self.fault_plane != "embedded" else []
        words += [word for setting in self.settings for word in ("--set", setting)]
        words += ["--schedule", self.schedule] if self.schedule is not None else []
        return shlex.join(words)
