"""Small changes of Python code, each in one place, such as a slip of the pen would make.

The operators are the classic ones (A. Offutt et al., "An experimental determination of sufficient mutant operators", ACM TOSEM
5(2), 1996), plus the deletion of a statement.
"""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

_SWAPS: Final[dict[type[ast.AST], type[ast.AST]]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip
_CHANGED_ANYWAY: Final = (ast.Compare, ast.BoolOp, ast.UnaryOp, ast.Constant)
_DECLARED: Final = ("annotation", "returns", "type_params", "decorator_list")
_OPPOSITES: Final = {"max": "min", "min": "max"}
_LEFT_ALONE: Final = ("__str__", "__repr__", "varied")
"""Functions whose results are for people, and the one that decides what simulation tries."""


@dataclass(frozen=True)
class Mutant:
    """A piece of source code, from `begin` to before `end`, that is replaced."""

    begin: int
    end: int
    line: int
    operator: str
    before: str
    after: str
    nth: int
    """How many earlier mutants of the file make the same change to the same text."""
    needs: range | None
    """At least one of these lines must run for the change to matter; None: it matters once the file is imported."""

    def applied(self, source: str) -> str:
        """The source with the change."""
        return source[: self.begin] + self.after + source[self.end :]


def mutants_of(source: str) -> list[Mutant]:
    """Every mutant, in the order of the code.

    Left alone are docstrings, annotations, assertions (`strict=` among them), how classes are made, log lines, texts, and the
    refusal of settings with a `UsageError`, before anything runs.
    """
    encoded, starts = source.encode(), [0]
    for line in encoded.splitlines(keepends=True):  # bytes end their lines where Python's code does; texts also at a form feed
        starts.append(starts[-1] + len(line))

    def at(line: int, column: int) -> int:
        return len(encoded[: starts[line - 1] + column].decode())

    found = []
    for node, needs in _code(ast.parse(source), None, in_function=False):
        for changed, operator, after in _changes(node):
            begin = at(changed.lineno, changed.col_offset)
            end = at(changed.end_lineno or changed.lineno, changed.end_col_offset or 0)
            found.append(Mutant(begin, end, changed.lineno, operator, source[begin:end], after, 0, needs))
    seen: Counter[tuple[str, str]] = Counter()
    numbered = []
    for mutant in sorted(found, key=lambda mutant: (mutant.begin, mutant.end, mutant.after)):
        numbered.append(replace(mutant, nth=seen[mutant.before, mutant.after]))
        seen[mutant.before, mutant.after] += 1
    return numbered


def _changes(node: ast.AST) -> Iterator[tuple[ast.expr | ast.stmt, str, str]]:
    """Each change of a node: the part that changes, the name of the change, and its new source."""
    match node:
        case ast.Compare(ops=ops):
            for place, operator in enumerate(ops):
                yield node, "comparison", _with(node, ops=[*ops[:place], _SWAPS[type(operator)](), *ops[place + 1 :]])
        case ast.BoolOp(op=swapped):
            yield node, "operator", _with(node, op=_SWAPS[type(swapped)]())
        case ast.BinOp(op=swapped) if type(swapped) in _SWAPS and not _is_text(node):
            yield node, "operator", _with(node, op=_SWAPS[type(swapped)]())
        case ast.Name(id=name, ctx=ast.Load()) if name in _OPPOSITES:
            yield node, "operator", _OPPOSITES[name]
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield node, "negation", f"({ast.unparse(operand)})"
        case ast.Constant(value=bool() as value):
            yield node, "truth", str(not value)
        case ast.Constant(value=int() as value):
            yield node, "off by one", str(value + 1)
        case ast.Constant(value=float() as value) if value:
            yield node, "tenfold", str(value * 10)
        case ast.If(test=test) | ast.While(test=test) if not isinstance(test, _CHANGED_ANYWAY):
            yield test, "condition", f"(not ({ast.unparse(test)}))"
        case ast.Expr(value=ast.Call() | ast.Await()) | ast.AugAssign() | ast.Raise():
            yield node, "forgotten statement", "pass"
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield node, "forgotten statement", "pass"


def _with(node: ast.expr, **fields: object) -> str:
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return f"({ast.unparse(changed)})"


def _code(node: ast.AST, needs: range | None, *, in_function: bool) -> Iterator[tuple[ast.AST, range | None]]:
    """The nodes that do something, each with the lines of the statement that contains it, if that is in a function."""
    in_function = in_function or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    for name, value in ast.iter_fields(node):
        if name in _DECLARED or (name == "keywords" and isinstance(node, ast.ClassDef)):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_idle(child):
                its = _own_lines(child) if in_function and isinstance(child, ast.stmt) else needs
                yield child, its
                yield from _code(child, its, in_function=in_function)


def _own_lines(statement: ast.stmt) -> range:
    """The lines of a statement without those of the statements inside it."""
    begin = statement.lineno
    if isinstance(statement, ast.Match):
        return range(begin, statement.cases[0].pattern.lineno + 1)
    body: list[ast.stmt] = getattr(statement, "body", [])
    return range(begin, max(body[0].lineno, begin + 1) if body else (statement.end_lineno or begin) + 1)


def _is_idle(node: ast.AST) -> bool:
    match node:
        case ast.Expr(value=ast.Constant()) | ast.Assert() | ast.Import() | ast.ImportFrom() | ast.JoinedStr():
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING")) | ast.keyword(arg="strict"):
            return True
        case ast.If(body=[ast.Raise(exc=ast.Call(func=ast.Name(id="UsageError")))], orelse=[]):
            return True
        case ast.FunctionDef(name=name):
            return name in _LEFT_ALONE
        case ast.Expr(value=ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name))):
            return name in ("log", "_log")
    return False


def _is_text(node: ast.AST) -> bool:
    return any(
        isinstance(part, ast.JoinedStr) or (isinstance(part, ast.Constant) and isinstance(part.value, str | bytes))
        for part in ast.walk(node)
    )
