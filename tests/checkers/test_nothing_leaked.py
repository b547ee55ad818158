"""Two looks at a process find leaks of connections, files, requests and tasks, but not what a node may keep."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from harness.checkers.nothing_leaked import ALLOWANCE, nothing_leaked
from harness.model.history import History

Row = dict[str, object]


def look(moment: str, node: str = "n1", counts: Mapping[str, int | None] | None = None, pid: int = 7) -> Row:
    held: dict[str, object] = {
        "descriptors": 12, "sockets": 4, "tasks": 3, "accepted": 1, "in_use": 0, "idle": 0, "surplus": 0, "opened": 1,
    }  # fmt: skip
    return {"at_ns": 0, "node": node, "pid": pid, "moment": moment} | held | dict(counts or {})


def judged(*rows: Row) -> tuple[bool | None, str]:
    verdict = nothing_leaked(History.of([], usage=[{"at_ns": 0, "node": "", "pid": 0, "moment": "end"}, *rows]))
    return verdict.valid, verdict.why


MANY = ALLOWANCE + 1
LEAKS = {
    "sockets that it lost track of": {"descriptors": 12 + MANY, "sockets": 4 + MANY},
    "open files": {"descriptors": 12 + MANY},
    "idle connections that it has no use for": {"descriptors": 112, "sockets": 104, "idle": 100, "surplus": MANY},
    "requests under way": {"descriptors": 12 + MANY, "sockets": 4 + MANY, "in_use": MANY},
    "tasks": {"tasks": 3 + MANY},
}


@pytest.mark.parametrize(("what", "counts"), LEAKS.items(), ids=LEAKS.keys())
def test_each_kind_of_leak_is_found(what: str, counts: dict[str, int]) -> None:
    valid, why = judged(look("start"), look("start", "n2", pid=8), look("end", counts=counts), look("end", "n2", pid=8))
    assert valid is False
    assert f"n1 ended with {MANY} {what} more than at its start" in why


@pytest.mark.parametrize("counts", LEAKS.values(), ids=LEAKS.keys())
def test_as_many_as_the_allowance_are_none(counts: dict[str, int]) -> None:
    fewer = {name: number - (number >= MANY and name != "idle") for name, number in counts.items()}
    if "idle" in counts:
        fewer |= {"descriptors": 112, "sockets": 104}
    assert judged(look("start"), look("end", counts=fewer))[0] is True


def test_connections_that_are_known_are_no_leak() -> None:
    known = {"descriptors": 412, "sockets": 404, "accepted": 301, "in_use": 10, "idle": 90, "opened": 400}
    valid, why = judged(look("start"), look("end", counts=known))
    assert valid is True
    assert "nothing piled up on 1 node; n1 has the most: 412 descriptors" in why


def test_connections_that_came_between_the_two_questions_of_a_look_are_not_held_against_the_next_one() -> None:
    start = {"accepted": 30}  # the kernel was asked first, and showed 4 sockets
    end = {"sockets": 30, "descriptors": 38, "accepted": 22}
    assert judged(look("start", counts=start), look("end", counts=end))[0] is True


def test_what_counts_is_the_same_process() -> None:
    """A node that was started again is compared with its new start."""
    begun = [look("start", pid=7), look("start", counts={"tasks": 40}, pid=9)]
    assert judged(*begun, look("end", counts={"tasks": 40}, pid=9))[0] is True


def used(sockets: int, node: str = "n1", unanswered: int = 0, peers: int = 1, calls: int = 1) -> tuple[bool | None, str]:
    """A node whose connections are of its own making, `sockets` more at the end, with three clients."""
    ops: list[Row] = [
        {"client": at % 3, "kind": "get", "key": "x", "value": "", "outcome": "ok" if at < 300 else "unknown"}
        | {"sent_ns": at, "done_ns": at + 1}
        for at in range(300 * (calls > 0) + unanswered)
    ]
    links = [{"link": f"{node}>p{number}", "connections": 1, "received_bytes": 1, "sent_bytes": 1} for number in range(peers)]
    end = {"opened": 0, "sockets": 4 + sockets, "descriptors": 12 + sockets}
    rows = [look("start", node, {"opened": 0}), look("end", node, end)]
    if node == "db":
        rows = [outside("start"), outside("end", sockets=4 + sockets)]
    verdict = nothing_leaked(History.of(ops, links=links, usage=rows))
    return verdict.valid, verdict.why


@pytest.mark.parametrize(
    ("unanswered", "peers", "most"),
    [(0, 1, 4 * 3), (0, 0, 4 * 3), (0, 2, 2 * 4 * 3), (10, 1, 4 * 13)],
)
def test_a_node_may_keep_as_many_own_connections_as_calls_at_once_can_use(unanswered: int, peers: int, most: int) -> None:
    assert used(ALLOWANCE + most, unanswered=unanswered, peers=peers)[0] is True
    valid, why = used(ALLOWANCE + most + 1, unanswered=unanswered, peers=peers)
    assert valid is False
    assert f"n1 ended with {ALLOWANCE + most + 1} sockets that it opened by its own means more than at its start" in why


def test_a_foreign_programs_sockets_are_as_many_as_calls_at_once_can_use() -> None:
    assert used(ALLOWANCE + 4 * 3, node="db")[0] is True
    assert used(ALLOWANCE + 4 * 3 + 1, node="db")[0] is False


def test_a_nodes_own_connections_are_not_judged_without_calls_and_the_generators_never() -> None:
    assert used(10_000, calls=0)[0] is True
    assert used(10_000, node="client")[0] is True


def test_nodes_that_do_not_report_what_they_hold_are_named() -> None:
    started: list[Row] = [{"at_ns": 0, "node": node, "kind": "started", "detail": "pid 7"} for node in ("db", "n1", "cache")]
    history = History.of([], events=started, usage=[look("start"), look("end")])
    verdict = nothing_leaked(history)
    assert verdict.valid is True
    assert verdict.why.startswith("nothing piled up on 1 node")
    assert verdict.why.endswith("; not judged, because they do not report what they hold: cache, db")


def outside(moment: str, abandoned: int = 0, sockets: int = 4) -> Row:
    """A look at a program that does not report about itself."""
    unknown = dict.fromkeys(("tasks", "accepted", "in_use", "idle", "surplus", "opened"))
    return look(moment, "db", {**unknown, "descriptors": 1_000, "sockets": sockets, "abandoned": abandoned}, pid=8)


def test_a_foreign_program_leaks_what_it_does_not_close_when_the_other_side_does() -> None:
    assert judged(outside("start"), outside("end", ALLOWANCE))[0] is True
    valid, why = judged(look("start"), outside("start"), look("end"), outside("end", MANY, 4 + MANY))
    assert valid is False
    assert why == (
        f"db ended with {MANY} connections that only the other side closed more than at its start:"
        f" 1000 descriptors, of which {4 + MANY} are sockets ({MANY} closed by the other side)"
    )


def test_what_is_known_of_foreign_programs_is_said() -> None:
    valid, why = judged(look("start"), outside("start"), look("end"), outside("end"))
    assert valid is True
    assert why.startswith("nothing piled up on 2 nodes")
    assert why.endswith("; only sockets are known of programs that do not report what they hold: db")


def test_the_load_s_clients_each_have_a_connection_of_their_own() -> None:
    own = {"sockets": 104, "descriptors": 112, "idle": 100, "surplus": 95}
    assert judged(look("start", "client"), look("end", "client", counts=own))[0] is True


@pytest.mark.parametrize(
    "rows",
    [
        [look("start"), look("end", counts={"tasks": None})],
        [look("start"), look("end", counts={"descriptors": None})],
        [look("start", counts={"tasks": None}), look("end")],
        [look("end")],
    ],
)
def test_what_could_not_be_seen_is_unknown(rows: list[Row]) -> None:
    assert judged(*rows) == (None, "what n1 held could not be seen")


def test_a_node_is_not_compared_with_another_one_that_had_its_pid_before() -> None:
    before, begun, ended = look("start", counts={"tasks": 100}), look("start", "n2"), look("end", "n2", {"tasks": 100})
    assert judged(before, ended) == (None, "what n2 held could not be seen")
    assert judged(before, begun, ended)[0] is False


def test_a_leak_that_was_seen_counts_although_another_node_could_not_be_seen() -> None:
    assert judged(look("start"), look("end", counts={"tasks": 100}), look("end", "n2", pid=8))[0] is False


def test_old_histories_say_nothing_of_it() -> None:
    assert nothing_leaked(History.of([])).valid is None


@pytest.mark.parametrize(("at_first", "in_the_end", "valid"), [(400, 100, True), (100, 100, False), (100, 400, False)])
def test_work_that_becomes_less_is_no_leak(at_first: int, in_the_end: int, valid: bool) -> None:
    found, why = judged(look("start"), look("over", counts={"tasks": at_first}), look("end", counts={"tasks": in_the_end}))
    assert found is valid
    assert ("some work is not done yet: n1 ended with 97 tasks" in why) is valid


def test_sockets_that_become_fewer_are_lost_all_the_same() -> None:
    over, end = {"descriptors": 212, "sockets": 204}, {"descriptors": 112, "sockets": 104}
    assert judged(look("start"), look("over", counts=over), look("end", counts=end))[0] is False
