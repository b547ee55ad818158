"""A network namespace for each node of a run, connected to the others by a router that can drop packets.

Every host has one interface, `eth0`, and a cable (a veth pair) from there to the router, which is a namespace too. The harness
also has a cable to the router, the only part that is visible outside. Its own packets are never dropped, so that it can tell a
dead node from a partitioned one. Addresses come from the range that RFC 2544 reserves for network tests.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from harness.cluster import namespaces
from harness.cluster.limits import Limits
from harness.model.errors import FaultError, UsageError
from harness.model.packets import Carried, Dropped, Flow, Shaping

_TOOLS: Final = {"ip": "iproute2", "tc": "iproute2", "iptables-save": "iptables", "iptables-restore": "iptables"}
"""The tools used here, with the Debian package of each."""

DEVICE: Final = "eth0"
"""The name of each host's only interface."""

_SUBNETS: Final = 256
_ROUTER: Final = 1
_HARNESS: Final = 254
"""Last bytes of addresses; the nodes have those in between."""

_UNLIMITED: Final = float("inf")
_QUEUE_MS: Final = 200
"""A packet that would wait longer than this behind a rate limit is dropped."""
_LEAST_BURST_BYTES: Final = 4096
"""Must hold more than one packet, or nothing gets through."""
_COUNTERS: Final = {"received": "FORWARD", "sent": "POSTROUTING"}
"""Where the router counts: the first hook of this table comes before packets are dropped, the second one after."""
_TOOL_TIMEOUT_S: Final = 20.0
"""A tool that takes longer hangs: iptables-restore waits for a lock that another process may hold."""


def missing() -> str | None:
    """One line that says what this machine lacks for namespaces and how to get it; None if it lacks nothing."""
    try:
        os.close(namespaces.create())
    except OSError as error:
        return (
            f"Network namespaces do not work here: making one fails: {error.strerror}."
            " Run as root; in a container, with the capabilities SYS_ADMIN and NET_ADMIN."
        )
    for tool, package in _TOOLS.items():
        if shutil.which(tool) is None:
            return f"Network namespaces do not work here: there is no {tool!r}. Install it: apt-get install {package}."
    return None


