r"""Signals and gradients on their way through a network: do they arrive, and are the units different?

A network learns only where signals reach its last layer and gradients its first one. Both are products of
as many factors as there are layers, so that a small fault in each makes a large one in all.

References: Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural networks",
AISTATS 2010; He et al., "Delving deep into rectifiers", ICCV 2015; Glorot, Bordes & Bengio, "Deep sparse
rectifier neural networks", AISTATS 2011.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import re
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from fallline import sparse
from fallline.models.layers import Activation, Affine, BatchNorm, Dropout, Layer
from fallline.tree import names, norm, to_arrays

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jaxtyping import Array, Bool, Float, PyTree

    from fallline.descent.history import History
    from fallline.descent.objective import Batch
    from fallline.models import Model

SATURATED = {"sigmoid": 5.0, "tanh": 2.5}
"""How large the input of an activation is where its slope is below 1 % and 3 % of its greatest."""

SAME = 1e-6
"""Relative difference up to which two units are one; at least some roundings of the numbers' type."""

_ROUNDINGS = 64
_OTHERS = ("affine", "batchnorm", "dropout")
_WEIGHTS = ("weights", "weight", "kernel", "w")


@dataclasses.dataclass(frozen=True)
class LayerActivity:
    """What a layer gives on some rows.

    Attributes:
        name: the layer's, such as "relu1".
        kind: the activation's name, or "affine", "batchnorm", "dropout".
        units: numbers an example.
        mean: over all rows and units.
        std: over all rows and units.
        signal: the root mean square over the units of each one's standard deviation over the rows: what
            still tells one row from another. Unlike ``std`` it does not count how units differ by
            their biases.
        dead: share of units that are 0 or below on every row; NaN unless ReLU.
        saturated: share of inputs of the activation beyond ``SATURATED``; NaN unless sigmoid or tanh.
        identical: share of units that equal an earlier one on all rows, without dead units and those
            saturated on every row.
    """

    name: str
    kind: str
    units: int
    mean: float
    std: float
    signal: float
    dead: float
    saturated: float
    identical: float

    @property
    def hidden(self) -> bool:
        """Is it an activation?"""
        return self.kind not in _OTHERS


def activity(model: Model, params: PyTree, state: PyTree, x: Any) -> list[LayerActivity] | None:
    """What every layer gives in prediction on some rows, in order.

    Costs one forward pass, compiled once for a model and a number of rows, and some passes of NumPy over
    what the layers give, which is all held at once: choose at most some thousand rows.

    Args:
        model: of `fallline.models`.
        params: its parameters.
        state: its untrained state.
        x: rows, (n, ...).

    Returns:
        One a layer, or None for a sparse table.
    """
    if sparse.is_rows(x) or sparse.is_sparse(x):
        return None
    inputs = np.asarray(x)
    kind = jnp.result_type(*jax.tree.leaves(params))
    given = outputs(model, params, state, inputs.astype(kind))
    found: list[LayerActivity] = []
    before = inputs
    for (name, layer), output in zip(model.layers.layers, given, strict=True):
        values = np.asarray(output)
        found.append(measured(name, kind_of(layer), before, values))
        before = values
    return found


@functools.partial(jax.jit, static_argnames=("model",))
def outputs(model: Model, params: PyTree, state: PyTree, x: Array) -> list[Array]:
    """What each layer gives in prediction, in order; compiled."""
    given: list[Array] = []
    for name, layer in model.layers.layers:
        x, _ = layer.apply(params.get(name, {}), state.get(name, {}), x)
        given.append(x)
    return given


def kind_of(layer: Layer) -> str:
    """The activation's name, or "affine", "batchnorm", "dropout"."""
    if isinstance(layer, Activation):
        called = layer.name
        return called if isinstance(called, str) else getattr(called, "__name__", "activation")
    for kind, name in ((Affine, "affine"), (BatchNorm, "batchnorm"), (Dropout, "dropout")):
        if isinstance(layer, kind):
            return name
    return type(layer).__name__.lower()


def measured(name: str, kind: str, before: np.ndarray, values: np.ndarray) -> LayerActivity:
    """What a layer gives, from its numbers; some passes of NumPy over them.

    Args:
        name: the layer's.
        kind: the activation's name, or another as in `LayerActivity`.
        before: what the layer takes, (n, ...); only looked at for sigmoid and tanh.
        values: what it gives, (n, units).
    """
    units = values.shape[1]
    gone = np.zeros(units, bool)
    dead = saturated = math.nan
    if kind == "relu":
        gone = np.all(values <= 0, axis=0)
        dead = float(np.mean(gone))
    elif kind in SATURATED:
        beyond = np.abs(before) > SATURATED[kind]
        gone = np.all(beyond, axis=0)
        saturated = float(np.mean(beyond))
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float(np.mean(values, dtype=np.float64))
        std = float(np.std(values, dtype=np.float64))
        signal = float(np.sqrt(np.mean(np.var(values, axis=0, dtype=np.float64))))
    # Each class of equal units has one that is the first.
    classes = _classes(values[:, ~gone])
    identical = (classes.size - np.unique(classes).size) / units
    return LayerActivity(name, kind, units, mean, std, signal, dead, saturated, identical)


