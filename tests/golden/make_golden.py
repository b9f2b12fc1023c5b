"""Record what torch and optax do, so that the tests can compare without either of them.

Run it by hand after adding a rule or a record::

    python tests/golden/make_golden.py

It writes ``trajectories.npz``: float64 arrays, and one JSON text under ``about`` that says for each
array which library made it, with which versions, and which optimizer or schedule of ours must give
the same numbers. ``gradients`` and ``starts`` below are plain numpy and are used by the tests too;
torch and optax are imported only when the generator runs.

Not recorded, because the libraries decide otherwise than Fallline does (see DESIGN, conventions):

- torch's SGD(dampening): its first velocity is the bare gradient, ours is (1 - momentum) times it.
- optax.adagrad and optax.rmsprop as they come: epsilon inside the root, and 0.1 as AdaGrad's first
  accumulator. Recorded with epsilon 0 and start 0, or with ``eps_in_sqrt=False``, instead.
- optax.amsgrad: the maximum is taken after the bias correction; torch and the paper take it before.
- torch's NAdam: beta1 grows along a schedule, with no setting that keeps it constant.
- torch's clip_grad_norm_: divides by norm + 1e-6. torch has no Lion and no clip of a leaf's norm.
- torch's EMA of weights: starts from the first weights; ours from 0 with bias correction.
- InverseTimeDecay: neither library has it; its closed form is in test_schedules.py.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

FILE = Path(__file__).with_name("trajectories.npz")
STEPS = 20
SCHEDULE_STEPS = 50
SHAPES = {
    "scalar": {"x": ()},
    "vector": {"x": (4,)},
    "matrix": {"w": (2, 3)},
    "tree": {"a": (2, 3, 4), "b": (3,), "c": ()},
}


def starts(shape):
    """Parameters to start from: a dict of float64 arrays."""
    count = 0
    params = {}
    for name, size in SHAPES[shape].items():
        i = np.arange(count, count + int(np.prod(size)), dtype=np.float64)
        params[name] = (1.5 * np.cos(1.7 * i + 0.3) + 0.25).reshape(size)
        count += i.size
    return params


def gradients(params):
    """The gradient of an ill-conditioned quadratic (curvatures 0.01 to 100) with ripples at 0.

    The ripples fade far away, where a rate of 1000 would make chaos of them: the last bit of one
    step would be the first digit of a later one.
    """
    count = 0
    grads = {}
    for name, value in params.items():
        value = np.asarray(value, np.float64)
        i = np.arange(count, count + value.size, dtype=np.float64).reshape(value.shape)
        curvature = 10.0 ** (2.0 * np.cos(2.1 * i + 0.9))
        ripple = np.sin(3.0 * value + 0.5 * i) / (1.0 + value * value)
        grads[name] = curvature * value + ripple
        count += value.size
    return grads


def flat(params):
    """One vector of all the leaves, in order of their names."""
    return np.concatenate([np.ravel(np.asarray(params[name])) for name in sorted(params)])


def unflat(vector, shape):
    """The leaves again; the inverse of ``flat``."""
    params, count = {}, 0
    for name, size in sorted(SHAPES[shape].items()):
        width = int(np.prod(size))
        params[name] = vector[count : count + width].reshape(size)
        count += width
    return params


def losses_of_epochs():
    """A loss that falls, stalls, jumps and falls again: what a plateau schedule has to judge."""
    t = np.arange(SCHEDULE_STEPS, dtype=np.float64)
    return np.where(t < 12, 2.0 * 0.8**t, 0.2 + 0.05 * np.sin(2.0 * t)) - 0.002 * np.maximum(
        t - 35, 0
    )


def ours(name, **fields):
    """How a record names the optimizer or schedule that must reproduce it."""
    return {"class": name, **fields}


def torch_trajectory(make, shape, before=None, after=None):
    """Follow a torch optimizer; ``before`` may clip, ``after`` sees the new parameters."""
    import torch

    params = {k: torch.nn.Parameter(torch.tensor(v)) for k, v in starts(shape).items()}
    optimizer = make(list(params.values()))
    rows = []
    for _ in range(STEPS):
        grads = gradients({k: p.detach().numpy() for k, p in params.items()})
        for name, parameter in params.items():
            parameter.grad = torch.tensor(grads[name])
        if before:
            before(list(params.values()))
        optimizer.step()
        new = {k: p.detach().numpy().copy() for k, p in params.items()}
        rows.append(flat(after(new) if after else new))
    return np.stack(rows)


def optax_trajectory(transformation, shape, after=None):
    """Follow an optax transformation; ``after`` sees the new parameters."""
    import jax
    import jax.numpy as jnp

    params = jax.tree.map(jnp.asarray, starts(shape))
    state = transformation.init(params)
    rows = []
    for _ in range(STEPS):
        grads = jax.tree.map(jnp.asarray, gradients(params))
        updates, state = transformation.update(grads, state, params)
        params = jax.tree.map(jnp.add, params, updates)
        rows.append(flat(after(params) if after else params))
    return np.stack(rows)


def optimizer_records():
    """(library, our optimizer as a function of the rate, its trajectory, normal rate) of each."""
    import optax
    from torch import optim

    def torch_(make, **kwargs):
        return "torch", lambda rate, shape: torch_trajectory(
            lambda p: make(p, rate), shape, **kwargs
        )

    def optax_(make, **kwargs):
        return "optax", lambda rate, shape: optax_trajectory(make(rate), shape, **kwargs)

    def averaged_velocity(rate):
        return optax.chain(optax.ema(0.9, debias=False), optax.scale(-rate))

    def averaged_nesterov(rate):
        # The averaged velocity is (1 - momentum) times the plain one, at every step.
        return optax.chain(optax.trace(0.9, nesterov=True), optax.scale(-rate * (1 - 0.9)))

    def rms(**kwargs):
        return lambda rate: optax.rmsprop(rate, decay=0.9, eps=1e-8, eps_in_sqrt=False, **kwargs)

    def decayed_momentum(rate):
        return optax.chain(
            optax.trace(0.9), optax.add_decayed_weights(0.1), optax.scale_by_learning_rate(rate)
        )

    sgd = {"optimizer": ours("SGD")}
    yield (*torch_(lambda p, r: optim.SGD(p, r)), ours("SGD"), 0.01)
    yield (*optax_(lambda r: optax.sgd(r)), ours("SGD"), 0.01)
    momentum = ours("Momentum", momentum=0.9)
    yield (*torch_(lambda p, r: optim.SGD(p, r, momentum=0.9)), momentum, 0.005)
    yield (*optax_(lambda r: optax.sgd(r, momentum=0.9)), momentum, 0.005)
    yield (*optax_(averaged_velocity), {**momentum, "average": True}, 0.02)
    nesterov = ours("Nesterov", momentum=0.9)
    yield (*torch_(lambda p, r: optim.SGD(p, r, momentum=0.9, nesterov=True)), nesterov, 0.005)
    yield (*optax_(lambda r: optax.sgd(r, momentum=0.9, nesterov=True)), nesterov, 0.005)
    yield (*optax_(averaged_nesterov), {**nesterov, "average": True}, 0.02)
    adagrad = ours("AdaGrad", epsilon=1e-10)
    yield (*torch_(lambda p, r: optim.Adagrad(p, r, eps=1e-10)), adagrad, 0.3)
    adagrad = ours("AdaGrad", epsilon=0.0)
    yield (*optax_(lambda r: optax.adagrad(r, 0.0, eps=0.0)), adagrad, 0.3)
    adadelta = ours("AdaDelta", beta=0.95, epsilon=1e-6)
    yield (*torch_(lambda p, r: optim.Adadelta(p, r, rho=0.95, eps=1e-6)), adadelta, 1.0)
    yield (*optax_(lambda r: optax.adadelta(r, rho=0.95, eps=1e-6)), adadelta, 1.0)
    rmsprop = ours("RMSprop", beta=0.9, epsilon=1e-8)
    for more in ({}, {"momentum": 0.8}, {"centered": True}, {"momentum": 0.8, "centered": True}):
        yield (
            *torch_(lambda p, r, m=more: optim.RMSprop(p, r, alpha=0.9, eps=1e-8, **m)),
            {**rmsprop, **more},
            0.01,
        )
        yield (*optax_(rms(**more)), {**rmsprop, **more}, 0.01)
    betas = {"beta1": 0.8, "beta2": 0.95}
    pair = (0.8, 0.95)
    adam = ours("Adam", **betas, epsilon=1e-6)
    yield (*torch_(lambda p, r: optim.Adam(p, r, betas=pair, eps=1e-6)), adam, 0.05)
    yield (*optax_(lambda r: optax.adam(r, *pair, eps=1e-6)), adam, 0.05)
    amsgrad = {**adam, "class": "AMSGrad"}
    yield (
        *torch_(lambda p, r: optim.Adam(p, r, betas=pair, eps=1e-6, amsgrad=True)),
        amsgrad,
        0.05,
    )
    adamw = {**adam, "class": "AdamW", "weight_decay": 0.1}
    yield (
        *torch_(lambda p, r: optim.AdamW(p, r, betas=pair, eps=1e-6, weight_decay=0.1)),
        adamw,
        0.05,
    )
    yield (*optax_(lambda r: optax.adamw(r, *pair, eps=1e-6, weight_decay=0.1)), adamw, 0.05)
    nadam = {**adam, "class": "NAdam"}
    yield (*optax_(lambda r: optax.nadam(r, *pair, eps=1e-6)), nadam, 0.05)
    lion = ours("Lion", **betas, weight_decay=0.1)
    yield (*optax_(lambda r: optax.lion(r, *pair, weight_decay=0.1)), lion, 0.02)
    lion = ours("Lion", **betas)
    yield (*optax_(lambda r: optax.lion(r, *pair, weight_decay=0.0)), lion, 0.02)
    # For plain descent a decoupled decay and an L2 penalty are the same thing.
    decay = ours("WeightDecay", weight_decay=0.1, **sgd)
    yield (*torch_(lambda p, r: optim.SGD(p, r, weight_decay=0.1)), decay, 0.01)
    decay = ours("WeightDecay", weight_decay=0.1, optimizer=momentum)
    yield (*optax_(decayed_momentum), decay, 0.005)
    yield from clip_records(torch_, optax_)
    yield from average_records(torch_, optax_)


def clip_records(torch_, optax_):
    """Clipping by value, by the norm of a leaf, by the norm of all leaves."""
    import jax
    import optax
    import torch

    def leaf_by_leaf(rate):
        clip = optax.clip_by_global_norm(1.5)
        one = lambda g: clip.update(g, clip.init(g))[0]  # noqa: E731
        update = lambda g, s, p=None: (jax.tree.map(one, g), s)  # noqa: E731
        init = lambda p: optax.EmptyState()  # noqa: E731
        return optax.chain(optax.GradientTransformation(init, update), optax.sgd(rate))

    adam = ours("Adam", beta1=0.9, beta2=0.999, epsilon=1e-8)
    value = ours("ClipByValue", limit=0.5, optimizer=ours("SGD"))
    clip = lambda params: torch.nn.utils.clip_grad_value_(params, 0.5)  # noqa: E731
    yield (*torch_(lambda p, r: torch.optim.SGD(p, r), before=clip), value, 0.1)
    value = ours("ClipByValue", limit=0.5, optimizer=adam)
    yield (*optax_(lambda r: optax.chain(optax.clip(0.5), optax.adam(r))), value, 0.1)
    yield (*optax_(leaf_by_leaf), ours("ClipByNorm", limit=1.5, optimizer=ours("SGD")), 0.1)
    whole = ours("ClipByGlobalNorm", limit=1.5, optimizer=adam)
    clipped = lambda r: optax.chain(optax.clip_by_global_norm(1.5), optax.adam(r))  # noqa: E731
    yield (*optax_(clipped), whole, 0.1)
    whole = ours("ClipByGlobalNorm", limit=1.5, optimizer=ours("SGD"))
    clipped_sgd = lambda r: optax.chain(optax.clip_by_global_norm(1.5), optax.sgd(r))  # noqa: E731
    yield (*optax_(clipped_sgd), whole, 0.1)


def average_records(torch_, optax_):
    """Averages of the parameters along the path; their records are of the averages."""
    import optax
    import torch
    from torch.optim import swa_utils

    def swa():
        """torch's equal average of all the weights so far."""

        class Holder(torch.nn.Module):
            def __init__(self, params):
                super().__init__()
                self.held = torch.nn.ParameterDict(params)

        averaged = None

        def after(params):
            nonlocal averaged
            tensors = {k: torch.nn.Parameter(torch.tensor(v)) for k, v in params.items()}
            holder = Holder(tensors)
            averaged = averaged or swa_utils.AveragedModel(holder)
            averaged.update_parameters(holder)
            return {k: averaged.module.held[k].detach().numpy().copy() for k in params}

        return after

    def ema():
        average = optax.ema(0.9)
        state = None

        def after(params):
            nonlocal state
            state = state or average.init(params)
            new, state = average.update(params, state)
            return new

        return after

    sgd = ours("SGD")
    record = lambda rate, shape: torch_trajectory(  # noqa: E731
        lambda p: torch.optim.SGD(p, rate), shape, after=swa()
    )
    yield "torch", record, ours("PolyakAverage", start=0, optimizer=sgd), 0.01
    record = lambda rate, shape: optax_trajectory(optax.adam(rate), shape, after=ema())  # noqa: E731
    adam = ours("Adam", beta1=0.9, beta2=0.999, epsilon=1e-8)
    yield "optax", record, ours("EMA", beta=0.9, optimizer=adam), 0.1


