"""Selectors: the text that says what a fault hits, and how it is turned into nodes and links."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from random import Random
from typing import Final

from harness.model.errors import UsageError, hint
from harness.model.system import Link, Node

LEADER: Final = "leader"
"""The one selector that is resolved when its window begins, by asking the system."""


WORDS: Final = ("one", "minority", "half", "majority", "all", LEADER)
"""The selectors that are not names. Others are names of nodes, or names of links, separated by spaces."""


def _sizes(replicas: int) -> dict[str, int]:
    return {
        "one": 1,
        "minority": (replicas - 1) // 2,
        "half": replicas // 2,
        "majority": replicas // 2 + 1,
        "all": replicas,
    }


def check(selector: str, nodes: Sequence[Node], links: Sequence[Link], *, links_allowed: bool, has_leader: bool) -> None:
    """Raise `UsageError` unless `selector` chooses something in this topology."""
    replicas = sum(node.replica for node in nodes)
    sizes = _sizes(replicas)
    names = [node.name for node in nodes]
    if selector in sizes:
        if not 0 < sizes[selector] <= replicas:
            instead = "Use 'one'." if replicas else "Name a node, or leave `replica=True` on some."
            raise UsageError(f"Selector {selector!r} chooses nothing: {selector} of {replicas} replicas is none. {instead}")
    elif selector == LEADER:
        if not has_leader:
            raise UsageError("Selector 'leader': this system cannot say who leads. Use 'one' or a node's name.")
    else:
        _check_names(selector, names, [link.name for link in links], links_allowed=links_allowed)


def _check_names(selector: str, nodes: Sequence[str], links: Sequence[str], *, links_allowed: bool) -> None:
    named = selector.split() or [selector]
    known = [*nodes, *(links if links_allowed else [])]
    if not links_allowed and (link := next((name for name in named if name in links), None)) is not None:
        raise UsageError(f"Selector {selector!r}: {link!r} is a link; this fault acts on processes. Use a node's name.")
    if unknown := [name for name in named if name not in known]:
        if len(named) > 1:
            what = "node or link" if links_allowed else "node"
            raise UsageError(f"Selector {selector!r}: no {what} called {unknown[0]!r}. {hint(unknown[0], known)}")
        raise UsageError(f"No node or link called {selector!r}, and it is not a selector. {hint(selector, [*WORDS, *known])}")
    if 0 < sum(name in links for name in named) < len(named):
        raise UsageError(f"Selector {selector!r} names nodes and links. Use two faults: one for the nodes, one for the links.")


def choose(
    selector: str, nodes: Sequence[Node], links: Sequence[Link], random: Random, busy: Collection[str] = ()
) -> tuple[list[str], list[Link]]:
    """The nodes that a checked selector stands for, and the links that touch them (or just the links that it names).

    If there is a choice, `busy` nodes are chosen only if there are not enough others.
    """
    names = list(dict.fromkeys(selector.split()))
    if named := [link for link in links if link.name in names]:
        return [], named
    replicas = [node.name for node in nodes if node.replica]
    size = _sizes(len(replicas)).get(selector)
    if size is None:
        chosen = names
    else:
        free = [name for name in replicas if name not in busy]
        taken = [name for name in replicas if name in busy]
        drawn = random.sample(free, min(size, len(free))) + random.sample(taken, max(0, size - len(free)))
        chosen = sorted(drawn, key=replicas.index)
    return chosen, [link for link in links if link.source in chosen or link.target in chosen]
