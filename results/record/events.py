"""Histories as events, as Jepsen and related tools record them: a call's invocation and its completion are separate.

An event has a `type` ("invoke", "ok", "fail", "info"), a `process`, a function (`f`), a `value`, and usually a `time` in
nanoseconds. A call that ended as "fail" certainly had no effect; one that ended as "info" may have had one, then or later, and
its process makes no further call.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeGuard

from harness.model.canonical import canonical
from harness.model.errors import UsageError
from harness.model.history import History
from harness.model.vocabulary import KNOWN
from results.record import edn
from results.record.units import UNITS

_OUTCOMES: Final = {"ok": "ok", "fail": "failed", "info": "unknown"}
_OPERATIONS: Final = {("append", 3), ("r", 3), ("w", 3), ("send", 3), ("poll", 1), ("poll", 2)}
"""The operations of transactions, and of how many parts they are: on lists and registers, and on logs such as Kafka's."""
_ONLY_ASKED: Final = frozenset(
    {
        "write",
        "put",
        "cas",
        "append",
        "increment",
        "decrement",
        "add",
        "remove",
        "broadcast",
        "enqueue",
        "send",
        "publish",
        "ack",
    }
)
"""Calls that are answered with nothing new: if the completion leaves the value out, it is that of the invocation."""
_KNOWN: Final = KNOWN | {"get", "put", "broadcast"}
_LINE: Final = re.compile(r"(?:^|\s)(?P<process>:?[\w-]+)\s+:(?P<type>invoke|ok|fail|info)\s+:(?P<f>\S+)(?:\s+(?P<value>.*))?$")

Event = Mapping[object, object]


def is_event(row: object) -> bool:
    """Whether a row of a file is an event, and not one of `harness.model.history`'s operations."""
    return isinstance(row, dict) and row.get("type") in ("invoke", *_OUTCOMES) and "outcome" not in row


def from_edn(text: str, unit: str | None = None) -> History:
    """A history in EDN: one map for each event, one after another or in one vector. Raises `UsageError`."""
    try:
        return from_events(edn.forms(text), unit)
    except edn.EDNError as error:
        raise UsageError(f"it is not EDN: {error}.") from error


def from_log(text: str) -> History:
    """The events in a Jepsen log: lines that end in process, type, function and value, such as "0 :ok :read 3".

    Other lines are ignored. Raises `UsageError` if there is no such line.
    """
    found: list[Event] = []
    for number, line in enumerate(text.splitlines(), start=1):
        match = _LINE.search(line)
        if match is None:
            continue
        try:
            value = next(edn.forms(f"[[{match['value'] or ''}]]"))
        except edn.EDNError as error:
            raise UsageError(f"line {number}: the value is not EDN: {error}.") from error
        process = match["process"]
        found.append(
            {
                "process": int(process) if process.isdecimal() else process.lstrip(":"),
                "type": match["type"],
                "f": match["f"],
                "value": value[0] if isinstance(value, list) and value else None,
            }
        )
    if not found:
        raise UsageError("it has no line such as `0 :invoke :read nil`, and is not EDN.")
    return from_events(found)


@dataclass(slots=True)
class _Call:
    """A call: `asked` is the value of its invocation, `value` that of its completion."""

    process: int
    kind: str
    key: object
    asked: object
    sent_ns: int
    value: object = None
    outcome: str = "unknown"
    done_ns: int = -1
    error: object = None


def from_events(events: Iterable[object], unit: str | None = None) -> History:
    """The history that events describe; a nemesis's events become its `events`. Raises `UsageError` naming the wrong event.

    The order of the events is kept: an event whose time is not later than its predecessor's is moved to one nanosecond after
    it. If any event has no time, the events' numbers serve as times. Events that were put together from several files, so that
    their order contradicts their times, are refused.

    Calls get the names that checks know: a transaction becomes "txn"; "get" and "put" of a key-value log become "read" and
    "write"; "add" becomes "increment" if reads return numbers; "broadcast" becomes "add" if reads return lists. A value
    `[key, value]`, as Jepsen's `independent` makes it, becomes key and value. `unit` is the unit of the times; None means
    nanoseconds.
    """
    calls, seen = _paired(events, UNITS[unit or "ns"])
    if not calls:
        raise UsageError("it holds no call of a client.")
    if _keyed(calls):
        for call in calls:
            call.key, call.asked = _both(call.asked)
            if _is_pair(call.value):
                call.value = call.value[1]
    names = _names(calls)
    if "get" in names:  # such a log has the empty text for a key without a value
        for call in calls:
            call.asked, call.value = (None if value == "" else value for value in (call.asked, call.value))
    return History.of(
        [
            {
                "client": call.process,
                "kind": names.get(call.kind, call.kind),
                "key": call.key if call.key is not None else "",
                "value": _text(call.value if call.outcome == "ok" else call.asked),
                "outcome": call.outcome,
                "error": None if call.error is None else _text(call.error),
                "sent_ns": call.sent_ns,
                "done_ns": call.done_ns,
            }
            for call in sorted(calls, key=lambda call: call.sent_ns)
        ],
        events=seen or None,
    )


