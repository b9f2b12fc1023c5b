"""Networks of ReLU layers under softmax cross-entropy and Adam, as their own users would train them.

Every function takes a `Task` and returns a function that trains once from the task's weights and returns the
trained ones. What can be made once (tensors, orders, compiled programs) is made outside of it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import os
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.descent import batches

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Weights = list[np.ndarray]

B1, B2, EPSILON = 0.9, 0.999, 1e-8


@dataclasses.dataclass
class Task:
    """What is to be trained.

    Attributes:
        x: features, (n, d), single precision.
        y: classes, (n,).
        hidden: units of each hidden layer.
        batch: rows a step, a divisor of n.
        epochs: passes over the rows.
        rate: Adam's.
    """

    x: np.ndarray
    y: np.ndarray
    hidden: tuple[int, ...]
    batch: int
    epochs: int
    rate: float = 0.001

    @property
    def sizes(self) -> tuple[int, ...]:
        """Units of every layer, from the features to the classes."""
        return (self.x.shape[1], *self.hidden, int(self.y.max()) + 1)

    @property
    def updates(self) -> int:
        """Steps in all."""
        return self.epochs * (len(self.x) // self.batch)

    @property
    def flops(self) -> float:
        """See `products`."""
        return products(self.sizes) * len(self.x) * self.epochs

    @property
    def params(self) -> dict[str, dict[str, np.ndarray]]:
        """The initial weights as `fallline.models.MLP` names them."""
        return {
            f"affine{i // 2 + 1}": {"weights": self.start[i], "bias": self.start[i + 1]}
            for i in range(0, len(self.start), 2)
        }

    @functools.cached_property
    def start(self) -> Weights:
        """He's initial weights, (inputs, outputs), and zero biases, in turn."""
        random = np.random.default_rng(1)
        made: Weights = []
        for a, b in zip(self.sizes, self.sizes[1:], strict=False):
            made.append((random.normal(size=(a, b)) * np.sqrt(2 / a)).astype(np.float32))
            made.append(np.zeros(b, np.float32))
        return made

    @functools.cached_property
    def orders(self) -> list[np.ndarray]:
        """The order of rows in each epoch, the same as that of `fallline.train` with seed 0."""
        plan = batches.plan(len(self.x), self.batch)
        return [plan.order(epoch).astype(np.int64) for epoch in range(self.epochs)]

    def loss(self, weights: Weights) -> float:
        """The mean loss over all rows, in double precision."""
        z = self.x.astype(np.float64)
        for i in range(0, len(weights), 2):
            z = z @ weights[i].astype(np.float64) + weights[i + 1]
            z = np.maximum(z, 0) if i + 2 < len(weights) else z
        z -= z.max(axis=1, keepdims=True)
        return float(np.mean(np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(z)), self.y]))


def products(sizes: Sequence[int]) -> float:
    """The arithmetic of a row in training: of the matrix products alone, a multiply-add being two.

    Three products a layer: forward, the gradient to the weights, and that to the inputs, which the first
    layer does without.

    Args:
        sizes: units of every layer, from the features on.
    """
    weights = [a * b for a, b in itertools.pairwise(sizes)]
    return 6.0 * sum(weights) - 2.0 * weights[0]


def torch_eager(task: Task, *, bfloat16: bool = False) -> Callable[[], Weights]:
    """`torch.nn` layers and the fused Adam, in the same order of rows; batches are taken by their indices."""
    import torch

    features, targets = torch.tensor(task.x), torch.tensor(task.y, dtype=torch.long)
    orders = [torch.tensor(order).split(task.batch) for order in task.orders]
    precision = torch.autocast("cpu", torch.bfloat16) if bfloat16 else contextlib.nullcontext()

    def run() -> Weights:
        layers: list[Any] = []
        for weights, bias in zip(task.start[::2], task.start[1::2], strict=True):
            layer = torch.nn.utils.skip_init(torch.nn.Linear, *weights.shape)
            with torch.no_grad():
                layer.weight.copy_(torch.from_numpy(weights.T))
                layer.bias.copy_(torch.from_numpy(bias))
            layers += [layer, torch.nn.ReLU()]
        net = torch.nn.Sequential(*layers[:-1])
        optimizer = torch.optim.Adam(net.parameters(), lr=task.rate, fused=True)
        for order in orders:
            for rows in order:
                optimizer.zero_grad()
                with precision:
                    outputs = net(features.index_select(0, rows))
                    loss = torch.nn.functional.cross_entropy(outputs, targets[rows])
                loss.backward()
                optimizer.step()
        return [p.detach().numpy().T for p in net.parameters()]

    return run


def torch_side_by_side(task: Task, rates: np.ndarray) -> Callable[[], list[Weights]]:
    """The task at many rates at once: batched products of stacked weights, autograd, Adam in place."""
    import torch

    features, targets = torch.tensor(task.x), torch.tensor(task.y, dtype=torch.long)
    orders = [torch.tensor(order) for order in task.orders]
    runs = len(rates)
    each = torch.tensor(rates, dtype=torch.float32)[:, None, None]

    def run() -> list[Weights]:
        # Biases as (runs, 1, units), as `baddbmm` takes them.
        weights = [
            torch.tensor(np.broadcast_to(np.atleast_2d(w), (runs, *np.atleast_2d(w).shape)))
            for w in task.start
        ]
        weights = [w.contiguous().requires_grad_() for w in weights]
        means, squares = ([torch.zeros_like(w) for w in weights] for _ in range(2))
        done = 0
        for order in orders:
            x, y = features.index_select(0, order), targets[order]
            for some, classes in zip(x.split(task.batch), y.split(task.batch), strict=True):
                done += 1
                z = some.expand(runs, *some.shape)
                for i in range(0, len(weights), 2):
                    z = torch.baddbmm(weights[i + 1], z, weights[i])
                    z = torch.relu(z) if i + 2 < len(weights) else z
                wanted = classes.repeat(runs)
                loss = torch.nn.functional.cross_entropy(z.flatten(0, 1), wanted, reduction="sum")
                slopes = torch.autograd.grad(loss / len(some), weights)
                correction = (1 - B2**done) ** 0.5
                step = each * (correction / (1 - B1**done))
                with torch.no_grad():
                    for w, m, s, g in zip(weights, means, squares, slopes, strict=True):
                        m.lerp_(g, 1 - B1)
                        s.mul_(B2).addcmul_(g, g, value=1 - B2)
                        w.sub_((m / s.sqrt().add_(EPSILON * correction)).mul_(step))
        arrays = [w.detach().numpy() for w in weights]
        return [
            [a[k] if i % 2 == 0 else a[k, 0] for i, a in enumerate(arrays)] for k in range(runs)
        ]

    return run


