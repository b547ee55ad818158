"""Check that a replica goes on with its version until it is told to load another one."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from harness.checkers._predictions import version_of
from harness.checkers._wording import count
from harness.model.history import History
from harness.model.verdict import Verdict

KINDS: Final = ("predict",)

_STARTED: Final = "started"
_ENDED: Final = ("killed", "ended", "died", "did not start")
_RELOAD: Final = "Reload"
_EVER: Final = np.iinfo(np.int64).max

Times = npt.NDArray[np.int64]


def version_kept(history: History) -> Verdict:
    """All answers that a replica gives between two starts of its process, and while no `Reload` changes it, name one version.

    So a replica that has loaded a new version and later repairs damaged weights, or drops a cache, does not go back to the
    version before. `value` names the version: `{"label": 7, "score": 0.998, "model": "1a2b3c4d"}`. An answer
    whose call was under way during a start or a `Reload` of its node is not judged. Nor is what comes after a `Reload` that
    did not act, or that was to be refused, until the next one has acted: if such a request is lost on its way, the node may
    still take it later. Unknown if no answer names a node and a version.
    """
    ops = history.ops[(history.ops["kind"] == "predict") & (history.ops["outcome"] == "ok")]
    named = ops[(ops["node"].fillna("") != "").to_numpy(dtype=bool)]
    versions = named["value"].map(version_of)
    named = named.assign(version=versions)[versions.notna()]
    if named.empty:
        return Verdict(valid=None, why="no answer names a node and a version")
    judged = 0
    for node, answers in named.groupby("node"):
        kept = _between(answers, *_changes(history, str(node)))
        judged += int((kept >= 0).sum())
        for _, alike in answers[kept >= 0].groupby(kept[kept >= 0]):
            other = alike[alike["version"] != alike["version"].iloc[0]]
            if not other.empty:
                first, then = int(alike.index[0]), int(other.index[0])
                return Verdict(
                    valid=False,
                    why=f"{node} answered with version {alike['version'].iloc[0]} (op {first}) and then with"
                    f" {other['version'].iloc[0]} (op {then}, {int(other['done_ns'].iloc[0]) / 1e9:.2f} s), and was not told to"
                    " in between",
                    ops=(first, then),
                )
    return Verdict(valid=True, why=f"no replica changed its version by itself, in {count(judged, 'answer')}")


def applies(history: History) -> bool:
    """Whether answers name their versions, and it was recorded when nodes started."""
    predictions = history.ops[(history.ops["kind"] == "predict") & (history.ops["outcome"] == "ok")]
    recorded = bool((history.events["kind"] == _STARTED).any())
    return recorded and any(version_of(value) is not None for value in predictions["value"].unique())


def _changes(history: History, node: str) -> tuple[Times, Times]:
    """When a node's version may have changed: the beginnings and the ends of spans that do not overlap, in order of time."""
    merged: list[tuple[int, int]] = []
    for begin_ns, end_ns in sorted([*_starts(history.events, node), *_reloads(history, node)]):
        if merged and begin_ns <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], end_ns)
        else:
            merged.append((begin_ns, end_ns))
    return np.array([begin for begin, _ in merged], dtype=np.int64), np.array([end for _, end in merged], dtype=np.int64)


def _starts(events: pd.DataFrame, node: str) -> list[tuple[int, int]]:
    """From the end of each of a node's processes until the next one was seen to be up; it may have answered before that."""
    seen = events[(events["node"] == node) & events["kind"].isin([*_ENDED, _STARTED])].sort_values("at_ns", kind="stable")
    spans, down_ns = [], None
    for at_ns, kind in zip(seen["at_ns"].tolist(), seen["kind"].tolist(), strict=True):
        if kind == _STARTED:
            spans.append((at_ns if down_ns is None else down_ns, at_ns))
            down_ns = None
        elif down_ns is None:
            down_ns = at_ns
    return spans if down_ns is None else [*spans, (down_ns, _EVER)]


def _reloads(history: History, node: str) -> list[tuple[int, int]]:
    """From the beginning of each `Reload` of a node until it is certain what came of it, the last one first."""
    spans, certain_ns = [], _EVER
    reloads = [window for window in history.fault_windows if window.kind == _RELOAD and node in window.targets]
    for window in sorted(reloads, key=lambda window: window.injected_s or 0.0, reverse=True):
        if window.injected_s is None:
            continue
        if window.acted and window.healed_s is not None and not window.parameters.get("refused"):
            certain_ns = round(window.healed_s * 1e9)
        spans.append((round(window.injected_s * 1e9), certain_ns))
    return spans


def _between(answers: pd.DataFrame, begins_ns: Times, ends_ns: Times) -> Times:
    """After how many of the spans the call of each answer was sent; -1 if it was under way during one."""
    after = np.searchsorted(ends_ns, answers["sent_ns"].to_numpy(), side="left")
    before = np.searchsorted(begins_ns, answers["done_ns"].to_numpy(), side="right")
    return np.where(after == before, after, -1)
