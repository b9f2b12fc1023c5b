"""``fallline terrain``: optimizers racing down a terrain, as a table and a picture."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fallline.cli import screen

if TYPE_CHECKING:
    from fallline.jobs.race import Racer

EXAMPLES = (
    "[bold]Examples[/bold]\n\n"
    "fallline terrain himmelblau --balls 300 --out race.png\n\n"
    "fallline terrain rosenbrock --optimizers momentum,adam --steps 500 --out race.gif\n\n"
    'fallline terrain "sin(x)*sin(y) + 0.05*(x^2 + y^2)" --bounds -4,4,-4,4 --out mine.svg\n\n'
    "fallline terrain --list"
)


def terrain(
    name: Annotated[
        str | None,
        typer.Argument(help="A terrain's name, or a formula in x and y.", show_default=False),
    ] = None,
    optimizers: Annotated[
        str, typer.Option(help="Names with commas; each races at its own best rate.")
    ] = "sgd,momentum,adam",
    balls: Annotated[int, typer.Option(help="Balls of each optimizer.")] = 300,
    steps: Annotated[int, typer.Option(help="Steps of each ball.")] = 300,
    rates: Annotated[
        str | None,
        typer.Option(
            "--learning-rates",
            help="Rates to use instead of the best: sgd=0.01,adam=0.1.",
            show_default=False,
        ),
    ] = None,
    bounds: Annotated[
        str | None,
        typer.Option(help="The part to see: x0,x1,y0,y1.", show_default=False),
    ] = None,
    out: Annotated[
        list[Path] | None,
        typer.Option(
            help="A .png, .svg, .gif or .mp4 file; several times for several.", show_default=False
        ),
    ] = None,
    at: Annotated[
        int | None,
        typer.Option(
            help="The step that a picture shows; while the balls still run unless given.",
            show_default=False,
        ),
    ] = None,
    flat: Annotated[bool, typer.Option("--flat", help="Draw contours instead of a block.")] = False,
    theme: Annotated[str, typer.Option(help="light or dark.")] = "dark",
    seconds: Annotated[float, typer.Option(help="How long an animation plays.")] = 8.0,
    seed: Annotated[int, typer.Option(help="Decides where the balls start.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    listing: Annotated[bool, typer.Option("--list", help="List the terrains.")] = False,
) -> None:
    """Let optimizers race down a terrain from the same places, each at its own best learning rate."""
    from fallline.errors import FalllineError

    if listing:
        _list(json)
        return
    if name is None:
        raise FalllineError(
            "Name a terrain or write a formula; fallline terrain --list names them all."
        )
    from fallline.descent.cache import use_compilation_cache
    from fallline.jobs.race import moment, race, terrain_named

    if theme not in ("light", "dark"):
        raise FalllineError(f"The theme is light or dark; it was given {theme!r}.")
    given = _rates(rates)
    place = terrain_named(name, _bounds(bounds))
    for path in out or ():
        _require_writable(path)
    use_compilation_cache()
    racers = race(place, optimizers, balls=balls, steps=steps, learning_rates=given, seed=seed)
    if json:
        _as_json(place, racers, steps)
    else:
        _table(place, racers, balls, steps)
    for path in out or ():
        from fallline.show.plots import animate

        shown, ways = place, {racer.label: racer.result.path for racer in racers}
        still = path.suffix.lower() not in (".gif", ".mp4")
        if still:
            step, count = moment(racers, at)
            shown = dataclasses.replace(place, title=f"{place.title} after {step:,} steps")
            ways = {label: way[:count] for label, way in ways.items()}  # pyright: ignore
        used = {racer.label: racer.learning_rate for racer in racers}
        animate(
            shown,
            ways,
            path,
            solid=not flat,
            rates=used,
            seconds=seconds,
            width=1280 if still else 640,
            theme=theme,
        )
        screen.remark(f"Written to {path}.")


def _list(json: bool) -> None:
    from fallline.terrains import TERRAINS

    if json:
        import json as encoder

        for place in TERRAINS.values():
            facts = {"name": place.name, "title": place.title, "about": place.about}
            facts |= {"bounds": place.bounds, "minima": [[m.x, m.y, m.value] for m in place.minima]}
            typer.echo(encoder.dumps(facts))
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("terrain", no_wrap=True)
    table.add_column("what it shows")
    for place in TERRAINS.values():
        table.add_row(place.name, place.about)
    screen.console().print(table)


def _rates(text: str | None) -> dict[str, float]:
    from fallline.errors import FalllineError

    found: dict[str, float] = {}
    for part in (text or "").split(","):
        if not part.strip():
            continue
        label, _, number = part.partition("=")
        try:
            found[label.strip().lower()] = float(number)
        except ValueError:
            raise FalllineError(
                f"--learning-rates takes pairs like sgd=0.01,adam=0.1; it was given {part.strip()!r}."
            ) from None
    return found


def _bounds(text: str | None) -> Any:
    from fallline.errors import FalllineError

    if text is None:
        return None
    try:
        x0, x1, y0, y1 = (float(part) for part in text.split(","))
    except ValueError:
        x0 = x1 = y0 = y1 = 0.0
    if not (x0 < x1 and y0 < y1 and max(abs(v) for v in (x0, x1, y0, y1)) < 1e30):
        raise FalllineError(
            f"--bounds takes four numbers, x0,x1,y0,y1, each pair rising; it was given {text!r}."
        )
    return (x0, x1), (y0, y1)


def _require_writable(path: Path) -> None:
    """What would fail after the race is told before it."""
    from fallline.errors import FalllineError
    from fallline.show.motion import ENDINGS

    if path.suffix.lower() not in ENDINGS:
        raise FalllineError(
            f"{path} ends in {path.suffix!r}, but a race is written as one of {', '.join(ENDINGS)}."
        )
    if not path.parent.is_dir():
        raise FalllineError(f"There is no folder {path.parent} to write {path.name} into.")


def _as_json(place: Any, racers: list[Racer], steps: int) -> None:
    import json as encoder

    rows: list[dict[str, Any]] = []
    for racer in racers:
        row: dict[str, Any] = {"optimizer": racer.label, "learning_rate": racer.learning_rate}
        row |= {"median": racer.median, "in_a_minimum": racer.at_rest}
        row["basins"] = [
            {"x": [float(v) for v in b.x], "value": b.fun, "kind": b.kind, "share": b.share}
            for b in racer.result.basins[:50]
        ]
        rows.append(row)
    typer.echo(encoder.dumps({"terrain": place.name, "steps": steps, "optimizers": rows}))


def _table(place: Any, racers: list[Racer], balls: int, steps: int) -> None:
    from rich.table import Table

    out = screen.console()
    out.print(
        f"{place.title}: {balls:,} balls of each optimizer, {steps:,} steps, the same starts.\n"
    )
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("optimizer", "learning rate", "median value", "in a minimum"):
        table.add_column(column, justify="left" if column == "optimizer" else "right", no_wrap=True)
    table.add_column("where the balls are", overflow="fold")
    for racer in racers:
        minima = [b for b in racer.result.basins if b.kind == "minimum"]
        places = [f"{b.share:.0%} at ({b.x[0]:.3g}, {b.x[1]:.3g})" for b in minima[:4]]
        more = len(minima) - len(places)
        text = ", ".join(places) + (f", and {more} more" if more else "")
        rate = screen.number(racer.learning_rate) + (" given" if racer.given else "")
        table.add_row(
            racer.label, rate, screen.number(racer.median), f"{racer.at_rest:.0%}", text or "-"
        )
    out.print(table)
