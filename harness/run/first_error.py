"""Which of several errors is told."""

from __future__ import annotations

from harness.model.errors import HarnessError


def first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that says most: the harness's own before any other, the first otherwise."""
    leaves: list[BaseException] = []
    todo: list[BaseException] = [group]
    while todo:
        error = todo.pop(0)
        if isinstance(error, BaseExceptionGroup):
            todo.extend(error.exceptions)
        else:
            leaves.append(error)
    return next((leaf for leaf in leaves if isinstance(leaf, HarnessError)), leaves[0])
