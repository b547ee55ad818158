"""The API behind the Faults tab: the running system's state, and faults to inject and heal by hand."""

from __future__ import annotations

import asyncio
import dataclasses
import hmac
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, get_type_hints

import msgspec

from harness.cluster.cluster import Cluster
from harness.http.message import Request, Response
from harness.model import selector
from harness.model.drill import Drill, check_fault
from harness.model.errors import FaultError, HarnessError, UsageError
from harness.model.evidence import Targets
from harness.model.fault import Fault, Window
from harness.model.fault_window import FaultWindow
from harness.model.system import HasSteps, links_of
from harness.run import catalog
from harness.run.injector import described, hold
from harness.run.schedule import PlannedWindow

SECRET_HEADER: Final = "x-harness-secret"  # noqa: S105 - a header's name
_LONGEST_S: Final = 86_400.0
_EVENTS: Final = 50


class Inject(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request to inject: the fault's class name, its fields except the target, a selector, and the maximum duration."""

    fault: str
    target: str
    seconds: float
    fields: dict[str, object] = {}


class Heal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request to heal: one window by its label, or all windows."""

    label: str | None = None


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter of a fault; `default` is JSON, None if the parameter is required."""

    name: str
    kind: str
    default: object = None


class FaultKind(msgspec.Struct, frozen=True, kw_only=True):
    """A fault that applies to this system, and its parameters."""

    name: str
    title: str
    aims_at: str
    fields: tuple[Field, ...]


class NodeState(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    pid: int | None
    process: str
    faults: tuple[str, ...]


class LinkState(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    connections: int
    bytes: int
    faults: tuple[str, ...]


class WindowState(msgspec.Struct, frozen=True, kw_only=True):
    """A window in state "waiting", "begins", "holds", "heals" or "over". `acted` says whether it was seen to act."""

    label: str
    text: str
    targets: str
    from_ms: float | None
    """When it began, in milliseconds since 1970; None before that."""
    to_ms: float | None
    """When it was healed; None before that."""
    state: str
    seconds: float
    acted: bool | None
    evidence: str


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """A window that began, for charts: times in milliseconds since 1970, the fault and its targets, and the evidence."""

    from_ms: float
    to_ms: float | None
    text: str
    seen: str


class EventLine(msgspec.Struct, frozen=True, kw_only=True):
    ago_s: float
    node: str
    kind: str
    detail: str


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the tab shows."""

    title: str
    nodes: tuple[NodeState, ...]
    links: tuple[LinkState, ...]
    schedule: tuple[str, ...]
    windows: tuple[WindowState, ...]
    events: tuple[EventLine, ...]
    faults: tuple[FaultKind, ...]
    selectors: tuple[str, ...]


@dataclass(kw_only=True)
class _Held:
    """A window begun from the tab."""

    planned: PlannedWindow
    start_ns: int
    over: asyncio.Event = field(default_factory=asyncio.Event)
    seen: FaultWindow | None = None
    done: bool = False

    def on_window(self, record: FaultWindow) -> None:
        self.seen = record


class Control:
    """Serves the Faults tab of one running system. Windows run as tasks of `tasks`; cancelling it heals them."""

    def __init__(
        self,
        title: str,
        drill: Drill,
        cluster: Cluster,
        schedule: Sequence[PlannedWindow],
        tasks: asyncio.TaskGroup,
        secret: str,
    ) -> None:
        self._title, self._drill, self._cluster, self._schedule = title, drill, cluster, schedule
        self._tasks, self._secret = tasks, secret
        self._held: dict[str, _Held] = {}
        self._kinds = fault_kinds(drill)
        self._random = cluster.random("ui")

    async def answer(self, request: Request) -> Response:
        """Answer one request of the tab."""
        if not hmac.compare_digest(request.headers.get(SECRET_HEADER, "").encode(), self._secret.encode()):
            return Response(403, b"only the web UI may call this")
        try:
            match request.method, request.path:
                case "GET", "/state":
                    return Response.json(await self._state())
                case "GET", "/marks":
                    return Response.json(self._marks())
                case "POST", "/inject":
                    return Response.json({"label": self._inject(request.decode(Inject))})
                case "POST", "/heal":
                    return Response.json({"healing": self._heal(request.decode(Heal).label)})
                case "POST", "/schedule":
                    return Response.json({"labels": self._run_schedule()})
        except (HarnessError, msgspec.MsgspecError) as error:
            return Response(400, str(error).encode(), (("content-type", "text/plain; charset=utf-8"),))
        return Response(404, b"no such route")

    def heal_all(self) -> None:
        """End every window now."""
        self._heal(None)

    def _inject(self, asked: Inject) -> str:
        kinds = {kind.__name__: kind for kind in self._kinds}
        if asked.fault not in kinds:
            raise UsageError(f"No fault {asked.fault!r} applies to this system. See `harness list`.")
        if not 0 < asked.seconds <= _LONGEST_S:
            raise UsageError(f"seconds: {asked.seconds:g} is not between 0 and {_LONGEST_S:g} (a day).")
        fault = msgspec.convert({**asked.fields, "target": asked.target}, kinds[asked.fault])
        check_fault(fault, self._drill.system, namespaces=self._drill.namespaces)
        label = f"m{len(self._held)}"
        targets = None
        if fault.target != selector.LEADER:
            system = self._drill.system
            nodes, links = selector.choose(fault.target, system.nodes(), links_of(system), self._random, self._busy())
            targets = Targets(label=label, nodes=tuple(nodes), links=tuple(links))
        self._begin(PlannedWindow(label=label, window=Window(fault=fault, from_s=0, to_s=asked.seconds), targets=targets))
        return label

    def _run_schedule(self) -> list[str]:
        """Begin the drill's own windows, starting now."""
        labels = []
        for planned in self._schedule:
            label = f"m{len(self._held)}"
            targets = replace(planned.targets, label=label) if planned.targets else None
            self._begin(replace(planned, label=label, targets=targets))
            labels.append(label)
        if not labels:
            raise UsageError("This drill schedules no faults. Inject one by hand.")
        return labels

    def _heal(self, label: str | None) -> list[str]:
        if label is not None and label not in self._held:
            raise UsageError(f"No window {label!r}.")
        healing = [name for name, held in self._held.items() if not held.done and label in (None, name)]
        for name in healing:
            self._held[name].over.set()
        return healing

    def _begin(self, planned: PlannedWindow) -> None:
        held = self._held[planned.label] = _Held(planned=planned, start_ns=time.monotonic_ns())

        async def run() -> None:
            held.seen = await hold(self._cluster, planned, held.start_ns, held, held.over)
            held.done = True

        self._tasks.create_task(run())

    def _busy(self) -> set[str]:
        return {name for held in self._held.values() if not held.done for name in _hit(held)}

    async def _state(self) -> State:
        counters = await self._cluster.links.counters()
        now_ns = time.monotonic_ns()
        return State(
            title=self._title,
            nodes=tuple(self._node(name) for name in self._cluster.nodes),
            links=tuple(
                LinkState(
                    name=link.name,
                    connections=counters[link.name].connections if link.name in counters else 0,
                    bytes=sum(counters[link.name].sent_bytes.values()) if link.name in counters else 0,
                    faults=self._faults_on(link.name),
                )
                for link in self._cluster.links.all
            ),
            schedule=tuple(described(planned) for planned in self._schedule),
            windows=tuple(_state_of(held, now_ns) for held in reversed(self._held.values())),
            events=tuple(
                EventLine(ago_s=round((now_ns - event.at_ns) / 1e9, 1), node=event.node, kind=event.kind, detail=event.detail)
                for event in reversed(self._cluster.events[-_EVENTS:])
            ),
            faults=tuple(_described(kind) for kind in self._kinds if self._in_use(kind)),
            selectors=tuple(self._selectors()),
        )

    def _in_use(self, kind: type[Fault]) -> bool:
        """Whether some node uses what this fault disturbs; otherwise the fault would show nothing."""
        match kind.uses:
            case "files":
                folders = [self._cluster.disks.folder(name) for name in self._cluster.nodes]
                return any(path.is_file() for folder in folders for path in folder.rglob("*"))
            case "clock":
                return any(self._reads_clock(name) for name in self._cluster.nodes)
            case "memory":
                return isinstance(self._cluster.system, HasSteps)
        return True

    def _reads_clock(self, name: str) -> bool:
        try:
            return self._cluster.clocks.reads(name) != 0  # None: unknown, for a foreign program
        except FaultError:
            return False

    def _marks(self) -> list[Mark]:
        now_ns = time.monotonic_ns()
        states = [_state_of(held, now_ns) for held in self._held.values()]
        verdicts = {True: "acted", False: "did not act", None: "not known"}
        return [
            Mark(
                from_ms=state.from_ms,
                to_ms=state.to_ms,
                text=state.text,
                seen=verdicts[state.acted] + (f": {state.evidence}" if state.evidence else ""),
            )
            for state in states
            if state.from_ms is not None
        ]

    def _node(self, name: str) -> NodeState:
        runs = self._cluster.processes.runs(name)
        return NodeState(
            name=name,
            pid=self._cluster.processes.pid(name) if runs else None,
            process=self._cluster.processes.state(name),
            faults=self._faults_on(name),
        )

    def _faults_on(self, name: str) -> tuple[str, ...]:
        return tuple(
            type(one.planned.window.fault).__name__ for one in self._held.values() if _holds(one) and name in _hit(one)
        )

    def _selectors(self) -> list[str]:
        return [*selector.WORDS, *self._cluster.nodes, *(link.name for link in self._cluster.links.all)]


def fault_kinds(drill: Drill) -> list[type[Fault]]:
    """The faults that apply to a drill's system, for some target."""
    return [
        kind
        for kind in catalog.fault_classes()
        if (kind.needs is None or isinstance(drill.system, kind.needs))
        and (drill.namespaces or not kind.on_packets)
        and (not drill.namespaces or kind.on_packets or kind.aims_at != "links")
        and _has_target(kind, drill)
    ]


def _has_target(kind: type[Fault], drill: Drill) -> bool:
    """Whether a fault of this kind passes the drill's check for some target; assumed if it has required parameters."""
    for target in (*selector.WORDS, *(node.name for node in drill.system.nodes())):
        try:
            check_fault(kind(target=target), drill.system, namespaces=drill.namespaces)
        except TypeError:  # a parameter without a default
            return True
        except UsageError:
            continue
        return True
    return False


def _described(kind: type[Fault]) -> FaultKind:
    hints: Mapping[str, object] = get_type_hints(kind)
    fields = []
    for one in dataclasses.fields(kind):
        if one.name != "target":
            default = None if one.default is dataclasses.MISSING else msgspec.to_builtins(one.default)
            annotation = hints[one.name]
            text = annotation.__name__ if isinstance(annotation, type) else str(annotation)
            fields.append(Field(name=one.name, kind=text, default=default))
    title = (kind.__doc__ or "").strip().split("\n", 1)[0]
    return FaultKind(name=kind.__name__, title=title, aims_at=kind.aims_at, fields=tuple(fields))


def _holds(held: _Held) -> bool:
    return not held.done and held.seen is not None and held.seen.injected_s is not None and held.seen.healed_s is None


def _hit(held: _Held) -> list[str]:
    """The nodes and links that a window acts on, as far as known."""
    if held.planned.targets is None:
        return list(held.seen.targets) if held.seen else []
    if held.planned.window.fault.aims_at == "links":
        return [link.name for link in held.planned.targets.links]
    return list(held.planned.targets.nodes)


def _state_of(held: _Held, now_ns: int) -> WindowState:
    seen, window = held.seen, held.planned.window
    begun_s = (now_ns - held.start_ns) / 1e9 - window.from_s
    if held.done:
        state = "over"
    elif held.over.is_set():
        state = "heals"
    elif seen is not None and seen.injected_s is not None:
        state = "holds" if begun_s < window.to_s - window.from_s else "heals"
    else:
        state = "begins" if begun_s >= 0 else "waiting"
    if held.done and seen is not None and seen.injected_s is not None and seen.healed_s is not None:
        seconds = seen.healed_s - seen.injected_s
    else:
        seconds = max(begun_s, 0.0)
    return WindowState(
        label=held.planned.label,
        text=described(held.planned).split("  ", 2)[2],
        targets=" ".join(_hit(held)),
        from_ms=_unix_ms(held.start_ns, seen.injected_s if seen else None),
        to_ms=_unix_ms(held.start_ns, seen.healed_s if seen else None),
        state=state,
        seconds=round(seconds, 1),
        acted=seen.acted if seen else None,
        evidence=seen.evidence if seen else "",
    )


def _unix_ms(start_ns: int, at_s: float | None) -> float | None:
    """Seconds after a monotonic time, converted to milliseconds since 1970, for people and charts."""
    return None if at_s is None else (time.time_ns() - (time.monotonic_ns() - start_ns)) / 1e6 + at_s * 1e3