def schedule_records():
    """(library, our schedule, the rates of the first steps)."""
    import optax
    import torch
    from torch.optim import lr_scheduler

    def torch_(make, observe=None):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 0.3)
        scheduler = make(optimizer)
        rates = []
        for step in range(SCHEDULE_STEPS):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step(*(() if observe is None else (observe[step],)))
        return "torch", np.array(rates)

    def optax_(schedule):
        return "optax", np.array([float(schedule(t)) for t in range(SCHEDULE_STEPS)])

    start = {"initial": 0.3}
    yield (*optax_(optax.constant_schedule(0.3)), ours("Constant", **start))
    exponential = ours("ExponentialDecay", **start, rate=0.9)
    yield (*torch_(lambda o: lr_scheduler.ExponentialLR(o, 0.9)), exponential)
    for staircase in (False, True):
        yield (
            *optax_(optax.exponential_decay(0.3, 7, 0.5, staircase=staircase)),
            ours("ExponentialDecay", **start, rate=0.5, every=7, staircase=staircase),
        )
    step = ours("StepDecay", **start, factor=0.4, every=8)
    yield (*torch_(lambda o: lr_scheduler.StepLR(o, 8, 0.4)), step)
    piecewise = ours("Piecewise", **start, boundaries=[10, 30], factors=[0.5, 0.25])
    yield (*torch_(lambda o: lr_scheduler.MultiStepLR(o, [10, 30], 0.5)), piecewise)
    yield (*optax_(optax.piecewise_constant_schedule(0.3, {10: 0.5, 30: 0.5})), piecewise)
    line = ours("PolynomialDecay", **start, steps=40, final=0.0, power=2.0)
    yield (*torch_(lambda o: lr_scheduler.PolynomialLR(o, 40, 2.0)), line)
    line = ours("PolynomialDecay", **start, steps=40, final=0.1, power=1.5)
    yield (*optax_(optax.polynomial_schedule(0.3, 0.03, 1.5, 40)), line)
    # torch's CosineAnnealingLR rises again after T_max, so T_max is the length of the record.
    cosine = ours("CosineDecay", **start, steps=SCHEDULE_STEPS, final=0.1)
    yield (*torch_(lambda o: lr_scheduler.CosineAnnealingLR(o, SCHEDULE_STEPS, 0.03)), cosine)
    cosine = ours("CosineDecay", **start, steps=40, final=0.1)
    yield (*optax_(optax.cosine_decay_schedule(0.3, 40, 0.1)), cosine)
    # Fallline's rise starts at rate / steps, as Goyal's does; optax's own starts at 0.
    rise = optax.join_schedules(
        [optax.linear_schedule(0.03, 0.3, 9), optax.cosine_decay_schedule(0.3, 30)], [10]
    )
    then = ours("CosineDecay", **start, steps=30)
    yield (*optax_(rise), ours("WarmUp", then=then, steps=10))
    rise = lambda o: lr_scheduler.LinearLR(o, 0.1, 1.0, 9)  # noqa: E731
    yield (*torch_(rise), ours("WarmUp", then=ours("Constant", **start), steps=10))
    plateau = lambda o: lr_scheduler.ReduceLROnPlateau(  # noqa: E731
        o, factor=0.5, patience=3, threshold=0.01, min_lr=0.02
    )
    yield (
        *torch_(plateau, losses_of_epochs()),
        ours("ReduceOnPlateau", **start, factor=0.5, patience=3, threshold=0.01, minimum=0.02),
    )


