"""Faults of networks and of what stands around the optimizer: starts, units, clipping, epsilon, patience."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.doctor.patient import Patient, sick
from fallline.optimizers import ClipByGlobalNorm

# (base, optimizer, activation, hidden layers, initialiser).
VANISHING = (
    ("friedman/two/50", "sgd", "sigmoid", 8, "auto"),
    ("digits/net/40", "momentum", "sigmoid", 10, "auto"),
    ("moons/two/50", "adam", "sigmoid", 12, "auto"),
    ("california/net/50", "sgd", "tanh", 8, "normal:0.05"),
    ("mnist/net/50", "sgd", "sigmoid", 8, "auto"),
    ("diamonds/net/50", "momentum", "sigmoid", 8, "auto"),
    ("circles/two/50", "sgd", "sigmoid", 10, "auto"),
    ("wine/linear/17", "sgd", "tanh", 8, "normal:0.05"),
    ("spirals/two/50", "momentum", "tanh", 10, "normal:0.08"),
)

# (base, optimizer, hidden layers, initialiser's deviation).
EXPLODING = (
    ("friedman/two/50", "sgd", 6, 0.8),
    ("digits/net/40", "adam", 8, 0.6),
    ("moons/two/50", "momentum", 8, 0.8),
    ("california/net/50", "adam", 6, 1.0),
    ("mnist/net/50", "sgd", 6, 0.6),
    ("diamonds/net/50", "adam", 8, 0.7),
    ("circles/two/50", "sgd", 8, 0.8),
    ("breast_cancer/net/25", "momentum", 6, 0.8),
    ("xor/two/50", "adam", 6, 1.0),
)

# (base, optimizer, bias of the hidden units at the start).
DEAD = (
    ("friedman/two/50", "adam", -20.0),
    ("digits/net/40", "sgd", -12.0),
    ("moons/two/50", "momentum", -6.0),
    ("california/net/50", "adam", -8.0),
    ("mnist/net/50", "sgd", -15.0),
    ("diamonds/net/50", "adam", -10.0),
    ("circles/two/50", "sgd", -5.0),
    ("xor/two/50", "adam", -6.0),
    ("breast_cancer/net/25", "momentum", -15.0),
)

# (base, optimizer, initialiser or "equal", hidden layers).
STARTS = (
    ("digits/net/40", "sgd", "zeros", (32,)),
    ("friedman/two/50", "adam", "equal", (32, 32)),
    ("friedman/two/50", "sgd", "normal:1e-4", (32, 32)),
    ("california/net/50", "adam", "normal:1.0", (256, 256)),
    ("moons/two/50", "adam", "zeros", (32, 32)),
    ("mnist/net/50", "adam", "equal", (32,)),
    ("mnist/net/50", "sgd", "zeros", (32,)),
    ("diamonds/net/50", "momentum", "normal:1e-4", (32, 32)),
    ("circles/two/50", "sgd", "zeros", (32, 32)),
    ("xor/two/50", "adam", "equal", (32, 32)),
    ("spirals/two/50", "sgd", "normal:1e-4", (32, 32)),
    ("diamonds/net/50", "adam", "normal:1.0", (256, 256)),
)

EPSILON = (
    ("digits/net/40", "adam", 100.0),
    ("friedman/two/50", "adam", 30.0),
    ("blobs/linear/50", "rmsprop", 100.0),
    ("linear-a/linear/50", "adam", 1000.0),
    ("mnist/net/50", "adam", 10.0),
    ("diamonds/net/50", "adam", 100.0),
    ("wine/linear/17", "adam", 300.0),
    ("spirals/two/50", "adam", 30.0),
    ("linear-b/linear/50", "nadam", 100.0),
)

CLIPS = (
    ("digits/net/40", "sgd", 0.003),
    ("friedman/two/50", "momentum", 0.001),
    ("california/net/50", "sgd", 0.003),
    ("linear-a/linear/50", "sgd", 0.003),
    ("mnist/net/50", "momentum", 0.003),
    ("diamonds/net/50", "sgd", 0.01),
    ("spirals/two/50", "momentum", 0.003),
    ("linear-b/linear/50", "sgd", 0.01),
    ("breast_cancer/net/25", "sgd", 0.001),
)

# (base, optimizer, patience, least improvement, rows a step).
EARLY = (
    ("friedman/two/50", "sgd", 2, 0.05, 50),
    ("digits/net/40", "momentum", 1, 0.3, 40),
    ("california/net/50", "sgd", 2, 0.1, 50),
    ("moons/two/50", "sgd", 2, 0.05, 50),
    ("friedman/two/50", "adam", 1, 0.1, 50),
    ("spirals/two/50", "adam", 1, 0.1, 50),
    ("spirals/two/50", "sgd", 2, 0.1, 50),
    ("xor/two/50", "momentum", 1, 0.1, 50),
    ("diamonds/net/50", "adam", 1, 0.05, 50),
    ("xor/two/50", "sgd", 1, 0.05, 50),
    ("circles/two/50", "sgd", 2, 0.05, 50),
)


def _biased(bias: float, model: Any, seed: int) -> Any:
    params = model.init(jax.random.PRNGKey(seed))
    last = f"affine{len(model.hidden) + 1}"
    return {
        name: {**leaf, "bias": jnp.full_like(leaf["bias"], 0.0 if name == last else bias)}
        if "bias" in leaf
        else leaf
        for name, leaf in params.items()
    }


def _equal(model: Any, seed: int) -> Any:
    params = model.init(jax.random.PRNGKey(seed))
    return {
        name: {k: jnp.full_like(v, 0.1 if k == "weights" else 0.0) for k, v in leaf.items()}
        for name, leaf in params.items()
    }


def _clip(limit: float, optimizer: Any) -> Any:
    return ClipByGlobalNorm(optimizer, limit=limit)


def patients() -> list[Patient]:
    """All of them."""
    made: list[Patient] = []
    for i, (base, optimizer, activation, depth, start) in enumerate(VANISHING):
        # The start is what makes them vanish, and the loss is flat there.
        also = ("bad-initialisation", "plateau", "saddle-point")
        options = {"hidden": (24,) * depth, "activation": activation, "init": start}
        case = sick(
            "vanishing-gradients",
            base,
            optimizer,
            i,
            depth,
            also=also,
            tag=activation,
            kind="two",
            model_options=options,
            twin={"kind": "two"},
        )
        made.append(case)
    for i, (base, optimizer, depth, deviation) in enumerate(EXPLODING):
        # The start is what makes them explode; any usual rate is too high then, and kills units.
        also = ("bad-initialisation", "learning-rate-too-high", "dead-units")
        options = {"hidden": (24,) * depth, "init": f"normal:{deviation}"}
        case = sick(
            "exploding-gradients",
            base,
            optimizer,
            i,
            deviation,
            also=also,
            kind="two",
            model_options=options,
            twin={"kind": "two", "model_options": {"hidden": (24,) * depth}, "factor": 0.3},
        )
        made.append(case)
    for i, (base, optimizer, bias) in enumerate(DEAD):
        # Units that never fire pass on no gradient, and that is the start's fault.
        also = ("bad-initialisation", "vanishing-gradients", "plateau")
        start = functools.partial(_biased, bias)
        made.append(sick("dead-units", base, optimizer, i, -bias, also=also, start=start))
    for i, (base, optimizer, start, hidden) in enumerate(STARTS):
        # From 0 no gradient flows and the point is a saddle; from far too wide they explode.
        also = ("vanishing-gradients", "saddle-point", "plateau", "dead-units")
        if start == "normal:1.0":
            also = ("exploding-gradients", "dead-units", "learning-rate-too-high")
        changes: dict[str, Any] = {"model_options": {"hidden": hidden, "init": start}}
        if start == "equal":
            changes = {"model_options": {"hidden": hidden}, "start": _equal}
        twin = {"model_options": {"hidden": hidden}, "factor": 0.3 if hidden[0] > 32 else 1.0}
        made.append(
            sick(
                "bad-initialisation",
                base,
                optimizer,
                i,
                0,
                also=also,
                tag=start,
                twin=twin,
                **changes,
            )
        )
    for i, (base, optimizer, epsilon) in enumerate(EPSILON):
        # Below epsilon Adam is plain descent at the rate over epsilon, which is low.
        also = ("learning-rate-too-low",)
        options = {"epsilon": epsilon}
        made.append(
            sick(
                "stalled-below-epsilon",
                base,
                optimizer,
                i,
                epsilon,
                also=also,
                optimizer_options=options,
            )
        )
    for i, (base, optimizer, limit) in enumerate(CLIPS):
        # Every step has the length of rate times limit, and a higher rate would make it longer.
        also = ("learning-rate-too-low",)
        wrap = functools.partial(_clip, limit)
        made.append(sick("clipping-always-active", base, optimizer, i, limit, also=also, wrap=wrap))
    for i, (base, optimizer, patience, least, size) in enumerate(EARLY):
        common = {"validation": 0.2, "batch_size": size}
        made.append(
            sick(
                "stopped-too-early",
                base,
                optimizer,
                i,
                patience,
                judge="validation",
                common=common,
                patience=float(patience),
                min_improvement=least,
            )
        )
    return made
