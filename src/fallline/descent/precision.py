"""The words for the precision that is computed in, and what they ask of the machine."""

from __future__ import annotations

import functools
import warnings
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from fallline import sparse
from fallline.errors import FalllineError
from fallline.models import Model
from fallline.models.products import BFLOAT16

WORDS = ("float32", BFLOAT16, "float64")
"""Single precision, the same with the layers' products in bfloat16, double precision."""

_INSTRUCTIONS = {"avx512_bf16", "amx_bf16", "bf16"}
"""For products in bfloat16: of AMD's and Intel's processors, of Intel's, of ARM's."""


def require(precision: str | None, words: tuple[str, ...] = WORDS) -> None:
    """Check that it is one of some words, or None.

    Raises:
        FalllineError: if not.
    """
    if precision is not None and precision not in words:
        known = ", ".join(repr(word) for word in words[:-1])
        raise FalllineError(
            f"precision must be {known} or {words[-1]!r}; it was given {precision!r}."
        )


def resolved(precision: str | None, model: Any, x: Any) -> str:
    """The precision that training computes in, once it is sure that it can.

    Args:
        precision: one of the words, or None for as JAX is set.
        model: a model, or a user's objective.
        x: the features.

    Raises:
        FalllineError: if JAX is set otherwise, or what is trained cannot be in bfloat16.
    """
    require(precision)
    own = jnp.result_type(float).name
    if precision in (None, own):
        return own
    if precision != BFLOAT16 or own != "float32":
        wanted = precision == "float64"
        raise FalllineError(
            f"JAX computes in {own} here; for {precision} train inside `with "
            f"jax.enable_x64({wanted}):`."
        )
    if not isinstance(model, Model):
        raise FalllineError(
            "precision='bfloat16' is for the layers of a model; an objective of your own may convert "
            "what it multiplies by itself."
        )
    if sparse.is_rows(x):
        raise FalllineError(
            "Sparse rows are multiplied in float32 only, which is as fast: leave precision='bfloat16' "
            "out, or give a dense table."
        )
    _tell_if_slow()
    return precision


def native() -> bool:
    """Has what JAX computes on instructions for bfloat16? Yes, if nobody can tell."""
    if jax.default_backend() != "cpu":
        return True
    try:
        facts = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return True
    return bool(_INSTRUCTIONS & set(facts.split()))


@functools.cache
def _tell_if_slow() -> None:
    if not native():
        warnings.warn(
            "This processor has no instructions for bfloat16 (avx512_bf16 or amx_bf16): training works, "
            "but may take longer than in float32.",
            stacklevel=2,
        )
