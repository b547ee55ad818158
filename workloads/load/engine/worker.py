"""One process of the load engine: non-blocking sockets, one epoll, one timer (`python -m workloads.load.engine.worker FD`)."""

from __future__ import annotations

import gc
import math
import os
import select
import signal
import sys
import time
from typing import Final

import msgspec

from harness.http.framing import Malformed
from harness.node import open_files
from workloads.load.engine.alarm import Alarm
from workloads.load.engine.connections import Connection, Connections
from workloads.load.engine.examples import beginning, example_of, is_tls
from workloads.load.engine.schedule import NEVER_NS, Schedule, Times
from workloads.load.engine.snapshot import Page
from workloads.load.engine.tally import FAILED, OK, WRONG, Tally
from workloads.load.engine.task import LENGTH, Order, Prepare, SetRate, Start, Stop

_FLUSH_NS: Final = 100_000_000
_SWEEP_NS: Final = 5_000_000
_SPIN_NS: Final = 60_000
"""How long before a call is due the worker is awake: if the kernel woke it late, it would send late."""
_GATHER_NS: Final = 250_000
_GATHERED: Final = 3
"""If this many calls fall due within that time, they leave together, and the worker sleeps until then: otherwise it would never
sleep above some 10,000 calls a second, and take the CPU from the server that it measures. What leaves late counts as late."""
_GATHER_MANY_NS: Final = 500_000
_GATHERED_MANY: Final = 32
"""If this many fall due within twice that time, above some 60,000 a second, all of them leave together: that halves the
wake-ups, here and in the server, at a rate where wake-ups are nearly the whole cost of a call."""
_STARVED_NS: Final = 10_000_000
"""A worker that wakes up this much later than it meant to did not get a CPU."""
_AT_ONCE_NS: Final = 20_000
"""A poll that takes longer than this had to wait for what it returns."""
_GIVEN_UP_AT_ONCE: Final = 1024
_CONNECT_NS: Final = 2_000_000_000
_RECEIVED_BYTES: Final = 1 << 18
_STATUS: Final = {status: f"status {status}, a redirect, which is not followed" for status in (301, 302, 303, 307, 308)}
_TLS: Final = "the server speaks TLS on this port, and the request was plain HTTP"
_STDIN, _STDOUT = 0, 1
_now = time.monotonic_ns


