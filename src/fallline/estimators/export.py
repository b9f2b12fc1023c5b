"""Fitted estimators as ONNX models, which other programs and languages run."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

import fallline
from fallline.errors import FalllineError
from fallline.estimators.counterparts import Shares
from fallline.estimators.scaling import Scaling, scaled, unscaled
from fallline.estimators.settings import InvalidInput
from fallline.losses import LOSSES
from fallline.models.layers import Activation, Affine, BatchNorm, Dropout

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import onnx

    from fallline.losses import Loss

OPSET = 17
"""The operators' version that is written unless another is asked for; runtimes since 2022 know it."""

_OLDEST = 13

_LINKS = {"poisson": "Exp", "binary_cross_entropy": "Sigmoid", "softmax_cross_entropy": "Softmax"}
"""Losses whose link is an operator of ONNX; the others' are the identity."""


class _Graph:
    """Nodes in the order in which they are computed, and their constants.

    Attributes:
        kind: the type of the numbers, ``np.float32`` or ``np.float64``.
    """

    def __init__(self, onnx: Any, kind: Any) -> None:
        self.onnx = onnx
        self.kind = kind
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}

    def constant(self, name: str, values: Any, kind: Any = None) -> str:
        """Enter a constant in the graph's type, or in another; once for each name."""
        array = np.asarray(values, kind or self.kind)
        self.constants[name] = self.onnx.numpy_helper.from_array(array, name)
        return name

    def add(self, operator: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """Enter a node with one output, called ``name`` or numbered, and give the output's name."""
        name = name or f"{operator.lower()}{len(self.nodes) + 1}"
        self.nodes.append(self.onnx.helper.make_node(operator, inputs, [name], name, **attributes))
        return name

    def cast(self, x: str, kind: Any) -> str:
        """Enter a change of type."""
        return self.add("Cast", x, to=self.type_of(kind))

    def output(self, name: str, x: str, kind: Any) -> None:
        """Enter an output of the whole graph: numbers of the graph's type, as another or as they are."""
        if kind == self.kind:
            self.add("Identity", x, name=name)
        else:
            self.add("Cast", x, name=name, to=self.type_of(kind))

    def type_of(self, kind: Any) -> int:
        """ONNX's number for a type of NumPy's."""
        return self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(kind))


def _positive_part(graph: _Graph, x: str) -> str:
    return graph.add("Max", x, graph.constant("zero", 0))


# Runtimes know Elu, Softplus and Erf in single precision only, and the slope of LeakyRelu is in single
# precision by ONNX's own rules. All but Erf are made of simpler ones.
def _leaky_relu(graph: _Graph, x: str) -> str:
    return graph.add("Max", x, graph.add("Mul", x, graph.constant("slope", 0.01)))


def _elu(graph: _Graph, x: str) -> str:
    below = graph.add("Exp", graph.add("Min", x, graph.constant("zero", 0)))
    return graph.add(
        "Add", _positive_part(graph, x), graph.add("Sub", below, graph.constant("one", 1))
    )


def _softplus(graph: _Graph, x: str) -> str:
    small = graph.add("Exp", graph.add("Neg", graph.add("Abs", x)))
    rest = graph.add("Log", graph.add("Add", small, graph.constant("one", 1)))
    return graph.add("Add", _positive_part(graph, x), rest)


def _gelu(graph: _Graph, x: str) -> str:
    inner = graph.add("Mul", x, graph.constant("root_half", math.sqrt(0.5)))
    if graph.kind == np.float32:
        erf = graph.add("Erf", inner)
    else:
        erf = graph.cast(graph.add("Erf", graph.cast(inner, np.float32)), graph.kind)
    half = graph.add("Mul", x, graph.constant("half", 0.5))
    return graph.add("Mul", half, graph.add("Add", erf, graph.constant("one", 1)))


_ACTIVATIONS: dict[str, Callable[[_Graph, str], str]] = {
    "identity": lambda graph, x: x,
    "sigmoid": lambda graph, x: graph.add("Sigmoid", x),
    "tanh": lambda graph, x: graph.add("Tanh", x),
    "relu": lambda graph, x: graph.add("Relu", x),
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "gelu": _gelu,
    "softplus": _softplus,
}


