"""The warden: it reports, signals and ends the processes that it starts, and none escapes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from harness.cluster import fake_clocks
from harness.cluster.warden_client import WardenClient, last_lines
from harness.model.errors import HarnessError, UsageError
from harness.node.context import NodeSpec
from tests.helpers.engine import nothing_left, processes_in, until

Scenario = Callable[[WardenClient], Awaitable[None]]


def spec(folder: Path, *command: str, name: str = "p") -> NodeSpec:
    return NodeSpec(
        name=name, start=0, host="127.0.0.1", port=1, seed=0,
        data=str(folder / name), log=str(folder / f"{name}.log"), command=command,
    )  # fmt: skip


def python(folder: Path, code: str, name: str = "p") -> NodeSpec:
    return spec(folder, sys.executable, "-c", code, name=name)


def run(folder: Path, scenario: Scenario, *preload: str) -> None:
    async def main() -> None:
        async with WardenClient.opened(preload, folder / "warden.log") as processes:
            await scenario(processes)

    asyncio.run(main())
    assert nothing_left(folder)


def said(folder: Path, name: str = "p") -> str:
    return (folder / f"{name}.log").read_text()


SLEEP = "import time; print('up', flush=True); time.sleep(600)"


def test_exit_codes_are_reported(tmp_path: Path) -> None:
    exits: list[tuple[str, int]] = []

    async def scenario(processes: WardenClient) -> None:
        processes.on_exit = lambda name, pid, code: exits.append((name, code))
        for name, code in (("a", "0"), ("b", "3"), ("c", "__import__('os').kill(0, 9)")):
            await processes.start(python(tmp_path, f"import sys; sys.exit({code})", name))
            await processes.exit_code(name)
            assert processes.pid(name) is None

    run(tmp_path, scenario)
    assert exits == [("a", 0), ("b", 3), ("c", -9)]


@pytest.mark.parametrize(
    ("program", "advice"), [("no-such-program", ""), ("./program", " in {data}. Give an absolute path"), ("/program", "")]
)
def test_a_program_that_is_not_there_says_so_in_its_log(tmp_path: Path, program: str, advice: str) -> None:
    async def scenario(processes: WardenClient) -> None:
        await processes.start(spec(tmp_path, program, "--flag"))
        assert await processes.exit_code("p") == 127

    run(tmp_path, scenario)
    data = spec(tmp_path, program).data
    assert said(tmp_path) == f"cannot run {program!r}: No such file or directory{advice.format(data=data)}\n"


def test_settings_that_are_no_json_are_told_in_one_line(tmp_path: Path) -> None:
    async def scenario(processes: WardenClient) -> None:
        odd = msgspec.structs.replace(python(tmp_path, SLEEP), config={"where": tmp_path})
        with pytest.raises(UsageError, match=r"^Node 'p': its config= is not JSON: .* type PosixPath is unsupported\.$"):
            await processes.start(odd)

    run(tmp_path, scenario)


@pytest.mark.skipif(fake_clocks.missing() is not None, reason=str(fake_clocks.missing()))
def test_a_killed_program_whose_clock_is_faked_leaves_nothing_in_the_machines_memory(tmp_path: Path) -> None:
    """libfaketime shares memory by its process's pid, and removes it only if the process ends by itself."""
    clock = tmp_path / "clock"
    clock.write_text("+0\n")
    pids: dict[str, int] = {}

    def shared(name: str) -> list[Path]:
        return list(Path("/dev/shm").glob(f"*faketime_s*_{pids[name]}"))  # noqa: S108 - where it is shared

    async def scenario(processes: WardenClient) -> None:
        for name in ("killed", "left"):
            faked = msgspec.structs.replace(spec(tmp_path, "sleep", "600", name=name), clock=str(clock))
            pids[name] = await processes.start(faked)
        await asyncio.to_thread(until, lambda: len(shared("killed")) == len(shared("left")) == 2)
        processes.signal("killed", signal.SIGKILL)
        await processes.exit_code("killed")
        assert shared("killed") == []

    run(tmp_path, scenario)
    assert shared("left") == []


@pytest.mark.usefixtures("hangup_not_ignored")
def test_a_program_gets_what_it_would_without_the_harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/their/own")
    monkeypatch.setenv("GREETING", "hello")
    code = (
        "import os, signal, sys\n"
        "print(sorted(os.listdir('/proc/self/fd'))[:4], os.getcwd(), os.environ['PYTHONPATH'], os.environ['GREETING'])\n"
        "print(sys.argv[1:], os.getpgid(0) == os.getpid(), sys.stdin.read() == '')\n"
        "mask = int([l for l in open('/proc/self/status') if l.startswith('SigBlk')][0].split()[1], 16)\n"
        "print(mask, [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGCHLD)] == [signal.SIG_DFL] * 2)\n"
    )
    ignored = "grep SigIgn /proc/self/status"

    async def scenario(processes: WardenClient) -> None:
        await processes.start(spec(tmp_path, sys.executable, "-c", code, "{host}:{port}", "{data}", '{"json": 1}'))
        assert await processes.exit_code("p") == 0
        await processes.start(spec(tmp_path, "sh", "-c", ignored, name="signals"))
        assert await processes.exit_code("signals") == 0

    run(tmp_path, scenario)
    first, second, third = said(tmp_path).splitlines()
    assert first == f"['0', '1', '2', '3'] {tmp_path / 'p'} /their/own hello"  # 3 is the listing itself
    assert second == f"""['127.0.0.1:1', '{tmp_path / "p"}', '{{"json": 1}}'] True True"""
    assert third == "0 True"
    assert int(said(tmp_path, "signals").split()[1], 16) == 0


