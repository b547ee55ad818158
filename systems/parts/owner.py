"""Whose folder a node was started on, and whom a question is for: what is another node's, or another cluster's, is refused.

A node on another one's data would count as that one a second time, and one of another cluster would mix what clients of two
clusters wrote. Neither shows by itself: names such as `n1` occur in every cluster.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import msgspec

from harness.http.message import Response
from harness.node.context import NodeContext
from harness.node.disk import Disk
from systems.parts.record_log import decode_line, encode_line

OWNER: Final = "owner"
"""The file that says whose folder it is."""

CLUSTER_HEADER: Final = "cluster"
NODE_HEADER: Final = "node"
"""Whom a question from another node is for."""

MISDIRECTED: Final = 421
"""The status of the refusal of a question for another node."""


class OtherNode(Exception):
    """The folder holds what another node, or a node of another cluster, has kept."""


class Owner(msgspec.Struct, frozen=True, array_like=True):
    """A node of a cluster."""

    cluster: str
    node: str

    def __str__(self) -> str:
        return f"{self.node} of cluster {self.cluster!r}"

    def check(self, found: Owner) -> None:
        """Raises `OtherNode` if the folder is another one's."""
        if found != self:
            raise OtherNode(
                f"this folder holds the data of {found}, and this is {self}: give it its own folder, or an empty one"
            )

    def check_disk(self, disk: Disk) -> bool:
        """Whether the folder says whose it is. Raises `OtherNode` if it is another one's."""
        data = disk.read(OWNER)
        text = None if data is None else decode_line(data)
        if text is not None:
            self.check(msgspec.json.decode(text, type=Owner))
        return text is not None

    def claim(self, disk: Disk) -> None:
        """Make the folder this node's, if it does not say whose it is. Raises `OtherNode`, and `OSError`."""
        if not self.check_disk(disk):
            disk.replace(OWNER, encode_line(msgspec.json.encode(self)))

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Of a question for this node."""
        return (CLUSTER_HEADER, self.cluster), (NODE_HEADER, self.node)

    def misdirected(self, headers: Mapping[str, str]) -> Response | None:
        """The refusal of a question that is for another node, or for one of another cluster; None if it is for this one."""
        cluster, node = headers.get(CLUSTER_HEADER), headers.get(NODE_HEADER)
        if cluster == self.cluster and node == self.node:
            return None
        meant = "does not say whom it is for" if cluster is None or node is None else f"is for {Owner(cluster, node)}"
        return Response(MISDIRECTED, f"this is {self}, and the question {meant}".encode())


def names_whom(headers: Mapping[str, str]) -> bool:
    """Whether a question says whom it is for. Those of clients need not."""
    return bool({CLUSTER_HEADER, NODE_HEADER} & headers.keys())


@contextmanager
def refusing_other_data(node: NodeContext) -> Iterator[None]:
    """End the node's process with the reason in its log, if the folder that it was started on is another one's."""
    try:
        yield
    except OtherNode as error:
        node.log(str(error))
        raise SystemExit(1) from error
