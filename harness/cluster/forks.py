"""How the warden forks a node's process, and how it makes sure that no process is left."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Final, NoReturn

from harness.cluster import fake_clocks, namespaces
from harness.model.placeholders import INTERNAL, filled
from harness.node import open_files
from harness.node.context import NodeSpec, run

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36

_OWN_SIGNALS: Final = (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM)
"""The signals that the warden handles or ignores, and a node does not."""

OUTER_PYTHONPATH: Final = "HARNESS_OUTER_PYTHONPATH"
"""The variable that keeps the original PYTHONPATH, which the harness replaces for the warden; foreign programs get it back."""


def adopt_orphans() -> None:
    """Make this process the parent of every orphaned descendant, so that none can escape."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def fork(spec: NodeSpec) -> int:
    """Fork a node's process. It is in its own process group by the time this returns, and loses no signal sent from then on."""
    parent = os.getpid()
    # The warden ignores signals that a node must not: one that comes before the node has undone that stays pending.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, _OWN_SIGNALS)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            _become(spec, parent)
            code = 0
        except SystemExit as error:
            if isinstance(error.code, str):
                print(error.code, file=sys.stderr)
            else:
                code = error.code or 0
        except BaseException:
            traceback.print_exc()
        finally:
            _flush_and_exit(code)
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    with contextlib.suppress(PermissionError, ProcessLookupError):  # the child was faster, or has already ended
        os.setpgid(pid, pid)
    return pid


def _flush_and_exit(code: int) -> NoReturn:
    """End this process without what must not run twice after a fork: exit handlers, and flushing the parent's buffers."""
    with contextlib.suppress(OSError):  # a full disk
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def kill_group(pid: int) -> None:
    """SIGKILL a process group. Does nothing if it is gone."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def signal_all(pid: int, number: int) -> None:
    """Signal a foreign program's process group, and any descendants that have left the group, as PostgreSQL's processes do.

    SIGSTOP, SIGCONT and SIGKILL reach every process, as they would if the machine failed; any other signal goes to the group
    alone. The group is stopped before its descendants are listed, so that it cannot start more of them meanwhile.
    """
    if number in (signal.SIGSTOP, signal.SIGKILL):
        os.killpg(pid, signal.SIGSTOP)
    if number in (signal.SIGSTOP, signal.SIGCONT, signal.SIGKILL):
        for stray in _outside(pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(stray, number)
    os.killpg(pid, number)


def _outside(group: int) -> list[int]:
    """The descendants of a process group's leader that are not in the group."""
    children: dict[int, list[tuple[int, int]]] = {}
    for pid, parent, its_group in _processes():
        children.setdefault(parent, []).append((pid, its_group))
    below, found = [group], []
    while below:
        for pid, its_group in children.get(below.pop(), ()):
            below.append(pid)
            if its_group != group:
                found.append(pid)
    return found


def kill_descendants() -> None:
    """SIGKILL every descendant of this process, whatever its process group, and wait until all have ended.

    A process that this orphans becomes a child of this process (see `adopt_orphans`) and is killed in turn.
    """
    while children := _children():
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in children:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _children() -> list[int]:
    me = os.getpid()
    return [pid for pid, parent, _ in _processes() if parent == me]


def _processes() -> Iterator[tuple[int, int, int]]:
    """Every process: its pid, its parent's pid, and its process group."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                # The name, in parentheses, may contain anything; after it come the state, the parent and the group.
                _, parent, group = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[:3]
                yield int(entry.name), int(parent), int(group)


def _become(spec: NodeSpec, parent: int) -> None:
    with contextlib.suppress(PermissionError):  # the parent was faster
        os.setpgid(0, 0)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    signal.set_wakeup_fd(-1)
    for number in _OWN_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _OWN_SIGNALS)
    log = os.open(spec.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if spec.network:
        namespaces.enter(os.open(spec.network, os.O_RDONLY))
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    Path(spec.data).mkdir(parents=True, exist_ok=True)
    os.chdir(spec.data)
    if spec.command:
        _run_program(spec)
    open_files.allow_most()
    run(spec)


def _run_program(spec: NodeSpec) -> NoReturn:
    """Become a foreign program, with the signals and the environment that it would have without the harness."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores these, and exec keeps ignored signals ignored
        signal.signal(number, signal.SIG_DFL)
    environment = dict(os.environ)
    outer = environment.pop(OUTER_PYTHONPATH, "")
    environment.pop("PYTHONPATH", None)
    if outer:
        environment["PYTHONPATH"] = outer
    if spec.clock:
        environment |= fake_clocks.environment(spec.clock, environment.get("LD_PRELOAD", ""))
    own = {"host": spec.host, "port": str(spec.port), "data": spec.data}
    if spec.internal_port is not None:
        own[INTERNAL] = str(spec.internal_port)
    arguments = [filled(part, own=own, peers=spec.peers) for part in spec.command]
    if spec.setup:
        arguments += import_module(spec.setup).setup(spec)
    try:
        os.execvpe(arguments[0], arguments, environment)  # noqa: S606 - an argument vector
    except OSError as error:
        relative = os.sep in arguments[0] and not Path(arguments[0]).is_absolute()
        advice = f" in {spec.data}. Give an absolute path" if relative else ""
        print(f"cannot run {arguments[0]!r}: {error.strerror}{advice}", file=sys.stderr, flush=True)
        os._exit(127)
