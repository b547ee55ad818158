"""The drills, systems, workloads, faults and checkers that exist. A folder is its own registry; nothing is listed by hand."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import TYPE_CHECKING, TypeVar, cast, get_type_hints

import msgspec
import pandas as pd

import drills as shipped_drills
import faults as faults_package
import systems as systems_package
import workloads as workloads_package
from harness import checkers as checkers_package
from harness import roots
from harness.checkers.answers_expected import answers_expected_beside, applies_beside
from harness.model.bug import BugCatalog
from harness.model.drill import Drill
from harness.model.errors import HarnessError, UsageError, hint
from harness.model.fault import Fault
from harness.model.history import History
from harness.model.system import HasInstall, System
from harness.model.verdict import Checker
from harness.roots import DRILLS, is_drill
from harness.run.class_finder import BrokenModule, FoundClasses, find_classes, in_a_line
from harness.run.source_file import executed

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of `harness list`."""

    name: str
    title: str
    module: str = ""
    """The module that it is imported from; "" if it is not imported."""


@dataclass(frozen=True, kw_only=True)
class NamedDrill:
    """A drill that was found. Its name is its path in the drills folder, its title the first line of its docstring."""

    name: str
    title: str
    drill: Drill
    again: str
    """What finds it again from here: its name, or its file if no searched folder has it."""


# -------------------------------------------------------------------------------------------------------------- drills


def drill_files() -> dict[str, Path]:
    """Every drill by name, those of the working directory before those that come with the project."""
    found: dict[str, Path] = {}
    for root in _drill_roots():
        for path in roots.sources(root):
            if is_drill(path):
                found.setdefault(path.relative_to(root).with_suffix("").as_posix(), path.resolve())
    return dict(sorted(found.items()))


def _drill_roots() -> list[Path]:
    return [Path.cwd() / DRILLS, Path(shipped_drills.__path__[0])]  # after it come the folders of users that were added


def _drill_file(name: str) -> Path | None:
    """The same as `drill_files().get(name)`, without listing all drills."""
    plain = PurePosixPath(name)
    if plain.is_absolute() or ".." in plain.parts or plain.as_posix() != name:
        return None
    files = (root / f"{name}.py" for root in _drill_roots())
    return next((path.resolve() for path in files if is_drill(path) and path.is_file()), None)


def drill_names(suite: str) -> list[str]:
    """The drills of a suite: a folder of drills, or a single drill. Raises `UsageError` if there is no such suite."""
    names = [name for name in drill_files() if name == suite or name.startswith(f"{suite}/")]
    if not names:
        suites = [*dict.fromkeys(name.split("/")[0] for name in drill_files())]
        raise UsageError(_no_such("suite or drill", suite, suites) + _only_shipped())
    return names


def _only_shipped() -> str:
    """Where drills were looked for, if the working directory is not a user's folder."""
    return "" if (Path.cwd() / DRILLS).is_dir() else " There is no folder drills here: only the harness's own drills are known."


def drill_entries() -> list[Entry]:
    """The name and title of every drill. If a drill cannot be loaded, the error stands in for its title."""
    return [Entry(name=name, title=_title_of(name, path)) for name, path in drill_files().items()]


def _title_of(name: str, path: Path) -> str:
    try:
        return load_drill(path, name).title
    except HarnessError as error:
        return f"(cannot be loaded: {' '.join(str(error).split())})"


def find_drill(name: str, settings: Sequence[str] = ()) -> NamedDrill:
    """A drill by its name or its file's path, with settings such as "load.rate=1000" applied."""
    if name.endswith(".py"):
        path = Path(name)
        if not path.is_file():
            raise UsageError(f"There is no drill file {name}.")
        name = _name_of(path)
    else:
        found = _drill_file(name)
        if found is None:
            files = drill_files()
            suite = name.rstrip("/")
            if any(known.startswith(f"{suite}/") for known in files):
                raise UsageError(
                    f"{suite!r} is a suite of drills. Run it with `harness run {suite}`, or name one of its drills."
                )
            raise UsageError(_no_such("drill", name, list(files)) + _only_shipped())
        path = found
    return load_drill(path, name, settings)


