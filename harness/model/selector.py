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
"""The selectors that are not names. Others are a node's name, a link's name, or several nodes' names separated by spaces."""


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
    link_names = [link.name for link in links]
    if selector in sizes:
        if not 0 < sizes[selector] <= replicas:
            instead = "Use 'one'." if replicas else "Name a node, or leave `replica=True` on some."
            raise UsageError(f"Selector {selector!r} chooses nothing: {selector} of {replicas} replicas is none. {instead}")
    elif selector == LEADER:
        if not has_leader:
            raise UsageError("Selector 'leader': this system cannot say who leads. Use 'one' or a node's name.")
    elif selector in link_names:
        if not links_allowed:
            raise UsageError(f"Selector {selector!r} is a link; this fault acts on processes. Use a node's name.")
    elif unknown := [name for name in selector.split() or [selector] if name not in names]:
        if len(selector.split()) > 1:
            raise UsageError(f"Selector {selector!r}: no node called {unknown[0]!r}. {hint(unknown[0], names)}")
        known = [*sizes, LEADER, *names, *(link_names if links_allowed else [])]
        raise UsageError(f"No node or link called {selector!r}, and it is not a selector. {hint(selector, known)}")


def choose(
    selector: str, nodes: Sequence[Node], links: Sequence[Link], random: Random, busy: Collection[str] = ()
) -> tuple[list[str], list[Link]]:
    """The nodes that a checked selector stands for, and the links that touch them (or just the link that it names).

    If there is a choice, `busy` nodes are chosen only if there are not enough others.
    """
    for link in links:
        if link.name == selector:
            return [], [link]
    replicas = [node.name for node in nodes if node.replica]
    size = _sizes(len(replicas)).get(selector)
    if size is None:
        chosen = list(dict.fromkeys(selector.split()))
    else:
        free = [name for name in replicas if name not in busy]
        taken = [name for name in replicas if name in busy]
        drawn = random.sample(free, min(size, len(free))) + random.sample(taken, max(0, size - len(free)))
        chosen = sorted(drawn, key=replicas.index)
    return chosen, [link for link in links if link.source in chosen or link.target in chosen]
