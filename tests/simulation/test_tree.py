"""The copy of the code whose files are changed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.engine import ROOT

CHANGES = """
import sys
from pathlib import Path
from harness.simulation.mutation.tree import Tree

tree, file = Tree(Path(sys.argv[1])), Path(sys.argv[2])
with tree.changed(file, lambda source: source.replace('\\u2026', '\\u2026!')):
    print(tree.place(file).read_bytes() == file.read_bytes().replace('\\u2026'.encode(), '\\u2026!'.encode()))
print(tree.place(file).read_bytes() == file.read_bytes())
"""


@pytest.mark.slow
def test_a_copy_is_changed_and_changed_back_even_if_the_locale_has_no_encoding_for_it(tmp_path: Path) -> None:
    file = next(file for file in sorted((ROOT / "harness").rglob("*.py")) if "…" in file.read_text(encoding="utf-8"))
    done = subprocess.run(
        [sys.executable, "-X", "utf8=0", "-c", CHANGES, str(tmp_path / "tree"), str(file)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("True\nTrue\n", "")
