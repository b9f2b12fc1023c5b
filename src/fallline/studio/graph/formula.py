"""What is typed in the graph view: formulas of any variables, with names for what is used twice."""

from __future__ import annotations

import dataclasses
import inspect
import keyword
import re
from typing import TYPE_CHECKING, Any

from jax.ad_checkpoint import checkpoint_name

from fallline import expressions
from fallline.errors import FalllineError
from fallline.studio.graph import tex

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_VARIABLES = 12
LONGEST_NAME = 16

_WORD = re.compile(r"(?<![\w.])[A-Za-z_]\w*")
_NAMED = re.compile(r"\s*([A-Za-z_]\w*)\s*=")
_KNOWN = {*expressions.FUNCTIONS, *expressions.CONSTANTS}


@dataclasses.dataclass(frozen=True)
class Formula:
    """A typed formula, read.

    ``p = sigmoid(w*x + b); -(y*log(p) + (1 - y)*log(1 - p))`` first gives a part a name, which then
    stands for one value, used twice; the last part is the result, and may have a name as well.

    Attributes:
        text: as typed.
        names: of the variables, in the order in which they first stand there.
        parts: the formulas in order, each under its name; the last one is the result.
    """

    text: str
    names: tuple[str, ...]
    parts: tuple[tuple[str, expressions.Expression], ...]

    @property
    def output(self) -> str:
        """What the result is called: the name it was given, or f."""
        return self.parts[-1][0]

    def function(self) -> Callable[..., Any]:
        """The formula as a function of its variables, in their order."""

        def compute(*values: Any) -> Any:
            known = dict(zip(self.names, values, strict=True))
            *before, (_, last) = self.parts
            for name, part in before:
                value = part(**{used: known[used] for used in part.names})
                # The name is what the graph calls this value.
                known[name] = checkpoint_name(value, name)
            return last(**{used: known[used] for used in last.names})

        compute.__name__ = self.output
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        # So that the graph calls its inputs by these names.
        compute.__signature__ = inspect.Signature(  # pyright: ignore[reportFunctionMemberAccess]
            [inspect.Parameter(name, kind) for name in self.names]
        )
        return compute

    def tex(self) -> str:
        """The formula in TeX, its parts one after the other."""
        *before, (name, last) = self.parts
        lines = [f"{tex.symbol(name)} = {expression.tex()}" for name, expression in before]
        lines.append(f"{tex.symbol(name)} = {last.tex()}" if "=" in self.text else last.tex())
        return r" ,\quad ".join(lines)

    def in_one(self, instead: dict[str, str]) -> str:
        """The result alone, with other texts for its variables and its parts written in.

        Args:
            instead: what to write for a variable.
        """
        texts = dict(instead)
        for name, expression in self.parts:
            written = _WORD.sub(lambda found: texts.get(found[0], found[0]), expression.text)
            texts[name] = f"({written.strip()})"
        return texts[self.output][1:-1]


def read(text: str) -> Formula:
    """Read a formula of any variables.

    Args:
        text: as `fallline.expressions.parse` takes it; parts are separated by semicolons or new lines.

    Raises:
        FalllineError: if it is none, has no variables, or more than 12; the sentence says where.
    """
    if len(text) > expressions.LONGEST:
        raise FalllineError(
            f"The formula has {len(text):,} characters, more than {expressions.LONGEST}: make it "
            "shorter."
        )
    pieces = _pieces(text)
    if not pieces:
        raise FalllineError("The formula is empty: write one, such as x^2*y + sin(x*y).")
    defined = _defined(pieces)
    names: list[str] = []
    parts: list[tuple[str, expressions.Expression]] = []
    for i, (start, piece) in enumerate(pieces):
        found = _NAMED.match(piece)
        own = found[1] if found else "f"
        begin = found.end() if found else 0
        if not found and i < len(pieces) - 1:
            raise FalllineError(
                f"The part at column {start + 1} has no name: only the last one may go without. Write "
                "p = ... before it."
            )
        # Blanks in place of what stands before it keep the columns that an error names.
        body = " " * (start + begin) + piece[begin:]
        used: list[str] = []
        for word in _WORD.finditer(body):
            name = word[0]
            if name in _KNOWN or body[word.end() :].lstrip(" ").startswith("("):
                continue
            _check_name(name, word.start())
            if name in defined and name not in dict(parts):
                raise FalllineError(
                    f"{name!r} is used at column {word.start() + 1} before it is made."
                )
            used.append(name)
        used = list(dict.fromkeys(used))
        parts.append((own, expressions.parse(body, used)))
        names += [name for name in used if name not in defined and name not in names]
    if not names:
        raise FalllineError("The formula has no variables to differentiate by: use one, such as x.")
    if len(names) > MOST_VARIABLES:
        raise FalllineError(
            f"The formula has {len(names)} variables, more than {MOST_VARIABLES}: use fewer."
        )
    if parts[-1][0] in names:
        # Nothing was named, and a variable is called f.
        parts[-1] = ("result" if "result" not in names else "output", parts[-1][1])
    return Formula(text, tuple(names), tuple(parts))


def _pieces(text: str) -> list[tuple[int, str]]:
    """The parts between semicolons and new lines with their columns; empty ones are left out."""
    found: list[tuple[int, str]] = []
    start = 0
    for piece in re.split(r"[;\n]", text.replace("\r", " ").replace("\t", " ")):
        if piece.strip():
            found.append((start, piece))
        start += len(piece) + 1
    return found


def _defined(pieces: list[tuple[int, str]]) -> set[str]:
    """The names given to parts."""
    defined: set[str] = set()
    for start, piece in pieces:
        if found := _NAMED.match(piece):
            name, column = found[1], start + found.start(1)
            _check_name(name, column)
            if name in _KNOWN:
                raise FalllineError(
                    f"{name!r}, at column {column + 1}, means something already: choose another name."
                )
            if name in defined:
                raise FalllineError(f"{name!r} is made twice, again at column {column + 1}.")
            defined.add(name)
    return defined


def _check_name(name: str, column: int) -> None:
    if keyword.iskeyword(name) or name.startswith("_"):
        raise FalllineError(f"A variable cannot be called {name!r}, at column {column + 1}.")
    if len(name) > LONGEST_NAME:
        raise FalllineError(
            f"The name {name[:LONGEST_NAME]!r}..., at column {column + 1}, is longer than "
            f"{LONGEST_NAME} letters."
        )