def to_onnx(
    estimator: Any,
    *,
    features: Sequence[str] | None = None,
    opset: int = OPSET,
    probabilities: bool = True,
    dtype: Any = None,
) -> onnx.ModelProto:
    r"""A fitted estimator as an ONNX model, which predicts from raw features as ``predict`` does.

    The input is ``X``, shape (N, columns), for any N. The features are centred and scaled inside,
    $(x - \mu) / \sigma$, before anything is multiplied, so that columns far from 0 lose no digits.

    The outputs are called as skl2onnx calls them. Of a regressor:

    - ``variable``: shape (N, outputs).

    Of a classifier:

    - ``label``: the predicted classes, (N,), int64 or strings; of several labels a row, 0 and 1,
      (N, labels), int64.
    - ``probabilities``: (N, classes) or (N, labels). Where the loss has none, or with
      ``probabilities=False``, there is ``decision`` instead: what ``decision_function`` gives.

    Batch normalisation is folded into the layer before it, and dropout, which only trains, is absent.

    Args:
        estimator: a fitted estimator of this package.
        features: the columns' names, to be written into the model's metadata as ``features``, a list
            in JSON; by default those of the frame that the estimator was fitted on, if it was one.
        opset: the version of ONNX's operators, 13 or newer.
        probabilities: give probabilities where the loss has them.
        dtype: the type of ``X``, "float32" or "float64"; by default that which the estimator computes
            in (see its ``precision``). With "float64" a network still computes in its own precision, but
            after the features are centred. The outputs' numbers have this type too.

    Returns:
        An ``onnx.ModelProto``; ``onnx.save(model, path)`` writes it to a file.

    Raises:
        FalllineError: if onnx is not installed (``pip install 'fallline[onnx]'``).
        ValueError: in a sentence, if ONNX cannot say it: an activation of your own, classes that are
            neither whole numbers nor strings, a loss with a link of its own.
        NotFittedError: if the estimator is not fitted.
    """
    check_is_fitted(estimator, "_params")
    onnx = _import_onnx()
    newest = onnx.defs.onnx_opset_version()
    if not _OLDEST <= opset <= newest:
        raise InvalidInput(
            f"opset must be between {_OLDEST} and {newest}, the newest that the installed onnx knows; it "
            f"was given {opset!r}."
        )
    given, kind = types_of(estimator, dtype)
    columns = int(estimator.n_features_in_)
    graph = _Graph(onnx, kind)
    raw = _network(graph, estimator, given)
    outputs = _answers(graph, estimator, raw, given, probabilities)
    value = onnx.helper.make_tensor_value_info
    made = onnx.helper.make_graph(
        graph.nodes,
        type(estimator).__name__,
        [value("X", graph.type_of(given), ["N", columns])],
        [value(name, _type_of(graph, kind), ["N", *rest]) for name, kind, rest in outputs],
        list(graph.constants.values()),
    )
    imports = [onnx.helper.make_opsetid("", opset)]
    model = onnx.helper.make_model(
        made,
        opset_imports=imports,
        # The newest file version would shut out runtimes that know these operators well.
        ir_version=onnx.helper.find_min_ir_version_for(imports),
        producer_name="fallline",
        producer_version=fallline.__version__,
        doc_string=_words(estimator, outputs),
    )
    named = _names(estimator, features)
    if named is not None:
        onnx.helper.set_model_props(model, {"features": json.dumps(named, ensure_ascii=False)})
    return model


# ---- parts -----------------------------------------------------------------------------------------


def _import_onnx() -> Any:
    try:
        import onnx
    except ImportError:
        raise FalllineError(
            "This needs onnx, which is not installed: run  pip install 'fallline[onnx]'."
        ) from None
    return onnx


def types_of(estimator: Any, dtype: Any) -> tuple[Any, Any]:
    """The type of the features, and the one to compute in."""
    own = np.float64 if estimator._double() else np.float32
    if dtype is None:
        return own, own
    try:
        given = np.dtype(dtype).type
    except TypeError:
        given = None
    if given not in (np.float32, np.float64):
        raise InvalidInput(f"dtype must be 'float32', 'float64' or None; it was given {dtype!r}.")
    # A linear model computes in the features' type, as in `predict`.
    linear = hasattr(estimator, "coef_")
    return given, given if linear or given == np.float32 else own


