"""Known bugs of a system, as data: what is wrong, which variant of the code has it, and which drill and check must catch it.

A system keeps them in `bugs.py` of its package, beside the code that breaks:

    @dataclass(frozen=True, kw_only=True)
    class Parts:
        \"\"\"What a correct node runs with.\"\"\"

        synced: bool = True
        retries: type[Retries] = Retries

    BUGS: Final = BugCatalog(
        Parts(),
        Bug("no-sync", "answers before it syncs", Parts(synced=False), caught_by=("counter/killed", "nothing_lost")),
        Bug("retries-all", "retries every error", Parts(retries=RetriesAll), caught_by=("counter/slow", "p99 < 50ms")),
    )

and refers to them in its class, with a field that `--set system.bug=no-sync` sets:

    bugs: ClassVar = BUGS
    bug: str | None = None

    def __post_init__(self) -> None:
        BUGS.variant(self.bug)  # refuses a name that is not in the catalogue

Its nodes then run with `BUGS.variant(config.bug)`: the correct parts, or the bug's. That is all: `harness list` shows the
bugs, `harness detect` measures how often each is caught, and one test demands that each is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, runtime_checkable

from harness.model.errors import UsageError, hint

Variant_co = TypeVar("Variant_co", covariant=True)
"""What a system's nodes run with: a frozen dataclass whose defaults are correct."""


@dataclass(frozen=True)
class Bug(Generic[Variant_co]):
    """One known bug."""

    name: str
    """The NAME in `--set system.bug=NAME`."""
    what: str
    """One line: what is wrong."""
    variant: Variant_co
    """The parts that nodes with this bug run with."""
    caught_by: tuple[str, str]
    """The drill that must catch it, and the name of the check that fails or the text of the SLO that is missed."""


class BugCatalog(Mapping[str, Bug[Variant_co]]):
    """The known bugs of a system by name, and the correct parts.

    Every `pytest` run tries the first two bugs, a nightly one all of them: put the bugs with short drills first.
    """

    def __init__(self, correct: Variant_co, *bugs: Bug[Variant_co]) -> None:
        self._correct = correct
        self._bugs = {bug.name: bug for bug in bugs}
        if len(self._bugs) < len(bugs):
            names = [bug.name for bug in bugs]
            twice = next(name for name in names if names.count(name) > 1)
            raise UsageError(f"Two bugs are called {twice!r}. Names are unique within a system.")

    def variant(self, name: str | None) -> Variant_co:
        """The parts that nodes with this bug run with; the correct parts for None. Raises `UsageError` for an unknown bug."""
        if name is None:
            return self._correct
        if name not in self._bugs:
            raise UsageError(f"No bug called {name!r}. {hint(name, self._bugs)}")
        return self._bugs[name].variant

    def __getitem__(self, name: str) -> Bug[Variant_co]:
        return self._bugs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._bugs)

    def __len__(self) -> int:
        return len(self._bugs)


@runtime_checkable
class HasBugs(Protocol):
    """A system with a catalogue of known bugs. `bug` names the active one, or is None."""

    @property
    def bugs(self) -> BugCatalog[object]: ...

    @property
    def bug(self) -> str | None: ...
