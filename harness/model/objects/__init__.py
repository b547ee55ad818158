"""Objects that a history can be judged against: one module each, with a class of the same name."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from functools import cache

from harness.model.errors import UsageError
from harness.model.object_model import Model


@cache
def names() -> tuple[str, ...]:
    """The names of the models in this folder."""
    return tuple(sorted(name for _, name, _ in pkgutil.iter_modules(__path__) if not name.startswith("_")))


def named(name: str) -> Model:
    """The model of that name. Raises `UsageError` if there is none."""
    if name not in names():
        raise UsageError(f"There is no model called {name!r}. There are {', '.join(names())}.")
    found: Model = getattr(importlib.import_module(f"{__name__}.{name}"), name.capitalize())()
    return found


def that_know(kinds: Iterable[str]) -> dict[str, Model]:
    """The models that know all of these kinds of calls: the register first, then by how few other kinds they know."""
    wanted = frozenset(kinds)
    found = {name: model for name in names() if wanted <= (model := named(name)).kinds}
    return dict(sorted(found.items(), key=lambda entry: (entry[0] != "register", len(entry[1].kinds))))
