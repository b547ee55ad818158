"""Listening sockets. Connections are accepted one by one, so a lack of descriptors is noticed and handled."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Final

from faults.plane.address import Endpoint
from faults.plane.descriptors import SHORTAGES, Descriptors

_BACKLOG: Final = 4096
_ACCEPTS_A_TURN: Final = 64
"""How many connections are accepted before other events get their turn."""
_PAUSE_S: Final = 0.1
"""How long accepting pauses once even the reserve is used up."""


def bound(endpoint: Endpoint, descriptors: Descriptors) -> socket.socket:
    """A socket that listens at the endpoint. Raises `OSError` if that fails."""
    with descriptors.reserve():
        sock = socket.socket(endpoint.family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setblocking(False)
        sock.bind(endpoint)
        sock.listen(_BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


class Listener:
    """Accepts connections from a listening socket, and owns that socket."""

    def __init__(
        self,
        sock: socket.socket,
        accepted: Callable[[socket.socket], None],
        descriptors: Descriptors,
        *,
        make_room: Callable[[], bool] | None = None,
    ) -> None:
        """`make_room` is called if no ordinary descriptor is left. It says whether it has freed some: if so, the connection is
        accepted, else it is closed. Without `make_room`, connections get descriptors of the reserve.
        """
        self._sock = sock
        self._accepted = accepted
        self._descriptors = descriptors
        self._make_room = make_room
        self._loop = asyncio.get_running_loop()
        self._pausing: asyncio.TimerHandle | None = None
        self._resume()

    @property
    def address(self) -> Endpoint:
        return Endpoint(*self._sock.getsockname()[:2])

    def close(self) -> None:
        if self._pausing is None:
            self._loop.remove_reader(self._sock)
        else:
            self._pausing.cancel()
        self._sock.close()

    def _accept_some(self) -> None:
        for _ in range(_ACCEPTS_A_TURN):
            try:
                sock, _ = self._sock.accept()
            except BlockingIOError:
                return
            except OSError as error:  # other errors belong to a connection that failed before it was accepted: accept(2)
                if error.errno in SHORTAGES:
                    self._accept_without_room()
                    return
            else:
                self._accepted(sock)

    def _accept_without_room(self) -> None:
        if self._make_room is not None and self._make_room():
            return  # the connection is accepted in the loop's next turn, when the descriptors are free
        try:
            with self._descriptors.reserve():
                sock, _ = self._sock.accept()
        except BlockingIOError:
            return
        except OSError:
            self._pause()
            return
        if self._make_room is None:
            self._accepted(sock)
        else:
            sock.close()

    def _pause(self) -> None:
        self._loop.remove_reader(self._sock)
        self._pausing = self._loop.call_later(_PAUSE_S, self._resume)

    def _resume(self) -> None:
        self._pausing = None
        self._loop.add_reader(self._sock, self._accept_some)