def _classes(columns: Float[np.ndarray, "n units"]) -> np.ndarray:
    """A number for each column, the same for equal ones: sorted along a random line, equals are neighbours.

    Costs one pass over the numbers, where comparing all pairs would cost as many as there are units.
    """
    count = columns.shape[1]
    if count < 2:
        return np.arange(count)
    room = max(SAME, _ROUNDINGS * float(np.finfo(columns.dtype).eps))
    with np.errstate(over="ignore", invalid="ignore"):
        wide = columns.astype(np.float64)
        line = np.random.default_rng(0).normal(size=wide.shape[0])
        order = np.argsort(line @ wide, kind="stable")
        wide = wide[:, order]
        size = np.max(np.abs(wide), axis=0)
        apart = np.max(np.abs(np.diff(wide, axis=1)), axis=0)
        new: Bool[np.ndarray, " pairs"] = ~(apart <= room * np.minimum(size[1:], size[:-1]))
    classes = np.empty(count, int)
    classes[order] = np.concatenate([[0], np.cumsum(new)])
    return classes


def spread(activity: Sequence[LayerActivity]) -> float:
    r"""Signal propagation: the standard deviation of the last hidden activation over the first one's.

    Healthy networks have 0.2 to 1; far below 0.01 signals have died out, far above 100 they have exploded.

    Returns:
        The ratio; NaN with fewer than two hidden activations, or if the first is constant.

    References: Glorot & Bengio 2010; He et al. 2015.
    """
    return _first_to_last([layer.std for layer in reversed(activity) if layer.hidden])


def signal_spread(activity: Sequence[LayerActivity]) -> float:
    """Like `spread`, by what tells rows from one another.

    Eleven layers of sigmoids as they start have a `spread` of 0.4, for their units differ by constants,
    and by this measure 6e-7.
    """
    return _first_to_last([layer.signal for layer in reversed(activity) if layer.hidden])


def _first_to_last(values: Sequence[float]) -> float:
    if len(values) < 2:
        return math.nan
    if values[-1] == 0:
        return math.inf if values[0] > 0 else math.nan
    return values[0] / values[-1]


def gradient_norms(objective: Any, params: PyTree, state: PyTree, batch: Batch) -> dict[str, float]:
    """The norm of the gradient of an objective on a batch, leaf by leaf.

    Costs one gradient, compiled once for an objective and a shape of the batch. Dropout is drawn from a
    fixed key. The names are those of `fallline.tree.names`, such as "affine1/weights".
    """
    found = np.asarray(_gradient_norms(objective, params, state, batch), np.float64)
    return dict(zip(names(params), found.tolist(), strict=True))


@jax.jit
def _gradient_norms(objective: Any, params: PyTree, state: PyTree, batch: Batch) -> Array:
    key = jax.random.PRNGKey(0) if objective.random else None
    gradient = jax.grad(lambda p: objective(p, state, batch, key)[0])(params)
    return jnp.stack([norm(leaf) for leaf in jax.tree.leaves(gradient)])


def layer_weights(leaves: Sequence[str]) -> list[str]:
    """Of some leaves the weights of layers, from the first layer to the last.

    By their numbers, "affine2" before "affine11", where names differ only by these; else as they come.

    Examples:
        >>> layer_weights(["affine1/bias", "affine1/weights", "affine11/weights", "affine2/weights"])
        ['affine1/weights', 'affine2/weights', 'affine11/weights']
    """
    weights = [name for name in leaves if re.split(r"[/.]", name)[-1] in _WEIGHTS]
    if len({re.sub(r"\d+", "", name) for name in weights}) == 1:
        weights.sort(key=lambda name: [int(number) for number in re.findall(r"\d+", name)])
    return weights


def first_to_last(norms: Mapping[str, float]) -> float:
    """The norm at the first layer's weights over the one at the last layer's.

    Of a gradient: below 1e-3 it vanishes on its way back, if it is small there, too; above 70 it explodes.

    Returns:
        The ratio; NaN with fewer than two layers, or if both are 0.

    Reference: Zhang et al., "AUTOTRAINER", ICSE 2021.
    """
    return _first_to_last([norms[name] for name in layer_weights(list(norms))])


def identical_columns(params: PyTree) -> float:
    """The share of units with a twin (same weights and bias in), in the worst hidden affine layer.

    Twins get the same gradient for ever, so a layer that starts with all weights equal has one unit.
    """
    arrays = to_arrays(params)
    worst = 0.0
    for name in layer_weights(list(arrays))[:-1]:
        columns = arrays[name].reshape(-1, arrays[name].shape[-1])
        bias = arrays.get(re.sub(r"weights$", "bias", name))
        if bias is not None and bias is not arrays[name] and bias.shape == columns.shape[1:]:
            columns = np.concatenate([columns, bias[None]])
        _, each, sizes = np.unique(_classes(columns), return_inverse=True, return_counts=True)
        worst = max(worst, float(np.mean(sizes[each] > 1)))
    return worst


def update_ratios(history: History) -> dict[str, float]:
    """How far a step moves each leaf, relative to its size: the median over the last half of a run.

    About 1e-3 is ordinary; below 1e-5 little happens, above 1e-1 hardly anything is kept.

    By leaf name, NaN where a leaf was 0 all the time; empty unless recorded with ``record="layers"``.

    Reference: Karpathy, notes of Stanford's course CS231n, "Neural networks 3".
    """
    if "layer_update_norm" not in history.layers:
        return {}
    half = len(history.layers["layer_update_norm"]) // 2
    update = np.asarray(history.layers["layer_update_norm"][half:], np.float64)
    size = np.asarray(history.layers["layer_parameter_norm"][half:], np.float64)
    ratios: dict[str, float] = {}
    for i, name in enumerate(history.leaf_names):
        known = np.isfinite(update[:, i]) & np.isfinite(size[:, i]) & (size[:, i] > 0)
        values = update[known, i] / size[known, i]
        ratios[name] = float(np.median(values)) if values.size else math.nan
    return ratios