def test_a_signal_reaches_the_whole_group_and_none_without_processes(tmp_path: Path) -> None:
    async def scenario(processes: WardenClient) -> None:
        processes.signal("p", signal.SIGKILL)  # no process of that name
        await processes.start(spec(tmp_path, "sh", "-c", "sleep 600 & sleep 600; true"))
        await until_async(lambda: len(processes_in(tmp_path)) == 3)
        processes.signal("p", signal.SIGKILL)
        assert await processes.exit_code("p") == -9
        await until_async(lambda: nothing_left(tmp_path))

    run(tmp_path, scenario)


def test_what_a_node_has_started_ends_with_it(tmp_path: Path) -> None:
    async def scenario(processes: WardenClient) -> None:
        await processes.start(spec(tmp_path, "sh", "-c", "sleep 600 & true"))
        assert await processes.exit_code("p") == 0
        await until_async(lambda: nothing_left(tmp_path))

    run(tmp_path, scenario)


def test_a_daemon_that_leaves_its_group_and_its_parent_does_not_get_away(tmp_path: Path) -> None:
    daemonize = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        print('daemon', flush=True); time.sleep(600)\n"
    )

    async def scenario(processes: WardenClient) -> None:
        await processes.start(python(tmp_path, daemonize))
        assert await processes.exit_code("p") == 0
        await until_async(lambda: "daemon" in said(tmp_path))
        await until_async(lambda: len(processes_in(tmp_path)) == 1)

    run(tmp_path, scenario)


def zombies() -> list[psutil.Process]:
    found = []
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if child.status() == psutil.STATUS_ZOMBIE:
                found.append(child)
    return found


@pytest.mark.slow
def test_no_zombies_and_no_orphans_among_many_short_lives(tmp_path: Path) -> None:
    async def scenario(processes: WardenClient) -> None:
        for _ in range(10):
            names = [f"p{number}" for number in range(10)]
            await asyncio.gather(*(processes.start(spec(tmp_path, "sh", "-c", "true & true", name=name)) for name in names))
            await asyncio.gather(*(processes.exit_code(name) for name in names))
        await until_async(lambda: not zombies())

    run(tmp_path, scenario)


