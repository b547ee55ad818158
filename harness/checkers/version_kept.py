"""Check that a replica takes the version that it is told to load, and goes on with it until it is told to load another one."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from harness.checkers._predictions import version_of
from harness.checkers._wording import count
from harness.model.fault_window import FaultWindow
from harness.model.history import History
from harness.model.verdict import Verdict

KINDS: Final = ("predict",)

_STARTED: Final = "started"
_ENDED: Final = ("killed", "ended", "died", "did not start")
_RELOAD: Final = "Reload"
_EVER: Final = np.iinfo(np.int64).max

Times = npt.NDArray[np.int64]
Spans = list[tuple[int, int]]
"""Beginnings and ends, in nanoseconds."""


class _Named(NamedTuple):
    """The version that a node's answer named, and the operation that got it."""

    node: str
    version: str
    op: int


def version_kept(history: History) -> Verdict:
    """All answers that a replica gives between two starts of its process, and while no `Reload` changes it, name one version.
    After one `Reload` of several replicas, all name the same.

    So a replica that has loaded a new version and later repairs damaged weights, or drops a cache, does not go back to the
    version before, and one that says that it has loaded a version uses it. `value` names the version:
    `{"label": 7, "score": 0.998, "model": "1a2b3c4d"}`. An answer whose call was under way during a start or a `Reload` of its
    node is not judged. Nor is what comes after a `Reload` that did not act, or that was to be refused, until the next one has
    acted: if such a request is lost on its way, the node may still take it later. Unknown if no answer names a node and a
    version.
    """
    ops = history.ops[(history.ops["kind"] == "predict") & (history.ops["outcome"] == "ok")]
    ops = ops[(ops["node"].fillna("") != "").to_numpy(dtype=bool)]
    versions = ops["value"].map(version_of)
    named = ops.assign(version=versions)[versions.notna()]
    if named.empty:
        return Verdict(valid=None, why="no answer names a node and a version")
    reloads = sorted((one for one in history.fault_windows if one.kind == _RELOAD and one.injected_s is not None), key=_begun)
    loaded: dict[str, _Named] = {}
    judged = 0
    for node, answers in named.groupby("node"):
        own = [window for window in reloads if node in window.targets]
        changes = _merged([*_starts(history.events, str(node)), *_uncertain(own)])
        after = _after(answers, changes)
        judged += int((after >= 0).sum())
        for span in range(len(changes) + 1):
            named_here = _each_version(str(node), answers[after == span])
            if not named_here:
                continue
            first, *others = named_here
            if others:
                return _wrong(first, others[0], "and was not told to load it in between")
            for window in own:
                if span and _certain(window) and changes[span - 1][1] == _healed_ns(window):
                    other = loaded.setdefault(window.label, first)
                    if other.version != first.version:
                        return _wrong(other, first, f"although both have loaded {window.parameters.get('version')} at once")
    return Verdict(valid=True, why=f"no replica changed its version by itself, in {count(judged, 'answer')}")


def applies(history: History) -> bool:
    """Whether answers name their versions, and it was recorded when nodes started."""
    predictions = history.ops[(history.ops["kind"] == "predict") & (history.ops["outcome"] == "ok")]
    recorded = bool((history.events["kind"] == _STARTED).any())
    return recorded and any(version_of(value) is not None for value in predictions["value"].unique())


def _starts(events: pd.DataFrame, node: str) -> Spans:
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


def _uncertain(reloads: list[FaultWindow]) -> Spans:
    """From the beginning of each `Reload` of a node, in order of time, until it is certain what came of it."""
    spans, certain_ns = [], _EVER
    for window in reversed(reloads):
        if _certain(window):
            certain_ns = _healed_ns(window)
        spans.append((round(_begun(window) * 1e9), certain_ns))
    return spans


def _begun(window: FaultWindow) -> float:
    return window.injected_s or 0.0


def _certain(window: FaultWindow) -> bool:
    """Whether every node has said that it loaded the version."""
    return bool(window.acted) and window.healed_s is not None and not window.parameters.get("refused")


def _healed_ns(window: FaultWindow) -> int:
    return _EVER if window.healed_s is None else round(window.healed_s * 1e9)


def _merged(spans: Spans) -> Spans:
    """The same time as spans that do not overlap, in order."""
    merged: Spans = []
    for begin_ns, end_ns in sorted(spans):
        if merged and begin_ns <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], end_ns)
        else:
            merged.append((begin_ns, end_ns))
    return merged


def _after(answers: pd.DataFrame, spans: Spans) -> Times:
    """For each answer, how many spans had ended when its call was sent; -1 if the call was under way during a span."""
    begins_ns, ends_ns = np.array(spans, dtype=np.int64).reshape(-1, 2).T
    after = np.searchsorted(ends_ns, answers["sent_ns"].to_numpy(), side="left")
    before = np.searchsorted(begins_ns, answers["done_ns"].to_numpy(), side="right")
    return np.where(after == before, after, -1)


def _each_version(node: str, answers: pd.DataFrame) -> list[_Named]:
    """The first answer of each version, in their order."""
    firsts = answers.drop_duplicates("version")
    return [_Named(node, version, int(op)) for op, version in zip(firsts.index, firsts["version"], strict=True)]


def _wrong(one: _Named, other: _Named, why: str) -> Verdict:
    who = f"{other.node} " if other.node != one.node else ""
    return Verdict(
        valid=False,
        why=f"{one.node} answered with version {one.version} (op {one.op}) and {who}with {other.version} (op {other.op}),"
        f" {why}",
        ops=(one.op, other.op),
    )
