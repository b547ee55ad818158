"""One process of the load engine: non-blocking sockets, one epoll, one timer (`python -m workloads.engine.worker FD`)."""

from __future__ import annotations

import ctypes
import errno
import gc
import os
import select
import signal
import socket
import sys
import time
from array import array
from collections import Counter, deque

import msgspec
import numpy as np
from numpy.typing import NDArray

from workloads.engine.answers import CHUNKED, CLOSE, MOST_HEAD_BYTES, Head, chunked_body, parse_head
from workloads.engine.schedule import Schedule
from workloads.engine.snapshot import Page
from workloads.engine.task import LENGTH, Order, Prepare, SetRate, Start, Stop

_FLUSH_NS, _SPIN_NS, _RETRY_NS, _ERROR_TEXTS = 100_000_000, 200_000, 50_000_000, 20
_NEVER_NS = 1 << 62
_now = time.monotonic_ns


class Connection:
    """A socket with its calls under way, oldest first: when each was due, when it was sent, which exchange it is."""

    def __init__(self) -> None:
        self.socket: socket.socket | None = None
        self.open = False
        self.since_ns = 0
        self.dues: list[int] = []
        self.sents: list[int] = []
        self.which: list[int] = []
        self.received = b""
        self.unsent = b""


class Worker:
    def __init__(self, task: Prepare, page: Page) -> None:
        self._task, self._page = task, page
        self._epoll = select.epoll()
        self._epoll.register(0, select.EPOLLIN)
        os.set_blocking(0, False)
        self._requests = [exchange.request for exchange in task.exchanges]
        self._expected = [exchange.expected for exchange in task.exchanges]
        self._bodiless = [request.startswith(b"HEAD ") for request in self._requests]
        self._exchange = task.number % len(self._requests)
        self._timeout_ns = round(task.timeout_ms * 1e6)
        self._schedule = Schedule(task.arrivals, task.seed, task.number, task.workers)
        share = task.clients // task.workers + (task.number < task.clients % task.workers)
        self._connections = [Connection() for _ in range(max(share, 1))]
        self._by_fd: dict[int, Connection] = {}
        self._free: deque[Connection] = deque()
        self._free_ns = 0
        self._refused = ""
        self._heads: dict[bytes, Head] = {}
        self._blocks: deque[NDArray[np.int64]] = deque()
        self._dues: list[int] = []
        self._at = 0
        self._drawn_ns = 0
        self._counted_from_ns = self._end_ns = _NEVER_NS
        self._over = False
        self._orders = b""
        self._done = array("q")
        self._left = array("q")
        self._counts = [0, 0, 0, 0, 0, 0]
        self._fallen_due = 0
        self._errors: Counter[str] = Counter()

    def run(self) -> None:
        """Connect, say so, and carry out what the parent orders until all calls have ended."""
        for connection in self._connections:
            self._connect(connection)
        limit_ns = _now() + min(self._timeout_ns, 2_000_000_000)
        while any(not c.open and c.socket is not None for c in self._connections) and _now() < limit_ns:
            self._poll(0.01)
        os.write(1, b"ready\n")
        flushed_ns = swept_ns = _now()
        finished = False
        while not finished:
            now = _now()
            if self._drawn_ns != _NEVER_NS and self._end_ns != _NEVER_NS:
                self._draw(now)
            self._dispatch(now)
            if now - swept_ns > 5_000_000:
                self._sweep(now)
                swept_ns = now
            finished = self._end_ns != _NEVER_NS and now >= self._end_ns and self._all_ended(now)
            if finished or now - flushed_ns > _FLUSH_NS:
                self._flush(now, finished)
                flushed_ns = now
            next_ns = self._dues[self._at] if self._at < len(self._dues) else now + 5_000_000
            gap_ns = min(next_ns - now, 5_000_000)
            # A wait in whole milliseconds first, the rest of the way awake: what wakes late would send late.
            self._poll(0.0 if gap_ns < 1_000_000 + _SPIN_NS and self._free else max(gap_ns // 1_000_000, 1) / 1000)

    def _all_ended(self, now: int) -> bool:
        waiting = self._at < len(self._dues) or bool(self._blocks)
        if waiting and now > self._end_ns + self._timeout_ns:
            rest = self._dues[self._at :] + [due for block in self._blocks for due in block.tolist()]
            self._fail(rest, "not sent: no connection was free to the end")
            self._dues, self._at = [], 0
            self._blocks.clear()
            waiting = False
        return not waiting and not any(connection.dues for connection in self._connections)

    def _draw(self, now: int) -> None:
        while self._drawn_ns <= now or (not self._blocks and self._at >= len(self._dues)):
            block = self._schedule.block()
            if not len(block):
                self._drawn_ns = _NEVER_NS
                return
            self._drawn_ns = int(block[-1])
            self._blocks.append(block)
            if self._at >= len(self._dues):
                self._dues, self._at = self._blocks.popleft().tolist(), 0

    def _dispatch(self, now: int) -> None:
        while True:
            if self._at >= len(self._dues):
                if not self._blocks:
                    return
                self._dues, self._at = self._blocks.popleft().tolist(), 0
            if self._dues[self._at] > now:
                return
            if not self._free:
                if self._refused and not any(c.socket for c in self._connections):
                    self._fail([self._dues[self._at]], self._refused)
                    self._at += 1
                    continue
                return
            connection = self._free[0]
            room = self._task.depth - len(connection.dues)
            last = self._at + 1
            while last - self._at < room and last < len(self._dues) and self._dues[last] <= now:
                last += 1
            self._send(connection, self._dues[self._at : last])
            self._at = last
            if not connection.open or connection.unsent or len(connection.dues) >= self._task.depth:
                if self._free and self._free[0] is connection:
                    self._free.popleft()
            else:
                self._free.rotate(-1)

    def _send(self, connection: Connection, dues: list[int]) -> None:
        assert connection.socket is not None  # noqa: S101 -- only open connections are free
        which = []
        for _ in dues:
            which.append(self._exchange)
            self._exchange = (self._exchange + self._task.workers) % len(self._requests)
        content = b"".join([self._requests[index] for index in which]) if len(which) > 1 else self._requests[which[0]]
        sent_ns = _now()
        try:
            count = connection.socket.send(content)
        except BlockingIOError:
            count = 0
        except OSError as error:
            self._fail(dues, f"connection lost before sending: {error.strerror}")
            self._lose(connection, "connection lost")
            return
        for due in dues:
            self._left.extend((due, sent_ns - max(due, self._free_ns)))
        connection.dues += dues
        connection.sents += [sent_ns] * len(dues)
        connection.which += which
        if count < len(content):
            connection.unsent = content[count:]
            self._epoll.modify(connection.socket, select.EPOLLIN | select.EPOLLOUT)

    def _poll(self, seconds: float) -> None:
        for fd, event in self._epoll.poll(seconds):
            if fd == 0:
                self._obey()
            elif connection := self._by_fd.get(fd):
                if not connection.open:
                    self._connected(connection)
                elif event & select.EPOLLOUT:
                    self._send_rest(connection)
                elif event:
                    self._receive(connection)

    def _send_rest(self, connection: Connection) -> None:
        assert connection.socket is not None  # noqa: S101 -- it has just been polled
        try:
            count = connection.socket.send(connection.unsent)
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(connection, f"connection lost: {error.strerror}")
            return
        connection.unsent = connection.unsent[count:]
        if not connection.unsent:
            self._epoll.modify(connection.socket, select.EPOLLIN)
            if len(connection.dues) < self._task.depth:
                self._give(connection)

    def _give(self, connection: Connection) -> None:
        if connection not in self._free:
            if not self._free:
                self._free_ns = _now()
            self._free.append(connection)

    def _receive(self, connection: Connection) -> None:
        assert connection.socket is not None  # noqa: S101 -- it has just been polled
        try:
            data = connection.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(connection, f"connection lost: {error.strerror}")
            return
        now = _now()
        was_full = len(connection.dues) >= self._task.depth
        ended = not data
        data = connection.received + data
        try:
            at, closes = self._cut(connection, data, ended, now)
        except ValueError as error:
            self._lose(connection, f"answer cannot be read: {error}")
            return
        if ended or closes:
            self._lose(connection, "connection closed by the server")
            return
        connection.received = data[at:]
        if was_full and not connection.unsent and len(connection.dues) < self._task.depth:
            self._give(connection)

    def _cut(self, connection: Connection, data: bytes, ended: bool, now: int) -> tuple[int, bool]:
        """Count the whole answers in `data`; where they end, and whether the connection does."""
        at, count, closes = 0, 0, False
        while count < len(connection.dues):
            body_at = data.find(b"\r\n\r\n", at) + 4
            if body_at == 3:
                if len(data) - at > MOST_HEAD_BYTES:
                    raise ValueError("its headers do not end")
                break
            text = data[at : body_at - 4]
            head = self._heads.get(text)
            if head is None:
                head = parse_head(text)
                if len(self._heads) > 1000:
                    self._heads.clear()
                self._heads[text] = head
            if head.status < 200:
                at = body_at
                continue
            which = connection.which[count]
            closes = head.last
            if self._bodiless[which]:
                body, end = b"", body_at
                closes = head.last and head.length != CLOSE
            elif head.length == CHUNKED:
                cut = chunked_body(data, body_at)
                if cut is None:
                    closes = False
                    break
                body, end = cut
            elif head.length == CLOSE:
                if not ended:
                    closes = False
                    break
                body, end = data[body_at:], len(data)
            else:
                end = body_at + head.length
                if end > len(data):
                    closes = False
                    break
                body = data[body_at:end]
            at = end
            due, sent = connection.dues[count], connection.sents[count]
            count += 1
            expected = self._expected[which]
            if not 200 <= head.status < 300:
                self._fail([due], f"status {head.status}")
            elif expected and not body.startswith(expected):
                self._done.extend((due, sent, now, 4))
                self._error(f"not what was expected: {body[:60]!r}", due)
            else:
                self._done.extend((due, sent, now, 2))
            if closes:
                break
        if count:
            del connection.dues[:count], connection.sents[:count], connection.which[:count]
        if not connection.dues and len(data) > at and not closes:
            raise ValueError("more came than was asked for")
        return at, closes

    def _error(self, text: str, due: int) -> None:
        if due >= self._counted_from_ns and (text in self._errors or len(self._errors) < _ERROR_TEXTS):
            self._errors[text[:200]] += 1

    def _fail(self, dues: list[int], text: str) -> None:
        for due in dues:
            self._counts[3] += due >= self._counted_from_ns
            self._error(text, due)

    def _lose(self, connection: Connection, why: str) -> None:
        """Give its calls up as unknown and connect anew."""
        now = _now()
        for due, sent in zip(connection.dues, connection.sents, strict=True):
            self._done.extend((due, sent, now, 5))
            self._error(why, due)
        self._drop(connection)
        self._connect(connection)

    def _drop(self, connection: Connection) -> None:
        if connection.socket is not None:
            del self._by_fd[connection.socket.fileno()]
            connection.socket.close()
        if connection in self._free:
            self._free.remove(connection)
        connection.__init__()  # type: ignore[misc]

    def _connect(self, connection: Connection) -> None:
        connection.since_ns = _now()
        family = socket.AF_INET6 if ":" in self._task.address[0] else socket.AF_INET
        connection.socket = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = connection.socket.connect_ex(self._task.address)
        self._by_fd[connection.socket.fileno()] = connection
        self._epoll.register(connection.socket, select.EPOLLIN | select.EPOLLOUT)
        if code not in (0, errno.EINPROGRESS):
            self._unreachable(connection, os.strerror(code))

    def _unreachable(self, connection: Connection, why: str) -> None:
        self._refused = f"cannot connect: {why}"
        self._drop(connection)
        connection.since_ns = _now()

    def _connected(self, connection: Connection) -> None:
        assert connection.socket is not None  # noqa: S101 -- it has just been polled
        if code := connection.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._unreachable(connection, os.strerror(code))
            return
        connection.open = True
        self._epoll.modify(connection.socket, select.EPOLLIN)
        self._give(connection)

    def _sweep(self, now: int) -> None:
        for connection in self._connections:
            if connection.socket is None:
                if now - connection.since_ns > _RETRY_NS:
                    self._connect(connection)
            elif not connection.open:
                if now - connection.since_ns > self._timeout_ns:
                    self._unreachable(connection, "no answer in time")
            elif connection.sents and now - connection.sents[0] > self._timeout_ns:
                self._lose(connection, "no answer in time")

    def _obey(self) -> None:
        content = os.read(0, 65536)
        if not content:
            sys.exit(0)  # the parent has gone
        self._orders += content
        while len(self._orders) >= LENGTH.size:
            (length,) = LENGTH.unpack_from(self._orders)
            if len(self._orders) < LENGTH.size + length:
                return
            order = msgspec.msgpack.decode(self._orders[LENGTH.size : LENGTH.size + length], type=Order)
            self._orders = self._orders[LENGTH.size + length :]
            if isinstance(order, Start):
                self._counted_from_ns = order.at_ns + round(self._task.warm_up_s * 1e9)
                self._end_ns = self._counted_from_ns + round(self._task.seconds * 1e9)
                self._begin(self._task.rate, order.at_ns)
            elif isinstance(order, SetRate):
                self._begin(order.rate, max(order.at_ns, _now()))
            elif isinstance(order, Stop):
                self._end_ns = min(self._end_ns, _now())
                self._begin(1.0, self._end_ns)

    def _begin(self, rate: float, from_ns: int) -> None:
        """Draw anew what falls due from a time on."""
        self._dues = self._dues[self._at :] + [due for block in self._blocks for due in block.tolist()]
        self._dues, self._at = [due for due in self._dues if due < from_ns], 0
        self._blocks.clear()
        self._schedule.begin(rate, from_ns, self._end_ns)
        self._drawn_ns = from_ns

    def _flush(self, now: int, finished: bool) -> None:
        done = np.frombuffer(self._done, np.int64).reshape(-1, 4)
        left = np.frombuffer(self._left, np.int64).reshape(-1, 2)
        done = done[done[:, 0] >= self._counted_from_ns]
        left = left[left[:, 0] >= self._counted_from_ns]
        self._done, self._left = array("q"), array("q")
        for outcome in (2, 4, 5):
            self._counts[outcome] += int((done[:, 3] == outcome).sum())
        self._counts[1] += len(left)
        pending = [np.array(self._dues[self._at :], np.int64), *self._blocks]
        waiting = sum(int(((dues >= self._counted_from_ns) & (dues <= now)).sum()) for dues in pending)
        unsent_failed = sum(self._counts[2:]) + self._under_way() - self._counts[1]
        self._counts[0] = self._counts[1] + waiting + max(unsent_failed, 0)
        self._page.begin()
        self._page.latency.record(done[:, 2] - done[:, 0])
        self._page.service.record(done[:, 2] - done[:, 1])
        self._page.send_lag.record(left[:, 1])
        self._page.commit(self._counts, time.process_time_ns(), dict(self._errors), finished)

    def _under_way(self) -> int:
        return sum(due >= self._counted_from_ns for connection in self._connections for due in connection.dues)


def main() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    page = Page(int(sys.argv[1]))
    (length,) = LENGTH.unpack(os.read(0, LENGTH.size))
    content = b""
    while len(content) < length:
        content += os.read(0, length - len(content)) or sys.exit(0)
    gc.disable()  # nothing here makes cycles
    Worker(msgspec.msgpack.decode(content, type=Prepare), page).run()


if __name__ == "__main__":
    main()