def test_modules_that_print_read_and_fail_as_they_are_imported_do_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "chatty.py").write_text("import sys; print('hello', sys.stdin.read() == '')")
    (tmp_path / "broken.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(str(tmp_path))

    async def scenario(processes: WardenClient) -> None:
        await processes.start(spec(tmp_path, "true"))
        assert await processes.exit_code("p") == 0

    run(tmp_path, scenario, "chatty", "broken", "no_such_module")
    log = (tmp_path / "warden.log").read_text()
    assert "hello True" in log
    assert "ZeroDivisionError" in log
    assert "No module named 'no_such_module'" in log


def test_the_death_of_the_warden_reaches_all_that_wait_or_ask_later(tmp_path: Path) -> None:
    broken: list[HarnessError] = []

    async def scenario(processes: WardenClient) -> None:
        processes.on_broken = broken.append
        pid = await processes.start(python(tmp_path, SLEEP))
        waiting = asyncio.create_task(processes.exit_code("p"))
        parent = psutil.Process(pid).parent()
        assert parent is not None
        parent.kill()
        with pytest.raises(HarnessError, match="The process that starts the nodes has ended"):
            await waiting
        with pytest.raises(HarnessError, match="has ended"):
            await processes.start(python(tmp_path, SLEEP))
        await until_async(lambda: nothing_left(tmp_path))

    run(tmp_path, scenario)
    assert len(broken) == 1


def test_what_a_program_has_started_ends_with_the_warden(tmp_path: Path) -> None:
    started = tmp_path / "p" / "started"

    async def scenario(processes: WardenClient) -> None:
        await processes.start(spec(tmp_path, "sh", "-c", "sleep 600 & echo > started; wait"))
        await until_async(started.exists)
        [warden] = [one for one in psutil.Process().children() if "harness.cluster.warden" in one.cmdline()]
        warden.kill()
        await until_async(lambda: nothing_left(tmp_path))

    run(tmp_path, scenario)


def test_a_cancelled_start_does_not_confuse_the_reports(tmp_path: Path) -> None:
    async def scenario(processes: WardenClient) -> None:
        starting = asyncio.create_task(processes.start(python(tmp_path, SLEEP)))
        await asyncio.sleep(0)
        starting.cancel()
        await until_async(lambda: processes.pid("p") is not None)
        processes.signal("p", signal.SIGTERM)
        assert await processes.exit_code("p") == -signal.SIGTERM

    run(tmp_path, scenario)


def test_a_signal_that_follows_a_start_at_once_is_never_lost(tmp_path: Path) -> None:
    """The warden ignores SIGTERM, and so does what it has just forked, until it is its own."""

    async def scenario(processes: WardenClient) -> None:
        for number in (signal.SIGTERM, signal.SIGINT) * 10:
            starting = asyncio.create_task(processes.start(spec(tmp_path, "sleep", "5")))
            await asyncio.sleep(0)
            processes.signal("p", number)
            await starting
            assert await processes.exit_code("p") == -number

    run(tmp_path, scenario)


def test_the_last_lines_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert last_lines(log, 3) == "(nothing was logged)"
    log.write_bytes(b"one\n  two\nthr\xffee\nfour\n\n")
    assert last_lines(log, 3) == "two | thr\ufffdee | four"
    log.write_bytes(b"." * 1_000_000 + b" step 3\nKilled")
    end = last_lines(log, 3)
    assert len(end) < 500
    assert end.endswith(". step 3 | Killed")


async def until_async(true: Callable[[], object]) -> None:
    await asyncio.to_thread(until, true)


def test_nothing_of_this_process_is_inherited(tmp_path: Path) -> None:
    """Not even descriptors that other libraries left inheritable."""
    leaky = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(leaky, True)

    async def scenario(processes: WardenClient) -> None:
        await processes.start(python(tmp_path, "import os; print(len(os.listdir('/proc/self/fd')))"))
        assert await processes.exit_code("p") == 0

    try:
        run(tmp_path, scenario)
    finally:
        os.close(leaky)
    assert said(tmp_path) == "4\n"


@pytest.fixture
def few_open_files() -> Iterator[tuple[int, int]]:
    """A low soft limit, as most shells set it, below a higher hard one: 200 more than this process has open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = sum(1 for _ in Path("/proc/self/fd").iterdir()) + 200
    resource.setrlimit(resource.RLIMIT_NOFILE, (few, hard))
    yield few, hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_our_nodes_may_open_as_many_files_as_the_kernel_allows_and_programs_as_usual(
    tmp_path: Path, few_open_files: tuple[int, int]
) -> None:
    few, most = few_open_files

    async def scenario(processes: WardenClient) -> None:
        config: dict[str, object] = {"misbehave": "no", "after_s": 0}
        ours = msgspec.structs.replace(spec(tmp_path, name="ours"), code="tests.helpers.echo", port=0, config=config)
        pid = await processes.start(ours)
        await until_async(lambda: psutil.Process(pid).rlimit(resource.RLIMIT_NOFILE)[0] == most)
        await processes.start(python(tmp_path, "import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])"))
        assert await processes.exit_code("p") == 0

    run(tmp_path, scenario, "tests.helpers.echo")
    assert said(tmp_path) == f"{few}\n"


LEAVES_ITS_GROUP = (
    "import os, signal, time\n"
    "pid = os.fork()\n"
    "if pid == 0:\n"
    "    os.setsid()\n"
    "    signal.signal(signal.SIGTERM, lambda *_: print('terminated', flush=True))\n"
    "    print('child', os.getpid(), flush=True)\n"
    "    while True: time.sleep(600)\n"
    "os.waitpid(pid, 0)\n"
)


def _child(folder: Path) -> int | None:
    log = folder / "p.log"
    told = log.read_text().splitlines(keepends=True) if log.exists() else []
    return int(told[0].split()[1]) if told and told[0].endswith("\n") else None


def test_what_left_a_programs_group_is_stopped_resumed_and_killed_with_it(tmp_path: Path) -> None:
    async def scenario(processes: WardenClient) -> None:
        await processes.start(python(tmp_path, LEAVES_ITS_GROUP))
        await until_async(lambda: _child(tmp_path))
        child = psutil.Process(_child(tmp_path))
        processes.signal("p", signal.SIGSTOP)
        await until_async(lambda: child.status() == psutil.STATUS_STOPPED)
        processes.signal("p", signal.SIGCONT)
        await until_async(lambda: child.status() != psutil.STATUS_STOPPED)
        processes.signal("p", signal.SIGKILL)
        assert await processes.exit_code("p") == -signal.SIGKILL
        await until_async(lambda: _gone(child))

    run(tmp_path, scenario)


def _gone(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_only_the_program_itself_is_told_to_end(tmp_path: Path) -> None:
    async def scenario(processes: WardenClient) -> None:
        await processes.start(python(tmp_path, LEAVES_ITS_GROUP))
        await until_async(lambda: _child(tmp_path))
        processes.signal("p", signal.SIGTERM)
        assert await processes.exit_code("p") == -signal.SIGTERM

    run(tmp_path, scenario)
    assert "terminated" not in said(tmp_path)
