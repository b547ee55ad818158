"""A real redis-server: what it keeps, and which calls its client reports as failed or unknown."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from importlib import util
from pathlib import Path
from typing import Any

import pytest

from harness.cluster.ports import HOST, reserved
from harness.model.system import Answer, Call, CallFailed, HasProbe, HasRequirements, System
from systems.foreign.redis import Redis, RedisClient

needs_redis = pytest.mark.skipif(Redis().missing() is not None, reason=str(Redis().missing()))


class Server:
    """One redis-server with its data, which is started and killed."""

    def __init__(self, system: Redis, port: int, data: Path) -> None:
        self._system = system
        self._values = {"{host}": HOST, "{port}": str(port), "{data}": str(data)}
        self._process: asyncio.subprocess.Process | None = None
        self.address = (HOST, port)

    async def start(self) -> None:
        (node,) = self._system.nodes()
        command = [self._values.get(part, part) for part in node.command]
        self._process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        async with asyncio.timeout(20):
            while True:
                with contextlib.suppress(OSError):
                    await self._system.probe(self.address)
                    return
                await asyncio.sleep(0.01)

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    async def end(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


@contextlib.asynccontextmanager
async def serving(fsync: bool, data: Path) -> AsyncIterator[tuple[Server, RedisClient]]:
    with reserved(1) as (port,):
        server = Server(Redis(fsync=fsync), port, data)
        client = RedisClient(server.address)
        try:
            await server.start()
            yield server, client
        finally:
            await client.close()
            await server.end()


def with_server(
    data: Path, scenario: Callable[[Server, RedisClient], Coroutine[Any, Any, None]], *, fsync: bool = False
) -> None:
    async def run() -> None:
        async with asyncio.timeout(60), serving(fsync, data) as (server, client):
            await scenario(server, client)

    asyncio.run(run())


def write(value: str, key: str = "k") -> Call:
    return Call("write", key, value)


READ = Call("read", "k")


def test_it_is_a_system_with_a_probe_and_requirements() -> None:
    assert isinstance(Redis(), System)
    assert isinstance(Redis(), HasProbe)
    assert isinstance(Redis(), HasRequirements)


@pytest.mark.parametrize("fsync", [False, True])
def test_it_listens_on_loopback_and_keeps_its_files_in_its_folder(fsync: bool) -> None:
    (node,) = Redis(fsync=fsync).nodes()
    options = dict(zip(node.command[1::2], node.command[2::2], strict=True))
    assert options["--bind"] == "{host}"
    assert options["--port"] == "{port}"
    assert options["--dir"] == "{data}"
    assert options["--save"] == ""
    assert options["--appendonly"] == ("yes" if fsync else "no")
    assert options.get("--appendfsync") == ("always" if fsync else None)


def test_without_its_client_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("systems.foreign.redis.find_spec", lambda name: None if name == "redis" else util.find_spec(name))
    missing = Redis().missing()
    assert missing is not None
    assert "pip install 'distributed-ml-harness[redis]'" in missing


def test_without_a_server_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    missing = Redis().missing()
    assert missing is not None
    assert missing.endswith("apt install redis-server")


@needs_redis
def test_what_was_written_is_read(tmp_path: Path) -> None:
    async def scenario(server: Server, client: RedisClient) -> None:
        assert await client.invoke(READ) == Answer(None, "redis")
        assert await client.invoke(write("žluť")) == Answer(None, "redis")
        assert await client.invoke(READ) == Answer("žluť", "redis")
        assert await client.invoke(Call("read", "other")) == Answer(None, "redis")

    with_server(tmp_path, scenario)


@needs_redis
@pytest.mark.parametrize("fsync", [False, True])
def test_only_what_was_synced_outlasts_a_kill(tmp_path: Path, fsync: bool) -> None:
    async def scenario(server: Server, client: RedisClient) -> None:
        for number in range(100):
            await client.invoke(write(str(number)))
        await server.end()
        await server.start()
        with contextlib.suppress(Exception):
            await client.invoke(READ)  # the old connection is found to be dead
        assert await client.invoke(READ) == Answer("99" if fsync else None, "redis")

    with_server(tmp_path, scenario, fsync=fsync)


@needs_redis
def test_a_call_that_found_no_server_has_failed(tmp_path: Path) -> None:
    async def scenario(server: Server, client: RedisClient) -> None:
        await server.end()
        for call in (write("1"), READ):
            with pytest.raises(CallFailed, match=r"[Cc]onnect"):
                await client.invoke(call)
        await server.start()
        assert await client.invoke(READ) == Answer(None, "redis")

    with_server(tmp_path, scenario)


@needs_redis
def test_a_write_whose_server_died_meanwhile_is_unknown_and_is_not_sent_again(tmp_path: Path) -> None:
    async def scenario(server: Server, client: RedisClient) -> None:
        await client.invoke(write("before"))
        server.signal(signal.SIGSTOP)
        writing = asyncio.ensure_future(client.invoke(write("during")))
        await asyncio.sleep(0.05)
        await server.end()
        with pytest.raises(Exception) as raised:
            await writing
        assert not isinstance(raised.value, CallFailed)
        await server.start()
        assert await client.invoke(READ) == Answer(None, "redis")

    with_server(tmp_path, scenario)


@needs_redis
def test_after_a_call_that_was_given_up_the_next_one_gets_its_own_answer(tmp_path: Path) -> None:
    async def scenario(server: Server, client: RedisClient) -> None:
        await client.invoke(write("k's", "k"))
        await client.invoke(write("other's", "other"))
        server.signal(signal.SIGSTOP)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await client.invoke(Call("read", "other"))
        server.signal(signal.SIGCONT)
        assert await client.invoke(READ) == Answer("k's", "redis")

    with_server(tmp_path, scenario)


@needs_redis
def test_a_refused_command_has_failed(tmp_path: Path) -> None:
    async def scenario(server: Server, client: RedisClient) -> None:
        _, writer = await asyncio.open_connection(*server.address)
        writer.write(b"RPUSH k a-list\r\nQUIT\r\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        with pytest.raises(CallFailed, match="WRONGTYPE"):
            await client.invoke(READ)

    with_server(tmp_path, scenario)


@needs_redis
def test_a_call_that_redis_does_not_know_has_failed(tmp_path: Path) -> None:
    async def scenario(server: Server, client: RedisClient) -> None:
        for call in (Call("predict", "k"), Call("write", "k")):
            with pytest.raises(CallFailed, match="takes reads, and writes with a value"):
                await client.invoke(call)

    with_server(tmp_path, scenario)


@needs_redis
def test_the_probe_tells_whether_a_server_answers(tmp_path: Path) -> None:
    async def scenario(server: Server, client: RedisClient) -> None:
        await Redis().probe(server.address)
        await server.end()
        with pytest.raises(OSError, match=r"[Cc]onnect"):
            await Redis().probe(server.address)

    with_server(tmp_path, scenario)