def load_drill(path: Path, name: str | None = None, settings: Sequence[str] = ()) -> NamedDrill:
    """The drill that a file defines. Raises `UsageError` saying what is wrong with the file, and where."""
    path = path.resolve()
    roots.add(roots.root_of(path))
    name = name or _name_of(path)
    module = executed(path, f"{DRILLS}.{name.replace('/', '.')}")
    drill = getattr(module, "drill", None)
    if not isinstance(drill, Drill):
        raise UsageError(f"{path} defines no drill: it needs a line `drill = Drill(…)`.")
    for setting in settings:
        drill = _set(drill, setting)
    again = name if _drill_file(name) == path else str(path)
    return NamedDrill(name=name, title=_first_line(module.__doc__), drill=drill, again=again)


def _name_of(path: Path) -> str:
    parts = path.resolve().with_suffix("").parts
    return "/".join(parts[len(parts) - parts[::-1].index(DRILLS) :]) if DRILLS in parts[:-1] else path.stem


def _set(drill: Drill, setting: str) -> Drill:
    """Apply "system.bug=read-one": a path of fields, and a value in JSON or as plain text."""
    where, equals, text = setting.partition("=")
    if not equals:
        raise UsageError(f"--set {setting}: expected FIELD=VALUE, such as load.rate=1000.")
    return _replaced(drill, where.split("."), text, setting)


def _replaced(value: T, path: list[str], text: str, setting: str) -> T:
    names = _field_names(value)
    if not names:
        raise UsageError(f"--set {setting}: {value!r} has no fields; stop one name earlier.")
    name, *rest = path
    if name not in names:
        raise UsageError(f"--set {setting}: {_no_such(f'field of {type(value).__name__}', name, names)}")
    if rest:
        return _with(value, **{name: _replaced(getattr(value, name), rest, text, setting)})
    try:
        return _with(value, **{name: _convert(text, _type_of(type(value), name))})
    except (msgspec.ValidationError, NameError, TypeError, ValueError) as error:
        raise UsageError(f"--set {setting}: {error}.") from error


def _field_names(value: object) -> list[str]:
    if isinstance(value, msgspec.Struct):
        return list(value.__struct_fields__)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [field.name for field in dataclasses.fields(value)]
    return []


def _with(value: T, **changes: object) -> T:
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.replace(value, **changes)
    return cast(T, dataclasses.replace(cast("DataclassInstance", value), **changes))


def _type_of(kind: type, name: str) -> object:
    """The type of one field, resolved alone: other fields' types may use names that exist only for type checkers."""
    owner = next(base for base in kind.__mro__ if name in vars(base).get("__annotations__", {}))
    alone = type("alone", (), {"__annotations__": {name: vars(owner)["__annotations__"][name]}, "__module__": owner.__module__})
    return get_type_hints(alone)[name]


def _convert(text: str, kind: object) -> object:
    """A setting's text as a value of a type: as JSON if it is JSON, else as plain text."""
    try:
        return msgspec.convert(msgspec.json.decode(text), kind, strict=False)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return msgspec.convert(text, kind, strict=False)


# --------------------------------------------------------------------------------------------------------- other nouns


def systems() -> list[Entry]:
    """Every system."""
    return _entries(_systems())


def workloads() -> list[Entry]:
    """Every workload."""
    return _entries(find_classes(workloads_package, lambda kind: hasattr(kind, "calls"), method="calls"))


def faults() -> list[Entry]:
    """Every fault."""
    return _entries(_faults())


def bugs() -> list[Entry]:
    """Every known bug of every system, with the drill that must catch it."""
    return [
        Entry(name=f"{system} {bug.name}", title=f"{bug.what} ({': '.join(bug.caught_by)})")
        for system, known in bug_catalogs().items()
        for bug in known.values()
    ]


def bug_catalogs() -> dict[str, BugCatalog[object]]:
    """The known bugs of each system that declares some. A system's variants share its catalogue and are not repeated."""
    catalogs = {kind.__name__: vars(kind).get("bugs") for kind in _systems().classes}
    return {name: known for name, known in catalogs.items() if isinstance(known, BugCatalog)}


def find_bug_catalog(system: str) -> tuple[str, BugCatalog[object]]:
    """A system's name and its known bugs, by its name in any case. Raises `UsageError` if it declares none."""
    known = bug_catalogs()
    name = next((name for name in known if name.lower() == system.lower()), None)
    if name is None:
        raise UsageError(_no_such("system with known bugs", system, list(known)))
    return name, known[name]


def find_installable(system: str) -> HasInstall:
    """A system whose program can be installed, by its name in any case. Raises `UsageError` if there is none."""
    known = {kind.__name__: kind for kind in _systems().classes if issubclass(kind, HasInstall)}
    found = next((kind for name, kind in known.items() if name.lower() == system.lower()), None)
    if found is None:
        raise UsageError(_no_such("system to install", system, [name.lower() for name in known]))
    return found()


