"""Choose which of several errors to report."""

from __future__ import annotations

from harness.model.errors import HarnessError


def first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The most telling error: the first `HarnessError`, or else the first error."""
    leaves: list[BaseException] = []
    todo: list[BaseException] = [group]
    while todo:
        error = todo.pop(0)
        if isinstance(error, BaseExceptionGroup):
            todo.extend(error.exceptions)
        else:
            leaves.append(error)
    return next((leaf for leaf in leaves if isinstance(leaf, HarnessError)), leaves[0])
