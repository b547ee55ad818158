"""Histories written as transcripts: a line a call, times in milliseconds.

    c1 write x 1     0..10 ok
    c2 read  x null  5..12 unknown
    c1 read  x 1    20..25 ok final node=n2

After client, kind, key, value ("null": none), sent..done and outcome come marks: `final`, `node=`, `ready=`, `expected=`.
"""

from __future__ import annotations

from harness.model.history import History

NS_PER_MS = 1_000_000


def history(transcript: str, windows: list[dict[str, object]] | None = None) -> History:
    """The history that a transcript tells; rows keep the order of the lines."""
    rows = [_row(line.split("#")[0].split()) for line in transcript.splitlines() if line.split("#")[0].strip()]
    return History.of(rows, windows=windows)


def _row(words: list[str]) -> dict[str, object]:
    client, kind, key, value, span, outcome, *marks = words
    sent_ms, done_ms = (float(edge) for edge in span.split(".."))
    named = dict(mark.split("=", 1) for mark in marks if "=" in mark)
    return {
        "phase": "final" if "final" in marks else "load",
        "client": int(client.removeprefix("c")),
        "kind": kind,
        "key": key,
        "value": None if value == "null" else value,
        "expected": named.get("expected"),
        "outcome": outcome,
        "node": named.get("node", ""),
        "ready_ns": int(float(named.get("ready", sent_ms)) * NS_PER_MS),
        "sent_ns": int(sent_ms * NS_PER_MS),
        "done_ns": int(done_ms * NS_PER_MS),
    }
