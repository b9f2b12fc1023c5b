"""Which optimizer of this house one of optax's is, read from the functions that optax made.

An optax transformation is a chain of closures; their names and settings are in sight. What is not recognised
is not guessed at: None.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from fallline.optimizers import (
    SGD,
    AdaDelta,
    AdaGrad,
    Adam,
    AdamW,
    AMSGrad,
    ClipByGlobalNorm,
    ClipByValue,
    Lion,
    Momentum,
    NAdam,
    Nesterov,
    Optimizer,
    RMSprop,
    WeightDecay,
)
from fallline.optimizers.transforms import FromOptax, Transform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Part = tuple[str, dict[str, Any]]

_STATES = (
    ({"mu", "nu", "count"}, {"step": "count", "mean": "mu", "square": "nu", "largest": "nu_max"}),
    ({"trace"}, {"velocity": "trace"}),
    ({"nu"}, {"square": "nu"}),
    ({"sum_of_squares"}, {"sum": "sum_of_squares"}),
    ({"e_g", "e_x"}, {"square": "e_g", "moved": "e_x"}),
    ({"mu", "count"}, {"mean": "mu", "step": "count"}),
)
"""By the fields of optax's states, what they are called here."""


def translated(optimizer: Any, state: Any = None) -> tuple[Optimizer | None, Any]:
    """The optimizer of this house that does the same, and its state; None for what is not known.

    Args:
        optimizer: of this house, or an ``optax.GradientTransformation``.
        state: its own, or None.
    """
    if isinstance(optimizer, FromOptax):
        return translated(optimizer.transformation, None if state is None else state["inner"])
    if isinstance(optimizer, Optimizer) or optimizer is None:
        return optimizer, state
    parts = _parts(optimizer, state)
    if parts is None:
        return None, None
    found = _assembled(parts)
    return found, None if found is None or state is None else _state(found, state)


def rate_of(optimizer: Any) -> float | Callable[..., Any] | None:
    """The learning rate of a transformation of optax, a number or a function of the step, or None."""
    parts = None if isinstance(optimizer, Optimizer) else _parts(optimizer, None)
    return None if parts is None else _rate(parts)


def _parts(optimizer: Any, state: Any) -> list[Part] | None:
    """The links of a chain: the name of what made each, and its settings."""
    update = getattr(optimizer, "update", None)
    if update is None:
        return None
    factory, told = _settings(update).get("inner_factory"), getattr(state, "hyperparams", None)
    if factory is not None and told is not None:
        others = _settings(update).get("other_hps", {})
        return _parts(factory(**{k: float(v) for k, v in told.items()}, **others), None)
    return list(_links(update))


def _links(update: Any) -> Iterator[Part]:
    settings = _settings(update)
    name = getattr(update, "__qualname__", "").partition(".")[0]
    if name == "chain":
        for link in settings["update_fns"]:
            yield from _links(link)
    elif name == "with_extra_args_support":
        yield from _links(settings["tx"].update)
    elif name != "identity":
        yield name, settings


def _settings(function: Any) -> dict[str, Any]:
    return dict(inspect.getclosurevars(function).nonlocals) if inspect.isfunction(function) else {}


def _rate(parts: list[Part]) -> Any:
    scales = [settings for name, settings in parts if name in ("scale", "scale_by_schedule")]
    if len(scales) != 1:
        return None
    if "step_size" in scales[0]:
        return -float(scales[0]["step_size"])
    schedule = scales[0]["step_size_fn"]
    return lambda step: -schedule(step)  # pyright: ignore[reportUnknownLambdaType]


def _assembled(parts: list[Part]) -> Optimizer | None:
    rate = _rate(parts)
    first: Any = rate(0) if callable(rate) else rate
    core: Optimizer = SGD(0.0 if first is None else float(first))
    if first is None:
        return None
    clips: list[Callable[[Optimizer], Transform]] = []
    decay, scaled = 0.0, False
    for name, s in parts:
        if name in ("clip_by_global_norm", "clip"):
            if type(core) is not SGD or decay:
                return None
            kind, limit = (
                (ClipByGlobalNorm, "max_norm") if "max_norm" in s else (ClipByValue, "max_delta")
            )
            clips.append(lambda inner, kind=kind, limit=float(s[limit]): kind(inner, limit))
        elif name == "add_decayed_weights":
            # After the rate it would be no share of it.
            if scaled or callable(s["weight_decay"]):
                return None
            decay += float(s["weight_decay"])
        elif name in ("scale", "scale_by_schedule"):
            scaled = True
        else:
            made = _core(name, s, core)
            # Before a rule that remembers or divides, decay is no longer decoupled.
            if made is None or decay:
                return None
            core = made
    whole = _decayed(core, decay) if decay else core
    for clip in reversed(clips):
        whole = clip(whole)
    return whole


def _decayed(core: Optimizer, decay: float) -> Optimizer:
    if type(core) is Adam:
        return AdamW(core.learning_rate, core.beta1, core.beta2, core.epsilon, decay)
    return WeightDecay(core, decay)


def _core(name: str, s: dict[str, Any], before: Optimizer) -> Optimizer | None:
    rate = before.learning_rate
    if name == "trace":
        if isinstance(before, RMSprop) and not s["nesterov"]:
            return RMSprop(rate, before.beta, before.epsilon, s["decay"], before.centered)
        kind = Nesterov if s["nesterov"] else Momentum
        return kind(rate, s["decay"]) if type(before) is SGD else None
    if type(before) is not SGD:
        return None
    match name:
        case "scale_by_adam":
            return (NAdam if s.get("nesterov") else Adam)(rate, s["b1"], s["b2"], s["eps"])
        case "scale_by_amsgrad":
            return AMSGrad(rate, s["b1"], s["b2"], s["eps"])
        case "scale_by_rms" | "scale_by_stddev":
            return RMSprop(rate, s["decay"], s["eps"], centered=name == "scale_by_stddev")
        case "scale_by_rss":
            return AdaGrad(rate, s["eps"])
        case "scale_by_adadelta":
            return AdaDelta(rate, s["rho"], s["eps"])
        case "scale_by_lion":
            return Lion(rate, s["b1"], s["b2"])
        case _:
            return None


def _state(optimizer: Optimizer, state: Any) -> Any:
    """What optax remembers, by the names of this house; None if it is not found."""
    if isinstance(optimizer, Transform):
        inner = _state(optimizer.optimizer, state)
        return None if inner is None else {"inner": inner}
    found: dict[str, Any] = {"step": 0}
    for part in _states(state):
        for fields, called in _STATES:
            if fields <= set(part._fields):
                values = {ours: getattr(part, its, None) for ours, its in called.items()}
                found |= {ours: value for ours, value in values.items() if value is not None}
                break
    wanted = set(optimizer.init({}))
    return found if wanted <= set(found) else None


def _states(state: Any) -> Iterator[Any]:
    """The named tuples in a state, however deep."""
    if hasattr(state, "_fields"):
        if any(fields <= set(state._fields) for fields, _ in _STATES):
            yield state
            return
        for field in state._fields:
            yield from _states(getattr(state, field))
    elif isinstance(state, tuple):
        for part in state:  # pyright: ignore[reportUnknownVariableType]
            yield from _states(part)
