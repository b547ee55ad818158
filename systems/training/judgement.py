"""Decides which members computed wrongly, from the statements of a group about a step. Pure.

A shard's gradient is a function of (seed, step, shard), and a step is a function of the step before, so right answers are equal
bit for bit. All members get the same answers and reach the same judgement.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

OUTLIER: Final = 1000.0
"""A gradient this many times as long as the median of its step is computed again. That alone blames no member."""


@dataclass(frozen=True, kw_only=True)
class Audit:
    """A shard that two members compute: its owner and its auditor, by their places in the group."""

    shard: int
    owner: int
    auditor: int


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """Members that are wrong, by their places in the group; empty if some are, but which ones is unknown."""

    ranks: frozenset[int]
    why: str


def audit_of(step: int, every: int, dealt: Sequence[Sequence[int]]) -> Audit | None:
    """The audit of a step; None if there is none.

    Audits take turns: each member is audited once in `every` steps times the number of members, by each of the others in turn,
    and for each of its shards in turn. `dealt` are the shards of each member.
    """
    world = len(dealt)
    if every < 1 or step % every or world < 2:
        return None
    turn, owner = divmod(step // every, world)
    shards = dealt[owner]
    return Audit(shard=shards[turn % len(shards)], owner=owner, auditor=(owner + 1 + turn % (world - 1)) % world)


def judged_states(left: Sequence[int], held: Sequence[int]) -> Wrong | None:
    """The judgement from the checksums of each member's state after the last step, and at the beginning of this one."""
    changed = frozenset(rank for rank, (before, now) in enumerate(zip(left, held, strict=True)) if before != now)
    if changed:
        return Wrong(ranks=changed, why="its parameters or its optimizer's state changed between two steps")
    if len(set(left)) == 1:
        return None
    value, number = Counter(left).most_common(1)[0]
    others = frozenset(rank for rank, mine in enumerate(left) if mine != value)
    why = "applied the same gradients and got other parameters"
    return Wrong(ranks=others if 2 * number > len(left) else frozenset(), why=why)


def judged_claims(claims: Mapping[int, Sequence[int]]) -> Wrong | None:
    """The judgement from the checksums of one shard's gradient that members computed, each once or more often.

    What most of them computed is right, if they are at least two. Between two that contradict each other, the one that
    contradicts itself is wrong.
    """
    by_value: dict[int, set[int]] = defaultdict(set)
    for rank, values in claims.items():
        for value in values:
            by_value[value].add(rank)
    if len(by_value) == 1:
        return None
    ranked = sorted(by_value.items(), key=lambda pair: -len(pair[1]))
    (right, supporters), (_, next_supporters) = ranked[0], ranked[1]
    fickle = frozenset(rank for rank, values in claims.items() if len(set(values)) > 1)
    if len(supporters) > 1 and len(supporters) > len(next_supporters):
        return Wrong(ranks=frozenset(rank for rank, values in claims.items() if set(values) != {right}), why="")
    return Wrong(ranks=fickle if len(fickle) < len(claims) else frozenset(), why="")


def outlier_of(lengths: Sequence[float]) -> int | None:
    """The place of the first gradient that is not a number, or far longer than the others, from all gradients' lengths."""
    finite = sorted(length for length in lengths if length < float("inf"))  # NaN is not
    median = finite[len(finite) // 2] if finite else 0.0
    limit = OUTLIER * median if median else float("inf")
    return next((place for place, length in enumerate(lengths) if not length <= limit or length == float("inf")), None)
