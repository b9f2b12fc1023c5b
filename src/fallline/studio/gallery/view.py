"""The gallery view: ten sick runs, trained and examined when they are asked for.

Messages of the page: ``train`` (all that are left, one after the other), ``open`` (one, at once) and
``verdict`` (what the doctor says of one); asked for: ``wall``, ``guess``. To the page: ``begun``
and ``trained`` for each patient whose curve can be drawn, ``patient`` with the symptoms of the opened one,
``verdict``, ``failed``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from fallline.diagnosis import words
from fallline.errors import FalllineError
from fallline.studio.background import Work
from fallline.studio.gallery.patients import PATIENTS, Patient, patient_of
from fallline.studio.gallery.told import symptoms, thumb, verdict
from fallline.studio.gallery.ward import admitted, examined
from fallline.studio.view import View

if TYPE_CHECKING:
    from fallline.studio.message import Message
    from fallline.studio.view import Given, Out

LOOK = 0.05
"""Seconds between two looks at the work that goes on."""

STAGES = {"train": admitted, "look": symptoms, "examine": examined}
"""What is done with a patient, in this order."""


class GalleryView(View):
    """See the module."""

    name: ClassVar[str] = "gallery"

    def __init__(self, out: Out, given: Given) -> None:
        super().__init__(out, given)
        self._work: Work | None = None
        self._at: tuple[str, Patient] | None = None
        self._urgent: list[tuple[str, Patient]] = []
        self._waiting: list[tuple[str, Patient]] = []
        self._opened: Patient | None = None
        self._asked: tuple[Patient, str] | None = None

    def handle(self, kind: str, message: Message) -> dict[str, Any] | None:
        """See `View.handle`."""
        handlers = {
            "wall": self._wall,
            "train": self._train,
            "open": self._open,
            "guess": self._guess,
            "verdict": self._verdict,
        }
        if kind not in handlers:
            raise FalllineError(f"The gallery knows no message {kind[:40]!r}.")
        return handlers[kind](message)

    def _wall(self, message: Message) -> dict[str, Any]:
        """All patients, with the curves of those that have been trained, and what the findings are called."""
        patients = [
            {
                "name": patient.name,
                "answers": patient.answers,
                "hint": patient.hint,
                "link": None
                if patient.link is None
                else dict(zip(("view", "state"), patient.link, strict=True)),
                "thumb": thumb(admitted(patient)) if admitted.known(patient) else None,
            }
            for patient in PATIENTS
        ]
        named = sorted({answer for patient in PATIENTS for answer in patient.answers})
        titles = {
            name: {lang: words.say(lang, "titles", name) for lang in words.LANGUAGES}
            for name in named
        }
        return {"patients": patients, "titles": titles}

    def _train(self, message: Message) -> None:
        """Train all, the cheapest first; the opened one goes before."""
        left = [p for p in PATIENTS if not admitted.known(p)]
        self._waiting = [("train", p) for p in sorted(left, key=lambda p: p.cost)]

    def _open(self, message: Message) -> None:
        """Train a patient if it has not been, tell its symptoms, then have it examined meanwhile."""
        patient = self._of(message)
        self._opened, self._asked = patient, None
        self._urgent = []
        if symptoms.known(patient):
            self.out.send("patient", **symptoms(patient))
        self._urgent = [(stage, patient) for stage, do in STAGES.items() if not do.known(patient)]

    def _guess(self, message: Message) -> dict[str, Any]:
        """Right or wrong; nothing is told of what the doctor says before somebody has guessed."""
        patient = self._of(message)
        answer = message.choice("answer", patient.answers)
        return {"case": patient.name, "right": answer == patient.ill, "ill": patient.ill}

    def _verdict(self, message: Message) -> None:
        """What the doctor says; it comes as a message of its own, once the doctor is through."""
        patient = self._of(message)
        lang = message.choice("lang", words.LANGUAGES)
        if examined.known(patient):
            self._tell(patient, lang)
            return
        self._asked = (patient, lang)
        if self._opened is not patient:
            self._urgent = [(s, patient) for s, do in STAGES.items() if not do.known(patient)]

    def _tell(self, patient: Patient, lang: str) -> None:
        said = verdict(examined(patient), admitted(patient).run, lang)
        self.out.send("verdict", case=patient.name, lang=lang, **said)

    @staticmethod
    def _of(message: Message) -> Patient:
        return patient_of(message.text("case", 40))

    @property
    def interval(self) -> float | None:
        """See `View.interval`."""
        return LOOK if self._work or self._urgent or self._waiting else None

    def tick(self) -> None:
        """See `View.tick`."""
        if self._work is not None:
            if not self._work.done:
                return
            self._ended()
        queue = self._urgent or self._waiting
        if not queue:
            return
        stage, patient = queue.pop(0)
        if STAGES[stage].known(patient):
            return
        self._at = stage, patient
        self.out.send("begun", case=patient.name, stage=stage)
        self._work = Work(lambda given_up: STAGES[stage](patient))

    def _ended(self) -> None:
        """Tell what has come of the work."""
        work, at = self._work, self._at
        assert work is not None
        assert at is not None
        self._work, self._at = None, None
        stage, patient = at
        try:
            found = work.result
        except FalllineError as error:
            self._urgent = [one for one in self._urgent if one[1] is not patient]
            self.out.send("failed", case=patient.name, sentence=str(error))
            return
        if stage == "train":
            self.out.send("trained", case=patient.name, thumb=thumb(found))
        elif stage == "look" and patient is self._opened:
            self.out.send("patient", **found)
        elif stage == "examine" and self._asked and self._asked[0] is patient:
            self._tell(*self._asked)
            self._asked = None

    def close(self) -> None:
        """See `View.close`."""
        self._urgent, self._waiting = [], []