class NetworkNamespaces:
    """The hosts of one run. Use `opened`. Every method that acts blocks for some milliseconds."""

    def __init__(self, subnet: int, router: int, kept: contextlib.ExitStack) -> None:
        self._subnet = subnet
        self._router = router
        self._kept = kept
        self._descriptors: dict[str, int] = {}
        self._numbers: dict[str, int] = {}
        self._limits: Limits[str] = Limits()

    @classmethod
    @contextlib.contextmanager
    def opened(cls, names: Sequence[str]) -> Iterator[NetworkNamespaces]:
        """A host for each name. After this ends, or this process does, each goes away with the last process in it.

        Raises `UsageError` if there are too many, or if this machine does not allow it.
        """
        with contextlib.ExitStack() as stack:
            router = _kept(stack)
            try:
                subnet = _connect(router)
                stack.callback(_batch, None, f"link delete {_outside(subnet)}")
                made = cls(subnet, router, stack)
                made._lay_own_cable()
            except (FaultError, OSError) as error:
                raise _unusable(error) from error
            made.add(names)
            yield made

    def add(self, names: Sequence[str]) -> None:
        """More hosts. Raises `UsageError` if they are too many, or if this machine does not allow it."""
        if (hosts := len(self._numbers) + len(names)) > _HARNESS - _ROUTER - 1:
            raise UsageError(f"Network namespaces: {hosts} hosts are too many; {_HARNESS - _ROUTER - 1} fit.")
        try:
            for name in names:
                self._lay_cable(name, _kept(self._kept))
        except (FaultError, OSError) as error:
            raise _unusable(error) from error

    def address(self, name: str) -> str:
        """The host's only address."""
        return _address(self._subnet, self._numbers[name])

    def namespace(self, name: str) -> str:
        """The file through which another process can enter the host."""
        return _path(self._descriptors[name])

    # ----------------------------------------------------------------------------------------------------- lost packets

    def drop(self, label: str, flows: Sequence[Flow]) -> None:
        """Drop all packets of these flows silently. If this raises, none of the flows is dropped."""
        harness = _address(self._subnet, _HARNESS)
        spared = [f"-A {label} {option} {harness} -j RETURN" for option in ("-s", "-d")]
        lost = [f"-A {label} {self._matched('-s', flow.source)} {self._matched('-d', flow.target)} -j DROP" for flow in flows]
        self._restore("filter", [f":{label} - [0:0]", *spared, *lost, f"-I FORWARD -j {label}"])

    def stop_dropping(self, label: str) -> list[Dropped]:
        """Undo `drop`. Returns the losses of each flow, in their order; empty if nothing was being dropped."""
        rules = _tool(self._router, "iptables-save", "-c", "-t", "filter")
        if f":{label} " not in rules:
            return []
        self._restore("filter", [f"-D FORWARD -j {label}", f"-F {label}", f"-X {label}"])
        found = re.findall(rf"^\[(\d+):(\d+)\] -A {re.escape(label)} .*-j DROP$", rules, re.MULTILINE)
        return [Dropped(packets=int(packets), bytes=int(bytes_)) for packets, bytes_ in found]

    def _matched(self, option: str, name: str | None) -> str:
        return f"{option} {self.address(name)}" if name else ""

    def _restore(self, table: str, lines: Sequence[str]) -> None:
        text = "\n".join((f"*{table}", *lines, "COMMIT", ""))
        _tool(self._router, "iptables-restore", "--noflush", "--wait", text=text)

    # ------------------------------------------------------------------------------------------------------ rate limits

    def limit(self, label: str, name: str, kbit_per_s: float) -> None:
        """Limit the rate at which a host sends and receives. If several windows limit it, the strictest limit wins."""
        self._shape(name, self._limits.take(name, label, kbit_per_s, before=_UNLIMITED))

    def unlimit(self, label: str) -> None:
        """End a window's limits."""
        for name, kbit_per_s in self._limits.release(label).items():
            self._shape(name, kbit_per_s)

    def shaping(self, name: str) -> Mapping[str, Shaping]:
        """The effect of a host's limit so far on what it sends, "out", and on what it receives, "in"; empty without a limit."""
        found: dict[str, Shaping] = {}
        for direction, namespace, device in self._ends(name):
            listed = _tool(namespace, "tc", "-s", "-j", "qdisc", "show", "dev", device)
            for shaping in msgspec.json.decode(listed, type=list[Shaping]):
                if shaping.kind == "tbf":
                    found[direction] = shaping
        return found

    def _shape(self, name: str, kbit_per_s: float) -> None:
        for _, namespace, device in self._ends(name):
            if kbit_per_s == _UNLIMITED:
                _tool(namespace, "tc", "qdisc", "delete", "dev", device, "root")
                continue
            burst_bytes = max(_LEAST_BURST_BYTES, round(kbit_per_s * 1000 / 8 * 0.01))  # 10 ms at full rate
            _tool(
                namespace, "tc", "qdisc", "replace", "dev", device, "root",
                "tbf", "rate", f"{round(kbit_per_s * 1000)}bit", "burst", str(burst_bytes), "latency", f"{_QUEUE_MS}ms",
            )  # fmt: skip

    def _ends(self, name: str) -> Sequence[tuple[str, int, str]]:
        """Both ends of a host's cable, each with the direction of the packets that leave there."""
        return ("out", self._descriptors[name], DEVICE), ("in", self._router, f"host{self._numbers[name]}")

    # ---------------------------------------------------------------------------------------------------------- traffic

    def count(self) -> None:
        """Count the traffic between the present hosts from now on. Call it once."""
        lines: list[str] = []
        for way, hook in _COUNTERS.items():
            lines += [f":{way} - [0:0]", f"-I {hook} -j {way}"]
            for source, number in self._numbers.items():  # a chain for each source: a packet meets 2n rules, not n²
                lines += [f":{way}{number} - [0:0]", f"-A {way} {self._matched('-s', source)} -j {way}{number}"]
                lines += [
                    f"-A {way}{number} {self._matched('-d', target)} -j RETURN" for target in self._numbers if target != source
                ]
        self._restore("mangle", lines)

    def traffic(self) -> Mapping[Flow, Carried]:
        """What each host has sent to each other one since `count`."""
        rules = _tool(self._router, "iptables-save", "-c", "-t", "mangle")
        found = re.findall(rf"^\[\d+:(\d+)\] -A ({'|'.join(_COUNTERS)})(\d+) -d [\d.]+\.(\d+)/32 ", rules, re.MULTILINE)
        counted = {(way, int(source), int(target)): int(bytes_) for bytes_, way, source, target in found}
        return {
            Flow(source, target): Carried(
                received_bytes=counted["received", one, other], sent_bytes=counted["sent", one, other]
            )
            for source, one in self._numbers.items()
            for target, other in self._numbers.items()
            if ("sent", one, other) in counted
        }

    # ----------------------------------------------------------------------------------------------------------- cables

    def _lay_own_cable(self) -> None:
        harness, router = _address(self._subnet, _HARNESS), _address(self._subnet, _ROUTER)
        _batch(self._router, "link set lo up", *_end("outside", router, harness))
        outside = _outside(self._subnet)
        _batch(None, *_end(outside, harness, router), f"route add {_address(self._subnet, 0)}/24 via {router}")
        namespaces.within(self._router, lambda: Path("/proc/sys/net/ipv4/ip_forward").write_text("1"))

    def _lay_cable(self, name: str, descriptor: int) -> None:
        number = _ROUTER + 1 + len(self._numbers)
        address, router, device = _address(self._subnet, number), _address(self._subnet, _ROUTER), f"host{number}"
        cable = f"link add {device} type veth peer name {DEVICE} netns {_path(descriptor)}"
        _batch(self._router, cable, *_end(device, router, address))
        _batch(descriptor, "link set lo up", *_end(DEVICE, address, router), f"route add default via {router}")
        self._descriptors[name], self._numbers[name] = descriptor, number


