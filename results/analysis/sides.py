"""What clients on each side of a partition saw: how many calls succeeded, how stale reads were, when all nodes agreed again.

It needs clients that each talk to one node only (`Load(sticky=True)`), so that a refused call has a side as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from harness.model.fault_window import FaultWindow
from harness.model.history import History
from harness.model.vocabulary import READ
from results.analysis.staleness import staleness_by_read

AGREED_S: Final = 0.5
"""Nodes count as having agreed once no read has been stale for this long."""


@dataclass(frozen=True, kw_only=True)
class Answered:
    """How many calls were sent, and how many of them were done."""

    calls: int
    ok: int

    @property
    def share(self) -> float | None:
        """None if no call was sent."""
        return self.ok / self.calls if self.calls else None


@dataclass(frozen=True, kw_only=True)
class Side:
    """What the clients of one side's nodes saw while a window lasted."""

    nodes: tuple[str, ...]
    reads: Answered
    changes: Answered
    """Writes, and every other operation that is not a read."""
    silent_s: float
    """The longest time within the window in which the side's nodes answered no call."""
    stale_reads: int
    stale_ms: float
    """The staleness of the stalest read: for how long a newer write had been acknowledged."""
    stale_versions: int


@dataclass(frozen=True, kw_only=True)
class Parted:
    """A window and the sides that it made."""

    window: FaultWindow
    sides: tuple[Side, ...]
    """The targets first."""
    agreed_s: float | None
    """For how long after the window reads missed acknowledged writes, until none did for half a second; None if that did not
    happen. (Asynchronous replication misses one now and then without any fault.)"""


def homes(history: History) -> dict[int, str]:
    """By client, the one node that answered it; empty if a load's clients are not each bound to one node."""
    load = history.load
    done = load[((load["outcome"] == "ok") & (load["node"].fillna("") != "")).to_numpy(dtype=bool)]
    pairs = done[["client", "node"]].drop_duplicates()
    if pairs.empty or bool(pairs["client"].duplicated().any()) or pairs["node"].nunique() < 2:
        return {}
    return {int(client): str(node) for client, node in zip(pairs["client"], pairs["node"], strict=True)}


def calls_by_node(history: History) -> pd.DataFrame:
    """The calls of a load with three more columns: `home`, the node that the call's client is bound to, `stale_ms` and
    `stale_versions` (0 if not stale).

    Calls of clients that never got an answer are left out: their side is not known.
    """
    found = homes(history)
    load = history.load
    load = load.assign(home=load["client"].map(found))[load["client"].isin(list(found)).to_numpy(dtype=bool)]
    behind = staleness_by_read(history)
    return load.assign(
        stale_ms=behind["ms"].reindex(load.index).fillna(0.0),
        stale_versions=behind["versions"].reindex(load.index).fillna(0.0),
    )


def parted(calls: pd.DataFrame, windows: tuple[FaultWindow, ...], end_s: float) -> list[Parted]:
    """What the clients on each window's sides saw, from the calls of `calls_by_node`. Windows that never began are left out."""
    begun = sorted((window for window in windows if window.injected_s is not None), key=lambda window: window.injected_s or 0.0)
    begins_s = [*(window.injected_s or 0.0 for window in begun), end_s]
    nodes = sorted(calls["home"].unique())
    out = []
    for window, next_s in zip(begun, begins_s[1:], strict=True):
        from_s, to_s = window.injected_s or 0.0, window.healed_s or window.to_s
        cut = tuple(node for node in nodes if node in window.targets)
        rest = tuple(node for node in nodes if node not in window.targets)
        sides = tuple(_side(calls, side, from_s, to_s) for side in (cut, rest) if side)
        out.append(Parted(window=window, sides=sides, agreed_s=_agreed_s(calls, to_s, next_s)))
    return out


def _side(calls: pd.DataFrame, nodes: tuple[str, ...], from_s: float, to_s: float) -> Side:
    theirs = calls[calls["home"].isin(list(nodes)).to_numpy(dtype=bool)]
    answered = theirs[((theirs["outcome"] == "ok") & theirs["done_ns"].between(from_s * 1e9, to_s * 1e9)).to_numpy(dtype=bool)]
    answers_s = np.sort(answered["done_ns"].to_numpy() / 1e9)  # also to calls from before the window
    own = theirs[theirs["sent_ns"].between(from_s * 1e9, to_s * 1e9)]
    ok = (own["outcome"] == "ok").to_numpy(dtype=bool)
    read = (own["kind"] == READ).to_numpy(dtype=bool)
    stale = own[(own["stale_ms"] > 0).to_numpy(dtype=bool)]
    return Side(
        nodes=nodes,
        reads=Answered(calls=int(read.sum()), ok=int((read & ok).sum())),
        changes=Answered(calls=int((~read).sum()), ok=int((~read & ok).sum())),
        silent_s=float(np.diff(np.concatenate(([from_s], answers_s, [to_s]))).max()),
        stale_reads=len(stale),
        stale_ms=float(stale["stale_ms"].max()) if len(stale) else 0.0,
        stale_versions=int(stale["stale_versions"].max()) if len(stale) else 0,
    )


def _agreed_s(calls: pd.DataFrame, healed_s: float, next_s: float) -> float | None:
    reads = calls[((calls["kind"] == READ) & (calls["outcome"] == "ok")).to_numpy(dtype=bool)]
    after = reads[reads["sent_ns"].between(healed_s * 1e9, next_s * 1e9)].sort_values("sent_ns", kind="stable")
    agreed_s = healed_s
    last_s = healed_s
    for sent_ns, stale_ms in zip(after["sent_ns"], after["stale_ms"], strict=True):
        last_s = sent_ns / 1e9
        if stale_ms > 0:
            agreed_s = last_s
        elif last_s - agreed_s >= AGREED_S:
            break
    return agreed_s - healed_s if last_s - agreed_s >= AGREED_S else None
