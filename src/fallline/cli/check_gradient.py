"""``fallline check-gradient``: is a function's gradient the slope of its values?"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fallline.cli import screen

if TYPE_CHECKING:
    from types import ModuleType

    from fallline.gradients import GradientCheck

EXAMPLES = (
    "[bold]Examples[/bold]\n\n"
    "fallline check-gradient my_module.py:loss --at 1.0,-2.0\n\n"
    "fallline check-gradient my_module.py:loss --at params.npz --sample 200\n\n"
    "fallline check-gradient package.losses:cross_entropy --gradient by_hand --json"
)
STARTS = ("x0", "params", "init")
STYLES = {"correct": "bold green", "suspect": "bold yellow", "wrong": "bold red"}


def check_gradient(
    function: Annotated[
        str,
        typer.Argument(
            help="FILE.py:NAME or package.module:NAME of a function from x to one number. "
            "The module is run to load it.",
            show_default=False,
        ),
    ],
    at: Annotated[
        str | None,
        typer.Option(
            help="Where: numbers such as 1.0,-2.0; a .npz or .npy file; or a name in the module, "
            "which is called if it is a function.",
            show_default="x0, params or init of the module",
        ),
    ] = None,
    gradient: Annotated[
        str | None,
        typer.Option(
            help="The name of the gradient in the module, from x to a tree like it.",
            show_default="jax.grad of the function",
        ),
    ] = None,
    sample: Annotated[int, typer.Option(help="Coordinates checked in each array at most.")] = 50,
    seed: Annotated[int, typer.Option(help="Decides which, and the directions.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Check a gradient against differences of its function, in float64.

    Exits 0 if it is correct, 1 if it is wrong or suspect.
    """
    from fallline.errors import FalllineError

    where, colon, name = function.rpartition(":")
    if not (where and colon and name) or name.endswith(".py"):
        raise FalllineError(
            f"Name the file and the function in it, as in my_module.py:loss; it was given {function!r}."
        )
    # What the user's module prints is no result of this command's.
    with contextlib.redirect_stdout(sys.stderr):
        found = _check(where, name, at, gradient, sample, seed)
    if json:
        from fallline.store.files import to_json

        typer.echo(to_json(_facts(found)).decode(), nl=False)
    else:
        _report(found, name)
    if not found.ok:
        raise typer.Exit(1)


def _check(
    where: str, name: str, at: str | None, gradient: str | None, sample: int, seed: int
) -> GradientCheck:
    from fallline.errors import FalllineError
    from fallline.gradients import check_gradient as check

    module = _load(where)
    f = _callable(module, where, name)
    g = None if gradient is None else _callable(module, where, gradient)
    x = _start(module, where, at)
    try:
        return check(f, x, g, sample=sample, seed=seed)
    except FalllineError:
        raise
    except Exception as error:
        line = _line(error, Path(module.__file__ or "").resolve())
        if not line:
            # Not the user's lines: a bug, to be shown with its traceback.
            raise
        raise FalllineError(f"{name} in {where} failed{line}: {_words(error)}.") from error


def _load(where: str) -> ModuleType:
    """Run the module of a file or a dotted name."""
    import importlib
    import importlib.util

    from fallline.errors import FalllineError

    path = Path(where)
    from_file = path.suffix == ".py" or (path.exists() and path.is_file())
    if from_file and not path.is_file():
        raise FalllineError(f"There is no file {where}.")
    # As `python FILE` and `python -m MODULE` do: what lies beside it can be imported.
    sys.path.insert(0, str(path.resolve().parent if from_file else Path.cwd()))
    try:
        if not from_file:
            return importlib.import_module(where)
        # A name of its own: a file called numpy.py must not stand in for NumPy.
        name = f"checked_{path.stem}"
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise FalllineError(f"{where} is no Python file.")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        return module
    except FalllineError:
        raise
    except (Exception, SystemExit) as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name
        if not from_file and missing and f"{where}.".startswith(f"{missing}."):
            raise FalllineError(
                f"There is no module {missing!r}, neither here nor installed: name a file, as in "
                "my_module.py:loss, or a module that can be imported."
            ) from None
        line = _line(error, path.resolve() if from_file else None)
        raise FalllineError(f"{where} cannot be loaded{line}: {_words(error)}.") from error


def _callable(module: ModuleType, where: str, name: str) -> Any:
    from fallline.errors import FalllineError, nearest

    value = getattr(module, name, None)
    if callable(value):
        return value
    if value is not None:
        raise FalllineError(f"{name} in {where} is no function but {type(value).__name__}.")
    names = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
    offer = nearest(name, names) if names else "it has none."
    raise FalllineError(f"There is no function called {name!r} in {where}: {offer}")


