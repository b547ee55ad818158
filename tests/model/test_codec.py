"""What travels to the load generator's process as JSON comes out as it went in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from harness.model.codec import Described, describe, restore
from harness.model.errors import UsageError
from tests.helpers.echo import Echo, Led, Numbers


@dataclass(frozen=True, kw_only=True)
class Nested:
    """A value with values in it."""

    inner: Numbers
    pairs: tuple[tuple[int, str], ...]
    maybe: float | None = None


@pytest.mark.parametrize(
    "value", [Numbers(), Echo(replicas=3), Led(replicas=2, broken=True), Nested(inner=Numbers(), pairs=((1, "a"), (2, "ü")))]
)
def test_there_and_back(value: object) -> None:
    sent = msgspec.json.encode(describe(value))
    assert restore(msgspec.json.decode(sent, type=Described)) == value


def test_what_other_processes_cannot_import_is_refused() -> None:
    @dataclass(frozen=True)
    class Local:
        pass

    with pytest.raises(UsageError, match="Local is defined where other processes cannot import it"):
        describe(Local())


def test_what_no_module_holds_is_refused() -> None:
    homeless: type = dataclass(frozen=True)(type("Homeless", (), {"__module__": "drills.no.such_file"}))
    with pytest.raises(UsageError, match=r"Homeless is defined where.*drills\.no\.such_file.*module of its own"):
        describe(homeless())


class Plain:
    """A class that is no dataclass."""


@dataclass(frozen=True, kw_only=True)
class Located:
    """A value with a path in it."""

    where: Path = Path("model.bin")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Plain(), r"^Plain is no dataclass\. Write @dataclass\(frozen=True, kw_only=True\) above it\.$"),
        (Located(), r"^Located has a field that cannot be sent to another process: .*PosixPath is unsupported\. Use texts"),
    ],
)
def test_what_cannot_be_sent_is_refused_in_one_line(value: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        describe(value)


def test_fields_of_the_wrong_type_do_not_come_back() -> None:
    with pytest.raises(msgspec.ValidationError, match="replicas"):
        restore(Described("tests.helpers.echo:Echo", {"replicas": "many"}))
