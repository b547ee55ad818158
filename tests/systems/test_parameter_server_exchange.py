"""A pull that carries gradients: what a server makes of it, and when a worker sends them again."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
import torch

from harness.http.message import Request, Response
from harness.http.server import listen
from systems.parameter_server import server as server_module
from systems.parameter_server import worker as worker_module
from systems.parameter_server.bugs import Limits, Rules
from systems.parameter_server.leading import Leading
from systems.parameter_server.messages import NOTHING_SEEN, PULL, PUSH, Pull, Push, Work, pack, unpack
from systems.parameter_server.parameters import parameters_of, row_bytes, take_parameters
from systems.parameter_server.server import Config, Server
from systems.parameter_server.term import Settings
from systems.parameter_server.worker import Config as WorkerConfig
from systems.parameter_server.worker import Worker
from systems.training.records import rows
from systems.training.trainer import Trainer
from tests.helpers.closing import closing
from tests.helpers.journals import journal_in
from tests.helpers.lone_nodes import node_in

TERM = 3
WORKERS = ("worker1", "worker2", "worker3")
STEPS = 3
SHARDS = 12

# ----------------------------------------------------------------------------------------------------------- the server


@asynccontextmanager
async def leading(folder: Path, workers: Sequence[str] = WORKERS) -> AsyncIterator[Server]:
    """A server that leads term 3, at step 0, and for which no shard is ever overdue."""
    clock = asyncio.get_running_loop().time
    node = node_in(folder, "master", peers=dict.fromkeys(workers, ("127.0.0.1", 1)), clock=clock)
    config = Config(
        first=True, others=(), workers=tuple(workers), model="digits", seed=1, step_ms=0, checkpoint_every=100,
        checkpoints_kept=2, rounds=True,
    )  # fmt: skip
    server = Server(node, config)
    server._enter(TERM)
    settings = Settings(
        name="master", workers=workers, model="digits", seed=1, step_s=0, checkpoint_every=100, checkpoints_kept=2,
        staleness=None, parts=1, rules=Rules(limits=Limits(overdue_s=3600, slow=math.inf)),
    )  # fmt: skip
    server._leading = Leading(TERM, settings, node, server._records)
    running = asyncio.create_task(server._leading.run())
    async with asyncio.timeout(60):
        yield server
    server._leading = None
    running.cancel()


async def asked(server: Server, pull: Pull, data: bytes = b"") -> Response:
    return await server.handle(Request("POST", PULL, body=pack(pull, data)))


async def work_of(server: Server, worker: str, step: int = NOTHING_SEEN) -> tuple[Work, memoryview]:
    """What a worker gets that has seen this step, and owes no gradients."""
    response = await asked(server, Pull(worker=worker, promised=TERM, term=TERM, seen=step))
    assert response.status == 200
    return unpack(response.body, Work)


def computed(trainer: Trainer, work: Work, parameters: memoryview, worker: str = "worker1") -> tuple[Pull, bytes]:
    """The pull of a worker that has done this work."""
    take_parameters(trainer, parameters, work.progress)
    found = torch.empty(len(work.shards), trainer.row)
    trainer.contribute(work.shards, found)
    push = Push(
        worker=worker, term=work.term, step=work.step, batch=work.batch, shards=work.shards, whole=False,
        uses=trainer.uses(work.shards),
    )  # fmt: skip
    return Pull(worker=worker, promised=work.term, term=work.term, seen=work.step, push=push), bytes(row_bytes(found))


def undisturbed(steps: int) -> str:
    """The digest of the parameters after so many steps."""
    trainer = Trainer("digits", 1)
    for _ in range(steps):
        found = torch.empty(SHARDS, trainer.row)
        trainer.contribute(range(SHARDS), found)
        trainer.apply(list(found))
    return trainer.parameters_digest()


def held(server: Server) -> list[int]:
    """The shards whose gradients the server has, and counts."""
    assert isinstance(server._leading, Leading)
    return [one.shard for one in server._leading._round.contributions()]


def refused(folder: Path) -> list[tuple[str, int]]:
    """The gradients that the server has refused and recorded: the sender and the step of each."""
    details = [
        msgspec.json.decode(str(one["detail"])) for one in rows(journal_in(folder)).events if one["kind"] == "work refused"
    ]
    return [(one["sender"], one["step"]) for one in details]


def test_gradients_whose_answer_was_lost_come_again_and_count_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "BRIEF_S", 60.0)

    async def scenario() -> str:
        trainer = Trainer("digits", 1)
        async with leading(tmp_path, ["worker1"]) as server:
            work, parameters = await work_of(server, "worker1")
            for step in range(STEPS):
                assert (work.step, work.shards) == (step, tuple(range(SHARDS)))
                pull, data = computed(trainer, work, parameters)
                lost = await asked(server, pull, data)
                again = await asked(server, pull, data)
                assert lost.body == again.body
                work, parameters = unpack(again.body, Work)
            take_parameters(trainer, parameters, work.progress)
        return trainer.parameters_digest()

    assert asyncio.run(scenario()) == undisturbed(STEPS)
    assert refused(tmp_path) == [("worker1", step) for step in range(STEPS)], "the step was over when they came again"


def test_gradients_that_come_again_in_the_same_step_count_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "BRIEF_S", 0.01)

    async def scenario() -> None:
        async with leading(tmp_path) as server:
            [first, *_] = [await work_of(server, worker) for worker in WORKERS]
            pull, data = computed(Trainer("digits", 1), *first)
            for _ in range(2):
                told = await asked(server, pull, data)
                assert told.status == 409, "nothing new, and its worker does not wait long for this answer"
                assert held(server) == [0, 1, 2, 3]

    asyncio.run(scenario())
    assert refused(tmp_path) == []


def test_the_last_gradients_of_a_step_wake_all_workers_that_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "BRIEF_S", 60.0)

    async def scenario() -> None:
        trainer = Trainer("digits", 1)
        async with leading(tmp_path) as server:
            pulls = [computed(trainer, *await work_of(server, worker), worker) for worker in WORKERS]
            answers = []
            for pull, data in pulls:
                answers.append(asyncio.create_task(asked(server, pull, data)))
                await asyncio.sleep(0)
            found = [unpack((await answer).body, Work) for answer in answers]
            assert {work.step for work, _ in found} == {1}
            assert sorted(shard for work, _ in found for shard in work.shards) == list(range(SHARDS))

    asyncio.run(scenario())


def test_gradients_of_another_step_are_refused_and_the_worker_gets_work_of_this_one(tmp_path: Path) -> None:
    async def scenario() -> None:
        trainer = Trainer("digits", 1)
        async with leading(tmp_path) as server:
            pull, data = computed(trainer, *await work_of(server, "worker1"))
            assert pull.push is not None
            late = replace_push(pull, step=7)
            work, _ = unpack((await asked(server, late, data)).body, Work)
            assert (work.step, held(server)) == (0, [])

    asyncio.run(scenario())
    assert refused(tmp_path) == [("worker1", 7)]


def replace_push(pull: Pull, *, step: int | None = None, term: int | None = None) -> Pull:
    """The pull, with gradients of another step or term; the worker has seen the same."""
    assert pull.push is not None
    push = msgspec.structs.replace(
        pull.push, step=pull.push.step if step is None else step, term=pull.push.term if term is None else term
    )
    return msgspec.structs.replace(pull, push=push, seen=push.step, term=push.term)


def test_gradients_of_an_older_term_do_not_count_and_those_of_a_newer_one_end_this_one(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with leading(tmp_path) as server:
            pull, data = computed(Trainer("digits", 1), *await work_of(server, "worker1"))
            old = msgspec.structs.replace(replace_push(pull, term=TERM - 1), promised=TERM)
            work, _ = unpack((await asked(server, old, data)).body, Work)
            assert (work.term, held(server)) == (TERM, [])
            new = msgspec.structs.replace(replace_push(pull, term=TERM + 1), promised=TERM + 1)
            term = server._leading
            assert (await asked(server, new, data)).status == 409
            assert server._leading is None
            assert isinstance(term, Leading)
            assert term._round.contributions() == []

    asyncio.run(scenario())
    kinds = [one["kind"] for one in rows(journal_in(tmp_path)).events]
    assert kinds == ["resumed", "stepped down"]


def test_a_server_that_does_not_lead_takes_no_gradients(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "BRIEF_S", 0.01)

    async def scenario() -> None:
        async with leading(tmp_path) as server:
            pull, data = computed(Trainer("digits", 1), *await work_of(server, "worker1"))
            term, server._leading = server._leading, None
            assert (await asked(server, pull, data)).status == 409
            server._leading = term
            assert held(server) == []

    asyncio.run(scenario())


def test_work_of_a_training_that_diverges_is_handed_out_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "BRIEF_S", 60.0)

    async def scenario() -> None:
        async with leading(tmp_path, ["worker1"]) as server:
            pull, data = computed(Trainer("digits", 1), *await work_of(server, "worker1"))
            work, _ = unpack((await asked(server, pull, b"\xff" * len(data))).body, Work)  # all of them NaN
            assert (work.step, work.loss, work.gradient_norm) == (1, None, None)

    asyncio.run(scenario())


@pytest.mark.parametrize("part", ["the pull", "the gradients"])
def test_a_pull_with_a_damaged_byte_changes_nothing_and_is_to_be_sent_again(tmp_path: Path, part: str) -> None:
    async def scenario() -> None:
        async with leading(tmp_path) as server:
            message = bytearray(pack(*computed(Trainer("digits", 1), *await work_of(server, "worker1"))))
            message[message.index(b"shards") if part == "the pull" else -1000] ^= 1
            told = await server.handle(Request("POST", PULL, body=bytes(message)))
            assert (told.status, told.body) == (400, b"the message does not match its checksum")
            assert held(server) == []

    asyncio.run(scenario())


# ----------------------------------------------------------------------------------------------------------- the worker


class Master:
    """A master of term 1 that answers as it is told, one answer after another, and whose steps never change parameters."""

    def __init__(self, *answers: Response | int) -> None:
        """An answer is a response, or the number of a step to hand out."""
        trainer = Trainer("digits", 1)
        self._work, self._parameters = trainer.progress(), parameters_of(trainer)
        self._left = list(answers)
        self.asked: list[tuple[str, Pull, bytes]] = []
        self.pushed: list[tuple[int, ...]] = []
        self.to_push = Response(200)
        self.before_answer: Callable[[], Awaitable[None] | None] = lambda: None
        self.enough = asyncio.Event()
        """Whether all answers were given."""

    async def handle(self, request: Request) -> Response:
        if request.path == PUSH:
            self.pushed.append(unpack(request.body, Push)[0].shards)
            return self.to_push
        pull, data = unpack(request.body, Pull)
        self.asked.append((request.path, pull, bytes(data)))
        answer = self._left.pop(0) if self._left else None
        waited = self.before_answer()
        if waited is not None:
            await waited
        if answer is None:
            self.enough.set()
            await asyncio.Event().wait()
        if isinstance(answer, int):
            return Response(200, pack(self.work(answer), self._parameters))
        assert answer is not None
        return answer

    def work(self, step: int) -> Work:
        return Work(
            term=1, step=step, batch=step, shards=(step, step + 1), whole=False, progress=self._work, loss=0.0,
            gradient_norm=0.0,
        )  # fmt: skip


def pulls_of(
    folder: Path,
    master: Callable[[], Master],
    during: Callable[[Worker, Master], None] = lambda *_: None,
    clock: Callable[[], float] = lambda: 0.0,
) -> Master:
    """Have a worker work for a master until that has given all its answers; if not told otherwise, it computes in no time."""

    async def scenario() -> Master:
        serves = master()
        async with asyncio.timeout(60), closing(listen(serves.handle, ("127.0.0.1", 0))) as listening:
            node = node_in(folder, "worker1", peers={"master": listening.sockets[0].getsockname()[:2]}, clock=clock)
            worker = Worker(node, WorkerConfig(servers=("master",), model="digits", seed=1))
            during(worker, serves)
            working = asyncio.create_task(worker.work_for("master"))
            await serves.enough.wait()
            working.cancel()
        return serves

    return asyncio.run(scenario())


def sent(master: Master) -> list[tuple[int, int | None, int]]:
    """Of each pull: the step that the worker has seen, the step of its gradients, and how many shards' there are."""
    size = Trainer("digits", 1).row * 4
    return [(pull.seen, None if pull.push is None else pull.push.step, len(data) // size) for _, pull, data in master.asked]


def test_gradients_travel_with_the_next_pull(tmp_path: Path) -> None:
    master = pulls_of(tmp_path, lambda: Master(0, 1))
    assert sent(master) == [(NOTHING_SEEN, None, 0), (0, 0, 2), (1, 1, 2)]
    _, pull, data = master.asked[1]
    trainer = Trainer("digits", 1)
    found, uses = torch.empty(2, trainer.row), trainer.uses((0, 1))
    trainer.contribute((0, 1), found)
    assert data == bytes(row_bytes(found))
    assert pull.push == Push(worker="worker1", term=1, step=0, batch=0, shards=(0, 1), whole=False, uses=uses)


@pytest.mark.parametrize(("to_push", "last"), [(200, (0, 0, 1)), (409, (0, None, 0))])
def test_a_worker_that_computes_long_pushes_what_it_has_and_the_last_of_it_with_the_next_pull_if_it_is_wanted(
    tmp_path: Path, to_push: int, last: tuple[int, int | None, int]
) -> None:
    def answers(worker: Worker, master: Master) -> None:
        master.to_push = Response(to_push)

    master = pulls_of(tmp_path, lambda: Master(0), answers, clock=itertools.count().__next__)
    assert master.pushed == [(0,)]
    assert sent(master) == [(NOTHING_SEEN, None, 0), last]


@pytest.mark.parametrize("answer", [Response(400, b"damaged"), Response(500), Response(503, b"a full disk")])
def test_gradients_that_did_not_arrive_are_sent_again(tmp_path: Path, answer: Response) -> None:
    master = pulls_of(tmp_path, lambda: Master(0, answer, answer, 1))
    assert sent(master) == [(NOTHING_SEEN, None, 0), (0, 0, 2), (0, 0, 2), (0, 0, 2), (1, 1, 2)]
    assert len({(pull.push is not None, data) for _, pull, data in master.asked[1:4]}) == 1


def test_gradients_whose_answer_does_not_come_are_sent_again_and_that_answer_may_take_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "_PUSH_S", 0.05)
    monkeypatch.setattr(worker_module, "_PULL_S", 60.0)

    delays_s = {2: 60, 3: 0.2}

    def answers_late(worker: Worker, master: Master) -> None:
        def late() -> Awaitable[None] | None:
            return asyncio.sleep(delays_s[len(master.asked)]) if len(master.asked) in delays_s else None

        master.before_answer = late

    master = pulls_of(tmp_path, lambda: Master(0, 1, 1), answers_late)
    assert sent(master)[:4] == [(NOTHING_SEEN, None, 0), (0, 0, 2), (0, 0, 2), (1, 1, 2)]
    assert master.asked[1] == master.asked[2]


@pytest.mark.parametrize("answer", [Response(409, b"nothing new"), Response(200, b"a damaged answer")])
def test_gradients_that_arrived_are_not_sent_again(tmp_path: Path, answer: Response) -> None:
    master = pulls_of(tmp_path, lambda: Master(0, answer, 1))
    assert sent(master) == [(NOTHING_SEEN, None, 0), (0, 0, 2), (0, None, 0), (1, 1, 2)]


def test_a_worker_that_obeys_another_server_sends_the_first_one_no_gradients(tmp_path: Path) -> None:
    def promises(worker: Worker, master: Master) -> None:
        def promise() -> None:
            if len(master.asked) == 2:
                assert worker._obeys(2, "standby")

        master.before_answer = promise

    master = pulls_of(tmp_path, lambda: Master(0, Response(400), 1), promises)
    assert sent(master) == [(NOTHING_SEEN, None, 0), (0, 0, 2), (0, None, 0), (0, None, 0)]
    assert [pull.promised for _, pull, _ in master.asked] == [0, 1, 2, 2]
    [event] = rows(journal_in(tmp_path)).events
    assert (event["kind"], event["node"]) == ("work refused", "worker1"), "the parameters of step 1 came from the old master"