def _start(module: ModuleType, where: str, at: str | None) -> Any:
    """The point to check at: numbers, a file, or an object of the module."""
    import numpy as np

    from fallline.errors import FalllineError, nearest

    if at is None:
        found = [name for name in STARTS if hasattr(module, name)]
        if not found:
            raise FalllineError(
                f"There is no point to check at: give --at 1.0,2.0, or define x0 or params in {where}."
            )
        return _value(module, found[0])
    if hasattr(module, at):
        return _value(module, at)
    if at.endswith((".npz", ".npy")):
        return _stored(Path(at))
    try:
        numbers = [float(part) for part in at.rstrip(", ").split(",")]
    except ValueError:
        names = [n for n, v in vars(module).items() if _is_point(v) and not n.startswith("_")]
        raise FalllineError(
            f"--at must be numbers such as 1.0,2.0, a .npz or .npy file, or a name in {where}; "
            f"{at!r} is none of them{': ' + nearest(at, names) if names else '.'}"
        ) from None
    return np.array(numbers) if "," in at else numbers[0]


def _is_point(value: Any) -> bool:
    return hasattr(value, "shape") or isinstance(value, (int, float, list, tuple, dict))


def _value(module: ModuleType, name: str) -> Any:
    from fallline.errors import FalllineError

    value = getattr(module, name)
    if not callable(value):
        return value
    try:
        return value()
    except FalllineError:
        raise
    except Exception as error:
        raise FalllineError(
            f"{name} gives the point to check at, so that it is called without arguments; it failed"
            f"{_line(error, Path(module.__file__ or '').resolve())}: {_words(error)}."
        ) from error


def _stored(path: Path) -> Any:
    """A lone array as itself, several by their names."""
    import numpy as np

    from fallline.errors import FalllineError

    if not path.is_file():
        raise FalllineError(f"There is no file {path}.")
    try:
        content = np.load(path, allow_pickle=False)
        if isinstance(content, np.ndarray):
            return content
        with content:
            arrays = {name: content[name] for name in content.files}
    except Exception as error:
        raise FalllineError(f"{path} holds no NumPy arrays of numbers: {_words(error)}.") from error
    return next(iter(arrays.values())) if len(arrays) == 1 else arrays


def _line(error: BaseException, path: Path | None) -> str:
    """``, line 3``: the last one of the user's file that the error came through."""
    import traceback

    if isinstance(error, SyntaxError) and error.lineno:
        return f", line {error.lineno}"
    if path is None:
        return ""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename).resolve() == path]
    return f", line {lines[-1]}" if lines else ""


def _words(error: BaseException) -> str:
    first = error.msg if isinstance(error, SyntaxError) else str(error).strip().split("\n")[0]
    kind = type(error).__name__
    return f"{kind}: {first.rstrip('.')}" if first else kind


def _facts(found: GradientCheck) -> dict[str, Any]:
    worst = found.worst
    return {
        "verdict": found.verdict,
        "sentence": found.sentence,
        "worst": worst
        and {
            "leaf": worst.leaf,
            "index": worst.index,
            "analytic": worst.analytic,
            "numerical": worst.numerical,
            "error": worst.error,
        },
        "taylor_slope": found.taylor_slope,
        "kinks": [kink.name for kink in found.kinks],
        "checked": found.checked,
        "size": found.size,
        "precision": found.precision,
        "evaluations": found.evaluations,
    }


def _report(found: GradientCheck, name: str) -> None:
    from rich.table import Table
    from rich.text import Text

    out = screen.console()
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    table.add_row("gradient", Text(found.verdict, style=STYLES[found.verdict]))
    table.add_row("of", name)
    if (worst := found.worst) is not None:
        table.add_row("worst", Text(f"{worst.name}, relative error {worst.error:.3g}"))
        table.add_row("", f"analytic {worst.analytic:.8g}, numerical {worst.numerical:.8g}")
    slope = found.taylor_slope
    words = "none: linear" if slope is None else f"{slope:.2f}"
    table.add_row("Taylor slope", Text.assemble(words, ("   2 correct, 1 wrong", "dim")))
    table.add_row("kinks", str(len(found.kinks)))
    table.add_row("checked", f"{found.checked:,} of {found.size:,} coordinates")
    out.print(table)
    out.print()
    out.print(Text(found.sentence), soft_wrap=True)