def _paired(events: Iterable[object], factor: int) -> tuple[list[_Call], list[dict[str, object]]]:
    read = [_event(number, event) for number, event in enumerate(events)]
    times = [event.get("time") for event in read]
    timed = all(isinstance(at, int | float) for at in times)
    calls: list[_Call] = []
    seen: list[dict[str, object]] = []
    under_way: dict[int, _Call] = {}
    order = _Order()
    now_ns = -1
    for number, event in enumerate(read):
        at = times[number]
        now_ns = max(now_ns + 1, _nanoseconds(number, at, factor)) if timed else now_ns + 1
        process, happened, kind, value = event.get("process"), event["type"], _kind(number, event), event.get("value")
        if not isinstance(process, int):
            seen.append({"at_ns": now_ns, "node": str(process), "kind": f"nemesis {kind}", "detail": _text(value) or ""})
        elif happened == "invoke":
            if process in under_way:
                raise UsageError(f"event {number}: process {process} makes a call while the call before has not ended.")
            order.began(process, at)
            under_way[process] = _Call(process, kind, event.get("key"), value, now_ns)
            calls.append(under_way[process])
        elif process not in under_way:
            raise UsageError(f"event {number}: process {process} ends a call ({kind}) that it did not begin.")
        else:
            call = under_way.pop(process)
            order.ended(number, process, at)
            if value is None and happened == "ok" and call.kind in _ONLY_ASKED:
                value = call.asked
            call.value, call.outcome, call.done_ns, call.error = value, _OUTCOMES[str(happened)], now_ns, event.get("error")
    for call in under_way.values():
        call.done_ns = now_ns + 1
    if timed:
        order.check()
    return calls, seen


class _Order:
    """Tells events that were put together from several files from those that were recorded while a clock was set back.

    Both have a call that, by the times, was over before another one was sent, and comes after it. But if a clock is set back,
    processes go back in time; in files put together none does, and the times are right, not the order.
    """

    def __init__(self) -> None:
        self._began: dict[int, tuple[float, float]] = {}
        """By process, when its call was sent, and the latest time at which a call was sent that had ended by then."""
        self._last: dict[int, float] = {}
        self._latest_ended = -math.inf
        self._goes_back = False
        self._wrong: int | None = None

    def began(self, process: int, at: object) -> None:
        self._began[process] = self._at(process, at), self._latest_ended

    def ended(self, number: int, process: int, at: object) -> None:
        began, latest = self._began.pop(process)
        if self._at(process, at) < latest and self._wrong is None:
            self._wrong = number
        self._latest_ended = max(self._latest_ended, began)

    def check(self) -> None:
        """Raise `UsageError` if the order is wrong."""
        if self._wrong is not None and not self._goes_back:
            raise UsageError(
                f"event {self._wrong} ends a call that, by the times, was over before a call was sent that comes earlier. Sort"
                " the events by time; if their order is right, leave the times out."
            )

    def _at(self, process: int, at: object) -> float:
        now = at if isinstance(at, int | float) else 0.0
        self._goes_back |= now < self._last.get(process, now)
        self._last[process] = now
        return now


def _nanoseconds(number: int, at: object, factor: int) -> int:
    try:
        return round(at * factor)  # type: ignore[operator]  # it is a number
    except OverflowError as error:
        raise UsageError(f"event {number} has the :time {at}, which is beyond 64 bits of nanoseconds.") from error


def _event(number: int, event: object) -> Event:
    if not isinstance(event, dict):
        raise UsageError(f"event {number} is not a map of :type, :process, :f and :value.")
    for name in ("type", "process"):
        if event.get(name) is None:
            raise UsageError(f"event {number} has no :{name}; it has {', '.join(map(str, event))}.")
    if event["type"] not in ("invoke", *_OUTCOMES):
        raise UsageError(f"event {number} has the :type {event['type']}; there are invoke, {', '.join(_OUTCOMES)}.")
    return event


def _kind(number: int, event: Event) -> str:
    """The call's kind: its function, or "txn" if its value is a transaction."""
    function, value = event.get("f"), event.get("value")
    if isinstance(value, list) and value and all(map(_is_operation, value)):
        return "txn"
    if function is None:
        raise UsageError(f"event {number} has no :f, and its value is not a transaction.")
    return str(function)


def _is_operation(one: object) -> bool:
    return isinstance(one, list) and bool(one) and isinstance(one[0], str) and (one[0], len(one)) in _OPERATIONS


def _keyed(calls: Sequence[_Call]) -> bool:
    """Whether all values are pairs of a key and a value. Those of compare-and-set always are, so alone they prove nothing.

    If a call asks for `[key nil]`, there are keys, which may be lists, and calls of kinds that no check knows may lack one.
    """
    told = [call for call in calls if call.kind != "txn"]
    if any(_is_pair(call.asked) and call.asked[1] is None for call in told if call.kind != "cas"):
        return all(_is_pair(call.asked) for call in told if call.kind in _KNOWN)
    pairs = all(_is_pair(call.asked) and not isinstance(call.asked[0], list) for call in told)
    return pairs and any(call.kind != "cas" for call in told)


def _is_pair(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list) and len(value) == 2


def _both(pair: object) -> tuple[object, object]:
    return (pair[0], pair[1]) if _is_pair(pair) else (None, pair)


def _names(calls: Sequence[_Call]) -> dict[str, str]:
    """By kind, the name that checks know it by, for kinds whose names differ."""
    kinds = {call.kind for call in calls}
    names: dict[str, str] = {}
    if any(call.key is not None for call in calls) and kinds <= {"get", "put", "append"}:
        names |= {"get": "read", "put": "write"}
    answers = [call.value for call in calls if call.kind == "read" and call.outcome == "ok" and call.value is not None]
    if answers and all(isinstance(answer, int | float) for answer in answers):
        names["add"] = "increment"
    if answers and all(isinstance(answer, list) for answer in answers):
        names["broadcast"] = "add"
    return names


def _text(value: object) -> str | None:
    """A value as a history holds it: strings as they are, everything else as JSON."""
    if value is None or isinstance(value, str):
        return value
    return canonical(value)
