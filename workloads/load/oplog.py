"""The op log as the generator writes it, by columns; read back as the history's `ops` frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import pandas as pd

    from harness.model.system import Call, Outcome


class OpLog(msgspec.Struct, kw_only=True):
    """One entry per call in every column; `harness.model.history` says what each means. Times are of the monotonic clock."""

    phase: list[str] = []
    client: list[int] = []
    kind: list[str] = []
    key: list[str] = []
    value: list[str | None] = []
    expected: list[str | None] = []
    outcome: list[str] = []
    error: list[str | None] = []
    node: list[str] = []
    attempts: list[int] = []
    due_ns: list[int] = []
    ready_ns: list[int] = []
    sent_ns: list[int] = []
    done_ns: list[int] = []

    def add(
        self,
        call: Call,
        *,
        phase: str,
        client: int,
        value: str | None,
        outcome: Outcome,
        error: str | None,
        node: str,
        attempts: int,
        times_ns: tuple[int, int, int, int],
    ) -> None:
        """Record one call; `times_ns` are due, ready, sent, done."""
        self.phase.append(phase)
        self.client.append(client)
        self.kind.append(call.kind)
        self.key.append(call.key)
        self.value.append(value)
        self.expected.append(call.expected)
        self.outcome.append(outcome)
        self.error.append(error)
        self.node.append(node)
        self.attempts.append(attempts)
        for column, time_ns in zip((self.due_ns, self.ready_ns, self.sent_ns, self.done_ns), times_ns, strict=True):
            column.append(time_ns)

    def encode(self) -> bytes:
        return msgspec.msgpack.encode(self)


def read_oplog(data: bytes, start_ns: int) -> pd.DataFrame:
    """The `ops` frame of a history, with times counted from `start_ns` and rows in the order of their due times."""
    import pandas as pd  # only the harness reads logs; the generator stays small

    from harness.model.columns import column
    from harness.model.history import OPS

    log = msgspec.msgpack.decode(data, type=OpLog)
    order = sorted(range(len(log.due_ns)), key=log.due_ns.__getitem__)
    columns = {name: column([values[row] for row in order], OPS[name]) for name, values in msgspec.structs.asdict(log).items()}
    for name in ("due_ns", "ready_ns", "sent_ns", "done_ns"):
        columns[name] -= start_ns
    return pd.DataFrame(columns, copy=False)
