"""A node's disk: what its calls leave in the folder, in health and when the control page says otherwise."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.steering import PARTIAL, Counter, Setting, Tracked
from harness.node.control import ALL, ControlPage
from harness.node.crashpoints import MemoryFiles
from harness.node.disk import Disk
from harness.node.files import Files, SteeredFiles

OLD, HALF, NEW = b"old", b"half-", b"half-written"


def _steered(root: Path) -> tuple[Disk, ControlPage]:
    page = ControlPage()
    return Disk(SteeredFiles(Files(root), page)), page


def _entry(page: ControlPage, name: str) -> Tracked:
    return next(tracked for tracked in page.tracked() if tracked.name == name)


@pytest.mark.parametrize("make", [Disk, lambda root: _steered(root)[0]], ids=["plain", "steered"])
def test_what_is_written_is_read_back(tmp_path: Path, make: Callable[[Path], Disk]) -> None:
    disk = make(tmp_path / "made")
    assert disk.names() == []
    assert disk.read("log") is None
    disk.append("log", b"one ")
    disk.append("log", b"two")
    disk.sync("log")
    disk.replace("whole", OLD)
    disk.replace("whole", NEW)
    assert disk.names() == ["log", "whole"]
    again = make(tmp_path / "made")
    again.append("log", b" three")
    again.append("whole", b"!")
    assert again.read("log") == b"one two three"
    assert again.read("whole") == NEW + b"!"
    again.replace("log", b"")
    again.append("log", b"four")
    assert again.read("log") == b"four"


@pytest.mark.parametrize("make", [Disk, lambda root: _steered(root)[0]], ids=["plain", "steered"])
def test_mapped_file_shows_what_is_changed_in_place_and_keeps_what_is_replaced(
    tmp_path: Path, make: Callable[[Path], Disk]
) -> None:
    disk = make(tmp_path)
    disk.replace("f", b"abcd")
    mapped = disk.map("f")
    assert (bytes(mapped), mapped.readonly) == (b"abcd", True)
    with (tmp_path / "f").open("r+b") as file:
        file.write(b"x")
    assert bytes(mapped) == b"xbcd"
    disk.replace("f", b"efgh")
    assert (bytes(mapped), bytes(disk.map("f"))) == (b"xbcd", b"efgh")


@pytest.mark.parametrize("make", [Disk, lambda _: Disk(MemoryFiles())], ids=["real", "in memory"])
def test_empty_file_maps_to_nothing_and_missing_one_is_an_error(tmp_path: Path, make: Callable[[Path], Disk]) -> None:
    disk = make(tmp_path)
    disk.replace("empty", b"")
    assert bytes(disk.map("empty")) == b""
    with pytest.raises(FileNotFoundError):
        disk.map("missing")


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "a/b", "/etc/passwd", f"log{PARTIAL}"])
def test_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    disk = Disk(tmp_path)
    for act in (
        lambda: disk.read(name),
        lambda: disk.map(name),
        lambda: disk.append(name, b"a"),
        lambda: disk.sync(name),
        lambda: disk.replace(name, b"a"),
    ):
        with pytest.raises(ValueError, match="plain name"):
            act()
    assert list(tmp_path.iterdir()) == []


def test_file_that_is_being_replaced_is_not_named(tmp_path: Path) -> None:
    disk, page = _steered(tmp_path)
    page[Setting.SYNC_FAILS] = 1
    with pytest.raises(OSError, match="Input/output error"):
        disk.replace("f", NEW)
    assert disk.names() == []
    assert (tmp_path / f"f{PARTIAL}").exists()
    page[Setting.SYNC_FAILS] = 0
    disk.replace("f", OLD)
    assert disk.read("f") == OLD
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


class _ShortWrites(Files):
    """A disk that is full in the middle of a record."""

    def append(self, name: str, data: bytes) -> None:
        if data == NEW:
            super().append(name, HALF)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)
        super().append(name, data)


def test_append_that_failed_half_way_leaves_nothing_behind(tmp_path: Path) -> None:
    disk = Disk(_ShortWrites(tmp_path))
    disk.append("log", OLD)
    with pytest.raises(OSError, match="No space left"):
        disk.append("log", NEW)
    assert disk.read("log") == OLD
    disk.append("log", b"er")
    assert disk.read("log") == b"older"


class _ShortWritesThatStay(_ShortWrites):
    """A disk so full that even truncation fails, while the test says so."""

    failing = True

    def truncate(self, name: str, length: int) -> None:
        if self.failing and name == "log" and length:
            raise OSError(errno.EIO, os.strerror(errno.EIO), name)
        super().truncate(name, length)

    def sync(self, name: str) -> None:
        if self.failing and name.endswith(PARTIAL):
            raise OSError(errno.EIO, os.strerror(errno.EIO), name)
        super().sync(name)


def test_what_could_not_be_cut_off_is_before_anything_is_appended(tmp_path: Path) -> None:
    files = _ShortWritesThatStay(tmp_path)
    disk = Disk(files)
    disk.append("log", OLD)
    for act, data in ((disk.append, NEW), (disk.replace, b"x"), (disk.append, b"er")):
        with pytest.raises(OSError, match="Input/output error"):
            act("log", data)
    assert disk.read("log") == OLD + HALF
    files.failing = False
    disk.append("log", b"er")
    assert disk.read("log") == b"older"


class _FailingFolder(Files):
    """Syncing the folder fails while the test says so."""

    failing = False
    synced = 0

    def sync_folder(self) -> None:
        if self.failing:
            raise OSError(errno.EIO, "Input/output error")
        self.synced += 1
        super().sync_folder()


@pytest.mark.parametrize("made_by", ["append", "replace"])
def test_a_file_whose_name_did_not_come_to_be_on_the_disk_is_appended_to_only_when_it_has(tmp_path: Path, made_by: str) -> None:
    files = _FailingFolder(tmp_path)
    disk = Disk(files)
    files.failing = True
    for _ in range(2):
        with pytest.raises(OSError, match="Input/output error"):
            disk.append("log", b"one") if made_by == "append" else disk.replace("log", b"one")
    with pytest.raises(OSError, match="Input/output error"):
        disk.append("log", b"two")
    files.failing = False
    disk.append("log", b"two")
    assert files.synced == 1
    disk.append("log", b"three")
    assert files.synced == 1
    assert disk.read("log") == (b"twothree" if made_by == "append" else b"onetwothree")


@pytest.mark.parametrize("restarted", [True, False])
@pytest.mark.parametrize("uses", [lambda disk: disk.sync("map"), lambda disk: disk.append("map", b"")])
def test_the_name_that_a_replacement_left_is_on_the_disk_before_more_is_promised(
    tmp_path: Path, uses: Callable[[Disk], None], restarted: bool
) -> None:
    """An earlier process may have ended between the rename and the sync of the folder, or the sync may have failed."""
    files = _FailingFolder(tmp_path)
    files.failing = True
    first = Disk(files)
    with pytest.raises(OSError, match="Input/output error"):
        first.replace("map", b"new")
    again = Disk(files) if restarted else first
    assert again.read("map") == b"new"
    with pytest.raises(OSError, match="Input/output error"):
        uses(again)
    files.failing = False
    uses(again)
    uses(again)
    assert files.synced == 1


def test_sync_covers_what_an_earlier_process_wrote(tmp_path: Path) -> None:
    page = ControlPage()
    Disk(SteeredFiles(Files(tmp_path), page)).append("log", NEW)
    assert _entry(page, "log").synced_bytes == 0
    again = Disk(SteeredFiles(Files(tmp_path), page))
    again.append("log", b"!")
    assert _entry(page, "log").synced_bytes == 0
    again.sync("log")
    assert _entry(page, "log").synced_bytes == len(NEW) + 1


def test_file_that_was_there_before_the_run_counts_as_synced(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(OLD)
    disk, page = _steered(tmp_path)
    disk.append("log", NEW)
    assert _entry(page, "log").synced_bytes == len(OLD)


def test_replaced_file_is_synced_whole_whatever_its_past(tmp_path: Path) -> None:
    disk, page = _steered(tmp_path)
    disk.append("f", NEW)
    disk.replace("f", OLD)
    assert _entry(page, "f").synced_bytes == ALL
    disk.append("f", NEW)
    assert _entry(page, "f").synced_bytes == len(OLD)


def test_sync_fails_once_for_what_it_should_have_written(tmp_path: Path) -> None:
    disk, page = _steered(tmp_path)
    disk.append("log", OLD)
    page[Setting.SYNC_FAILS] = 1
    with pytest.raises(OSError, match="Input/output error") as raised:
        disk.sync("log")
    assert raised.value.errno == errno.EIO
    disk.sync("log")
    assert page[Counter.FAILED_SYNCS] == 1
    page[Setting.SYNC_FAILS] = 0
    disk.append("log", NEW)
    disk.sync("log")
    assert _entry(page, "log") == Tracked(name="log", synced_bytes=3 + len(NEW), holes=((0, 3),))


@given(st.lists(st.tuples(st.sampled_from(["append", "sync", "fail"]), st.integers(1, 9)), max_size=12))
def test_holes_are_where_syncs_had_failed(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]) -> None:
    disk, page = _steered(tmp_path_factory.mktemp("disk"))
    fates = ""  # of each byte: written, synced, or dropped
    for kind, size in [("append", 1), *steps]:
        if kind == "append":
            disk.append("log", bytes(size))
            fates += "w" * size
            continue
        page[Setting.SYNC_FAILS] = failing = int(kind == "fail")
        if failing and "w" in fates:
            with pytest.raises(OSError, match="Input/output error"):
                disk.sync("log")
        else:
            disk.sync("log")
        fates = fates.replace("w", "d" if failing else "s")
    tracked = _entry(page, "log")
    seen = ["s"] * tracked.synced_bytes + ["w"] * (len(fates) - tracked.synced_bytes)
    for begin, end in tracked.holes:
        seen[begin:end] = "d" * (end - begin)
    if len(tracked.holes) < 4:  # there is no room for more
        assert "".join(seen) == fates


@pytest.mark.slow
def test_more_files_than_the_page_has_room_for_are_counted_and_kept_all_the_same(tmp_path: Path) -> None:
    disk, page = _steered(tmp_path)
    for number in range(1026):
        disk.append(f"f{number}", b"a")
    disk.append("n" * 200, b"a")
    assert len(page.tracked()) == 1023
    assert page[Counter.UNTRACKED_FILES] == 4
    disk.sync("f1025")
    assert disk.read("f1025") == b"a"


def test_a_nearly_full_disk_takes_the_end_of_a_file_and_no_file_that_is_written_anew(tmp_path: Path) -> None:
    disk, page = _steered(tmp_path)
    disk.replace("log", OLD)
    page[Setting.SCARCE_SPACE] = 1
    disk.append("log", NEW)
    disk.sync("log")
    with pytest.raises(OSError, match="No space left"):
        disk.replace("log", NEW)
    assert (disk.read("log"), page[Counter.REFUSED_WRITES]) == (OLD + NEW, 1)
    page[Setting.SCARCE_SPACE] = 0
    disk.replace("log", NEW)
    assert disk.read("log") == NEW


def test_page_of_a_file_is_seen_by_all_that_map_it_and_outlives_them(tmp_path: Path) -> None:
    ours = ControlPage.create(tmp_path / "n1.control")
    theirs = ControlPage(tmp_path / "n1.control")
    ours[Setting.NO_SPACE] = 1
    with pytest.raises(OSError, match="No space left"):
        Disk(SteeredFiles(Files(tmp_path / "data"), theirs)).append("log", NEW)
    assert ours[Counter.REFUSED_WRITES] == 1
    del theirs
    assert ControlPage(tmp_path / "n1.control")[Counter.REFUSED_WRITES] == 1
    assert ControlPage.create(tmp_path / "n1.control")[Counter.REFUSED_WRITES] == 0


def test_a_control_page_has_its_space_on_the_disk_from_the_start(tmp_path: Path) -> None:
    """Writing to a mapped file for which a full disk has no block kills the process."""
    ControlPage.create(tmp_path / "n1.control")
    created = (tmp_path / "n1.control").stat()
    assert created.st_blocks * 512 >= created.st_size > 0
