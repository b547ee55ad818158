"""What is filled into the argument vector of a foreign program: where it listens, where its files are, how it reaches others.

    {host} {port} {data}                               its own
    {internal_port}                                    its own for other nodes, if it has one: see `Node.internal`
    {peer:NAME} {peer_host:NAME} {peer_port:NAME}      of a peer, as its link is reached: host:port, or either half

Anything else in braces stays as it is, for arguments may be JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

INTERNAL: Final = "internal_port"

_OWN: Final = "|".join(("host", "port", "data", INTERNAL))
_PLACEHOLDER: Final = re.compile(rf"\{{(?:(?P<own>{_OWN})|(?P<what>peer|peer_host|peer_port):(?P<peer>[^{{}}]*))\}}")


def peers_in(command: Iterable[str]) -> list[str]:
    """The peers whose addresses a command asks for, in their order."""
    return [match["peer"] for part in command for match in _PLACEHOLDER.finditer(part) if match["what"]]


def own_in(command: Iterable[str]) -> set[str]:
    """Which of its own values a command asks for."""
    return {match["own"] for part in command for match in _PLACEHOLDER.finditer(part) if match["own"]}


def filled(part: str, *, own: Mapping[str, str], peers: Mapping[str, tuple[str, int]]) -> str:
    """One argument with its placeholders filled in; `own` has "host", "port", "data", and `INTERNAL` if asked for."""

    def value(match: re.Match[str]) -> str:
        if match["own"]:
            return own[match["own"]]
        host, port = peers[match["peer"]]
        return {"peer": f"{host}:{port}", "peer_host": host, "peer_port": str(port)}[match["what"]]

    return _PLACEHOLDER.sub(value, part)
