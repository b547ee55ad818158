"""The warden: the parent process of every node of a run, which no node outlives.

It imports what the nodes need once and forks each node from itself, so a node starts in milliseconds. It reads commands as JSON
lines on standard input and reports on standard output. When its input ends, because the harness closed it or has died, it kills
every node's process group, cleans up what is left elsewhere, and ends. If the warden itself is killed, the kernel kills the
nodes (PR_SET_PDEATHSIG).

    python -m harness.cluster.warden ROOT... -- MODULE...    folders of modules; what to import first
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import selectors
import signal
import sys
import traceback
from pathlib import Path
from urllib.parse import quote

import msgspec

from harness import roots
from harness.cluster import fake_clocks
from harness.cluster.forks import adopt_orphans, fork, kill_descendants, kill_group, signal_all
from harness.model.system import Address
from harness.node.context import NodeSpec


class Start(msgspec.Struct, frozen=True, tag=True):
    """Start a node."""

    spec: NodeSpec


class Signal(msgspec.Struct, frozen=True, tag=True):
    """Send a signal to all of a node's processes, if that node still runs."""

    name: str
    number: int


class DeleteAtEnd(msgspec.Struct, frozen=True, tag=True):
    """When the run is over, delete these proxies of a Toxiproxy that the warden did not start."""

    address: Address
    proxies: list[str]


class RemoveAtEnd(msgspec.Struct, frozen=True, tag=True):
    """When the run is over, remove this control group. It has no processes by then, and may already be gone."""

    directory: str


class Started(msgspec.Struct, frozen=True, tag=True):
    """A node's process exists."""

    name: str
    pid: int


class Exited(msgspec.Struct, frozen=True, tag=True):
    """A node's process ended: with this exit code, or by the signal -`code`."""

    name: str
    pid: int
    code: int


Command = Start | Signal | DeleteAtEnd | RemoveAtEnd
Report = Started | Exited


class Warden:
    """The processes it started, by name, and what it must clean up at the end."""

    def __init__(self, commands: int, reports: int) -> None:
        """Both are file descriptors."""
        self._commands = commands
        self._reports = reports
        self._pids: dict[str, int] = {}
        self._foreign: set[str] = set()
        self._with_fake_clock: set[int] = set()
        self._delete: list[DeleteAtEnd] = []
        self._remove: list[str] = []
        self._decode = msgspec.json.Decoder(Command).decode
        adopt_orphans()

    def serve(self) -> None:
        """Obey until there are no more commands, then end everything."""
        wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        selector = selectors.DefaultSelector()
        selector.register(self._commands, selectors.EVENT_READ)
        selector.register(wake_read, selectors.EVENT_READ)
        pending = b""
        try:
            while True:
                for key, _ in selector.select():
                    if key.fd == wake_read:
                        os.read(wake_read, 4096)
                        self._reap()
                        continue
                    data = os.read(self._commands, 65536)
                    if not data:
                        return
                    *lines, pending = (pending + data).split(b"\n")
                    for line in lines:
                        self._obey(self._decode(line))
        finally:
            self._end()

    def _obey(self, command: Command) -> None:
        match command:
            case Start(spec):
                self._pids[spec.name] = pid = fork(spec)
                if spec.command:
                    self._foreign.add(spec.name)
                if spec.clock:
                    self._with_fake_clock.add(pid)
                self._report(Started(spec.name, pid))
            case Signal(name, number):
                if name in self._pids:
                    # Not reaped yet, so the group is still this node's. `signal_all` is slower: only for foreign programs.
                    (signal_all if name in self._foreign else os.killpg)(self._pids[name], number)
            case DeleteAtEnd():
                self._delete.append(command)
            case RemoveAtEnd(directory):
                self._remove.append(directory)

    def _reap(self) -> None:
        names = {pid: name for name, pid in self._pids.items()}
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            name = names.get(ended.si_pid)
            if name is not None:
                # Kill what the node had started. Do it before reaping the node, so that no other process can have its pid.
                kill_group(ended.si_pid)
                self._remove_shared(ended.si_pid)
            _, status = os.waitpid(ended.si_pid, 0)
            if name is not None:
                del self._pids[name]
                self._report(Exited(name, ended.si_pid, os.waitstatus_to_exitcode(status)))

    def _report(self, report: Report) -> None:
        with contextlib.suppress(BrokenPipeError):  # the harness is gone, so the commands end as well
            os.write(self._reports, msgspec.json.encode(report) + b"\n")

    def _remove_shared(self, pid: int) -> None:
        if pid in self._with_fake_clock:
            self._with_fake_clock.remove(pid)
            fake_clocks.remove_shared(pid)

    def _end(self) -> None:
        kill_descendants()
        for pid in self._pids.values():
            self._remove_shared(pid)
        for directory in self._remove:
            try:
                Path(directory).rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                traceback.print_exc()  # then go on with the next
        for left in self._delete:
            _delete_proxies(left)


def _delete_proxies(left: DeleteAtEnd) -> None:
    import http.client  # most runs have nothing to delete, and every run waits for the warden's imports

    for name in left.proxies:
        connection = http.client.HTTPConnection(*left.address, timeout=2)
        with contextlib.suppress(OSError, http.client.HTTPException):  # gone with its server: nothing to delete
            connection.request("DELETE", f"/proxies/{quote(name, safe='')}")
            connection.getresponse().read()
        connection.close()


def main() -> None:
    """Import the modules named on the command line, then serve."""
    # Modules may print or read while they are imported, so keep the pipes to the harness away from them.
    commands, reports = os.dup(0), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    sys.path[:] = [str(Path(entry).resolve()) for entry in sys.path]  # a node changes its working directory
    split = sys.argv.index("--")
    for root in sys.argv[1:split]:
        roots.add(Path(root))
    for module in sys.argv[split + 1 :]:
        try:
            importlib.import_module(module)
        except Exception:  # the node that needs it fails with the same error, in its own log
            traceback.print_exc()
    gc.collect()
    gc.freeze()  # forked nodes share these pages until one is written to
    Warden(commands, reports).serve()


if __name__ == "__main__":
    main()
