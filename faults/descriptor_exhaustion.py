"""DescriptorExhaustion: a process can open no more files or connections; those it has go on."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Collection
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import ClassVar, Final

from harness.model.environment import Environment
from harness.model.errors import FaultError, UsageError
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Aim, Fault
from harness.model.window_work import over_within, seen_on_each, unless_over

_LOOK_AGAIN_S: Final = 0.01
_ANSWER_S: Final = 0.5
"""A new connection without an answer after this long counts as unanswered."""


@dataclass(frozen=True)
class DescriptorExhaustion(Fault):
    """The node can open only `spare` more file descriptors: its limit is lowered from outside (RLIMIT_NOFILE).

    Models a leak, or more peers than planned for. A growing fleet runs into an operating system's limit per process, as AWS
    Kinesis did in November 2020 with its limit on threads ("Summary of the Amazon Kinesis Event in the Northern Virginia
    (US-EAST-1) Region").
    """

    spare: int = 0

    aims_at: ClassVar[Aim] = "nodes"
    on_process_limits: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0 <= self.spare <= 1_000_000:
            raise UsageError(f"DescriptorExhaustion(spare={self.spare}): must be a number of descriptors, 0 to 1,000,000.")

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        limited = [self._limit(environment, name, targets.label) for name in targets.nodes]
        environment.background.begin(
            targets.label, lambda over: seen_on_each(_watch(environment, one, over) for one in limited)
        )
        return Evidence(acted=None, text="")

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        """Evidence is that the node was seen with no descriptor left, because the kernel then refuses it another."""
        try:
            seen = await environment.background.end(targets.label)
        finally:
            environment.processes.unlimit(targets.label)
        return seen or injected

    def _limit(self, environment: Environment, name: str, label: str) -> _Limited:
        pid = environment.processes.pid(name)
        try:
            limit = limit_that_leaves(self.spare, descriptors(pid))
            environment.processes.limit(name, resource.RLIMIT_NOFILE, label, limit)
        except (FaultError, OSError) as error:
            raise FaultError(f"the descriptors of {name} could not be limited: {error}") from error
        return _Limited(name, pid, limit)


@dataclass(frozen=True)
class _Limited:
    """One node whose descriptors are limited."""

    name: str
    pid: int
    limit: int


def limit_that_leaves(spare: int, open_: Collection[int]) -> int:
    """The limit below which `spare` descriptors are free: the kernel limits the largest number, not the count."""
    return next(islice((number for number in count() if number not in open_), spare, None))


def descriptors(pid: int) -> set[int]:
    """The numbers of a process's open descriptors. Raises `OSError` if it has ended or may not be inspected."""
    return {int(entry.name) for entry in Path(f"/proc/{pid}/fd").iterdir()}


async def _watch(environment: Environment, limited: _Limited, over: asyncio.Event) -> tuple[bool, str]:
    most, asked, stood, end, done = 0, "", True, "", False
    try:
        while not done:
            done = await over_within(over, _LOOK_AGAIN_S)
            used = sum(number < limited.limit for number in descriptors(limited.pid))
            most = max(most, used)
            stood = stood and environment.processes.limit_of(limited.name, resource.RLIMIT_NOFILE) <= limited.limit
            if used == limited.limit and not asked and not done:
                asked = await unless_over(over, _new_connection(environment, limited.name)) or ""
    except (FaultError, OSError):  # the kernel lets only root inspect a process that has ended and is not reaped yet
        end = " until it ended"
    lifted = "" if stood else "; it lifted its own limit"
    text = f"{limited.name} had {most} of {limited.limit} descriptors open{end}{asked}{lifted}"
    return stood and most == limited.limit, text


async def _new_connection(environment: Environment, name: str) -> str:
    """Describe what became of a connection made while there were no descriptors left."""
    try:
        await environment.processes.answer_ms(name, _ANSWER_S)
    except FaultError as error:
        return f", and a new connection was not answered ({error})"
    return ", and a new connection was answered in place of one that had closed"
