"""PyTorch itself, imported when it is first needed."""

from __future__ import annotations

import functools
import importlib
from typing import Any

from fallline.errors import FalllineError


@functools.cache
def torch() -> Any:
    """The module ``torch``.

    Raises:
        FalllineError: if it is not installed.
    """
    try:
        return importlib.import_module("torch")
    except ImportError:
        raise FalllineError(
            "This needs PyTorch, which is not installed: run  pip install 'fallline[torch]'."
        ) from None
