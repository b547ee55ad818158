"""Execute Python files of users in place: drills, and models of objects."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType

from harness import roots
from harness.model.errors import HarnessError, UsageError


def executed(path: Path, name: str) -> ModuleType:
    """Execute a file as a module of this name. Raises `UsageError` saying what is wrong with the file, and in which line.

    A `HarnessError` that the file itself raises keeps its type.
    """
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} is not a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module  # dataclasses that the file defines look up their module there
    try:
        spec.loader.exec_module(module)
    except HarnessError as error:
        raise type(error)(f"{path}: {error}") from error
    except (Exception, SystemExit) as error:  # the file is user code
        told = f"{path}, line {_line_of(error, path)}: {type(error).__name__}: {error}{_below(error, path)}"
        raise UsageError(told) from error
    finally:
        del sys.modules[module.__name__]
    return module


def _line_of(error: BaseException, path: Path) -> int:
    """The line of the file that an error came from."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno or 1
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return (frames[-1].lineno if frames else None) or 1


def _below(error: BaseException, path: Path) -> str:
    """The place of an error in another module of the user's that the file uses. A `SyntaxError` names it itself."""
    root = roots.root_of(path)
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(root) and "site-packages" not in Path(frame.filename).parts
    ]
    if isinstance(error, SyntaxError) or not frames or Path(frames[-1].filename) == path.resolve():
        return ""
    return f" ({Path(frames[-1].filename).relative_to(root)}, line {frames[-1].lineno})"
