"""A small HTTP server in this process, for tests of `harness load`."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextlib.contextmanager
def answering(
    status: int = 200, body: bytes = b"ok", headers: tuple[tuple[str, str], ...] = ()
) -> Iterator[tuple[str, list[str]]]:
    """A server that always gives the same answer: its URL, and the Content-Type of each request so far."""
    types: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            types.append(self.headers.get("Content-Type", ""))
            head = [f"HTTP/1.1 {status} Status", f"Content-Length: {len(body)}"]
            head += [f"{name}: {value}" for name, value in headers]
            self.wfile.write("\r\n".join([*head, "", ""]).encode() + body)

        do_GET = do_POST = _answer  # noqa: N815 - the names that http.server looks for

        def log_message(self, *_: object) -> None: ...

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.005,), daemon=True).start()  # how often it looks whether to end
        try:
            yield f"http://127.0.0.1:{server.server_port}/", types
        finally:
            server.shutdown()


@contextlib.contextmanager
def accepting(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that hands each connection to `serve`, in a thread of its own; its port."""

    def accept() -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                threading.Thread(target=guarded, args=(listener.accept()[0],), daemon=True).start()

    def guarded(client: socket.socket) -> None:
        with contextlib.suppress(OSError):  # the client has gone
            serve(client)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
