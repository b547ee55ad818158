"""Check that every key behaves like a register, also when a call asks for several."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

import msgspec
import pandas as pd

from harness.checkers.linearizable import linearizable
from harness.model.history import History
from harness.model.verdict import Verdict

MULTI_GET: Final = "multi_get"
SCAN: Final = "scan"
KINDS: Final = (MULTI_GET, SCAN)


def each_key_linearizable(history: History) -> Verdict:
    """A call that reads several keys counts as a read of each, at a moment of its own; otherwise like `linearizable`.

    `multi_get` has a JSON array of keys as its key and answers a JSON object of what it found; a key that is missing there, or
    null, held nothing. `scan` has `[low, high]`, with high null for no end, and answers those keys from low up to, but not
    including, high that hold something: every other key of the history in that range held nothing. No snapshot of several
    keys is promised or required.
    """
    ops = history.ops
    several = ops[ops["kind"].isin(KINDS)]
    alone = ops[~ops["kind"].isin(KINDS)]
    known = sorted(set(alone["key"].dropna()))
    rows: list[dict[str, object]] = []
    came_from: list[int] = []
    for number, op in several[several["outcome"] == "ok"].iterrows():
        try:
            found = _found(str(op["kind"]), str(op["key"]), str(op["value"]), known)
        except msgspec.DecodeError as error:
            return Verdict(valid=None, why=f"op {number}, a {op['kind']}, has a key or a value that cannot be read: {error}")
        for key, value in found.items():
            rows.append({str(name): part for name, part in op.items()} | {"kind": "read", "key": key, "value": value})
            came_from.append(int(str(number)))
    if not rows:
        return linearizable(history)
    apart = pd.concat([alone.astype({"kind": object}), pd.DataFrame(rows)], ignore_index=True)
    origin = [*map(int, alone.index), *came_from]
    order = apart["due_ns"].argsort(kind="stable").to_numpy()
    verdict = linearizable(replace(history, ops=History.of(apart.iloc[order].reset_index(drop=True)).ops))
    named = re.sub(r"\(op (\d+)\)", lambda op: f"(op {origin[order[int(op[1])]]})", verdict.why)
    return replace(verdict, why=named, ops=tuple(dict.fromkeys(origin[order[op]] for op in verdict.ops)))


def _found(kind: str, key: str, value: str, known: list[str]) -> dict[str, str | None]:
    """What a call showed of each key. Raises `msgspec.DecodeError` if that cannot be decoded."""
    values = msgspec.json.decode(value, type=dict[str, str | None])
    if kind == MULTI_GET:
        return {each: values.get(each) for each in msgspec.json.decode(key, type=list[str])}
    low, high = msgspec.json.decode(key, type=tuple[str, str | None])
    within = {each for each in known if low <= each and (high is None or each < high)}
    return {each: values.get(each) for each in sorted(within | set(values))}


def applies(history: History) -> bool:
    """Whether a call asked for several keys."""
    return bool(history.ops["kind"].isin(KINDS).any())
