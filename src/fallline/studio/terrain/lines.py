"""Each optimizer's rule line by line: in symbols, as its docstring has it, and with a ball's numbers.

Nothing is computed here but what a line names and no state holds (a corrected average, say), and that by the
functions that the optimizers call themselves.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from fallline.averages import average, unbiased
from fallline.studio.terrain.mathml import filled, mathml

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fallline.studio.terrain.racer import Racer

AXES = ("x", "y")


class Line(NamedTuple):
    """One line of a rule.

    Attributes:
        name: of the number that stands left.
        left: its symbol.
        right: what it is, in symbols.
        numbers: the same with a mark for each number; see `fallline.studio.terrain.mathml.filled`.
    """

    name: str
    left: str
    right: str
    numbers: str


@dataclasses.dataclass(frozen=True)
class Moment:
    """One ball's step as the engine takes it, each number for both coordinates, shape (2,).

    Attributes:
        place: before the step.
        gradient: there.
        before: the optimizer's state by name, before the step.
        after: after it.
        update: what is added to the place.
        following: the place after the step.
        count: of the step, from 1.
    """

    place: np.ndarray
    gradient: np.ndarray
    before: Mapping[str, np.ndarray]
    after: Mapping[str, np.ndarray]
    update: np.ndarray
    following: np.ndarray
    count: int


_NEXT = r"\theta_{t+1}"
_SQUARE = Line(
    "square",
    "s_t",
    r"\beta_2 s_{t-1} + (1 - \beta_2) g_t^2",
    r"@beta2@ \cdot @square0@ + (1 - @beta2@) \cdot @g@^2",
)
_MEAN = Line(
    "mean",
    "m_t",
    r"\beta_1 m_{t-1} + (1 - \beta_1) g_t",
    r"@beta1@ \cdot @mean0@ + (1 - @beta1@) \cdot @g@",
)
_MEAN_CORRECTED = Line(
    "mean_corrected",
    r"\hat m_t",
    r"\frac{m_t}{1 - \beta_1^t}",
    r"\frac{@=mean@}{1 - @beta1@^{@t@}}",
)
_SQUARE_CORRECTED = Line(
    "square_corrected",
    r"\hat s_t",
    r"\frac{s_t}{1 - \beta_2^t}",
    r"\frac{@=square@}{1 - @beta2@^{@t@}}",
)


def _step(right: str, numbers: str) -> Line:
    """The last line, where the parameters move."""
    return Line("next", _NEXT, rf"\theta_t - \eta_t {right}", rf"@=place@ - @rate@ \cdot {numbers}")


def lines_of(racer: Racer) -> list[Line]:
    """The rule of an optimizer as it is set."""
    given = dict(racer.settings)
    lines = _LINES[racer.optimizer](given)
    if racer.wrapped and racer.decay:
        last = lines[-1]
        lines[-1] = last._replace(
            right=last.right + r" - \eta_t \lambda\, \theta_t",
            numbers=last.numbers + r" - @rate@ \cdot @decay@ \cdot @place@",
        )
    return lines


def _momentum(given: dict[str, Any], *, ahead: bool = False) -> list[Line]:
    share = (r"(1 - \mu)\, ", r"(1 - @momentum@) \cdot ") if given["average"] else ("", "")
    velocity = Line(
        "velocity",
        "v_t",
        rf"\mu\, v_{{t-1}} + {share[0]}g_t",
        rf"@momentum@ \cdot @velocity0@ + {share[1]}@g@",
    )
    if not ahead:
        return [velocity, _step(r"\, v_t", "@velocity@")]
    return [
        velocity,
        _step(
            rf"\,({share[0]}g_t + \mu\, v_t)",
            rf"({share[1]}@=g@ + @momentum@ \cdot @velocity@)",
        ),
    ]


def _adagrad(given: dict[str, Any]) -> list[Line]:
    return [
        Line("sum", "s_t", "s_{t-1} + g_t^2", "@=sum0@ + @g@^2"),
        _step(
            r"\, \frac{g_t}{\sqrt{s_t} + \epsilon}",
            r"\frac{@=g@}{\sqrt{@=sum@} + @=epsilon@}",
        ),
    ]


def _rmsprop(given: dict[str, Any]) -> list[Line]:
    found = [
        Line(
            "square",
            "s_t",
            r"\beta\, s_{t-1} + (1 - \beta)\, g_t^2",
            r"@beta@ \cdot @square0@ + (1 - @beta@) \cdot @g@^2",
        )
    ]
    root = ("s_t", "@=square@")
    if given["centered"]:
        found.append(
            Line(
                "mean",
                "m_t",
                r"\beta\, m_{t-1} + (1 - \beta)\, g_t",
                r"@beta@ \cdot @mean0@ + (1 - @beta@) \cdot @g@",
            )
        )
        root = ("s_t - m_t^2", "@=square@ - @mean@^2")
    symbols = rf"\frac{{g_t}}{{\sqrt{{{root[0]}}} + \epsilon}}"
    numbers = rf"\frac{{@=g@}}{{\sqrt{{{root[1]}}} + @=epsilon@}}"
    if not given["momentum"]:
        return [*found, _step(rf"\, {symbols}", numbers)]
    velocity = Line(
        "velocity",
        "v_t",
        rf"\mu v_{{t-1}} + {symbols}",
        rf"@momentum@ \cdot @velocity0@ + {numbers}",
    )
    return [*found, velocity, _step(r"\, v_t", "@velocity@")]


def _adadelta(given: dict[str, Any]) -> list[Line]:
    return [
        Line(
            "square",
            "s_t",
            r"\beta s_{t-1} + (1 - \beta) g_t^2",
            r"@beta@ \cdot @square0@ + (1 - @beta@) \cdot @g@^2",
        ),
        Line(
            "direction",
            "d_t",
            r"\frac{\sqrt{u_{t-1} + \epsilon}}{\sqrt{s_t + \epsilon}}\, g_t",
            r"\frac{\sqrt{@=moved0@ + @=epsilon@}}{\sqrt{@=square@ + @=epsilon@}} \cdot @g@",
        ),
        Line(
            "moved",
            "u_t",
            r"\beta u_{t-1} + (1 - \beta) d_t^2",
            r"@beta@ \cdot @moved0@ + (1 - @beta@) \cdot @direction@^2",
        ),
        _step(r"\, d_t", "@direction@"),
    ]


def _adam(given: dict[str, Any]) -> list[Line]:
    return [
        _MEAN,
        _SQUARE,
        _MEAN_CORRECTED,
        _SQUARE_CORRECTED,
        _step(
            r"\, \frac{\hat m_t}{\sqrt{\hat s_t} + \epsilon}",
            r"\frac{@=mean_corrected@}{\sqrt{@=square_corrected@} + @=epsilon@}",
        ),
    ]


def _adamw(given: dict[str, Any]) -> list[Line]:
    return [
        *_adam(given)[:-1],
        _step(
            r"\left( \frac{\hat m_t}{\sqrt{\hat s_t} + \epsilon} + \lambda\, \theta_t \right)",
            r"\left( \frac{@=mean_corrected@}{\sqrt{@=square_corrected@} + @=epsilon@} + @decay@ \cdot "
            r"@place@ \right)",
        ),
    ]


def _amsgrad(given: dict[str, Any]) -> list[Line]:
    return [
        _MEAN,
        _SQUARE,
        _MEAN_CORRECTED,
        Line(
            "largest",
            r"\bar s_t",
            r"\max(\bar s_{t-1}, s_t)",
            r"\max(@=largest0@, @=square@)",
        ),
        _step(
            r"\, \frac{\hat m_t}{\sqrt{\bar s_t / (1 - \beta_2^t)} + \epsilon}",
            r"\frac{@=mean_corrected@}{\sqrt{@largest@ / (1 - @beta2@^{@t@})} + @=epsilon@}",
        ),
    ]


def _nadam(given: dict[str, Any]) -> list[Line]:
    return [
        _MEAN,
        _SQUARE,
        _SQUARE_CORRECTED,
        Line(
            "next",
            _NEXT,
            r"\theta_t - \frac{\eta_t}{\sqrt{\hat s_t} + \epsilon} \left( \frac{\beta_1 m_t}{1 - "
            r"\beta_1^{t+1}} + \frac{(1 - \beta_1) g_t}{1 - \beta_1^t} \right)",
            r"@=place@ - \frac{@=rate@}{\sqrt{@=square_corrected@} + @=epsilon@} \cdot \left( "
            r"\frac{@beta1@ \cdot @mean@}{1 - @beta1@^{@u@}} + \frac{(1 - @beta1@) \cdot @g@}"
            r"{1 - @beta1@^{@t@}} \right)",
        ),
    ]


def _lion(given: dict[str, Any]) -> list[Line]:
    return [
        Line(
            "direction",
            "c_t",
            r"\beta_1 m_{t-1} + (1 - \beta_1) g_t",
            r"@beta1@ \cdot @mean0@ + (1 - @beta1@) \cdot @g@",
        ),
        _step(
            r"(\operatorname{sign}(c_t) + \lambda \theta_t)",
            r"(\operatorname{sign}(@=direction@) + @decay@ \cdot @place@)",
        ),
        Line(
            "mean",
            "m_t",
            r"\beta_2 m_{t-1} + (1 - \beta_2) g_t",
            r"@beta2@ \cdot @mean0@ + (1 - @beta2@) \cdot @g@",
        ),
    ]


_LINES: dict[str, Any] = {
    "sgd": lambda _: [_step(r"\, g_t", "@g@")],
    "momentum": _momentum,
    "nesterov": lambda given: _momentum(given, ahead=True),
    "adagrad": _adagrad,
    "rmsprop": _rmsprop,
    "adadelta": _adadelta,
    "adam": _adam,
    "adamw": _adamw,
    "amsgrad": _amsgrad,
    "nadam": _nadam,
    "lion": _lion,
}


def equation(racer: Racer) -> str:
    """The whole rule in symbols, as MathML."""
    rows = (rf"{line.left} &= {line.right}" for line in lines_of(racer))
    return mathml(r"\begin{align*}" + r" \\ ".join(rows) + r"\end{align*}")


def numbers_of(racer: Racer, moment: Moment) -> list[dict[str, float]]:
    """All numbers that lines name, for each coordinate."""
    given = {k: v for k, v in racer.settings if not isinstance(v, bool)}
    shared = {
        **given,
        "rate": racer.rate,
        "decay": racer.decay,
        "t": moment.count,
        "u": moment.count + 1,
    }
    each: dict[str, Any] = {
        "place": moment.place,
        "g": moment.gradient,
        "next": moment.following,
        **{f"{name}0": value for name, value in moment.before.items()},
        **moment.after,
    }
    if racer.optimizer in ("adam", "adamw", "amsgrad", "nadam"):
        for name, beta in (("mean", "beta1"), ("square", "beta2")):
            each[f"{name}_corrected"] = unbiased(
                moment.after[name], jnp.float32(given[beta]), moment.count
            )
    elif racer.optimizer == "lion":
        each["direction"] = average(
            moment.before["mean"], moment.gradient, jnp.float32(given["beta1"])
        )
    elif racer.optimizer == "adadelta":
        shrink = racer.rate * racer.decay * moment.place
        each["direction"] = -(moment.update + shrink) / (racer.rate or 1.0)
    whole = jax.tree.map(np.asarray, each)
    return [{**shared, **{k: float(v[i]) for k, v in whole.items()}} for i in range(2)]


def lines(racer: Racer, moment: Moment) -> list[dict[str, str]]:
    """The rule of a ball's next step: each line in symbols, then with its numbers for x and for y.

    Returns:
        Of each line ``kind`` ("symbols" or "numbers"), the ``name`` of what it gives, the ``axis`` of
        numbers, ``mathml`` and ``tex``.
    """
    found: list[dict[str, str]] = []
    by_axis = numbers_of(racer, moment)
    for line in lines_of(racer):
        tex = f"{line.left} = {line.right}"
        found.append({"kind": "symbols", "name": line.name, "mathml": mathml(tex), "tex": tex})
        for axis, numbers in zip(AXES, by_axis, strict=True):
            shown, tex = filled(f"{line.numbers} = @={line.name}@", numbers)
            found.append(
                {"kind": "numbers", "name": line.name, "axis": axis, "mathml": shown, "tex": tex}
            )
    return found
