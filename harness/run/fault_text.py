"""Parse a fault from the command line, written as in a drill: `Kill("rank1").at_step(120)`.

The text is data: a fault's name, its arguments, and a method that makes windows, with constants for arguments. It is never
executed.
"""

from __future__ import annotations

import ast
import inspect
from typing import Final

from harness.model.errors import UsageError, hint
from harness.model.fault import Composition, Fault
from harness.run import catalog

_WHEN: Final = ("between", "flapping", "at_step", "from_step", "between_steps", "at_random", "at_random_steps")
_EXAMPLE: Final = "Such as 'Kill(\"rank1\").at_step(120)' or 'Latency(\"rank0>rank1\", delay_ms=50).between(5, 10)'."


def parse(text: str) -> Composition:
    """The windows that a text describes. Raises `UsageError` that says what is wrong with it."""
    try:
        expression = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise UsageError(f"The fault {text!r} does not parse: {error.msg}. {_EXAMPLE}") from error
    match expression:
        case ast.Call(func=ast.Attribute(value=ast.Call(func=ast.Name(id=name)) as made, attr=when)) as windows:
            fault = _fault(text, name, made)
        case ast.Call(func=ast.Name(id=name)):
            raise UsageError(f"The fault {text!r} does not say when: add .{', .'.join(_WHEN)}(…). {_EXAMPLE}")
        case _:
            raise UsageError(f"{text!r} is not a fault. {_EXAMPLE}")
    if when not in _WHEN:
        raise UsageError(f"The fault {text!r}: there is no .{when}(…). {hint(when, _WHEN)}")
    method = getattr(fault, when)
    positional, named = _arguments(text, windows)
    try:
        inspect.signature(method).bind(*positional, **named)
        composition: Composition = method(*positional, **named)
    except TypeError as error:
        raise UsageError(f"The fault {text!r}: {when}{inspect.signature(method)}: {error}.") from error
    return composition


def _fault(text: str, name: str, call: ast.Call) -> Fault:
    kinds = {kind.__name__: kind for kind in catalog.fault_kinds().values()}
    if name not in kinds:
        raise UsageError(f"The fault {text!r}: there is no fault {name!r}. {hint(name, kinds)}")
    positional, named = _arguments(text, call)
    try:
        fault = kinds[name](*positional, **named)  # type: ignore[arg-type] # checked by the call itself
    except TypeError as error:
        raise UsageError(f"The fault {text!r}: {name}{inspect.signature(kinds[name])}: {error}.") from error
    if not isinstance(fault.target, str):
        raise UsageError(f'The fault {text!r}: its target must be a text, such as "rank1".')
    return fault


def _arguments(text: str, call: ast.Call) -> tuple[list[object], dict[str, object]]:
    try:
        positional = [ast.literal_eval(argument) for argument in call.args]
        named = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords if keyword.arg is not None}
    except (ValueError, TypeError) as error:
        raise UsageError(
            f'The fault {text!r}: arguments must be numbers or quoted texts, such as Kill("rank1"). {_EXAMPLE}'
        ) from error
    return positional, named