def layers_now(estimator: Any) -> list[Any]:
    """Weights and biases on the data's own units, those that predictions are made of."""
    found = [estimator._weights()] if hasattr(estimator, "coef_") else estimator._affines_now()
    return [(w.astype(np.float64), b.astype(np.float64)) for w, b in found]


def _network(graph: _Graph, estimator: Any, given: Any) -> str:
    """From ``X`` to the model's outputs on the target's own units, (N, outputs)."""
    x = "X"
    learned: Scaling = estimator._features
    # The layers are folded around the means as rounded to the input's type, so rounding costs nothing.
    means, scales = learned.mean.astype(given), learned.scale.astype(given)
    features = Scaling(means.astype(np.float64), scales.astype(np.float64))
    if not features.idle:
        x = graph.add("Sub", x, graph.constant("mean", means, given))
        x = graph.add("Div", x, graph.constant("scale", scales, given))
    if given != graph.kind:
        x = graph.cast(x, graph.kind)
    affines = iter(_on(features, estimator))
    layers = estimator._network.layers.layers
    for i, (name, layer) in enumerate(layers):
        if isinstance(layer, Affine):
            weights, bias = next(affines)
            after, norm = layers[i + 1] if i + 1 < len(layers) else ("", None)
            if isinstance(norm, BatchNorm):
                weights, bias = _normalised(weights, bias, norm, estimator, after)
            names = f"{name}.weights", f"{name}.bias"
            x = graph.add("Gemm", x, *map(graph.constant, names, (weights, bias)))
        elif isinstance(layer, Activation):
            if callable(layer.name):
                called = getattr(layer.name, "__name__", repr(layer.name))
                raise InvalidInput(
                    f"to_onnx cannot write the activation {called!r}, a function of your own; it knows "
                    f"{', '.join(_ACTIVATIONS)}."
                )
            x = _ACTIVATIONS[layer.name](graph, x)
        elif not isinstance(layer, BatchNorm | Dropout):
            raise InvalidInput(f"to_onnx does not know the layer {type(layer).__name__}.")
    return x


def _on(features: Scaling, estimator: Any) -> list[Any]:
    """The layers on features standardised so, giving the target's own units."""
    if hasattr(estimator, "coef_"):
        return scaled(layers_now(estimator), features, Scaling.none(1))
    learned: Scaling = estimator._features
    layers = unscaled(estimator._affines(), Scaling.none(len(learned.mean)), estimator._target)
    # Not by way of the data's units, where a mean of a million spreads costs six digits.
    shift = (features.mean - learned.mean) / learned.scale
    return scaled(layers, Scaling(shift, features.scale / learned.scale), Scaling.none(1))


def _normalised(
    weights: np.ndarray, bias: np.ndarray, norm: BatchNorm, estimator: Any, name: str
) -> Any:
    """An affine layer and the normalisation after it as one affine layer."""
    trained, counted = estimator._params[name], estimator._state[name]
    variance = np.asarray(counted["variance"], np.float64)
    factor = np.asarray(trained["scale"], np.float64) / np.sqrt(variance + norm.epsilon)
    shift = np.asarray(trained["shift"], np.float64)
    return weights * factor, (bias - np.asarray(counted["mean"], np.float64)) * factor + shift


