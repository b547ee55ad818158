"""Run the embedded fault plane until it is stopped."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import os
import secrets
import signal
import sys
import threading
from collections.abc import Sequence

import uvloop

from faults.plane import httpd
from faults.plane.address import AddressError, Endpoint
from faults.plane.api import Api
from faults.plane.descriptors import Descriptors
from faults.plane.proxies import Proxies
from faults.plane.proxy import Means
from faults.plane.resolver import Resolver
from faults.plane.timers import Timers


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the API until SIGTERM, SIGINT or, with `--until-eof`, end of input. Says `listening on HOST:PORT` when ready."""
    parser = argparse.ArgumentParser(prog="python -m faults.plane", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address of the API (default: %(default)s)")
    parser.add_argument("--port", type=_port, default=8474, help="port of the API; 0 takes a free one (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=None, help="makes every random choice repeatable (default: a new one)")
    parser.add_argument(
        "--until-eof", action="store_true", help="stop when standard input ends, as it does when the parent process dies"
    )
    options = parser.parse_args(arguments)
    seed = secrets.randbits(63) if options.seed is None else options.seed
    try:
        uvloop.run(serve(options.host, options.port, seed, options.until_eof))
    except OSError as error:
        print(f"cannot listen on {options.host}:{options.port}: {error}; choose another --host or --port", file=sys.stderr)
        return 2
    return 0


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; give a number from 0 to 65535")
    return int(text)


async def serve(host: str, port: int, seed: int, until_eof: bool = False) -> None:
    """Serve the API until SIGTERM or SIGINT, or until standard input ends. Raises `OSError` if it cannot listen there."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if until_eof:
        # in a thread, because not every kind of file can be polled
        threading.Thread(target=_read_to_eof, args=(loop, stop), daemon=True).start()
    timers, resolver, descriptors = Timers(loop), Resolver(), Descriptors()
    proxies = Proxies(Means(timers, resolver, descriptors, seed))
    try:
        hosts = await resolver.hosts(host)
    except AddressError as error:
        raise OSError(str(error)) from error
    listener = httpd.serve(Api(proxies, descriptors).handle, Endpoint(hosts[0], port), descriptors)
    print(f"listening on {listener.address}", flush=True)
    gc.collect()
    gc.freeze()
    await stop.wait()
    listener.close()
    await proxies.close()
    timers.close()


def _read_to_eof(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    with contextlib.suppress(RuntimeError):  # the loop is closed: the server is ending anyway
        loop.call_soon_threadsafe(stop.set)


if __name__ == "__main__":
    sys.exit(main())
