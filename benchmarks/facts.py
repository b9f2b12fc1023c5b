"""What a measured time depends on: the date, the versions, the processor, and whether tuning is on."""

from __future__ import annotations

import datetime
import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

_LIBRARIES = (
    "fallline",
    "jax",
    "jaxlib",
    "numpy",
    "scipy",
    "scikit-learn",
    "polars",
    "torch",
    "numba",
    "keras",
    "vowpalwabbit",
    "threadpoolctl",
)


def facts() -> dict[str, Any]:
    """The facts that go with every entry, as plain values."""
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "versions": versions(),
        "processor": processor(),
        "cores": cores(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "tuning": tuning(),
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        "threads": "torch, numba and BLAS as each contender says; XLA's are fixed at the process's start",
    }


def versions() -> dict[str, str]:
    """Versions of what is installed."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def processor() -> str:
    """The processor's name, as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def tuning() -> str:
    """Whether Fallline's tuning of the compiler is on: "on", "off", or "too late" if JAX came first."""
    module = sys.modules.get("fallline.tuning")
    if not getattr(module, "on", False):
        return "off"
    return "on" if "small_while_loop" in os.environ.get("XLA_FLAGS", "") else "too late"
