"""What is done with a run in seconds rather than at once: reading, diagnosing, measuring, reporting."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any

from fallline.errors import FalllineError

PATIENCE = 15.0
"""Seconds that the measurements of a diagnosis may take: on a busy machine compiling has most of them."""

if TYPE_CHECKING:
    from pathlib import Path

    from fallline.diagnosis.finding import Diagnosis


def card_of(path: Path) -> dict[str, Any]:
    """The card of a run as its folder has it now."""
    from fallline.page.card import card

    return card(path)


def diagnosed(path: Path, lang: str, *, prove: bool) -> tuple[Diagnosis, str]:
    """What the doctor says of a run, and why that is all, if its table was not to be had."""
    from fallline.diagnosis import doctor, words
    from fallline.jobs.diagnose import case_of

    card = card_of(path)
    if card["status"] == "damaged":
        raise FalllineError(" ".join(card["remarks"]))
    case, remark = case_of(path)
    able = not remark
    seconds = max(PATIENCE, doctor.SHARE * case.seconds)
    found = doctor.examine(case, measure=able, prove=prove and able, lang=lang, seconds=seconds)
    return found, words.say(lang, "labels", remark) if remark else ""


def diagnosis_fields(found: Diagnosis) -> dict[str, Any]:
    """A diagnosis as the page has it: each finding with its name in words."""
    told = found.to_json()
    for name in ("findings", "withdrawn"):
        for fields, finding in zip(told[name], getattr(found, name), strict=True):
            fields["title"] = finding.title
    return told


def examined(path: Path, lang: str) -> dict[str, Any]:
    """The card of a run with everything measured."""
    from fallline.page import card

    return card.examined(path, lang=lang)


def reported(card: dict[str, Any], name: str, lang: str, theme: str) -> dict[str, Any]:
    """The one-file report of a run, and a name to keep it by that every system takes."""
    from fallline.page.report import report

    plain = re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII).strip("-.")[:80] or "run"
    return {"file": f"fallline-{plain}.html", "html": report(card, lang=lang, theme=theme)}


def as_network(config: dict[str, Any], table: Path | None) -> dict[str, Any]:
    """The state of the network view that trains what a config asks for.

    Args:
        config: the fields of `fallline.jobs.config.FitConfig`.
        table: the table that the studio was started with.

    Raises:
        FalllineError: if the page may not read that table, with what to do.
    """
    from fallline.data.datasets import BUNDLED
    from fallline.jobs.config import FitConfig

    data = config.get("data")
    if data is None:
        raise FalllineError(
            "This run's table was given in memory, so the studio cannot train on it: save the table as a "
            "file, then  fallline studio FILE."
        )
    from pathlib import Path

    if table is not None and Path(data).expanduser().resolve() == table.resolve():
        data = table.name if table.name in BUNDLED else "given"
    elif data not in BUNDLED:
        raise FalllineError(
            f"The studio opens only the table it was started with, and this run's is another: start it "
            f"with  fallline studio {shlex.quote(data)}"
        )
    first = FitConfig().to_json()
    asked = {name: value for name, value in config.items() if value != first.get(name)}
    if asked.get("model", "auto") == "auto":
        asked["model"] = "mlp"
    return {**asked, "data": data}
