"""What happened in a run: pandas frames, read by every checker, metric and report.

All `_ns` columns are integer nanoseconds of the monotonic clock, counted from the start of the load.

`ops`, a row a call, in order of `due_ns`; the index is 0..n-1 and names the operation:

| column     | dtype    | meaning                                                                                |
| ---------- | -------- | -------------------------------------------------------------------------------------- |
| `phase`    | category | "load", or "final" for the calls made after everything was healed                      |
| `client`   | int32    | the client that made it; a client has at most one call in flight                       |
| `kind`     | category | the kind of call: "read", "write", "predict", …                                        |
| `key`      | string   | the object that it is about; "" if it names none                                       |
| `value`    | string   | the value written or answered; null: nothing there, or no answer                       |
| `expected` | string   | the right answer, if the workload knew it beforehand, else null                        |
| `outcome`  | category | "ok", "failed" (certainly had no effect), "unknown" (may take effect, then or later)   |
| `error`    | string   | why it is not ok, else null                                                            |
| `node`     | string   | the node that answered, if the answer names it, else ""                                |
| `attempts` | int32    | how many attempts a client that retries has made; else 1                               |
| `due_ns`   | int64    | when it was due on the schedule                                                        |
| `ready_ns` | int64    | when it could have been sent: due, and a client free                                   |
| `sent_ns`  | int64    | when it was sent, or given up unsent; less `ready_ns`, the generator's own lateness    |
| `done_ns`  | int64    | when its answer came, or it was given up                                               |

`windows`, one row per fault window: `label` ("w0"), `fault` (its class: "Latency"), `parameters` (a JSON object: its
fields without the target), `selector`, `targets` (names joined by spaces), `from_s`, `to_s`
(as planned), `injected_ns`, `healed_ns` (nullable Int64: null if that never happened), `acted` (nullable boolean),
`evidence`.

`events`, one row per event: `at_ns`, `node`, `kind`, `detail`. Some were seen from outside ("started", "exited", "killed",
"paused", …); a node reported the others itself (`NodeContext.event`), with JSON as `detail`.

`links`, one row per link: `link`, `connections`, `sent_bytes` and `received_bytes` over the whole run, as the fault plane
counted them: received from either end, sent on to the other. The difference was held back or dropped.

`steps`, for a system that trains: one row per step that a node has begun, in that order; empty for all other systems:

| column          | dtype   | meaning                                                                               |
| --------------- | ------- | ------------------------------------------------------------------------------------- |
| `node`          | string  | the rank; "control" for the steps of an undisturbed training                          |
| `generation`    | int64   | the group that the rank was in; each change of members makes a new one                |
| `step`          | int64   | the step's number, from 0                                                             |
| `begun_ns`      | Int64   | when it began; null for the control                                                   |
| `done_ns`       | Int64   | when the sum of all ranks' gradients was applied; null if that never happened         |
| `collective_ns` | Int64   | how much of that time the exchange with the other ranks took                          |
| `stalled_ns`    | Int64   | how long a checkpoint's copy then held it up                                          |
| `loss`          | Float64 | the mean over the step's samples                                                      |
| `gradient_norm` | Float64 | the norm of the mean gradient                                                         |
| `parameters`    | string  | a digest of the parameters' bits after the step                                       |
| `samples`       | string  | "epoch:sample" of each sample that this rank contributed, separated by spaces         |
| `batch`         | Int64   | the batch of the data that it used or was given; null if it is the step's own         |
| `worker`        | string  | the worker whose gradient the step applied, if it is one worker's alone               |
| `computed_at`   | Int64   | how many steps that gradient's parameters had seen; null: all steps before this one   |
| `staleness_bound` | Int64 | how many clocks that worker may be ahead of the slowest; null: no bound was promised  |

If runs have no common order of steps, the control repeats in one process what the run did: a row for each step of each
generation. Its `samples` are those that were due, for the steps that stand; null for steps that were rolled back.

`usage`, one row per look at a process: the CPU and memory it got, and what it held open. Older histories have none. `node` is a
node's name, "client" for the load generator, "fault-plane", or "" for the whole machine. `moment` is "start" (soon after the
start of `pid`), "load" (during the load), or "end" (everything is over and healed, nothing stopped yet); "over" is the first of
several looks at the end.
`ran_ns`, `waited_ns`: how long since its start the process ran on a CPU, and how long it was runnable but waited for one. For
the machine: how long its CPUs ran in total, and how long its hypervisor took them away, on average. `cpu_ns`: how long all
threads of the process ran since its start, to the kernel's tick of 10 ms, and for programs that do not report about
themselves, all processes below it, too; `ran_ns` is for its main thread alone, to the nanosecond. `peak_bytes`: the peak
resident memory so far. At "start" and "end", for nodes that speak this project's wire, also the kernel's counts, `descriptors`
and the `sockets` among them; and the node's own: `tasks` of its event loop, connections `accepted`, `in_use`, `idle` (waiting
for reuse), the `surplus` of these (more than were ever in use at once), how many were `opened` since its start, and
`unsettled`, a JSON object of counts that have yet to return to 0, such as {"operations under way": 2}. For programs that do
not report about themselves, at the same moments: `descriptors` and `sockets` of the process and of all processes below it, and
how many connections are `abandoned`: it accepted them, the other side has closed them, and it has not. Null: not looked at, or
no answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import chain
from typing import Final

import numpy as np
import pandas as pd

from harness.model.columns import column, constant, converted, plain
from harness.model.errors import UsageError
from harness.model.fault_window import FaultWindow, windows_of

OPS: Final = {
    "phase": "category", "client": "int32", "kind": "category", "key": "string", "value": "string", "expected": "string",
    "outcome": "category", "error": "string", "node": "string", "attempts": "int32",
    "due_ns": "int64", "ready_ns": "int64", "sent_ns": "int64", "done_ns": "int64",
}  # fmt: skip
WINDOWS: Final = {
    "label": "string", "fault": "string", "parameters": "string", "selector": "string", "targets": "string",
    "from_s": "float64", "to_s": "float64",
    "injected_ns": "Int64", "healed_ns": "Int64", "acted": "boolean", "evidence": "string",
}  # fmt: skip
EVENTS: Final = {"at_ns": "int64", "node": "string", "kind": "string", "detail": "string"}
LINKS: Final = {"link": "string", "connections": "int64", "received_bytes": "int64", "sent_bytes": "int64"}
STEPS: Final = {
    "node": "string", "generation": "int64", "step": "int64", "begun_ns": "Int64", "done_ns": "Int64", "collective_ns": "Int64",
    "stalled_ns": "Int64", "loss": "Float64", "gradient_norm": "Float64", "parameters": "string", "samples": "string",
    "batch": "Int64", "worker": "string", "computed_at": "Int64", "staleness_bound": "Int64",
}  # fmt: skip
USAGE: Final = {
    "at_ns": "int64", "node": "string", "pid": "int64", "moment": "string", "ran_ns": "Int64", "waited_ns": "Int64",
    "descriptors": "Int64", "sockets": "Int64", "tasks": "Int64", "accepted": "Int64", "in_use": "Int64", "idle": "Int64",
    "surplus": "Int64", "opened": "Int64", "unsettled": "string", "cpu_ns": "Int64", "peak_bytes": "Int64",
    "abandoned": "Int64",
}  # fmt: skip

CONTROL: Final = "control"
"""The `node` of the steps of an undisturbed training."""


def frame(columns: dict[str, str], rows: pd.DataFrame | list[dict[str, object]] | None = None) -> pd.DataFrame:
    """A frame with exactly these columns and dtypes. Fills in a missing column or value if it has a true default.

    Raises `UsageError` naming the missing column, or the row that does not convert without loss.
    """
    if rows is None or (isinstance(rows, list) and not rows):
        return _empty(tuple(columns.items())).copy()
    if isinstance(rows, list):
        return _completed(columns, _of_rows(columns, rows), len(rows))
    if not rows.columns.is_unique:
        raise UsageError(f"The history has {rows.columns[rows.columns.duplicated()][0]!r} twice among its columns.")
    index = pd.RangeIndex(len(rows))
    return _completed(columns, {str(name): rows[name].set_axis(index) for name in rows}, len(rows))


@cache
def _empty(columns: tuple[tuple[str, str], ...]) -> pd.DataFrame:
    return _completed(dict(columns), {name: pd.Series(dtype=object) for name, _ in columns}, 0)


def _completed(columns: dict[str, str], found: Mapping[str, pd.Series], length: int) -> pd.DataFrame:
    index = pd.RangeIndex(length)
    made: dict[str, pd.Series] = {}
    for name in sorted(columns, key=lambda name: name in _COPIED):  # a copied column comes after its source
        dtype = columns[name]
        filling = made[_COPIED[name]] if name in _COPIED else _DEFAULTS.get(name)
        if name in found:
            values = found[name]
            made[name] = converted(values if filling is None else _filled(values, filling), name, dtype)
        elif isinstance(filling, pd.Series):
            made[name] = converted(filling, name, dtype)
        elif filling is not None or dtype == "string":
            made[name] = constant(filling, len(index), dtype)
        elif dtype in ("Int64", "Float64", "boolean"):
            made[name] = pd.Series(None, index=index, dtype=dtype)
        else:
            raise UsageError(f"The history has no column {name!r} ({dtype}); it has {', '.join(map(str, found)) or 'none'}.")
    return pd.DataFrame({name: made[name] for name in columns}, index=index, copy=False)


def _of_rows(columns: dict[str, str], rows: list[dict[str, object]]) -> dict[str, pd.Series]:
    """Rows as columns. pandas would turn integers beside a null into floating-point numbers."""
    there = dict.fromkeys(chain.from_iterable(rows))
    return {name: column([row.get(name) for row in rows], columns.get(name)) for name in there}


def _filled(values: pd.Series, filling: pd.Series | str | int) -> pd.Series:
    missing = values.isna()
    return values.astype(object).where(~missing, filling) if missing.any() else values


_DEFAULTS: Final[dict[str, str | int]] = {"phase": "load", "key": "", "node": "", "attempts": 1}
"""Defaults of what a history recorded elsewhere may leave out, as a column or in some rows."""

_COPIED: Final = {"due_ns": "sent_ns", "ready_ns": "sent_ns"}
"""Columns that it may also leave out, and the column that stands in for each."""


@dataclass(frozen=True, kw_only=True)
class History:
    """The record of one run. See the module's docstring for the columns."""

    ops: pd.DataFrame
    windows: pd.DataFrame
    events: pd.DataFrame
    links: pd.DataFrame
    steps: pd.DataFrame
    usage: pd.DataFrame

    @classmethod
    def of(
        cls,
        ops: pd.DataFrame | list[dict[str, object]],
        windows: pd.DataFrame | list[dict[str, object]] | None = None,
        events: pd.DataFrame | list[dict[str, object]] | None = None,
        links: pd.DataFrame | list[dict[str, object]] | None = None,
        steps: pd.DataFrame | list[dict[str, object]] | None = None,
        usage: pd.DataFrame | list[dict[str, object]] | None = None,
    ) -> History:
        """A history from rows or frames, its columns checked and completed."""
        return cls(
            ops=frame(OPS, ops),
            windows=frame(WINDOWS, windows),
            events=frame(EVENTS, events),
            links=frame(LINKS, links),
            steps=frame(STEPS, steps),
            usage=frame(USAGE, usage),
        )

    @cached_property
    def fault_windows(self) -> tuple[FaultWindow, ...]:
        """The rows of `windows`, one by one."""
        return windows_of(self.windows)

    @cached_property
    def events_in_order(self) -> tuple[tuple[int, str, str, str | None], ...]:
        """The rows of `events` by time, as plain tuples: several checks go through all of them."""
        events = self.events.sort_values("at_ns", kind="stable")
        return tuple(zip(*(plain(events[name]) for name in EVENTS), strict=True))

    @property
    def load(self) -> pd.DataFrame:
        """The operations of the load itself, without the final calls."""
        loaded = (self.ops["phase"] == "load").to_numpy(dtype=bool)
        calls = int(np.count_nonzero(loaded))
        # The final calls usually come last, and then the others need not be copied.
        return self.ops.iloc[:calls] if loaded[:calls].all() else self.ops[loaded]
