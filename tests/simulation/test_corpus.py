"""Seeds that found a bug once: with the bug they still find it, without it everything holds.

An entry belongs to the code that it was made with. One that no longer fails is made anew: run `harness simulate` on its drill
and bug, and put what is left of a failing seed (its `swarm.json`) in its place.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness.run import catalog
from harness.simulation.code_version import CodeVersion
from harness.simulation.seed_run import run_seed
from tests.simulation.corpus_entry import Entry

FILES = sorted((Path(__file__).parent / "corpus").glob("*.json"))


QUICK = ("quorum-skip-damaged",)


@pytest.mark.parametrize(
    "file",
    [pytest.param(file, id=file.stem, marks=() if file.stem in QUICK else pytest.mark.slow) for file in FILES],
)
def test_a_seed_of_the_corpus_finds_its_bug_and_nothing_in_the_correct_system(file: Path) -> None:
    entry = msgspec.json.decode(file.read_bytes(), type=Entry)
    wrong = catalog.find_drill(entry.drill, [f"system.bug={entry.bug}"]).drill
    found = run_seed(entry.drill, wrong, entry.seed, swarm=entry.swarm).outcome.found
    changed = entry.code.differs_from(CodeVersion.of(wrong))
    assert set(found) & set(entry.found), f"{file.name} no longer fails; {changed}. Make it anew, see above."
    right = catalog.find_drill(entry.drill).drill
    assert run_seed(entry.drill, right, entry.seed, swarm=entry.swarm).outcome.found == ()


def test_there_is_a_corpus() -> None:
    assert FILES
