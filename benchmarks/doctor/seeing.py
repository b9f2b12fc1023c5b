"""One patient before the doctor."""

from __future__ import annotations

import time
import traceback
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.doctor import cases
from benchmarks.real import Skipped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.doctor.patient import Patient

GROWTH = 4 * 2**30
"""Bytes of memory from which on compiled programs are forgotten between groups."""


def see(patient: Patient, *, prove: bool) -> dict[str, Any]:
    """Make the run and ask the doctor.

    Returns:
        What the patient is, what was found, and the seconds of both.
    """
    import fallline
    from fallline.diagnosis.doctor import diagnose

    facts: dict[str, Any] = {
        "name": patient.name,
        "fault": patient.fault,
        "severity": patient.severity,
        "dataset": patient.dataset,
        "seed": patient.seed,
        "split": patient.split,
        "also": list(patient.also),
        "kind": patient.kind,
    }
    try:
        arguments = patient.arguments()
    except Skipped as skipped:
        return {**facts, "skipped": str(skipped)}
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        maker = fallline.minimize if patient.kind == "minimize" else fallline.train
        run = maker(**arguments)
        trained = time.perf_counter()
        try:
            diagnosis = diagnose(run, prove=True) if prove else diagnose(run)
        except Exception:
            return {**facts, "error": traceback.format_exc(limit=-3)}
    findings = [
        {
            "name": f.name,
            "complaint": f.complaint,
            "verdict": f.verdict,
            "evidence": [[e.quantity, _plain(e.value), _plain(e.against)] for e in f.evidence],
            "changes": {k: _plain(v) for k, v in (f.fix.changes if f.fix else {}).items()},
            "proven": f.proven.to_json() if f.proven is not None else None,
        }
        for f in diagnosis.findings
    ]
    return {
        **facts,
        "findings": findings,
        "withdrawn": [f.name for f in diagnosis.withdrawn],
        "train_seconds": round(trained - began, 3),
        "diagnosis_seconds": round(time.perf_counter() - trained, 3),
    }


def _plain(value: Any) -> Any:
    from fallline.diagnosis.finding import plain

    return plain(value)


def see_group(names: list[str], *, prove: bool) -> Iterator[dict[str, Any]]:
    """Some patients of one shape, one after the other; then memory is looked after."""
    for name in names:
        yield see(cases.named(name), prove=prove)
    if _memory() > GROWTH:
        import jax

        jax.clear_caches()


def all_of(names: list[str], prove: bool) -> list[dict[str, Any]]:
    """The same in a process of its own."""
    from fallline.descent.cache import use_compilation_cache

    use_compilation_cache()
    return list(see_group(names, prove=prove))


def _memory() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0
    return 4096 * pages
