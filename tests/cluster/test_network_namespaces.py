"""Machines in namespaces, as sockets on them see them: packets lost, lost one way, or late; and nothing is left behind."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.cluster import namespaces, network_namespaces
from harness.cluster.network_namespaces import NetworkNamespaces
from harness.model.errors import FaultError, UsageError
from harness.model.packets import Carried, Flow
from tests.helpers.engine import environment, harness_running, node_process, nothing_left, until, write_drill
from tests.helpers.machines import bound, inside, kept_by, links, need_hosts

PATIENCE_S = 30.0


@pytest.fixture
def machines() -> Iterator[NetworkNamespaces]:
    need_hosts()
    with NetworkNamespaces.opened(["a", "b", "c"]) as opened:
        yield opened


def connect(source: socket.socket, target: socket.socket, timeout_s: float = PATIENCE_S) -> None:
    source.settimeout(timeout_s)
    source.connect(target.getsockname())


def listener(machines: NetworkNamespaces, name: str) -> socket.socket:
    made = bound(machines, name, socket.SOCK_STREAM)
    made.listen()
    return made


def pair(machines: NetworkNamespaces) -> tuple[socket.socket, socket.socket]:
    """An established connection from a to b, as both see it."""
    with listener(machines, "b") as listening:
        near = bound(machines, "a", socket.SOCK_STREAM)
        connect(near, listening)
        far, _ = listening.accept()
    far.settimeout(PATIENCE_S)
    return near, far


def test_machines_reach_each_other_by_addresses_of_their_own(machines: NetworkNamespaces) -> None:
    with bound(machines, "a", socket.SOCK_STREAM) as source, listener(machines, "b") as target:
        connect(source, target)
        _, (seen, _) = target.accept()
        assert seen == machines.address("a") != machines.address("b")


def test_the_harness_reaches_machines_but_not_over_its_own_loopback(machines: NetworkNamespaces) -> None:
    with socket.socket() as outside, listener(machines, "b") as target:
        connect(outside, target)
        port = target.getsockname()[1]
        with socket.socket() as loopback:
            assert loopback.connect_ex(("127.0.0.1", port)) != 0


def test_a_port_without_a_listener_is_refused_and_a_lost_packet_is_not(machines: NetworkNamespaces) -> None:
    with listener(machines, "b") as target:
        dead = bound(machines, "b", socket.SOCK_STREAM)
        dead_address = dead.getsockname()
        dead.close()
        with bound(machines, "a", socket.SOCK_STREAM) as source, pytest.raises(ConnectionRefusedError):
            source.settimeout(PATIENCE_S)
            source.connect(dead_address)
        flows = [Flow("b", None), Flow(None, "b")]
        machines.drop("w0", flows)
        with bound(machines, "a", socket.SOCK_STREAM) as source, pytest.raises(TimeoutError):
            connect(source, target, timeout_s=0.3)
        with bound(machines, "a", socket.SOCK_STREAM) as source, listener(machines, "c") as other:
            connect(source, other)
        with socket.socket() as harness:
            connect(harness, target)
        from_b, to_b = machines.stop_dropping("w0")
        assert from_b.packets == 0
        assert to_b.packets >= 1
        assert to_b.bytes >= 40 * to_b.packets
        with bound(machines, "a", socket.SOCK_STREAM) as source:
            connect(source, target)


def test_one_direction_is_lost_and_the_other_is_not(machines: NetworkNamespaces) -> None:
    with bound(machines, "a", socket.SOCK_DGRAM) as a, bound(machines, "b", socket.SOCK_DGRAM) as b:
        for one in (a, b):
            one.settimeout(PATIENCE_S)
        machines.drop("w0", [Flow("a", "b")])
        a.sendto(b"lost", b.getsockname())
        b.sendto(b"heard", a.getsockname())
        assert a.recv(100) == b"heard"
        assert [lost.packets for lost in machines.stop_dropping("w0")] == [1]
        a.sendto(b"after", b.getsockname())
        assert b.recv(100) == b"after"


def test_what_a_connection_lost_arrives_when_it_is_sent_again(machines: NetworkNamespaces) -> None:
    near, far = pair(machines)
    with near, far:
        machines.drop("w0", [Flow("a", "b"), Flow("b", "a")])
        near.sendall(b"late")
        far.settimeout(0.3)
        with pytest.raises(TimeoutError):
            far.recv(100)
        far.settimeout(PATIENCE_S)
        lost, _ = machines.stop_dropping("w0")
        assert lost.packets >= 1
        assert far.recv(100) == b"late"


def test_a_machine_that_is_added_is_as_the_others(machines: NetworkNamespaces) -> None:
    machines.add(["d"])
    assert len({machines.address(name) for name in "abcd"}) == 4
    with bound(machines, "d", socket.SOCK_STREAM) as source, listener(machines, "a") as target:
        connect(source, target)


def test_traffic_is_counted_for_each_flow_before_and_after_losses(machines: NetworkNamespaces) -> None:
    machines.count()
    with bound(machines, "a", socket.SOCK_DGRAM) as a, bound(machines, "b", socket.SOCK_DGRAM) as b:
        b.settimeout(PATIENCE_S)
        a.sendto(bytes(100), b.getsockname())
        assert len(b.recv(200)) == 100
        machines.drop("w0", [Flow("a", "b")])
        a.sendto(bytes(300), b.getsockname())
        machines.stop_dropping("w0")
    headers = 28
    carried = machines.traffic()
    assert carried[Flow("a", "b")] == Carried(received_bytes=400 + 2 * headers, sent_bytes=100 + headers)
    assert carried[Flow("b", "a")] == carried[Flow("a", "c")] == Carried(received_bytes=0, sent_bytes=0)
    assert len(carried) == 6


def test_drops_of_several_windows_end_one_by_one(machines: NetworkNamespaces) -> None:
    with bound(machines, "a", socket.SOCK_DGRAM) as a, bound(machines, "b", socket.SOCK_DGRAM) as b:
        a.settimeout(PATIENCE_S)
        b.settimeout(PATIENCE_S)
        machines.drop("w0", [Flow("a", "b")])
        machines.drop("w1", [Flow("b", "a")])
        machines.stop_dropping("w0")
        b.sendto(b"lost", a.getsockname())
        a.sendto(b"heard", b.getsockname())
        assert b.recv(100) == b"heard"
        assert [lost.packets for lost in machines.stop_dropping("w1")] == [1]


def test_nothing_was_dropped_where_nothing_was_to_be(machines: NetworkNamespaces) -> None:
    assert machines.stop_dropping("w0") == []
    machines.drop("w0", [Flow("a", None)])
    assert [lost.packets for lost in machines.stop_dropping("w0")] == [0]


def test_a_drop_that_the_kernel_refuses_leaves_nothing(machines: NetworkNamespaces) -> None:
    machines.drop("w0", [Flow("a", "b")])
    with pytest.raises(FaultError, match="iptables-restore"):
        machines.drop("w0 nonsense", [Flow("b", "a")])
    assert machines.stop_dropping("w0 nonsense") == []
    assert len(machines.stop_dropping("w0")) == 1


def transfer(machines: NetworkNamespaces, size: int) -> float:
    """Send this many bytes from a to b; returns how long it took, in seconds."""
    near, far = pair(machines)
    with near, far:
        near.settimeout(PATIENCE_S)
        started_s = time.monotonic()
        near.sendall(b"x" * size)  # fits into the buffers of both
        while size:
            size -= len(far.recv(65536))
        return time.monotonic() - started_s


@pytest.mark.slow
def test_a_rate_limit_holds_for_both_directions_of_a_machine(machines: NetworkNamespaces) -> None:
    machines.limit("w0", "a", 800)
    assert transfer(machines, 100_000) > 0.75, "100 kB are 1 s at 800 kbit/s; a busy machine can only make it slower"
    shaping = machines.shaping("a")
    assert shaping["out"].bytes > 100_000
    assert shaping["out"].overlimits > 0
    assert shaping["in"].bytes > 0
    assert machines.shaping("b") == {}
    machines.unlimit("w0")
    assert machines.shaping("a") == {}
    transfer(machines, 100_000)


@pytest.mark.slow
def test_what_comes_to_a_limited_machine_waits_too(machines: NetworkNamespaces) -> None:
    machines.limit("w0", "b", 800)
    assert transfer(machines, 100_000) > 0.75
    assert machines.shaping("b")["in"].overlimits > 0


def test_the_strictest_of_several_limits_holds(machines: NetworkNamespaces) -> None:
    machines.limit("w0", "a", 100_000)
    machines.limit("w1", "a", 800)
    machines.limit("w2", "a", 50_000)
    assert transfer(machines, 100_000) > 0.75
    machines.unlimit("w1")
    machines.unlimit("w0")
    assert machines.shaping("a") != {}
    machines.unlimit("w2")
    assert machines.shaping("a") == {}
    machines.unlimit("w2")


def test_two_runs_do_not_disturb_each_other(machines: NetworkNamespaces) -> None:
    with NetworkNamespaces.opened(["a", "b"]) as others, listener(others, "b") as theirs, listener(machines, "b") as ours:
        machines.drop("w0", [Flow(None, "b"), Flow("b", None)])
        with bound(others, "a", socket.SOCK_STREAM) as source:
            connect(source, theirs)
        with socket.socket() as one, socket.socket() as other:
            connect(one, ours)
            connect(other, theirs)


def test_nothing_is_left() -> None:
    need_hosts()
    before = links()
    with NetworkNamespaces.opened(["a", "b"]) as machines:
        assert len(links() - before) == 1
        kept = {inside(machines, name, own_namespace) for name in ("a", "b")}
        assert len(kept) == 2
        assert all(map(kept_by, kept))
    assert links() == before
    assert not any(map(kept_by, kept))


def own_namespace() -> str:
    return str(Path("/proc/thread-self/ns/net").readlink())


def test_this_thread_stays_where_it_was(machines: NetworkNamespaces) -> None:
    before = own_namespace()
    assert inside(machines, "a", own_namespace) != before
    with pytest.raises(ZeroDivisionError):
        inside(machines, "a", lambda: 1 // 0)
    assert own_namespace() == before


def test_nothing_is_left_of_a_process_that_was_killed() -> None:
    need_hosts()
    before = links()
    script = (
        "import sys\nfrom harness.cluster.network_namespaces import NetworkNamespaces\n"
        "with NetworkNamespaces.opened(['a', 'b']) as machines:\n    print('open', flush=True)\n    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        assert len(links() - before) == 1
        process.kill()
    until(lambda: links() == before)


HOSTS_DRILL = """
from faults.blackhole import Blackhole
drill = Drill(
    system=Echo(replicas=3), workload=Numbers(), load=Load(rate=50, seconds=60),
    faults=[Blackhole("n1").between(0.1, 59), Pause("n2").between(0.1, 59)], namespaces=True,
)
"""


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["harness", "warden", "both"])
def test_nothing_is_left_of_a_run_that_was_killed(tmp_path: Path, victim: str) -> None:
    need_hosts()
    before = links()
    write_drill(tmp_path, "every", HOSTS_DRILL)
    with harness_running(tmp_path, "drill", "every") as run:
        until(lambda: (node := node_process(tmp_path, "n2")) and node.status() == "stopped")
        node = node_process(tmp_path, "n2")
        assert node is not None
        namespace = os.readlink(f"/proc/{node.pid}/ns/net")  # noqa: PTH115 - the text is wanted, not a path
        assert namespace != own_namespace()
        warden = node.parent()
        assert warden is not None
        assert len(links() - before) == 1
        if victim != "harness":
            warden.kill()
        if victim != "warden":
            run.kill()
        run.wait(60)
        until(lambda: nothing_left(tmp_path))
        until(lambda: links() == before)
        until(lambda: not kept_by(namespace))


OPENED = """
import asyncio
from harness.cluster.interrupts import run_to_its_end
from harness.cluster.network_namespaces import NetworkNamespaces