def main():
    """Write the file."""
    import jax

    jax.config.update("jax_enable_x64", True)
    import optax
    import torch

    arrays, optimizers, schedules = {}, [], []

    def keep(values):
        arrays[f"a{len(arrays)}"] = values
        return f"a{len(arrays) - 1}"

    for library, follow, optimizer, rate in optimizer_records():
        cases = [(shape, rate) for shape in SHAPES] + [("vector", 1e-12), ("vector", 1e3)]
        rows = [follow(r, shape) for shape, r in cases]
        optimizers.append(
            {
                "library": library,
                "optimizer": optimizer,
                "cases": cases,
                "array": keep(np.concatenate(rows, axis=1)),
            }
        )
    for library, rates, schedule in schedule_records():
        schedules.append({"library": library, "schedule": schedule, "array": keep(rates)})
    about = {
        "made_by": "tests/golden/make_golden.py",
        "versions": {
            "torch": torch.__version__,
            "optax": optax.__version__,
            "jax": jax.__version__,
            "numpy": np.__version__,
        },
        "optimizers": optimizers,
        "schedules": schedules,
    }
    np.savez_compressed(FILE, about=np.array(json.dumps(about)), **arrays)
    print(f"{FILE}: {FILE.stat().st_size / 1000:.0f} kB, {len(arrays)} arrays")  # noqa: T201


if __name__ == "__main__":
    main()
