"""Small changes of Python code, each of one place: what a slip of the pen would make of it.

The operators are the classic ones (A. Offutt et al., "An experimental determination of sufficient mutant operators", ACM TOSEM
5(2), 1996), and the statement that was forgotten.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_SWAPS: Final[dict[type[ast.AST], type[ast.AST]]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip
_CHANGED_ANYWAY: Final = (ast.Compare, ast.BoolOp, ast.UnaryOp, ast.Constant)
_TYPES: Final = ("annotation", "returns", "type_params")


@dataclass(frozen=True)
class Mutant:
    """A piece of source code, from `begin` to before `end`, that is replaced."""

    begin: int
    end: int
    line: int
    operator: str
    before: str
    after: str

    def applied(self, source: str) -> str:
        """The source with the change."""
        return source[: self.begin] + self.after + source[self.end :]


def mutants_of(source: str) -> list[Mutant]:
    """Every mutant, in the order of the code. Docstrings, annotations, assertions and log lines are left alone."""
    lines = source.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line.encode()))
    encoded = source.encode()

    def at(line: int, column: int) -> int:
        return len(encoded[: starts[line - 1] + column].decode())

    found = []
    for node, operator, after in _changes(ast.parse(source)):
        assert isinstance(node, ast.expr | ast.stmt)  # noqa: S101 - for types
        begin, end = at(node.lineno, node.col_offset), at(node.end_lineno or node.lineno, node.end_col_offset or 0)
        found.append(Mutant(begin, end, node.lineno, operator, source[begin:end], after))
    return sorted(found, key=lambda mutant: (mutant.begin, mutant.end, mutant.after))


def _changes(tree: ast.AST) -> Iterator[tuple[ast.AST, str, str]]:
    """A node, what is done to it, and its new source."""
    for node in _code(tree):
        match node:
            case ast.Compare(ops=ops):
                for place, operator in enumerate(ops):
                    yield node, "comparison", _with(node, ops=[*ops[:place], _SWAPS[type(operator)](), *ops[place + 1 :]])
            case ast.BoolOp(op=swapped) | ast.BinOp(op=swapped) if type(swapped) in _SWAPS and not _is_text(node):
                yield node, "operator", _with(node, op=_SWAPS[type(swapped)]())
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


def _code(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that do something."""
    for name, value in ast.iter_fields(node):
        if name in _TYPES:
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_idle(child):
                yield child
                yield from _code(child)


def _is_idle(node: ast.AST) -> bool:
    match node:
        case ast.Expr(value=ast.Constant()) | ast.Assert() | ast.Import() | ast.ImportFrom() | ast.JoinedStr():
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.Expr(value=ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name))):
            return name in ("log", "_log")
    return False


def _is_text(node: ast.AST) -> bool:
    return any(
        isinstance(part, ast.JoinedStr) or (isinstance(part, ast.Constant) and isinstance(part.value, str | bytes))
        for part in ast.walk(node)
    )
