"""A race as a Python script that runs it again, to the last bit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from fallline.optimizers import WeightDecay

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fallline.studio.terrain.asked import Asked
    from fallline.studio.terrain.race import Race
    from fallline.studio.terrain.racer import Racer

ROUNDED_APART = ("nadam",)
"""Optimizers whose steps `fallline.minimize` rounds differently, as its balls share a counter of steps."""


def script(asked: Asked, race: Race) -> dict[str, str]:
    """The script of a race up to the step where it stands: its ``name`` and ``text``.

    Where nothing was changed on the way it calls `fallline.minimize`, else it repeats what was changed. It
    leaves the balls' positions in ``places``, shape (racers, balls, 2), and prints where the median ball is.
    """
    events = [event for event in race.events if event.step <= race.step]
    values = np.asarray(race.terrain(jnp.asarray(race.starts)))
    plain = not events and race.step > 0 and bool(np.isfinite(values).all())
    plain = plain and not any(racer.optimizer in ROUNDED_APART for racer in race.racers)
    text = _minimized(asked, race) if plain else _repeated(asked, race)
    return {"name": "race.py", "text": text}


def _heading(asked: Asked, race: Race) -> str:
    title = asked.terrain.title.replace("\\", "").replace('"', "'")
    return f'"""A race on {title}: {race.step:,} steps."""\n'


def _terrain(asked: Asked) -> list[str]:
    bounds = asked.terrain.bounds
    if asked.formula is not None:
        return [f"terrain = terrains.from_expression({asked.formula!r}, bounds={bounds!r})"]
    lines = [f"terrain = terrains.by_name({asked.terrain.name!r})"]
    if bounds != _known(asked.terrain.name):
        lines.append(f"terrain = dataclasses.replace(terrain, bounds={bounds!r})")
    return lines


def _known(name: str) -> Any:
    from fallline.terrains import by_name

    return by_name(name).bounds


def _starts(asked: Asked) -> str:
    if asked.at is None:
        return f"starts = terrain.scatter({asked.each}, seed={asked.seed})"
    return f"starts = np.tile(np.array({list(asked.at)!r}, np.float32), ({asked.each}, 1))"


def _imports(asked: Asked, *more: str) -> list[str]:
    standard = ["import dataclasses", ""] if "dataclasses" in "".join(_terrain(asked)) else []
    return ["", *standard, "import numpy as np", "", *more, "", *_terrain(asked), _starts(asked)]


def _minimized(asked: Asked, race: Race) -> str:
    made = [racer.made() for racer in race.racers]
    bare = [o.optimizer if isinstance(o, WeightDecay) and not o.weight_decay else o for o in made]
    lines = [
        *_imports(
            asked,
            "import fallline",
            "from fallline import optimizers, terrains",
        ),
        "racers = [",
        *(f"    {_code(optimizer)}," for optimizer in bare),
        "]",
        "results = [",
        "    fallline.minimize(",
        "        terrain,",
        "        starts=starts,",
        "        optimizer=racer,",
        f"        steps={race.step},",
        f"        noise={race.noise!r},",
        f"        seed={asked.seed},",
        "        tolerance=0,",
        "    )",
        "    for racer in racers",
        "]",
        "places = np.stack([result.x for result in results])",
        "for racer, result in zip(racers, results):",
        '    print(f"{type(racer).__name__}: median {np.median(result.fun):.6g}")',
        "    print(result)",
    ]
    return _heading(asked, race) + "\n".join(lines) + "\n"


def _code(optimizer: Any) -> str:
    """An optimizer as a call: its name with its module's, and what differs from nothing."""
    if isinstance(optimizer, WeightDecay):
        inner = _code(optimizer.optimizer)
        return f"optimizers.WeightDecay({inner}, weight_decay={optimizer.weight_decay!r})"
    return f"optimizers.{optimizer!r}"


def _repeated(asked: Asked, race: Race) -> str:
    lines = [
        *_imports(
            asked,
            "from fallline import terrains",
            "from fallline.studio.terrain import Race, Racer",
        ),
        "racers = [",
        *(f"    {_racer(racer)}," for racer in race.entered),
        "]",
        f"race = Race(terrain, racers, starts, seed={asked.seed}, noise={asked.noise!r})",
    ]
    step = 0
    for event in race.events:
        if event.step > race.step:
            break
        if event.step > step:
            lines.append(f"race.advance({event.step - step})")
        step = event.step
        lines.append(f"race.{event.what}({_arguments(event.given)})")
    if race.step > step:
        lines.append(f"race.advance({race.step - step})")
    lines += [
        "places = race.places()",
        "for racer, seen in zip(race.racers, race.seen()):",
        '    print(f"{racer.title}: median {np.median(seen.value[~seen.lost]):.6g}")',
    ]
    return _heading(asked, race) + "\n".join(lines) + "\n"


def _arguments(given: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in given.items())


def _racer(racer: Racer) -> str:
    return (
        f"Racer.of({racer.optimizer!r}, {racer.rate!r}, settings={dict(racer.settings)!r}, "
        f"decay={racer.decay!r})"
    )
