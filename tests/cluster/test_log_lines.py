"""The harness follows a log line by line, however it is written."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cluster.log_lines import lines_from


async def _read(log: BinaryIO, path: Path, offset: int, pieces: list[bytes]) -> list[str]:
    """The lines of a file that is written piece by piece while it is read."""
    found: list[str] = []
    async with aclosing(lines_from(path, offset)) as lines:
        for number, piece in enumerate(pieces, 1):
            log.write(piece)
            while len(found) < b"".join(pieces[:number]).count(b"\n"):
                found.append(await anext(lines))
    return found


@given(pieces=st.lists(st.binary(max_size=12).map(lambda piece: piece.replace(b"\xff", b"\n")), max_size=6))
def test_lines_are_those_of_the_file_however_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("log") / "log"
    path.write_bytes(b"earlier\n")
    *lines, _ = b"".join(pieces).split(b"\n")
    with path.open("ab", buffering=0) as log:
        found = asyncio.run(asyncio.wait_for(_read(log, path, 8, pieces), 30))
    assert found == [line.decode(errors="replace") for line in lines]


def test_file_that_is_not_there_cannot_be_followed(tmp_path: Path) -> None:
    async def scene() -> None:
        with pytest.raises(FileNotFoundError, match="no-log"):
            await anext(lines_from(tmp_path / "no-log", 0))

    asyncio.run(scene())
