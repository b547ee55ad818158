"""Generates docs/checkers.md from the docstrings of the checkers, and of the calls and events they judge.

python -m harness.cli.checker_page > docs/checkers.md
"""

from __future__ import annotations

import inspect
from typing import Final

from harness.model import consensus_events, partition_events, training_events, vocabulary
from harness.run import catalog

_HEAD: Final = """\
# Checkers

What each checker asks of a history, what it assumes, and its source. `python -m harness.cli.checker_page` generates this page
from docstrings; a test keeps it up to date. `harness check HISTORY` chooses those that apply; `--checker NAME` asks for one by
name, such as those for guarantees weaker than linearizability.
"""


def page() -> str:
    """The page as Markdown."""
    parts = [_HEAD]
    for heading, module in (
        ("Calls", vocabulary),
        ("Events of replicated logs", consensus_events),
        ("Events of partitioned stores", partition_events),
        ("Events of trainings", training_events),
    ):
        parts.append(f"## {heading}\n\n{inspect.getdoc(module)}\n")
    parts += [f"## {name}\n\n{inspect.getdoc(checker)}\n" for name, checker in sorted(catalog.checkers().items())]
    return "\n".join(parts)


if __name__ == "__main__":
    print(page(), end="")
