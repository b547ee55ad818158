"""A run's result: what `--json` writes and `result.json` holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, Protocol

import msgspec

from harness.model.errors import UsageError
from harness.model.fault_window import FaultWindow
from harness.model.invocation import Invocation
from harness.model.reasons import Reason
from harness.model.verdict import EXIT_CODES, Dependency, RunVerdict, gravest
from results.analysis.judge import SLOResult
from results.analysis.metrics import Metrics
from results.analysis.recovery import Recovery

VERSION: Final = 3
"""The format version of a run's files. Version 1 had no number and no `invocation`; up to version 2, events of trainings were
sentences. Both can still be read."""

SIMULATED: Final = "simulated"
"""The fault plane of runs on simulated machines."""


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """What one checker found. `valid` is None if it could not decide; `ops` are rows of the history's `ops`."""

    name: str
    valid: bool | None
    why: str
    ops: tuple[int, ...] = ()
    explained_until_ns: int | None = None
    """The operations done before this time have a valid order; with those done at it, they have none. None if the check does
    not look for an order."""
    cycle: tuple[Dependency, ...] = ()
    """Dependencies of transactions that contradict each other."""
    asked: bool = True
    """Whether the drill asks for it; False for what every run is checked for."""


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What the run ran on."""

    cpu: str
    cores: int
    memory_gib: float
    kernel: str
    python: str


class LoadLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The load's settings that figures depend on, besides the history."""

    seconds: float
    """The planned length of the load."""
    timeout_ms: float
    """The timeout of each call."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was concluded from a run. The evidence is the history beside it."""

    drill: str
    title: str
    seed: int
    verdict: RunVerdict
    checks: tuple[CheckResult, ...]
    slos: tuple[SLOResult, ...]
    metrics: Metrics
    recoveries: tuple[Recovery, ...]
    faults: tuple[FaultWindow, ...]
    rerun: str
    """The command line that repeats the run, for people (`invocation` is for programs); empty if there is none."""
    started_utc: str
    """ISO 8601, to the second."""
    duration_s: float
    """Wall time of the whole run, starting and stopping included."""
    machine: Machine
    versions: dict[str, str]
    """Package name to version."""
    commit: str
    fault_plane: str
    expected: Literal["pass", "fail"] = "pass"
    caught_by: str | None = None
    """The check that must catch the bug of a system that is known to be wrong."""
    version: int = 1
    """The format version of the run's files: 1 if the file does not say."""
    errors: tuple[Reason, ...] = ()
    """Why calls of the load were not done, the most frequent reason first; empty in version 1."""
    definition: str = ""
    """A digest of the drill, which tells runs of an edited drill from earlier ones; empty in older files."""
    invocation: Invocation | None = None
    """How to repeat the run, for programs; None in version 1, and if the drill was not run from a file."""
    load: LoadLimits | None = None
    """None in older files."""

    @property
    def caught(self) -> bool:
        """Whether the check that must catch the bug did."""
        return any(check.name == self.caught_by and check.valid is False for check in self.checks)

    @property
    def as_expected(self) -> bool:
        """Whether the run ended as its drill expects."""
        return self.verdict == "pass" if self.expected == "pass" else self.caught


class Judged(Protocol):
    """What the results of all kinds of runs with faults have in common."""

    @property
    def checks(self) -> tuple[CheckResult, ...]: ...
    @property
    def slos(self) -> tuple[SLOResult, ...]: ...
    @property
    def faults(self) -> tuple[FaultWindow, ...]: ...
    @property
    def recoveries(self) -> tuple[Recovery, ...]: ...


def verdict_of(checks: Sequence[CheckResult], slos: Sequence[SLOResult]) -> RunVerdict:
    """One verdict from all results: wrong behaviour outweighs an undecided check, which outweighs a missed SLO.

    If there are no results, nothing was judged, and the verdict is unknown.
    """
    if any(check.valid is False for check in checks):
        return "fail"
    if any(check.valid is None for check in checks):
        return "unknown"
    if any(slo.ok is False for slo in slos):
        return "slo"
    if any(slo.ok is None for slo in slos) or not (checks or slos):
        return "unknown"
    return "pass"


def exit_code(results: Sequence[Result]) -> int:
    """The exit code of the gravest verdict."""
    return EXIT_CODES[gravest(result.verdict for result in results)]


def suite_exit_code(results: Sequence[Result]) -> int:
    """0 if every run ended as its drill expects, else the exit code of the gravest run that did not.

    A known bug that was not caught counts as wrong behaviour, unless the run is itself unknown or missed an SLO.
    """
    wrong = (result.verdict for result in results if not result.as_expected)
    return EXIT_CODES[gravest("fail" if verdict == "pass" else verdict for verdict in wrong)]


def encode(result: Result) -> bytes:
    """The result as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n"


class _Version(msgspec.Struct):
    version: int = 1


def decode(text: bytes, source: str) -> Result:
    """The result that `encode` wrote, now or in an earlier version. Raises `UsageError`, naming `source`, if it is none."""
    try:
        version = msgspec.json.decode(text, type=_Version).version
        if version > VERSION:
            raise UsageError(f"{source} is of version {version}; this harness reads up to version {VERSION}. Update it.")
        return msgspec.json.decode(text, type=Result)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{source} is not a run's result: {error}.") from error
