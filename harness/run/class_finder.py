"""Find the systems, workloads or faults in a package by reading its source, so that only modules that define one are imported.

Other modules of such a package may be costly to import (PyTorch) or must not be imported at all (gevent patches the standard
library). So each module is parsed first, and imported only if it defines a public dataclass that has the noun's method or base
class, directly or through another class of the package.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Final

from harness import roots

_DEFINITIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, kw_only=True)
class BrokenModule:
    """A module that cannot be imported, and why."""

    name: str
    why: str


@dataclass(frozen=True, kw_only=True)
class FoundClasses:
    """The classes of a noun, by module, and the modules that could not be searched."""

    classes: Sequence[type]
    broken: Sequence[BrokenModule]


@dataclass(frozen=True, kw_only=True)
class _Definition:
    """A class as its source defines it."""

    module: str
    name: str
    bases: frozenset[str]
    methods: frozenset[str]
    public_dataclass: bool


def find_classes(package: ModuleType, is_noun: Callable[[type], bool], *, method: str = "", base: str = "") -> FoundClasses:
    """The public dataclasses of a package for which `is_noun` holds.

    `method` is one that every class of the noun defines or inherits from another class of the package; `base` is the name of a
    base class. One of the two is enough.
    """
    definitions: list[_Definition] = []
    broken: list[BrokenModule] = []
    for name, file in _modules(package).items():
        try:
            definitions += _definitions(name, file, file.stat().st_mtime_ns, method)
        except (OSError, SyntaxError, ValueError) as error:
            broken.append(BrokenModule(name=name, why=in_a_line(error)))
    classes: list[type] = []
    for name in _candidates(definitions, method, base):
        try:
            module = importlib.import_module(name)
        except (Exception, SystemExit) as error:  # the module may be user code
            broken.append(BrokenModule(name=name, why=in_a_line(error)))
            continue
        classes += [kind for kind in _public_dataclasses(module) if is_noun(kind)]
    return FoundClasses(classes=classes, broken=broken)


def _modules(package: ModuleType) -> dict[str, Path]:
    """Every public module below a package, with its file. If two have one name, the one that `import` takes."""
    found: dict[str, Path] = {}
    for root in map(Path, package.__path__):
        for file in roots.sources(root):
            parts = file.relative_to(root).with_suffix("").parts
            names = parts[:-1] if parts[-1] == "__init__" else parts
            if names and not any(name.startswith("_") for name in names):
                found.setdefault(".".join((package.__name__, *names)), file)
    return found


@lru_cache(maxsize=4096)
def _definitions(module: str, file: Path, mtime_ns: int, method: str) -> tuple[_Definition, ...]:
    """The classes that a file defines. The cache holds for as long as the file's `mtime_ns` is the same."""
    source = file.read_bytes()
    tree = ast.parse(source, file)
    if b"dataclass" not in source and method.encode() not in source:
        return ()
    return tuple(_defined(module, tree))


def _defined(module: str, tree: ast.Module) -> Iterator[_Definition]:
    aliases = {
        alias.asname: alias.name
        for statement in tree.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
        if alias.asname
    }
    for statement in tree.body:
        if isinstance(statement, ast.ClassDef):
            bases = [_last_name(base) for base in statement.bases]
            yield _Definition(
                module=module,
                name=statement.name,
                bases=frozenset(aliases.get(base, base) for base in bases),
                methods=frozenset(part.name for part in statement.body if isinstance(part, _DEFINITIONS)),
                public_dataclass=not statement.name.startswith("_")
                and "dataclass" in (_last_name(decorator) for decorator in statement.decorator_list),
            )


def _last_name(expression: ast.expr) -> str:
    """`Serving` for `Serving`, `serving.Serving` and `Serving(…)` or `Serving[…]`."""
    match expression:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Call(func=inner) | ast.Subscript(value=inner):
            return _last_name(inner)
        case _:
            return ""


def _candidates(definitions: Sequence[_Definition], method: str, base: str) -> list[str]:
    """The modules to import, each once, in order."""
    of_noun = {base} | {definition.name for definition in definitions if method in definition.methods}
    while more := {each.name for each in definitions if each.bases & of_noun} - of_noun:
        of_noun |= more
    return list(dict.fromkeys(each.module for each in definitions if each.public_dataclass and each.name in of_noun))


def _public_dataclasses(module: ModuleType) -> Iterator[type]:
    for value in vars(module).values():
        if not isinstance(value, type) or value.__module__ != module.__name__ or value.__name__.startswith("_"):
            continue
        if dataclasses.is_dataclass(value) and not inspect.isabstract(value):
            yield value


def in_a_line(error: BaseException) -> str:
    """An error of user code, squeezed into one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())
