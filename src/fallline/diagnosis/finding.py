"""Findings: what the doctor says, with its evidence, its rule, the source of the rule, and a fix."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

from fallline.diagnosis import words
from fallline.errors import FalllineError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fallline.diagnosis.case import Case
    from fallline.diagnosis.proof import Proof

BENIGN = ("healthy", "converged", "edge-of-stability", "unknown")
"""Names that are no complaint."""


@dataclasses.dataclass(frozen=True)
class Evidence:
    """One measured number that a verdict rests on.

    Attributes:
        quantity: its key among the words.
        value: what was measured.
        against: what it is compared with, or None.
        step: the step it belongs to, counted from 1; None for the whole run.
    """

    quantity: str
    value: Any
    against: float | None = None
    step: int | None = None

    def sentence(self, lang: str) -> str:
        """The number in words."""
        text = words.say(lang, "evidence", self.quantity, value=self.value, against=self.against)
        if self.step is None:
            return text
        return words.say(lang, "labels", "at_step", text=text, step=self.step)

    def to_json(self, lang: str) -> dict[str, Any]:
        """As ``--json`` prints it; numbers that are not finite are null."""
        numbers = {"value": plain(self.value), "against": plain(self.against), "step": self.step}
        return {"quantity": self.quantity, **numbers, "sentence": self.sentence(lang)}


@dataclasses.dataclass(frozen=True)
class Fix:
    """What to change.

    Attributes:
        key: of its sentence among the words.
        changes: new values by the names of the house: ``learning_rate``, ``batch_size``, ``init``, ... ;
            see `fallline.diagnosis.changes`.
        numbers: what the sentence names besides.
    """

    key: str
    changes: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    numbers: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])


@dataclasses.dataclass
class Finding:
    """One thing that is so, and what to do about it.

    Attributes:
        name: in kebab-case; `fallline.diagnosis.rules.NAMES` lists all.
        key: of its sentences among the words.
        evidence: the numbers it rests on, at least two for a complaint.
        source: where the rule comes from.
        numbers: what its sentences name.
        fixes: what to change, the most promising first; empty where nothing needs to be.
        proven: what came of trying the first fix that helped, or None if it was not tried.
        case: the run it is about.
        lang: the language of its sentences.
    """

    name: str
    key: str
    evidence: list[Evidence]
    source: str
    numbers: dict[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    fixes: list[Fix] = dataclasses.field(default_factory=list[Fix])
    proven: Proof | None = None
    case: Case | None = None
    lang: str = "en"

    @property
    def complaint(self) -> bool:
        """Is something wrong?"""
        return self.name not in BENIGN

    @property
    def title(self) -> str:
        """The name in words."""
        return words.say(self.lang, "titles", self.name)

    @property
    def verdict(self) -> str:
        """What is so, in one sentence."""
        return words.say(self.lang, "verdicts", self.key, **self.numbers)

    @property
    def rule(self) -> str:
        """When this is said."""
        return words.say(self.lang, "rules", self.name)

    @property
    def fix(self) -> Fix | None:
        """The fix to try first, or the one that was proven."""
        return self.fixes[0] if self.fixes else None

    @property
    def advice(self) -> str:
        """The fix in a sentence; empty if there is none."""
        if self.fix is None:
            return ""
        return words.say(self.lang, "fixes", self.fix.key, **{**self.numbers, **self.fix.numbers})

    @property
    def command(self) -> str:
        """The command that tries the fix; empty where there is no command for it."""
        if self.fix is None or self.case is None or not self.fix.changes:
            return ""
        return self.case.command(self.fix.changes)

    def apply(self, config: Any = None) -> Any:
        """The configuration with the fix in it.

        Args:
            config: what to change; by default what the run was asked for: the arguments of
                `fallline.train` as a dict, or a `FitConfig` for a run of ``fallline fit``.

        Raises:
            FalllineError: if there is no fix, or none that can be made in the configuration.
        """
        if self.fix is None or not self.fix.changes:
            raise FalllineError(f"There is no setting to change for {self.name!r}: {self.advice}")
        if self.case is None:
            raise FalllineError("This finding has left its run behind; diagnose the run again.")
        return self.case.changed(self.fix.changes, config)

    def to_json(self) -> dict[str, Any]:
        """As ``--json`` prints it."""
        changes = None if self.fix is None else {k: plain(v) for k, v in self.fix.changes.items()}
        return {
            "name": self.name,
            "complaint": self.complaint,
            "verdict": self.verdict,
            "evidence": [e.to_json(self.lang) for e in self.evidence],
            "rule": self.rule,
            "source": self.source,
            "fix": self.advice or None,
            "changes": changes or None,
            "command": self.command or None,
            "proven": None if self.proven is None else self.proven.to_json(),
        }

    def __str__(self) -> str:
        return " ".join(part for part in (self.verdict, self.advice) if part)


@dataclasses.dataclass
class Diagnosis:
    """What the doctor says of a run.

    Attributes:
        findings: complaints first, the gravest first; never empty.
        seconds: time spent.
        measured: were measurements taken beyond the history?
        lang: the language of the sentences.
        withdrawn: complaints whose fix was tried and did not help.
    """

    findings: list[Finding]
    seconds: float = 0.0
    measured: bool = True
    lang: str = "en"
    withdrawn: list[Finding] = dataclasses.field(default_factory=list[Finding])

    @property
    def complaints(self) -> list[Finding]:
        """The findings that something is wrong."""
        return [f for f in self.findings if f.complaint]

    @property
    def healthy(self) -> bool:
        """Is there nothing to complain of?"""
        return not self.complaints

    @property
    def headline(self) -> str:
        """The whole in one sentence."""
        return self.findings[0].verdict

    def to_json(self) -> dict[str, Any]:
        """As ``--json`` prints it."""
        return {
            "healthy": self.healthy,
            "headline": self.headline,
            "findings": [f.to_json() for f in self.findings],
            "withdrawn": [f.to_json() for f in self.withdrawn],
            "measured": self.measured,
            "seconds": self.seconds,
        }

    def __str__(self) -> str:
        return "\n".join(map(str, self.findings))

    def __repr__(self) -> str:
        return f"<Diagnosis: {', '.join(f.name for f in self.findings)}>"


def plain(value: Any) -> Any:
    """A value as JSON can hold it; an array or a function becomes a word."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, (int, float)) or (hasattr(value, "ndim") and value.ndim == 0):
        number = float(value)
        whole = isinstance(value, int)
        return int(value) if whole else (number if math.isfinite(number) else None)
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}  # pyright: ignore
    return type(value).__name__
