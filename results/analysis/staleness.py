"""How stale reads are, in time and in versions. The definition is in `docs/metrics.md`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.model.history import History
from harness.model.vocabulary import READ, WRITE

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

_NEVER: Final = int(np.iinfo(np.int64).max)
_BEFORE_ALL: Final = int(np.iinfo(np.int64).min)


@dataclass(frozen=True, kw_only=True)
class Staleness:
    """The staleness of each read of the load that can be judged, or of each update of a training, in ascending order."""

    ms: NDArray[np.float64]
    """How long before the read was sent the first newer write was acknowledged; 0 if none was."""
    versions: NDArray[np.float64]
    """How many newer writes were acknowledged before the read was sent: a lower bound."""


def staleness(history: History) -> Staleness:
    """The staleness of a history's reads, or of the updates of a training with asynchronous workers. O(n log n)."""
    found = staleness_by_read(history) if history.steps["computed_at"].isna().all() else staleness_by_update(history)
    return Staleness(ms=np.sort(found["ms"].to_numpy()), versions=np.sort(found["versions"].to_numpy()))


def staleness_by_update(history: History) -> pd.DataFrame:
    """A row for each update: how long ago (`ms`), and how many updates ago (`versions`), its parameters had been read."""
    steps = history.steps
    updates = steps[(steps["computed_at"].notna() & steps["done_ns"].notna()).to_numpy(dtype=bool)]
    ms = (updates["done_ns"] - updates["begun_ns"]).to_numpy(dtype=float) / 1e6
    versions = (updates["step"] - updates["computed_at"]).to_numpy(dtype=float)
    return pd.DataFrame({"ms": ms, "versions": versions}, index=updates.index)


def staleness_by_read(history: History, *, final: bool = False) -> pd.DataFrame:
    """A row for each read of the load that can be judged, indexed by its operation: columns `ms` and `versions`. O(n log n).

    With `final`, the reads after the load have rows too.
    """
    ops = history.ops
    ops = ops[ops["key"].isin(_decided(ops)).to_numpy(dtype=bool)]
    kind, outcome = ops["kind"], ops["outcome"]
    writes = ops[((kind == WRITE) & (outcome != "failed")).to_numpy(dtype=bool)]
    reads = ops[((kind == READ) & (outcome == "ok") & (final | (ops["phase"] == "load"))).to_numpy(dtype=bool)]
    ok = (writes["outcome"] == "ok").to_numpy(dtype=bool)
    written = writes[["key", "value"]].assign(write=np.arange(len(writes)))
    found = reads[["key", "value", "sent_ns"]].reset_index(names="op").merge(written, on=["key", "value"], how="left")
    initial = found["value"].isna().to_numpy(dtype=bool)
    judged = initial | found["write"].notna().to_numpy(dtype=bool)
    write = found["write"].fillna(len(writes)).to_numpy(dtype=np.int64)[judged]
    written_ns = np.append(np.where(ok, writes["done_ns"].to_numpy(), _NEVER), _BEFORE_ALL)[write]
    ms, versions = _measured(writes[ok], found["key"][judged], written_ns, found["sent_ns"].to_numpy()[judged])
    return pd.DataFrame({"ms": ms, "versions": versions}, index=pd.Index(found["op"][judged], name="op"))


def _decided(ops: pd.DataFrame) -> list[str]:
    """The keys on which a read identifies the write that it saw: only read and written, each time with another value."""
    effect = (ops["outcome"] != "failed").to_numpy(dtype=bool)
    write = (ops["kind"] == WRITE).to_numpy(dtype=bool) & effect
    other = effect & ~ops["kind"].isin([READ, WRITE]).to_numpy(dtype=bool)
    written = ops[write]
    again = written[(written["value"].isna() | written.duplicated(["key", "value"])).to_numpy(dtype=bool)]
    return sorted(set(written["key"].dropna()) - set(again["key"]) - set(ops["key"][other]))


def _measured(acked: pd.DataFrame, read_key: pd.Series, written_ns: Integers, sent_ns: Integers) -> tuple[Floats, Floats]:
    """Milliseconds and versions of each read."""
    if acked.empty or not len(sent_ns):
        return np.zeros(len(sent_ns)), np.zeros(len(sent_ns))
    key, _ = pd.factorize(pd.concat([acked["key"], read_key]))
    times, rank = np.unique(np.concatenate([acked["sent_ns"], acked["done_ns"], written_ns, sent_ns]), return_inverse=True)
    # The keys' timelines are laid end to end on one line, so that one sort serves them all.
    of_acked, of_reads = key[: len(acked)], key[len(acked) :]
    line = np.concatenate([of_acked, of_acked, of_reads, of_reads]) * len(times) + rank
    acked_sent, acked_done, written, sent = np.split(line, np.cumsum([len(acked), len(acked), len(sent_ns)]))
    order = np.argsort(acked_sent)
    first_done = np.minimum.accumulate(acked_done[order][::-1])[::-1]
    newer = np.searchsorted(acked_sent[order], written, side="right")
    replaced = np.append(first_done, _NEVER)[newer]
    stale = replaced < sent  # a replacement that belongs to the next key lies further along the line
    late_ns = np.where(stale, sent_ns - times[replaced * stale % len(times)], 0)
    versions = np.searchsorted(np.sort(acked_done), sent, side="left") - newer
    return late_ns / 1e6, np.where(stale, np.maximum(versions, 1), 0).astype(float)
