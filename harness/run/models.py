"""Models that a history is judged against, by name or from a user's file."""

from __future__ import annotations

from pathlib import Path

from harness.model import objects
from harness.model.errors import UsageError
from harness.model.object_model import Model
from harness.run.source_file import executed


def find_model(asked: str) -> Model:
    """The model `NAME` of `harness.model.objects`, or `FILE.py:CLASS`. Raises `UsageError` if it is neither, or no model."""
    file, colon, name = asked.rpartition(":")
    if asked.endswith(".py"):
        raise UsageError(f"--model {asked}: name the class as well, {asked}:CLASS.")
    if not colon:
        return objects.named(asked)
    if not Path(file).is_file() or not file.endswith(".py"):
        known = ", ".join(objects.names())
        raise UsageError(f"--model {asked}: there is no Python file {file}. Give FILE.py:CLASS, or one of {known}.")
    try:
        classes = _classes_in(Path(file))
        model = classes[name]() if name in classes else None
    except UsageError as error:
        raise UsageError(f"--model {asked}: {error}") from error
    except (Exception, SystemExit) as error:  # the class is user code
        raise UsageError(f"--model {asked}: {type(error).__name__}: {error}") from error
    if model is None:
        raise UsageError(f"--model {asked}: there is no class {name!r} in {file}. There are: {', '.join(classes) or 'none'}.")
    lacking = [part for part in ("kinds", "initial", "step") if not hasattr(model, part)]
    if lacking:
        raise UsageError(f"--model {asked}: {name} has no {', '.join(lacking)}. See harness.model.object_model for an example.")
    return model


def _classes_in(path: Path) -> dict[str, type[Model]]:
    """The classes that a file defines, by name."""
    module = executed(path, f"harness_model_of_{path.stem}")
    return {
        name: value for name, value in vars(module).items() if isinstance(value, type) and value.__module__ == module.__name__
    }
