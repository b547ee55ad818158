"""Imagined crashes: what a node is asked about, and when."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from harness.node.control import ControlPage
from harness.node.disk import Disk
from harness.run import catalog
from harness.simulation.crashes import Crashes
from harness.simulation.disk import HostFiles, MemoryDisk
from harness.simulation.seed_run import run_seed
from tests.helpers.effort import left_to_ci


class Node:
    """A node whose disk is in memory."""

    def __init__(self) -> None:
        self.memory = MemoryDisk(Random(1))
        self.disk = Disk(HostFiles(self.memory, "data", lambda operation, seconds: None))
        self.crashes = Crashes(self.memory, ControlPage(None), Random(1))

    def answers(self, ask: Callable[[Disk], str | None], times: int = 50) -> str | None:
        self.crashes.begin("data", ask)
        for number in range(times):
            self.crashes.imagine(float(number))
        self.crashes.end()
        return self.crashes.forgotten


def test_a_crash_takes_what_was_not_synced_or_a_part_of_it_or_nothing() -> None:
    node, seen = Node(), set[bytes | None]()
    node.disk.append("log", b"synced ")
    node.disk.sync("log")
    node.disk.append("log", b"not")

    def ask(disk: Disk) -> None:
        seen.add(disk.read("log"))
        disk.replace("log", b"a copy")

    assert node.answers(ask, times=200) is None
    assert seen == {b"synced ", b"synced n", b"synced no", b"synced not"}
    assert node.disk.read("log") == b"synced not"


def test_the_first_thing_that_is_forgotten_is_told() -> None:
    node, asked = Node(), list[int]()

    def ask(disk: Disk) -> str | None:
        asked.append(len(asked))
        return "gone" if len(asked) > 2 else None

    assert node.answers(ask) == "at 2.000 s, after a crash, gone"
    assert len(asked) == 3


def test_a_node_that_would_not_start_is_told() -> None:
    def ask(disk: Disk) -> str | None:
        raise KeyError("log")

    assert Node().answers(ask) == "at 0.000 s, after a crash, it would not start: KeyError: 'log'"


def test_a_disk_that_was_damaged_may_have_lost_anything() -> None:
    node = Node()
    node.disk.append("log", b"here")
    node.memory.files("data", "*")["log"].write_at(0, b"x")
    assert node.answers(lambda disk: "gone") is None
    node.memory.lose_power({})
    assert node.answers(lambda disk: "gone") is None
    node.disk.replace("log", b"anew")
    assert node.answers(lambda disk: "gone") is not None


def test_nobody_is_asked_after_the_processs_end() -> None:
    node = Node()
    node.crashes.begin("data", lambda disk: "gone")
    node.crashes.end()
    node.crashes.imagine(1.0)
    assert node.crashes.forgotten is None


@pytest.mark.parametrize(("bug", "found"), [("no-sync", True), left_to_ci(None, False)])
def test_a_replica_that_would_forget_fails_a_seed_even_if_no_machine_loses_power(bug: str | None, found: bool) -> None:
    drill = catalog.find_drill("quorum/healthy", ["load.seconds=1", *([f"system.bug={bug}"] if bug else [])]).drill
    outcomes = (run_seed("quorum/healthy", drill, seed).outcome for seed in range(1, 4))
    assert any("remembers_after_crash" in outcome.found for outcome in outcomes) == found


def test_a_new_file_has_its_name_for_sure_only_once_the_folder_is_synced() -> None:
    node = Node()
    node.disk.replace("log", b"old")
    files = HostFiles(node.memory, "data", lambda operation, seconds: None)
    files.append("new", b"new")
    files.sync("new")
    files.rename("new", "log")
    seen = set[bytes | None]()

    def ask(disk: Disk) -> None:
        seen.add(disk.read("log"))

    node.answers(ask)
    assert seen == {b"old", b"new"}
    files.sync_folder()
    seen.clear()
    node.answers(ask)
    assert seen == {b"new"}


def test_crashes_are_imagined_most_often_between_operations_on_names() -> None:
    asked: dict[str, int] = {}
    for operation in ("append log", "sync log", "rename log", "sync the folder"):
        node = Node()

        def ask(disk: Disk, operation: str = operation) -> None:
            asked[operation] = asked.get(operation, 0) + 1

        node.crashes.begin("data", ask)
        for number in range(3000):
            node.crashes.count(operation, float(number))
    often = [asked["rename log"], asked["sync the folder"]]
    assert min(often) > 4 * max(asked["append log"], asked["sync log"]) > 4 * 20