def _answers(
    graph: _Graph, estimator: Any, raw: str, given: Any, probabilities: bool
) -> list[tuple[str, Any, list[int]]]:
    """From the model's outputs to what a user asks for: names, types and shapes without the rows."""
    loss = estimator._used_loss()
    outputs = int(estimator._network.outputs)
    if not is_classifier(estimator):
        graph.output("variable", _linked(graph, loss, raw), given)
        return [("variable", given, [outputs])]

    several, count = bool(estimator._multilabel), len(estimator.classes_)
    label: Any = np.int64
    single = ""
    if several:
        graph.output("label", graph.add("Greater", raw, graph.constant("zero", 0)), label)
    else:
        label, classes = _labels(estimator.classes_)
        if outputs == 1:
            single = graph.add("Squeeze", raw, graph.constant("last", [1], np.int64))
            positive = graph.add("Greater", single, graph.constant("zero", 0))
            index = graph.cast(positive, np.int64)
        else:
            index = graph.add("ArgMax", raw, axis=1, keepdims=0)
        graph.add("Gather", graph.constant("classes", classes, label), index, name="label")
    first = ("label", label, [count] if several else [])

    if probabilities and loss.link is not None:
        if single:
            # Of both signs, since 1 - p has no digits left where p is close to 1.
            raw = graph.add("Concat", graph.add("Neg", raw), raw, axis=1)
        graph.output("probabilities", _linked(graph, loss, raw), given)
        return [first, ("probabilities", given, [count])]
    if not several and count == 2:
        difference = single or graph.add("MatMul", raw, graph.constant("difference", [-1, 1]))
        graph.output("decision", difference, given)
        return [first, ("decision", given, [])]
    graph.output("decision", raw, given)
    return [first, ("decision", given, [count])]


def _linked(graph: _Graph, loss: Loss, raw: str) -> str:
    """What the loss's link makes of the model's outputs, one column a class."""
    if isinstance(loss.link, Shares):
        return _shares(graph, loss.link, raw)
    if loss.link is None or loss.name.partition(":")[0] in LOSSES:
        return graph.add(_LINKS[loss.name], raw) if loss.name in _LINKS else raw
    raise InvalidInput(
        f"to_onnx cannot write what the loss {loss.name!r}, which is your own, makes of the outputs."
        + (" Pass probabilities=False." if loss.task == "classification" else "")
    )


def _shares(graph: _Graph, link: Shares, raw: str) -> str:
    """Each class's own probability, brought to sum 1; see `Shares`."""
    axes = graph.constant("last", [1], np.int64)
    if link.clipped:
        one = graph.constant("one", 1)
        inner = graph.add("Clip", raw, graph.constant("minus_one", -1), one)
        p = graph.add("Mul", graph.add("Add", inner, one), graph.constant("half", 0.5))
        # Where no class has any, all are given the same.
        total = graph.add("ReduceSum", p, axes)
        none = graph.add("Not", graph.add("Greater", total, graph.constant("zero", 0)))
        p = graph.add("Add", p, graph.cast(none, graph.kind))
    else:
        p = graph.add("Sigmoid", raw)
    return graph.add("Div", p, graph.add("ReduceSum", p, axes))


def _labels(classes: np.ndarray) -> tuple[Any, np.ndarray]:
    """The type of the labels, ``np.int64`` or ``object`` for strings, and the classes in it."""
    if classes.dtype.kind in "iu" and int(classes.max()) <= np.iinfo(np.int64).max:
        return np.int64, classes
    if all(isinstance(name, str) for name in classes.tolist()):
        return object, classes
    raise InvalidInput(
        "to_onnx writes labels that are whole numbers or strings; these classes are "
        f"{classes[:5].tolist()}, of type {classes.dtype}. Fit with y turned into one of the two."
    )


def _type_of(graph: _Graph, kind: Any) -> int:
    return graph.onnx.TensorProto.STRING if kind is object else graph.type_of(kind)


def _names(estimator: Any, features: Sequence[str] | None) -> list[str] | None:
    """The columns' names, if there are any."""
    own = features if features is not None else getattr(estimator, "feature_names_in_", None)
    if own is None:
        return None
    names, columns = [str(name) for name in own], int(estimator.n_features_in_)
    if len(names) != columns:
        raise InvalidInput(
            f"features must name the {columns} columns that the {type(estimator).__name__} was fitted "
            f"on; it was given {len(names)} names."
        )
    return names


def _words(estimator: Any, outputs: list[tuple[str, Any, list[int]]]) -> str:
    given = ", ".join(name for name, _, _ in outputs)
    return (
        f"A {type(estimator).__name__} of Fallline, fitted on {estimator.n_features_in_} columns with the "
        f"loss {estimator._used_loss().name}. Input: X, raw features. Outputs: {given}."
    )