class Worker:
    def __init__(self, prepare: Prepare, page: Page) -> None:
        task = prepare.task
        self._epoll = select.epoll()
        self._epoll.register(_STDIN, select.EPOLLIN)
        self._alarm = Alarm(self._epoll)
        self._requests = [exchange.request for exchange in task.exchanges]
        self._expected = [exchange.expected for exchange in task.exchanges]
        self._bodiless = [request.startswith(b"HEAD ") for request in self._requests]
        self._any_bodiless = any(self._bodiless)
        self._turns = _turns(len(self._requests), prepare.number, prepare.workers, task.depth)
        self._turned = [self._requests[index] for index in self._turns]
        self._turn = 0
        self._depth, self._timeout_ns = task.depth, round(task.load.timeout_ms * 1e6)
        self._schedule = Schedule(task.load, task.warm_up_s, task.seed, prepare.number, prepare.workers)
        self._tally = Tally(page)
        share = len(range(prepare.number, task.load.clients, prepare.workers))
        self._connections = Connections(self._epoll, self._tally, task.address, share, task.depth, self._timeout_ns)
        self._free = self._connections.free
        self._gather_ns = 0
        """Until when nothing is sent, because more calls will fall due."""
        self._received = memoryview(bytearray(_RECEIVED_BYTES))
        self._orders = b""
        self._parent = os.getppid()
        self._waited_ns = 0
        self._polled_ns = self._came_ns = _now()

    def run(self) -> None:
        """Connect, say so, and carry out the parent's orders until all calls have ended."""
        limit_ns = _now() + min(self._timeout_ns, _CONNECT_NS)
        while self._connections.connecting and _now() < limit_ns:
            self._poll(0.01)
        os.write(_STDOUT, b"ready\n")
        usage = self._tally.usage
        meant_ns = flushed_ns = swept_ns = last_ns = _now()
        finished, worked = False, True
        while not finished:
            now = _now()
            if now - meant_ns > _STARVED_NS:
                self._starved(meant_ns, now)
            usage.idle(self._waited_ns if worked else now - last_ns)
            worked = self._dispatch(now)
            if now - swept_ns > _SWEEP_NS:
                self._connections.sweep(now)
                swept_ns = now
            finished = now >= self._schedule.end_ns and self._all_ended(now)
            if finished or now - flushed_ns > _FLUSH_NS:
                self._measure(now)
                self._tally.flush(self._schedule.waiting(now), finished)
                flushed_ns = now
                if os.getppid() != self._parent:
                    sys.exit("the load engine's parent has ended")
            wait_ns = 0 if finished else self._wait_ns(now)
            meant_ns, last_ns = now + wait_ns, now
            worked = self._poll(wait_ns / 1e9) or worked

    def _measure(self, now: int) -> None:
        """End an interval, which counts if all of it was within the load."""
        if self._schedule.counted_from_ns <= now <= self._schedule.end_ns:
            self._tally.usage.interval(now, self._schedule.next_ns)
        elif now < self._schedule.counted_from_ns:
            self._tally.usage.begin(now)

    def _wait_ns(self, now: int) -> int:
        if not self._free:
            return _SWEEP_NS
        if now >= self._gather_ns and self._schedule.next_ns > now:
            gathered = self._schedule.gathered
            self._gather_ns = gathered(now + _GATHER_MANY_NS, _GATHERED_MANY) or gathered(now + _GATHER_NS, _GATHERED)
        gap_ns = max(self._schedule.next_ns - _SPIN_NS, self._gather_ns) - now
        if gap_ns >= _SWEEP_NS:
            return _SWEEP_NS
        if gap_ns <= 0:
            return 0
        self._alarm.set(now + gap_ns)
        return _SWEEP_NS

    def _starved(self, from_ns: int, now: int) -> None:
        if self._schedule.next_ns <= now or self._connections.under_way:
            self._tally.starved_ns += max(now - max(from_ns, self._schedule.counted_from_ns), 0)

    def _all_ended(self, now: int) -> bool:
        if now > self._schedule.end_ns + self._timeout_ns:
            while rest := self._schedule.take(1 << 16, now):
                self._tally.waited_to_the_end(rest, now, "not sent: no connection was free to the end")
        return self._schedule.next_ns == NEVER_NS and not self._connections.under_way

    def _dispatch(self, now: int) -> bool:
        """Send what is due, as far as connections are free. Returns whether there was anything to do."""
        worked = False
        if now < self._gather_ns:
            return worked
        while self._schedule.next_ns <= now:
            if self._free:
                connection = self._free[0]
                self._send(connection, self._schedule.take(self._depth - len(connection.which), now))
            elif self._connections.unreachable:
                self._tally.never_left(self._schedule.take(_GIVEN_UP_AT_ONCE, now), self._connections.refused)
            else:
                return worked
            worked = True
        return worked

    def _send(self, connection: Connection, dues: Times) -> None:
        turn, count = self._turn, len(dues)
        which = self._turns[turn : turn + count]
        self._turn = (turn + count) % (len(self._turns) - self._depth + 1)
        content = b"".join(self._turned[turn : turn + count]) if count > 1 else self._turned[turn]
        sent_ns = _now()
        try:
            count = connection.socket.send(content)
        except BlockingIOError:
            count = 0
        except OSError as error:
            self._tally.never_left(dues, f"connection lost before sending: {error.strerror}")
            self._connections.lose(connection, f"connection lost: {error.strerror}")
            return
        self._tally.left(dues, sent_ns, self._connections.free_ns)
        connection.runs.append((dues, sent_ns))
        connection.which += which
        if count < len(content):
            self._connections.unsent(connection, content[count:])
        self._connections.sent(connection)

    def _poll(self, seconds: float) -> bool:
        """Wait for at most `seconds`, and handle what has come. Returns whether there was anything to do."""
        if seconds:
            before_ns = _now()
            events = self._epoll.poll(seconds)
            now = _now()
            self._waited_ns = now - before_ns
        else:
            events = self._epoll.poll(0)
            now = _now()
            self._waited_ns = 0
        # If the poll returned at once, its events may have come at any time since the last poll.
        self._came_ns = self._polled_ns if self._waited_ns < _AT_ONCE_NS else now
        self._polled_ns = now
        worked = False
        for fd, event in events:
            if connection := self._connections.get(fd):
                worked = True
                if not connection.open:
                    self._connections.connected(connection)
                elif event & select.EPOLLOUT:
                    self._connections.send_rest(connection)
                else:
                    self._receive(connection)
            elif fd == _STDIN:
                self._obey()
        return worked

    def _receive(self, connection: Connection) -> None:
        try:  # into one buffer: the pages of a new one would have to be mapped each time
            count = connection.socket.recv_into(self._received)
        except BlockingIOError:
            return
        except OSError as error:
            self._connections.lose(connection, f"connection lost: {error.strerror}")
            return
        data = bytes(self._received[:count])
        now = _now()
        under_way = len(connection.which)
        try:
            closes = self._take_responses(connection, data, now)
        except Malformed as error:
            why = _TLS if is_tls(data) else f"answer cannot be read: {error}"
            self._connections.lose(connection, why, example=beginning(data))
            return
        finally:
            self._tally.read(under_way - len(connection.which), now, now - self._came_ns)
        if closes:
            amid = connection.parser.unread_bytes > 0
            self._connections.lose(connection, f"connection closed by the server {'amid its' if amid else 'without an'} answer")
        elif connection.unsent and not connection.which:
            # The server answered before it had read the request, and may never read the rest (RFC 9112, section 9.5).
            self._connections.lose(connection, "")
        elif under_way >= self._depth and not connection.unsent and len(connection.which) < self._depth:
            self._connections.give(connection)

    def _take_responses(self, connection: Connection, data: bytes, now: int) -> bool:
        """Count the responses completed by this data, which is empty if the connection has ended. Returns whether it ends."""
        parser, closes = connection.parser, not data
        parser.feed(data)
        count = right = 0 if self._any_bodiless else parser.take_right(connection.which, self._expected)
        if right:
            self._count(connection, right, OK, now)
        try:
            for which in connection.which[right:] if right else connection.which:
                response = parser.next(bodiless=self._bodiless[which]) if data else parser.end()
                if response is None:
                    break
                head = response.head
                expected = self._expected[which]
                if not 200 <= head.status < 300:
                    outcome, reason = FAILED, _STATUS.get(head.status) or f"status {head.status}"
                elif expected and not response.content.startswith(expected, head.size):
                    outcome, reason = WRONG, "the body does not begin as expected"
                else:
                    outcome, reason = OK, ""
                count += 1
                if outcome != OK:
                    self._count(connection, count - 1 - right, OK, now)
                    example = example_of(response) if self._tally.lacks_example(reason) else ""
                    self._count(connection, 1, outcome, now, reason, example)
                    right = count
                if not head.keep_alive:
                    closes = True
                    break
        finally:  # the calls answered before an unreadable response have ended as well
            self._count(connection, count - right, OK, now)
            del connection.which[:count]
        if not connection.which and parser.unread_bytes and not closes:
            raise Malformed("more data came than was asked for")
        return closes

    def _count(self, connection: Connection, calls: int, outcome: int, now: int, reason: str = "", example: str = "") -> None:
        """The oldest calls of a connection have ended."""
        for dues, sent_ns in connection.take(calls):
            self._tally.ended(outcome, dues, sent_ns, now, reason, example)

    def _obey(self) -> None:
        content = os.read(_STDIN, 65536)
        if not content:
            sys.exit("the load engine's parent has ended")
        self._orders += content
        while len(self._orders) >= LENGTH.size:
            (length,) = LENGTH.unpack_from(self._orders)
            if len(self._orders) < LENGTH.size + length:
                return
            order = msgspec.msgpack.decode(self._orders[LENGTH.size : LENGTH.size + length], type=Order)
            self._orders = self._orders[LENGTH.size + length :]
            if isinstance(order, Start):
                self._schedule.begin(order.at_ns)
                self._tally.begin(self._schedule.counted_from_ns)
            elif isinstance(order, SetRate):
                self._schedule.set_rate(order.rate, order.at_ns)
            elif isinstance(order, Stop):
                self._schedule.stop(order.at_ns)


def _turns(kinds: int, number: int, workers: int, depth: int) -> list[int]:
    """Which exchange each call of a worker uses: one round, which then repeats, and enough of the next that any `depth` calls
    in a row are one slice."""
    round_ = [(number + turn * workers) % kinds for turn in range(kinds // math.gcd(kinds, workers))]
    return [round_[turn % len(round_)] for turn in range(len(round_) + depth - 1)]


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    open_files.allow_most()  # `fits.check_engine` counts on it
    page = Page(int(sys.argv[1]))
    content = bytearray()  # grows in place: the requests may be many megabytes
    while len(content) < LENGTH.size or len(content) < LENGTH.size + LENGTH.unpack_from(content)[0]:
        content += os.read(_STDIN, 1 << 20) or sys.exit("the load engine's parent has ended")
    gc.disable()  # nothing here makes cycles
    Worker(msgspec.msgpack.decode(content[LENGTH.size :], type=Prepare), page).run()


if __name__ == "__main__":
    main()
