"""The engine's tuning, all of it: what is done for speed and not for clarity, and what it brings.

``FALLLINE_TUNING=off`` in the environment turns it off; results then differ by rounding only.

*Whole loops as one function.* On a processor XLA runs each operation of a loop's body by itself,
half a microsecond or more apiece, unless the loop is small: then all of it becomes one native
function, and a step of a linear model on one row takes 0.1 microseconds instead of 2. What counts
as small is a setting of the process, read from ``XLA_FLAGS`` when JAX first computes; `apply`, called
by ``import fallline``, raises it. Loops with products of matrices, sorting or scattering are left out
by XLA itself, so networks stay as fast as they were.

*Sums by lanes.* A sum of floating-point numbers in their order is a chain, one addition after the
other. `fallline.tree.dot` adds up to `FOLDED` products as vectors of `LANES` numbers, and only the last
vector in a chain: a quarter of the time for a row of 784 features.

*Small leaves together.* Outside of such loops each operation costs its dispatch, so norms over a network's
many small leaves are taken over one vector of all those of at most `TOGETHER` numbers
(`fallline.tree.packed`).

*Steps that nobody sees.* Of a thousand balls, `fallline.minimize` records every tenth step or so. The
others are made as if all numbers were finite, and made anew with care if some were not
(`fallline.descent.minimize_loop.glide`): half the time, the same result.

*A sine of half turns* as a polynomial, for terrains of ripples in single precision: a tenth of the time.
"""

from __future__ import annotations

import os
import sys

LANES = 32
"""Numbers side by side: two of the widest vectors of today's processors, so that neither waits."""

FOLDED = 1024
"""Numbers that are added by lanes at most: each vector is an operation of the program to be compiled."""

TOGETHER = 8192
"""Numbers of a leaf that is copied into one vector with other small ones."""

BALLS = 1024
"""Balls of `fallline.minimize` that go through the loop together: what a step touches of them fits the
innermost cache."""

SIDE_BY_SIDE = 4096
"""Weights of linear models that `fallline.sweep` trains side by side: they fit the innermost cache."""

_LIMIT = "xla_cpu_small_while_loop_byte_threshold"

on = os.environ.get("FALLLINE_TUNING", "").lower() != "off"
"""Is the tuning asked for?"""


def apply() -> bool:
    """Let XLA compile whole loops as one function, if JAX has not computed yet in this process.

    What the user has in ``XLA_FLAGS`` is added to, never replaced.

    Returns:
        Will XLA do so?
    """
    wish = f"--xla_backend_extra_options={_LIMIT}={10**15}"
    flags = os.environ.get("XLA_FLAGS", "").strip()
    if not on and wish in flags:
        # Of a parent process.
        os.environ["XLA_FLAGS"] = flags = flags.replace(wish, "").strip()
    if _LIMIT in flags:
        return True
    # Anything else than flags is the name of a file with flags.
    if not on or _started() or not f"{flags}--".startswith("--"):
        return False
    os.environ["XLA_FLAGS"] = f"{flags} {wish}".lstrip()
    return True


def _started() -> bool:
    """Has JAX computed, so that it reads no flags any more?"""
    bridge = sys.modules.get("jax._src.xla_bridge")
    asked = getattr(bridge, "backends_are_initialized", None)
    return bool(asked and asked())
