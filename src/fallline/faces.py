"""The one place where a lower floor names a face: ``run.plot()`` and ``run.show()`` are drawn two floors up.

A run knows nothing of figures and widgets; it asks for the room by name when the user does.
"""

from __future__ import annotations

import importlib
from typing import Any


def face(module: str, name: str) -> Any:
    """A function of ``fallline.show``, imported when it is asked for.

    Args:
        module: below ``fallline.show``, such as "notebook".
        name: of the function.
    """
    return getattr(importlib.import_module(f"fallline.show.{module}"), name)
