"""Tables in the terminal: the machine's limits, and every workload beside its peers."""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text

_REFUSED = {
    "worse": "worse result: does not count",
    "better": "better result: our time does not count",
    "alone": "nothing to compare with",
}


def duration(seconds: float | None) -> str:
    """A time with the unit that suits it.

    Examples:
        >>> duration(0.0123), duration(4.56e-7), duration(78.9)
        ('12.3 ms', '456 ns', '78.9 s')
    """
    if seconds is None:
        return ""
    for scale, unit in ((1, "s"), (1e3, "ms"), (1e6, "µs")):
        if seconds * scale >= 0.9995:
            return f"{seconds * scale:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def share(entry: dict[str, Any], contender: dict[str, Any]) -> str:
    """How near a contender comes to the machine's limits; the nearer of two where both are stated."""
    shares: list[tuple[float, str]] = []
    for amount, name in ((entry["flops"], entry["ceiling"]), (entry["bytes"], entry["memory"])):
        limit = entry.get("limits", {}).get(name)
        if amount and limit and contender.get("median"):
            shares.append((amount / contender["median"] / (limit * 1e9), name))
    if not shares:
        return ""
    asked = entry.get("share") if contender["state"] == "ours" else 0
    return "{:.0%} of {}".format(*max(shares)) + (f" (asked for: {asked:.0%})" if asked else "")


def verdict(contender: dict[str, Any]) -> str:
    """Whether the target was reached, or by how much not, or why there is no ratio."""
    state, target, ratio = contender["state"], contender.get("target"), contender.get("ratio")
    if state in ("missing", "failed"):
        return f"{'not there' if state == 'missing' else 'failed'}: {contender['why']}"
    if state in _REFUSED:
        return _REFUSED[state]
    if state == "ours" or ratio is None or target is None:
        return ""
    return "reached" if contender["reached"] else f"missed by {1 - ratio / target:.0%}"


def title(contender: dict[str, Any]) -> str:
    """A contender's name with its label, and its threads where it has more than one."""
    said = [
        contender.get("label"),
        f"{contender['threads']} threads" if contender.get("threads", 1) > 1 else "",
    ]
    said = ", ".join(part for part in said if part)
    return f"{contender['name']} ({said})" if said else contender["name"]


def targets_table(entries: list[dict[str, Any]]) -> Table:
    """One table of all workloads.

    Args:
        entries: of ``targets.json``.
    """
    quick = any(entry.get("quick") for entry in entries)
    table = Table(
        title="How many times longer each peer takes than Fallline",
        caption="Medians of interleaved rounds, compiling not counted; more than 1x: Fallline is faster."
        + (" Quick mode: too little work to tell a step from a call." if quick else ""),
        title_justify="left",
        caption_justify="left",
    )
    for name, justify in (
        ("workload", "left"),
        ("contender", "left"),
        ("median", "right"),
        ("range", "right"),
        ("a step", "right"),
        ("quality", "right"),
        ("times longer", "right"),
        ("target", "right"),
        ("", "left"),
        ("share of the limit", "right"),
    ):
        table.add_column(name, justify=justify, no_wrap=name in ("median", "a step", "target"))  # pyright: ignore
    for entry in entries:
        for place, contender in enumerate(entry["contenders"]):
            table.add_row(*_row(entry, contender, first=place == 0))
        table.add_section()
    return table


def _row(entry: dict[str, Any], contender: dict[str, Any], first: bool) -> list[Any]:
    ratio, target = contender.get("ratio"), contender.get("target")
    counted, said = contender.get("median"), verdict(contender)
    styles = {"reached": "green", "missed": "red", "failed": "bold red", "": ""}
    style = styles.get(said.split(" ")[0].rstrip(":"), "yellow")
    return [
        entry["name"] if first else "",
        Text(title(contender), style="bold" if contender["state"] == "ours" else ""),
        duration(counted),
        f"{duration(contender['low'])} - {duration(contender['high'])}" if counted else "",
        duration(contender.get("step_seconds")),
        f"{contender['quality']:.5g}" if counted else "",
        "" if ratio is None else f"{ratio:.2f}x",
        "" if target is None else f"{target:g}x",
        Text(said, style=style),
        share(entry, contender),
    ]


def limits_table(limits: dict[str, Any]) -> Table:
    """What the machine can do at most.

    Args:
        limits: from `benchmarks.limits.limits`.
    """
    counts = sorted({name.split()[1] for name in limits if name != "how"})
    table = Table(title="This machine's limits", title_justify="left", caption_justify="left")
    table.caption = "; ".join(f"{name}: {how}" for name, how in limits["how"].items())
    table.add_column("")
    for count in counts:
        table.add_column(f"{count} thread" + ("s" if count != "1" else ""), justify="right")
    for kind in dict.fromkeys(name.split()[0] for name in limits if name != "how"):
        unit = "GFLOP/s" if kind == "sgemm" else "GB/s"
        table.add_row(
            kind if kind == "sgemm" else f"reading {kind}",
            *(f"{limits[f'{kind} {count}']:.3g} {unit}" for count in counts),
        )
    return table


def facts_line(facts: dict[str, Any]) -> str:
    """The facts in a line."""
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    return (
        f"{facts['date']}; {facts['processor']}, {facts['cores']} cores, load {facts['load']}; tuning "
        f"{facts['tuning']}; {versions}. Threads: {facts['threads']}."
    )
