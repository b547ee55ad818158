"""The kinds of toxics. Each file in this folder defines one as `KIND`; its name is the kind's name."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from typing import Final

from faults.plane.kind import Kind


def _find() -> dict[str, Kind]:
    found = {}
    for module in pkgutil.iter_modules(__path__):
        kind = importlib.import_module(f"{__name__}.{module.name}").KIND
        if not isinstance(kind, Kind):
            raise TypeError(f"{__name__}.{module.name}: KIND is {kind!r}, and must be a faults.plane.toxic.Kind")
        found[module.name] = kind
    return found


KINDS: Final[Mapping[str, Kind]] = _find()
