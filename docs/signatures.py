"""Lets mkdocstrings see the constructor of a class made by ``fallline.tree.hyperparameters``.

To a tool that reads the source without running it, only ``dataclasses.dataclass`` makes one.
"""

from __future__ import annotations

from typing import Any

from griffe import Attribute, Class, Expr, ExprCall, ExprName, Extension


class Hyperparameters(Extension):
    """Takes ``@hyperparameters`` for ``@dataclass`` and ``static(default=x)`` for ``x``."""

    def on_class_members(self, *, cls: Class, **_: Any) -> None:
        """Rewrite the decorator and the defaults before dataclasses are looked at."""
        for decorator in cls.decorators:
            if (
                isinstance(decorator.value, Expr)
                and decorator.value.canonical_name == "hyperparameters"
            ):
                decorator.value = ExprName("dataclasses.dataclass")
        for member in cls.members.values():
            value = member.value if isinstance(member, Attribute) else None
            if isinstance(value, ExprCall) and value.canonical_name == "static":
                member.value = next((a.value for a in value.arguments), None)
