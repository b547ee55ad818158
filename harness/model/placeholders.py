"""Placeholders in the argument vector of a foreign program: where it listens, where its files are, how it reaches its peers.

    {host} {port} {data}                               its own address and folder
    {internal_port}                                    its own port for other nodes, if it has one: see `Node.internal`
    {peer:NAME} {peer_host:NAME} {peer_port:NAME}      the link to a peer: host:port, or either half

Anything else in braces stays as it is, because arguments may be JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

INTERNAL: Final = "internal_port"

_OWN: Final = "|".join(("host", "port", "data", INTERNAL))
_PLACEHOLDER: Final = re.compile(rf"\{{(?:(?P<own>{_OWN})|(?P<what>peer|peer_host|peer_port):(?P<peer>[^{{}}]*))\}}")


def peers_in(command: Iterable[str]) -> list[str]:
    """The peers whose addresses a command uses, in order."""
    return [match["peer"] for part in command for match in _PLACEHOLDER.finditer(part) if match["what"]]


def own_in(command: Iterable[str]) -> set[str]:
    """Which of the node's own values a command uses."""
    return {match["own"] for part in command for match in _PLACEHOLDER.finditer(part) if match["own"]}


def filled(part: str, *, own: Mapping[str, str], peers: Mapping[str, tuple[str, int]]) -> str:
    """One argument with its placeholders filled in; `own` has "host", "port", "data", and `INTERNAL` if asked for."""

    def value(match: re.Match[str]) -> str:
        if match["own"]:
            return own[match["own"]]
        host, port = peers[match["peer"]]
        return {"peer": f"{host}:{port}", "peer_host": host, "peer_port": str(port)}[match["what"]]

    return _PLACEHOLDER.sub(value, part)
