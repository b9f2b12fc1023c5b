"""Step by step the same numbers as torch and optax, from records; see golden/make_golden.py."""

import functools
import json

import jax
import numpy as np
import pytest
from golden.make_golden import (
    FILE,
    SCHEDULE_STEPS,
    SHAPES,
    STEPS,
    flat,
    gradients,
    losses_of_epochs,
    starts,
    unflat,
)

from fallline import optimizers, schedules
from fallline.optimizers import OPTIMIZERS
from fallline.optimizers.transforms import Transform
from fallline.schedules import SCHEDULES
from fallline.tree import add

RECORDS = np.load(FILE, allow_pickle=False)
ABOUT = json.loads(str(RECORDS["about"]))

# A share of the way travelled: the libraries order the same operations differently, and each
# product or root rounds once more. A different rule differs in the third digit.
TOLERANCE = 1e-12


def build(described, rooms=(optimizers, schedules)):
    """The object a record speaks of."""
    fields = {k: build(v) if isinstance(v, dict) else v for k, v in described.items()}
    name = fields.pop("class")
    cls = next(getattr(room, name) for room in rooms if hasattr(room, name))
    return cls(**fields)


def spelled(described):
    """A record's subject as the name of its test."""
    fields = {k: spelled(v) if isinstance(v, dict) else v for k, v in described.items()}
    name = fields.pop("class")
    return f"{name}({','.join(f'{k}={v}' for k, v in fields.items())})"


def classes(described):
    """The classes that a record names, wrapped ones included."""
    inner = (classes(v) for v in described.values() if isinstance(v, dict))
    return {described["class"]}.union(*inner)


# One program for all the cases of a record: compiling is what takes time, so little is optimized.
@functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
def step(cases):
    after = []
    for optimizer, params, state, grads in cases:
        updates, state = optimizer.update(grads, state, params)
        params = add(params, updates)
        after.append((params, state, optimizer.averaged(params, state)))
    return after


def follow(made, shapes, recorded):
    """Our paths, on the gradients that the library met.

    Gradients at our own parameters would let a rate of 1000 blow one rounding up, step after step,
    until no digit is left of any rule. A record of averages does not hold the parameters it met.
    """
    params = [starts(shape) for shape in shapes]
    states = [optimizer.init(p) for optimizer, p in zip(made, params, strict=True)]
    met = params
    paths = []
    for row in zip(*recorded, strict=True):
        grads = [gradients(p) for p in met]
        after = step(list(zip(made, params, states, grads, strict=True)))
        params, states, averaged = zip(*after, strict=True)
        paths.append([flat(a) for a in averaged])
        if not isinstance(made[0], (optimizers.EMA, optimizers.PolyakAverage)):
            met = [unflat(vector, shape) for vector, shape in zip(row, shapes, strict=True)]
        else:
            met = params
    return [np.stack(path) for path in zip(*paths, strict=True)]


def travelled(path, shape):
    """The length of the way up to each step, in the parameter that went farthest."""
    steps = np.diff(path, axis=0, prepend=flat(starts(shape))[None])
    return np.cumsum(np.abs(steps).max(axis=1))


def roundings(path, shape):
    """What adding the updates may have rounded off: one last bit a step, in each library.

    At a rate of 1e-12 this is all that is allowed, and four digits of the way still count.
    """
    sizes = np.maximum(np.abs(path).max(axis=1), np.abs(flat(starts(shape))).max())
    return np.cumsum(np.maximum.accumulate(sizes) * np.finfo(np.float64).eps)


@pytest.mark.parametrize(
    "record",
    ABOUT["optimizers"],
    ids=[f"{r['library']}-{spelled(r['optimizer'])}" for r in ABOUT["optimizers"]],
)
def test_the_path_is_the_recorded_one_at_normal_and_absurd_rates(record, x64):
    recorded = RECORDS[record["array"]]
    assert recorded.dtype == np.float64
    shapes = [shape for shape, _ in record["cases"]]
    ends = np.cumsum([flat(starts(shape)).size for shape in shapes])
    assert ends[-1] == recorded.shape[1]
    expected = np.split(recorded, ends[:-1], axis=1)
    made = [build(record["optimizer"]).with_rate(rate) for _, rate in record["cases"]]
    paths = follow(made, shapes, expected)
    for (shape, rate), path, theirs in zip(record["cases"], paths, expected, strict=True):
        error = np.abs(path - theirs).max(axis=1)
        allowed = TOLERANCE * travelled(theirs, shape) + roundings(theirs, shape)
        late = np.argmax(error / allowed)
        assert np.all(error <= allowed), (
            f"{shape} at rate {rate:g}: off by {error[late]:.1e} at step {late}"
        )


@pytest.mark.parametrize(
    "record",
    ABOUT["schedules"],
    ids=[f"{r['library']}-{spelled(r['schedule'])}" for r in ABOUT["schedules"]],
)
def test_the_rates_are_the_recorded_ones(record, x64):
    schedule = build(record["schedule"])
    rates = []
    for t, loss in enumerate(losses_of_epochs()):
        rates.append(float(schedule(t)))
        schedule = schedule.observe(float(loss))
    # At the end of a cosine or a power the rate is a difference of near numbers: measured on the
    # first rate, as torch's recursion is only exact to that.
    np.testing.assert_allclose(rates, RECORDS[record["array"]], rtol=1e-12, atol=1e-14)


def test_every_optimizer_has_a_record():
    recorded = set().union(*(classes(r["optimizer"]) for r in ABOUT["optimizers"]))
    assert {cls.__name__ for cls in OPTIMIZERS.values()} <= recorded


def test_every_wrapper_has_a_record():
    recorded = set().union(*(classes(r["optimizer"]) for r in ABOUT["optimizers"]))
    public = {
        name
        for name in optimizers.__all__
        if isinstance(getattr(optimizers, name), type)
        and issubclass(getattr(optimizers, name), Transform)
    }
    assert len(public) >= 6
    assert public <= recorded


def test_every_schedule_a_library_has_is_recorded():
    recorded = set().union(*(classes(r["schedule"]) for r in ABOUT["schedules"]))
    in_no_library = {"InverseTimeDecay"}
    assert {cls.__name__ for cls in SCHEDULES.values()} - in_no_library <= recorded


def test_every_optimizer_is_compared_on_every_shape_and_at_absurd_rates():
    for record in ABOUT["optimizers"]:
        assert {shape for shape, _ in record["cases"]} == set(SHAPES)
        rates = {rate for _, rate in record["cases"]}
        assert min(rates) <= 1e-12
        assert max(rates) >= 1e3


def test_the_records_are_compact_finite_and_say_who_made_them():
    assert FILE.stat().st_size < 300_000
    assert {"torch", "optax", "numpy", "jax"} <= set(ABOUT["versions"])
    for record in ABOUT["optimizers"]:
        values = RECORDS[record["array"]]
        assert values.shape[0] == STEPS
        assert np.all(np.isfinite(values))
    assert all(len(RECORDS[r["array"]]) == SCHEDULE_STEPS for r in ABOUT["schedules"])
