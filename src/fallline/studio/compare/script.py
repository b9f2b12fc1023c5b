"""The Python that repeats a sweep."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from fallline.jobs.compare import CompareConfig

if TYPE_CHECKING:
    from typing import Any


def script(config: CompareConfig) -> str:
    """A script that runs the same comparison and keeps every run as a table."""
    from fallline import __version__

    asked: list[str] = []
    for field in dataclasses.fields(CompareConfig):
        value: Any = getattr(config, field.name)
        missing = field.default is dataclasses.MISSING
        default = None if missing else field.default
        if missing or value != default:
            asked.append(f"    {field.name}={value!r},")
    lines = "\n".join(asked)
    return f'''"""Optimizers compared at equal budget, each at its best setting (Fallline {__version__})."""

from fallline.jobs.compare import CompareConfig, compare

config = CompareConfig(
{lines}
)
made = compare(config)
print(made.sweep.best_per())
print(made.sentence)
made.runs.write_csv("fallline-compare.csv")
'''
