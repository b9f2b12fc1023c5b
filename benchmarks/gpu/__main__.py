"""The table's workloads on a GPU, against torch eager, `torch.compile` and CUDA graphs.

python -m benchmarks.gpu [NAME-PART ...] [--quick] [--rounds N] [--out FOLDER]

Times are absolute, beside each the share of the device's limit, which the same run measures by a large
product and a large copy. The losses at the end must agree before a time counts. Without a GPU it says so;
with --quick it then does everything on the processor, tiny, to see that it runs.

Not run on a GPU so far. CUDA graphs, `torch.compile` on a GPU, its limits and the large sizes were written
by the libraries' documentation; the rest (data, torch's eager steps, the sweep, the comparison of results)
has run on a processor.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
from rich.console import Console
from rich.markup import escape

from benchmarks import report
from benchmarks.facts import facts
from benchmarks.gpu.limits import limits
from benchmarks.gpu.workloads import workloads
from benchmarks.harness import measure
from fallline.store import files

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; 0, or 1 if something failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu")
    parser.add_argument("parts", nargs="*", metavar="NAME-PART", help="only workloads named so")
    parser.add_argument("--quick", action="store_true", help="tiny, to see that it runs")
    parser.add_argument("--rounds", type=int, default=None, help="5 by default, 1 if quick")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="for gpu.json")
    asked = parser.parse_args(arguments)
    show = Console(width=None if sys.stdout.isatty() else 190)
    device, why = torch_device()
    if device == "cpu":
        show.print(why, markup=False, highlight=False)
        if not asked.quick:
            return 0
    machine = limits(asked.quick)
    entries, failed = [], False
    for name, make in workloads(asked.quick, device):
        if asked.parts and not any(part.lower() in name.lower() for part in asked.parts):
            continue
        try:
            entry = measure(make(), asked.rounds or (1 if asked.quick else 5))
        except Exception as error:
            show.print(
                f"[bold red]failed[/] {escape(name)}: {type(error).__name__}: {escape(str(error))}"
            )
            failed = True
            continue
        failed |= any(lane["state"] == "failed" for lane in entry["contenders"])
        entries.append(entry | {**facts(), **on_device(), "limits": machine, "quick": asked.quick})
    show.print(_line(machine), markup=False, highlight=False)
    show.print(report.targets_table(entries))
    if asked.out is not None and device == "cuda":
        asked.out.mkdir(parents=True, exist_ok=True)
        kept = {entry["name"]: entry for entry in entries}
        files.write(asked.out / "gpu.json", files.to_json({"workloads": kept}))
    return int(failed)


def torch_device() -> tuple[str, str]:
    """Where to compute: "cuda" where both JAX and torch have a GPU, else "cpu", and why."""
    seen = jax.default_backend() == "gpu"
    try:
        import torch
    except ImportError:
        return (
            "cuda" if seen else "cpu"
        ), "There is no GPU here that JAX computes on, and no torch."
    if seen and torch.cuda.is_available():
        # JAX multiplies so by default.
        torch.set_float32_matmul_precision("high")
        return "cuda", ""
    if seen != torch.cuda.is_available():
        lacking = "torch" if seen else "JAX"
        return "cpu", f"There is a GPU, but {lacking} was installed without support for it."
    return "cpu", "There is no GPU here; nothing is measured."


def on_device() -> dict[str, Any]:
    """Which device, for the record."""
    first = jax.devices()[0]
    return {"device": first.device_kind, "platform": first.platform}


def _line(machine: dict[str, Any]) -> str:
    found = on_device()
    return (
        f"{found['device']}: {machine['float32'] / 1e3:,.3g} TFLOP/s in float32, "
        f"{machine['bfloat16'] / 1e3:,.3g} in bfloat16, {machine['copy']:,.4g} GB/s copied "
        f"({machine['how']})"
    )


if __name__ == "__main__":
    sys.exit(main())