def fault_classes() -> list[type[Fault]]:
    """The class of every fault."""
    return [kind for kind in _faults().classes if issubclass(kind, Fault)]


def fault_kinds() -> dict[str, type[Fault]]:
    """Every fault by "module:Class", its name in schedule files."""
    return {f"{kind.__module__}:{kind.__name__}": kind for kind in fault_classes()}


def _systems() -> FoundClasses:
    return find_classes(systems_package, lambda kind: issubclass(kind, System), method="nodes")


def _faults() -> FoundClasses:
    return find_classes(faults_package, lambda kind: issubclass(kind, Fault), base="Fault")


def _entries(found: FoundClasses) -> list[Entry]:
    """The classes found, then the modules that cannot be imported, each with its error."""
    classes = [Entry(name=kind.__name__, title=_first_line(kind.__doc__), module=kind.__module__) for kind in found.classes]
    return sorted(classes, key=lambda entry: entry.name) + [_broken_entry(broken) for broken in found.broken]


def _broken_entry(broken: BrokenModule) -> Entry:
    return Entry(name=broken.name, title=f"(cannot be imported: {broken.why})")


def checkers() -> dict[str, Checker]:
    """Every checker by name: the function named after its module. Raises `UsageError` if a module is broken."""
    return {name: _checker(name) for name in _checker_names()}


def _checker_names() -> list[str]:
    return [name for _, name, _ in pkgutil.iter_modules(checkers_package.__path__) if not name.startswith("_")]


def _checker(name: str) -> Checker:
    module_name = f"{checkers_package.__name__}.{name}"
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # the module may be user code
        raise UsageError(f"The module {module_name} cannot be imported: {in_a_line(error)}") from error
    checker: Checker | None = getattr(module, name, None)
    if checker is None:
        raise UsageError(f"{module.__file__} defines no checker: it needs a function {name!r}, named after its file.")
    return checker


def _module_of(checker: Checker) -> ModuleType:
    return importlib.import_module(checker.__module__)


def checkers_for(history: History) -> list[Checker]:
    """The checkers that have something to judge in a history: those whose module's `applies(history)` is true.

    A checker whose module has no `applies` must be asked for by name. One whose module has `unasked` is narrower unless it is
    asked for. `answers_expected` compares the answers that no other one compares.
    """
    chosen = [_unasked(checker) for checker in checkers().values() if _applies(checker, history)]
    return [*chosen, answers_expected_beside(chosen)] if applies_beside(chosen, history) else chosen


def _unasked(checker: Checker) -> Checker:
    unasked: Callable[[], Checker] = getattr(_module_of(checker), "unasked", lambda: checker)
    return unasked()


def _applies(checker: Checker, history: History) -> bool:
    applies = getattr(_module_of(checker), "applies", None)
    return applies is not None and bool(applies(history))


def judged_rows(checker: Checker, ops: pd.DataFrame) -> pd.Series:
    """A mask of the operations that a checker judges. Its module lists their kinds in `KINDS`, or has `judges(ops)`."""
    module = _module_of(checker)
    rows: pd.Series = module.judges(ops) if hasattr(module, "judges") else ops["kind"].isin(getattr(module, "KINDS", ()))
    return rows


def judged_kinds() -> dict[str, list[str]]:
    """The kinds of calls that checkers name in `KINDS`, each with the names of its checkers."""
    kinds: dict[str, list[str]] = {}
    for name, checker in checkers().items():
        for kind in getattr(_module_of(checker), "KINDS", ()):
            kinds.setdefault(kind, []).append(name)
    return kinds


def checker_entries() -> list[Entry]:
    """Every checker, and every module that should hold one but does not or cannot be imported."""
    entries = []
    for name in _checker_names():
        try:
            checker = _checker(name)
            entries.append(Entry(name=name, title=_first_line(checker.__doc__), module=checker.__module__))
        except UsageError as error:
            entries.append(Entry(name=name, title=f"({error})"))
    return entries


def find_checker(name: str) -> Checker:
    """A checker by name. Raises `UsageError` if there is none."""
    known = checkers()
    if name not in known:
        raise UsageError(_no_such("checker", name, list(known)))
    return known[name]


def _first_line(docstring: str | None) -> str:
    return (docstring or "").strip().partition("\n")[0]


def _no_such(what: str, name: str, known: Sequence[str]) -> str:
    return f"No {what} called {name!r}. {hint(name, known, cutoff=0.5, shown_by='harness list')}"
