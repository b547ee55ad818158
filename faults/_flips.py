"""Shared parts of the faults that flip bits of a node's memory."""

from __future__ import annotations

from collections.abc import Sequence

from harness.model.environment import Environment
from harness.model.errors import UsageError, hint
from harness.model.evidence import Evidence, Targets
from harness.model.flips import NUMBER_BITS, Flips, Seen


def check(fault: str, of: str, known: Sequence[str], bit: int | None) -> None:
    """Raise `UsageError` if no value has that name, or a number has no such bit."""
    if of not in known:
        raise UsageError(f"{fault}(of={of!r}): {hint(of, known)}")
    if bit is not None and not 0 <= bit < NUMBER_BITS:
        raise UsageError(f"{fault}(bit={bit!r}): must be from 0 to {NUMBER_BITS - 1}.")


def begin(
    environment: Environment,
    targets: Targets,
    match: str,
    *,
    bits: int,
    bit: int | None,
    times: int | None,
    steady: bool = False,
) -> Evidence:
    """Flip bits on every target. Whether that does anything shows when the node next reports a matching value."""
    for name in targets.nodes:
        seed = environment.random(f"{targets.label}/{name}/flips").getrandbits(62)
        flips = Flips(match=match, seed=seed, bits=bits, bit=bit, times=times, steady=steady)
        environment.memories.flip(targets.label, name, flips)
    return Evidence(acted=None, text="")


def end(environment: Environment, targets: Targets, injected: Evidence, what: str) -> Evidence:
    """Stop flipping, and report how often each target was hit. The fault acted if it hit every target."""
    told, acted = [], True
    for name in targets.nodes:
        seen = environment.memories.seen(targets.label, name)
        environment.memories.stop(targets.label, name)
        if seen is None:
            return injected
        told.append(f"{name}: {_told(seen, what)}")
        acted = acted and seen.hit > 0
    return Evidence(acted=acted, text="; ".join(told))


def _told(seen: Seen, what: str) -> str:
    last = f", the last time {seen.last}" if seen.last else ""
    return f"bits flipped in {seen.hit} of {seen.passed} {what}{last}"
