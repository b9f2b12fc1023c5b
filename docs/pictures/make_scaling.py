"""Make the pictures of "How far a cluster carries", and the tables in it, from the program's own arithmetic.

python docs/pictures/make_scaling.py
"""

from __future__ import annotations

from pathlib import Path

from fallline.scale import estimate as reckoning
from fallline.scale.estimate import TEN_GIGABIT, Estimate, steps_needed

HERE = Path(__file__).parent
PAGE = HERE.parent / "explanation" / "scaling.md"
BEGIN, END = "<!-- {}: written by docs/pictures/make_scaling.py -->\n", "<!-- end -->"

# The example of the page: a network of a million parameters, and what a host of 16 cores does with it.
ROWS, PARAMETERS, SPEED, SHARE = 10**8, 10**6, 170_000, 8192
BATCH = 8 * SHARE
WORKERS = [2**i for i in range(11)]
READING = 2_000_000
MODELS = [
    ("linear, 100 columns", 101),
    ("network of 10,000 parameters", 10**4),
    ("network of 100,000", 10**5),
    ("network of 1 million", 10**6),
    ("network of 10 million", 10**7),
    ("network of 100 million", 10**8),
]


def step(workers: int, batch_size: int, parameters: int = PARAMETERS, **options) -> Estimate:
    """A step of the example, or of a network of another size at the same speed for each parameter."""
    speed = SPEED * PARAMETERS / parameters
    given = {"rows": ROWS, "batch_size": batch_size, "rows_per_second": READING, **options}
    seconds = batch_size / speed
    return reckoning.estimate(seconds, 4 * parameters, workers, TEN_GIGABIT, **given)


def tables() -> dict[str, str]:
    """The page's tables by name, in Markdown."""
    found = {}
    rows = ["| hosts | rows a step | a step | steps an epoch | an epoch | of a host is used |"]
    rows += ["|--:|--:|--:|--:|--:|--:|"]
    for workers in (1, 8, 64, 1024):
        made = step(workers, workers * SHARE)
        rows.append(
            f"| {workers:,} | {workers * SHARE:,} | {1e3 * made.step_seconds:.0f} ms "
            f"| {made.steps:,} | {made.epoch_seconds:.0f} s | {made.efficiency:.0%} |"
        )
    found["weak"] = rows
    rows = ["| hosts | computing | communicating | an epoch | times as fast | every 16th step |"]
    rows += ["|--:|--:|--:|--:|--:|--:|"]
    for workers in (1, 8, 16, 64, 1024):
        made, seldom = step(workers, BATCH), step(workers, BATCH, sync_every=16)
        rows.append(
            f"| {workers:,} | {1e3 * made.compute_seconds:.1f} ms "
            f"| {1e3 * made.communicate_seconds:.0f} ms | {made.epoch_seconds:.0f} s "
            f"| {made.speedup:.1f} | {seldom.speedup:.1f} |"
        )
    found["strong"] = rows
    rows = ["| model | one machine | an epoch there | 8, 512 rows a step | 8, 8192 rows each | |"]
    rows += ["|---|--:|--:|--:|--:|---|"]
    for name, parameters in MODELS:
        small, large = step(8, 512, parameters), step(8, BATCH, parameters)
        alone = min(SPEED * PARAMETERS / parameters, READING)
        rows.append(
            f"| {name} | {_plain(alone)} rows/s | {_duration(ROWS / alone)} "
            f"| {small.speedup:.2g} times | {large.speedup:.2g} times | {_verdict(ROWS / alone)} |"
        )
    found["verdicts"] = rows
    return {name: "\n".join(rows) + "\n" for name, rows in found.items()}


def written(page: str) -> str:
    """The page with the tables as they are now."""
    for name, table in tables().items():
        begin = BEGIN.format(name)
        before, _, rest = page.partition(begin)
        page = f"{before}{begin}\n{table}\n{END}{rest.partition(END)[2]}"
    return page


def _plain(number: float) -> str:
    return f"{float(f'{number:.2g}'):,.0f}"


def _duration(seconds: float) -> str:
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _verdict(alone: float) -> str:
    if alone < 300:
        return "one machine"
    return "one machine, unless epochs are many" if alone < 1800 else "a cluster, in large batches"


def pictures() -> None:
    """Step time on more and more hosts, and the time to a goal."""
    import matplotlib as mpl

    mpl.use("Agg")

    from fallline.show import style

    for name in style.THEMES:
        with style.use(name) as theme:
            ax = style.new_axes(size=(6.4, 3.8))
            made = [step(p, p * SHARE) for p in WORKERS]
            halving = [step(p, p * SHARE, algorithm="halving") for p in WORKERS]
            computing = [1e3 * e.compute_seconds for e in made]
            whole = [1e3 * e.step_seconds for e in made]
            ax.fill_between(
                WORKERS, computing, color=theme.series[0], alpha=0.25, label="computing"
            )
            ax.fill_between(
                WORKERS, computing, whole, color=theme.accent, alpha=0.3, label="sums in a ring"
            )
            ax.plot(WORKERS, whole, color=theme.accent, marker="o", markersize=3.5)
            ax.plot(
                WORKERS,
                [1e3 * e.step_seconds for e in halving],
                color=theme.series[3],
                linestyle="--",
                label="by halving and doubling",
            )
            ax.set(ylabel="a step [ms]", ylim=(0, None))
            _finished(ax, theme, "8192 rows a step on each host", HERE / f"scaling-step-{name}.png")

            ax = style.new_axes(size=(6.4, 3.8))
            for i, critical in enumerate((2**13, 2**16, 2**20)):
                times = [
                    step(p, p * SHARE).step_seconds * steps_needed(p * SHARE, critical)
                    for p in WORKERS
                ]
                gains = [times[0] / t for t in times]
                best = max(range(len(gains)), key=gains.__getitem__)
                ax.plot(
                    WORKERS,
                    gains,
                    color=theme.series[i],
                    linestyle=("-", "--", "-.")[i],
                    label=f"critical batch size {critical:,}",
                )
                ax.plot(WORKERS[best], gains[best], "o", color=theme.series[i], markersize=6)
            ax.plot(WORKERS[:7], WORKERS[:7], color=theme.muted, linestyle=":", linewidth=1)
            ax.set(ylabel="times as fast to the same loss", yscale="log")
            ax.set_yticks([1, 2, 5, 10, 20, 50], labels=["1", "2", "5", "10", "20", "50"])
            ax.minorticks_off()
            _finished(
                ax, theme, "To a goal, in ever larger batches", HERE / f"scaling-goal-{name}.png"
            )


def _finished(ax, theme, title: str, path: Path) -> None:
    from make_gallery import save

    from fallline.show import style

    ax.set_xscale("log", base=2)
    ax.set(xlabel="hosts", xlim=(1, WORKERS[-1]))
    ax.set_xticks([1, 8, 64, 1024], labels=["1", "8", "64", "1024"])
    style.themed(ax, theme)
    style.title(ax, title, theme)
    style.key(ax, theme, loc="upper left")
    save(ax.figure, path)
    print(path.name)


def main() -> None:
    """Write the pictures, and the page's tables."""
    pictures()
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