def _unusable(error: FaultError | OSError) -> UsageError:
    return UsageError(f"Network namespaces do not work here: {error}.")


def _kept(stack: contextlib.ExitStack) -> int:
    """A new namespace that is released with the stack."""
    descriptor = namespaces.create()
    stack.callback(os.close, descriptor)
    return descriptor


def _connect(router: int) -> int:
    """Lay the cable from the harness to the router. Returns the subnet; the cable's unique name makes it this run's own."""
    for candidate in range(os.getpid(), os.getpid() + _SUBNETS):
        subnet = candidate % _SUBNETS
        try:
            _batch(None, f"link add {_outside(subnet)} type veth peer name outside netns {_path(router)}")
        except FaultError as error:
            if "File exists" not in str(error):
                raise
        else:
            return subnet
    raise UsageError(f"Network namespaces: {_SUBNETS} runs use some already. Wait until one is over.")


def _outside(subnet: int) -> str:
    """The harness's end of its cable: the only part of a run's network that the rest of this machine sees."""
    return f"harness{subnet}"


def _address(subnet: int, number: int) -> str:
    return f"198.18.{subnet}.{number}"


def _path(descriptor: int) -> str:
    return f"/proc/{os.getpid()}/fd/{descriptor}"


def _end(device: str, here: str, there: str) -> Sequence[str]:
    return f"addr add {here} peer {there} dev {device}", f"link set {device} up"


def _batch(namespace: int | None, *lines: str) -> None:
    _tool(namespace, "ip", "-batch", "-", text="\n".join((*lines, "")))


def _tool(namespace: int | None, *arguments: str, text: str = "") -> str:
    """Run a tool, inside a namespace if one is given, and return what it prints.

    Raises `FaultError` with its error message if it fails or hangs.
    """

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            arguments, input=text, capture_output=True, text=True, check=False, timeout=_TOOL_TIMEOUT_S,
            start_new_session=True,  # Ctrl-C is for the harness alone: a tool that it ends would look broken
        )  # fmt: skip

    try:
        done = run() if namespace is None else namespaces.within(namespace, run)
    except OSError as error:
        raise FaultError(f"{arguments[0]} cannot be run: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise FaultError(f"`{' '.join(arguments)}` did not end within {_TOOL_TIMEOUT_S:g} s") from error
    if done.returncode == 0:
        return done.stdout
    raise FaultError(f"`{' '.join(arguments)}` failed: {' '.join(done.stderr.split())}")