async def main():
    with NetworkNamespaces.opened(["a", "b"]):
        await asyncio.get_running_loop().create_future()

try:
    run_to_its_end(main())
except KeyboardInterrupt:
    print("interrupted")
"""


def test_an_interrupt_while_a_tool_runs_is_not_taken_for_a_tool_that_fails(tmp_path: Path) -> None:
    """The terminal sends it to the whole process group of the harness."""
    need_hosts()
    before, tool = links(), shutil.which("ip")
    (tmp_path / "ip").write_text(f'#!/bin/sh\nmkdir {tmp_path}/once 2>/dev/null && kill -INT -$PPID\nexec {tool} "$@"\n')
    (tmp_path / "ip").chmod(0o755)
    settings = environment() | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command = [sys.executable, "-c", OPENED]
    done = subprocess.run(
        command, env=settings, capture_output=True, text=True, check=False, timeout=60, start_new_session=True
    )
    assert (done.stdout, done.returncode) == ("interrupted\n", 0), done.stderr
    until(lambda: links() == before)


def test_too_many_machines_are_an_error() -> None:
    need_hosts()
    with (
        pytest.raises(UsageError, match=r"253 hosts are too many; 252 fit\."),
        NetworkNamespaces.opened([str(n) for n in range(253)]),
    ):
        pass


def test_what_is_missing_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    need_hosts()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert network_namespaces.missing() == (
        "Network namespaces do not work here: there is no 'ip'. Install it: apt-get install iproute2."
    )
    for tool in ("ip", "tc"):
        (tmp_path / tool).touch(mode=0o755)
    assert str(network_namespaces.missing()).endswith("there is no 'iptables-save'. Install it: apt-get install iptables.")


def test_who_is_not_root_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def create() -> int:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(namespaces, "create", create)
    assert network_namespaces.missing() == (
        "Network namespaces do not work here: making one fails: Operation not permitted."
        " Run as root; in a container, with the capabilities SYS_ADMIN and NET_ADMIN."
    )


def test_a_kernel_that_refuses_half_way_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    need_hosts()
    before = links()
    monkeypatch.setattr(network_namespaces, "_end", lambda *_: ("link set nobody up",))
    with (
        pytest.raises(UsageError, match=r"do not work here: `ip -batch -` failed: Cannot find device"),
        NetworkNamespaces.opened(["a"]),
    ):
        pass
    assert links() == before


def test_a_tool_that_hangs_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_namespaces, "_TOOL_TIMEOUT_S", 0.05)
    with pytest.raises(FaultError, match=r"`sleep 60` did not end within 0\.05 s"):
        network_namespaces._tool(None, "sleep", "60")