def torch_compiled(
    task: Task, *, bfloat16: bool = False, options: dict[str, Any] | None = None
) -> Callable[[], Weights]:
    """One function of `torch.compile` for a whole step: forward, backward and Adam, in place."""
    import torch

    features, targets = torch.tensor(task.x), torch.tensor(task.y, dtype=torch.long)
    orders = [torch.tensor(order) for order in task.orders]
    t = torch.arange(1, task.updates + 1, dtype=torch.float64)
    factors = torch.stack([task.rate / (1 - B1**t), 1 / (1 - B2**t)], 1).float().unbind()
    precision = torch.autocast("cpu", torch.bfloat16) if bfloat16 else contextlib.nullcontext()

    def mean_loss(weights: list[Any], x: Any, y: Any) -> Any:
        with precision:
            for i in range(0, len(weights), 2):
                x = torch.nn.functional.linear(x, weights[i], weights[i + 1])
                x = torch.relu(x) if i + 2 < len(weights) else x
            return torch.nn.functional.cross_entropy(x, y)

    gradient = torch.func.grad(mean_loss)

    def step(weights: list[Any], means: list[Any], squares: list[Any], x: Any, y: Any, c: Any):
        slopes = gradient(weights, x, y)
        for w, m, s, g in zip(weights, means, squares, slopes, strict=True):
            m.mul_(B1).add_((1 - B1) * g)
            s.mul_(B2).add_((1 - B2) * g * g)
            w.sub_(c[0] * m / (torch.sqrt(s * c[1]) + EPSILON))

    # All workloads compile this one function, each for its own shapes and numbers of threads.
    torch._dynamo.config.recompile_limit = 64
    fast = torch.compile(step, fullgraph=True, dynamic=False, options=options)

    def run() -> Weights:
        with torch.no_grad():
            weights = [torch.tensor(np.ascontiguousarray(w.T)) for w in task.start]
            means, squares = ([torch.zeros_like(w) for w in weights] for _ in range(2))
            done = iter(factors)
            for order in orders:
                # Taken once an epoch, so that a batch is a view.
                x, y = features.index_select(0, order), targets[order]
                for some, classes in zip(x.split(task.batch), y.split(task.batch), strict=True):
                    fast(weights, means, squares, some, classes, next(done))
        return [w.numpy().T for w in weights]

    return run


def sklearn(task: Task) -> Callable[[], Weights]:
    """MLPClassifier without a penalty, in single precision, from the same weights, rows in its own order."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    class Started(MLPClassifier):
        """Begins where it is told."""

        def _init_coef(self, fan_in: int, fan_out: int, dtype: Any) -> tuple[Any, Any]:
            weights, bias = next(self.given)
            assert weights.shape == (fan_in, fan_out)
            return weights.astype(dtype), bias.astype(dtype)

    def run() -> Weights:
        estimator = Started(
            task.hidden,
            alpha=0.0,
            batch_size=task.batch,
            learning_rate_init=task.rate,
            max_iter=task.epochs,
            tol=0.0,
            n_iter_no_change=task.epochs + 1,
            random_state=0,
        )
        estimator.given = zip(task.start[::2], task.start[1::2], strict=True)
        with warnings.catch_warnings():
            # It warns of ending after the epochs it was given.
            warnings.simplefilter("ignore", ConvergenceWarning)
            estimator.fit(task.x, task.y)
        pairs = zip(estimator.coefs_, estimator.intercepts_, strict=True)
        return [array for pair in pairs for array in pair]

    return run


def keras(task: Task) -> Callable[[], Weights]:
    """`Model.fit` on JAX, compiled, so many steps a call as are fastest, rows in its own order."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    import keras

    if keras.backend.backend() != "jax":
        raise ImportError("Keras is measured on JAX; KERAS_BACKEND names another backend")
    net = keras.Sequential([keras.layers.Input((task.sizes[0],))])
    for units in task.hidden:
        net.add(keras.layers.Dense(units, activation="relu"))
    net.add(keras.layers.Dense(task.sizes[-1]))
    optimizer = keras.optimizers.Adam(task.rate, epsilon=EPSILON)
    net.compile(
        optimizer=optimizer,
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=True,
        steps_per_execution=task.updates // task.epochs,
    )
    optimizer.build(net.trainable_variables)
    fresh = [np.asarray(v.value) for v in optimizer.variables]

    def run() -> Weights:
        net.set_weights(task.start)
        for variable, value in zip(optimizer.variables, fresh, strict=True):
            variable.assign(value)
        net.fit(task.x, task.y, batch_size=task.batch, epochs=task.epochs, verbose=0)
        return net.get_weights()

    return run
