"""The warden: the process that every node of a run is a child of, and that nothing outlives.

It imports what the nodes need once and forks each from itself, so a node starts in milliseconds. It takes commands as JSON
lines on standard input and reports on standard output. When its input ends (the harness said so, or is gone, however it went)
it kills every node's process group, puts right what was left behind elsewhere, and ends. When it is itself killed, the kernel
kills the nodes (PR_SET_PDEATHSIG).

    python -m harness.warden MODULE...        modules to import before the first fork
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import http.client
import importlib
import os
import selectors
import signal
import sys
import traceback
from pathlib import Path
from typing import Final, NoReturn
from urllib.parse import quote

import msgspec

from harness.node import NodeSpec, run
from harness.wire import Address

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36


class Start(msgspec.Struct, frozen=True, tag=True):
    """Start a node."""

    spec: NodeSpec


class Signal(msgspec.Struct, frozen=True, tag=True):
    """Send a signal to a node's whole process group, if that node still runs."""

    name: str
    number: int


class DeleteAtEnd(msgspec.Struct, frozen=True, tag=True):
    """When all is over, delete these proxies of a Toxiproxy that the warden did not start."""

    address: Address
    proxies: list[str]


class Started(msgspec.Struct, frozen=True, tag=True):
    """A node's process exists."""

    name: str
    pid: int


class Exited(msgspec.Struct, frozen=True, tag=True):
    """A node's process ended: with this exit code, or by the signal -`code`."""

    name: str
    pid: int
    code: int


Command = Start | Signal | DeleteAtEnd
Report = Started | Exited


class Warden:
    """The processes it started, by name, and what is to be put right at the end."""

    def __init__(self) -> None:
        self._pids: dict[str, int] = {}
        self._delete: list[DeleteAtEnd] = []
        self._decode = msgspec.json.Decoder(Command).decode
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)

    def serve(self) -> None:
        """Obey until standard input ends, then end everything."""
        wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        selector = selectors.DefaultSelector()
        selector.register(0, selectors.EVENT_READ)
        selector.register(wake_read, selectors.EVENT_READ)
        pending = b""
        try:
            while True:
                for key, _ in selector.select():
                    if key.fd == wake_read:
                        os.read(wake_read, 4096)
                        self._reap()
                        continue
                    data = os.read(0, 65536)
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
                self._pids[spec.name] = pid = _fork(spec)
                _report(Started(spec.name, pid))
            case Signal(name, number):
                if name in self._pids:
                    os.killpg(self._pids[name], number)
            case DeleteAtEnd():
                self._delete.append(command)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for name, known in list(self._pids.items()):
                if known == pid:
                    del self._pids[name]
                    _kill_group(pid)  # what the node itself had started
                    _report(Exited(name, pid, os.waitstatus_to_exitcode(status)))

    def _end(self) -> None:
        for pid in self._pids.values():
            _kill_group(pid)
        with contextlib.suppress(ChildProcessError):
            while True:
                os.wait()
        for left in self._delete:
            for name in left.proxies:
                connection = http.client.HTTPConnection(*left.address, timeout=2)
                with contextlib.suppress(OSError, http.client.HTTPException):  # gone with its server: nothing to delete
                    connection.request("DELETE", f"/proxies/{quote(name, safe='')}")
                    connection.getresponse().read()
                connection.close()


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def _report(report: Report) -> None:
    with contextlib.suppress(BrokenPipeError):  # nobody listens any more: standard input has ended as well
        os.write(1, msgspec.json.encode(report) + b"\n")


def _fork(spec: NodeSpec) -> int:
    """Fork a node's process, in a process group of its own by the time this returns."""
    warden = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            _become(spec, warden)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    with contextlib.suppress(PermissionError, ProcessLookupError):  # the child was quicker, or is gone already
        os.setpgid(pid, pid)
    return pid


def _become(spec: NodeSpec, warden: int) -> NoReturn:
    with contextlib.suppress(PermissionError):  # the parent was quicker
        os.setpgid(0, 0)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != warden:
        os._exit(1)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    log = os.open(spec.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    Path(spec.data).mkdir(parents=True, exist_ok=True)
    os.chdir(spec.data)
    if spec.command:
        arguments = [part.format(host=spec.host, port=spec.port, data=spec.data) for part in spec.command]
        os.execvp(arguments[0], arguments)  # noqa: S606 - an argument vector
    run(spec)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def main() -> None:
    """Import what was asked for, then serve."""
    sys.path[:] = [str(Path(entry).resolve()) for entry in sys.path]  # a node changes its working directory
    for module in sys.argv[1:]:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # forked nodes share these pages as long as nobody touches them
    Warden().serve()


if __name__ == "__main__":
    main()
