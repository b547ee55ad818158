"""Which node a data folder belongs to, and which node a request is for. Another node's or cluster's is refused.

A node that started on another node's data would impersonate that node, and a node of another cluster would mix what the clients
of two clusters wrote. Neither is noticed otherwise, since names such as `n1` occur in every cluster.
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
"""The file that names the folder's owner, in two copies: one that is damaged can be restored from the other."""

CLUSTER_HEADER: Final = "cluster"
NODE_HEADER: Final = "node"
"""The headers that name the recipient of a request between nodes."""

MISDIRECTED: Final = 421
"""The status of the refusal of a question for another node."""


class OtherNode(Exception):
    """The folder holds the data of another node, or of a node of another cluster."""


class UnknownOwner(OtherNode):
    """The note of the folder's owner is damaged: its data may be another node's."""


class Owner(msgspec.Struct, frozen=True, array_like=True):
    """A node of a cluster."""

    cluster: str
    node: str

    def __str__(self) -> str:
        return f"{self.node} of cluster {self.cluster!r}"

    def check(self, found: Owner) -> None:
        """Raise `OtherNode` if the folder belongs to another node."""
        if found != self:
            raise OtherNode(
                f"this folder holds the data of {found}, and this is {self}: give it its own folder, or an empty one"
            )

    def check_disk(self, disk: Disk) -> bool:
        """Whether the folder names its owner. Raises `OtherNode` if it belongs to another node, or to one that is not known."""
        data = disk.read(OWNER)
        if data is None:
            return False
        half = len(data) // 2
        text = decode_line(data[:half]) or decode_line(data[half:]) or decode_line(data)
        if text is None:
            raise UnknownOwner(
                f"this is {self}, and the file {OWNER!r}, which says whose data this folder holds, is damaged: delete that file"
                f" if the data is this node's, or start on an empty folder"
            )
        self.check(msgspec.json.decode(text, type=Owner))
        return True

    def claim(self, disk: Disk) -> None:
        """Make this node the folder's owner if it has none, and mend a damaged copy. Raises `OtherNode`, and `OSError`."""
        note = 2 * encode_line(msgspec.json.encode(self))
        if not self.check_disk(disk) or disk.read(OWNER) != note:
            disk.replace(OWNER, note)

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """The headers of a request for this node."""
        return (CLUSTER_HEADER, self.cluster), (NODE_HEADER, self.node)

    def misdirected(self, headers: Mapping[str, str]) -> Response | None:
        """The refusal of a request for another node or another cluster; None if it is for this node."""
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
    """Exit the node's process, with the reason in its log, if the folder that it was started on belongs to another node."""
    try:
        yield
    except OtherNode as error:
        node.log(str(error))
        raise SystemExit(1) from error
