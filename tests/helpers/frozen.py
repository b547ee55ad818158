"""A server in a separate process, which answers at once and can be frozen."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

_SOURCE = f"""
import asyncio
class Server(asyncio.Protocol):
    def connection_made(self, transport): self.transport = transport
    def data_received(self, data): self.transport.write({ANSWER!r} * data.count(b"\\r\\n\\r\\n"))
async def main():
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


class Server:
    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self.address = ("127.0.0.1", port)
        self.url = f"http://127.0.0.1:{port}/"


@contextmanager
def serving() -> Iterator[Server]:
    process = subprocess.Popen([sys.executable, "-c", _SOURCE], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield Server(process, int(process.stdout.readline()))
    finally:
        process.kill()
        process.wait()


def freeze(pid: int, seconds: float) -> float:
    """Stop a process for a while; returns for how long it was, in seconds."""
    os.kill(pid, signal.SIGSTOP)
    from_s = time.monotonic()
    time.sleep(seconds)
    os.kill(pid, signal.SIGCONT)
    return time.monotonic() - from_s
