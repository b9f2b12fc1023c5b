"""The runs view: the saved runs of the folder given at start, also those that are still being written.

Messages of the page: ``open`` (names: what is looked at and followed), ``diagnose``, ``measure``, ``report``
(name, language), ``cancel``; asked for: ``list``, ``beside`` (names), ``network`` (name), ``apply`` (name,
finding). To the page: ``runs`` when something in the folder has changed, ``card`` for each open run at first
and whenever it has changed, ``trouble`` where one cannot be read, ``deed`` when something that takes time
begins, and ``diagnosis``, ``examined``, ``report`` or ``failed`` when it has ended.
"""

from __future__ import annotations

import time
import traceback
from typing import TYPE_CHECKING, Any, ClassVar

from fallline.errors import FalllineError
from fallline.studio.background import Work
from fallline.studio.runs import deeds
from fallline.studio.runs.beside import beside
from fallline.studio.runs.shelf import Entry, Shelf
from fallline.studio.view import View

if TYPE_CHECKING:
    from collections.abc import Callable

    from fallline.diagnosis.finding import Diagnosis
    from fallline.studio.message import Message
    from fallline.studio.runs.shelf import Signature
    from fallline.studio.view import Given, Out

MOST_OPEN = 8
"""Runs that can be looked at beside each other."""

WAITING, WATCHING = 0.05, 1.0
"""Seconds from one look to the next: at work that goes on, and at the folder."""

SHARE = 0.03
"""Of a core, at most, for looking at a folder of very many runs."""

MOST_LEAVING = 2
"""Deeds that were cancelled and are still at what they were at; then nothing new is begun."""

MOST_KEPT = 16
"""Diagnoses and measurements that are kept, so that what they found can be applied and reported."""


class RunsView(View):
    """See the module."""

    name: ClassVar[str] = "runs"

    def __init__(self, out: Out, given: Given) -> None:
        super().__init__(out, given)
        self.shelf = Shelf(given.runs)
        self._told: dict[str, str] = {}
        self._open: list[str] = []
        self._shown: dict[str, Signature] = {}
        self._reading: dict[str, tuple[Work, Signature]] = {}
        self._deed: tuple[str, str, Work] | None = None
        self._leaving: list[Work] = []
        self._diagnoses: dict[str, Diagnosis] = {}
        self._examined: dict[str, tuple[Signature, str, dict[str, Any]]] = {}
        self._looked = 0.0

    def handle(self, kind: str, message: Message) -> dict[str, Any] | None:
        """See `View.handle`."""
        handlers: dict[str, Callable[[Message], dict[str, Any] | None]] = {
            "list": lambda m: self._list(),
            "open": self._set_open,
            "beside": lambda m: beside([self.shelf.find(name) for name in self._names(m)]),
            "network": self._network,
            "apply": self._apply,
            "diagnose": lambda m: self._begin("diagnose", m),
            "measure": lambda m: self._begin("measure", m),
            "report": lambda m: self._begin("report", m),
            "cancel": lambda m: self._cancel(),
        }
        if kind not in handlers:
            raise FalllineError(f"The runs view knows no message {kind[:40]!r}.")
        return handlers[kind](message)

    # The list.

    def _list(self) -> dict[str, Any]:
        self.shelf.refresh()
        self._looked = time.perf_counter()
        self._told = {name: entry.status for name, entry in self.shelf.entries.items()}
        folder = self.given.runs
        return {
            "runs": [entry.row() for entry in self.shelf.entries.values()],
            "folder": folder.name,
            "exists": folder.is_dir(),
        }

    def _watch(self) -> None:
        """Tell the page what has changed in the folder, and read open runs again that have."""
        changed, gone = self.shelf.refresh()
        rows = {entry.path.name: entry for entry in changed}
        for name, entry in self.shelf.entries.items():
            # A run that falls silent changes nothing in its folder.
            if self._told.get(name) != entry.status:
                rows[name] = entry
                self._told[name] = entry.status
        for name in gone:
            self._told.pop(name, None)
        if rows or gone:
            self.out.send("runs", changed=[e.row() for e in rows.values()], gone=gone)
        self._follow()

    # The runs that are looked at.

    def _names(self, message: Message) -> list[str]:
        given: list[Any] = message.fields.get("names") or []
        if not isinstance(given, list) or not all(isinstance(name, str) for name in given):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise FalllineError("'names' must be a list of texts.")
        if len(given) > MOST_OPEN:
            raise FalllineError(f"At most {MOST_OPEN} runs can be compared at once.")
        return list(dict.fromkeys(given))

    def _set_open(self, message: Message) -> dict[str, Any]:
        names = self._names(message)
        for name in names:
            self.shelf.find(name)
        # What the page lets go of, it must be told again when it comes back to it.
        self._shown = {name: shown for name, shown in self._shown.items() if name in names}
        if message.flag("afresh", False):
            self._shown = {}
        self._open = names
        self._follow()
        return {"names": names}

    def _follow(self) -> None:
        """Read what is open and not shown as it is now."""
        for name in self._open:
            entry = self.shelf.entries.get(name)
            if entry is None or name in self._reading or self._shown.get(name) == entry.signature:
                continue
            path = entry.path
            self._reading[name] = (Work(lambda _, path=path: deeds.card_of(path)), entry.signature)

    def _take_cards(self) -> None:
        for name, (work, signature) in list(self._reading.items()):
            if not work.done:
                continue
            del self._reading[name]
            entry = self.shelf.entries.get(name)
            if name not in self._open or entry is None:
                continue
            self._shown[name] = signature
            found, trouble = _ended(work)
            if trouble:
                self.out.send("trouble", name=name, sentence=_short(trouble, entry))
            else:
                found["remarks"] = [_short(sentence, entry) for sentence in found["remarks"]]
                self.out.send("card", name=name, card=found)

    # What takes its time.

    def _begin(self, kind: str, message: Message) -> dict[str, Any]:
        if self._deed is not None:
            raise FalllineError("Something is still being worked out; wait for it, or cancel it.")
        self._leaving = [work for work in self._leaving if not work.done]
        if len(self._leaving) >= MOST_LEAVING:
            raise FalllineError("What was cancelled has yet to end: wait a moment.")
        entry = self.shelf.find(message.text("name", 400))
        name, lang = entry.path.name, message.choice("lang", ("en", "zh"), "en")
        if kind == "diagnose":
            prove = message.flag("prove", False)
            work = Work(lambda _: deeds.diagnosed(entry.path, lang, prove=prove))
        elif kind == "measure":
            work = Work(lambda _: self._measured(entry, lang))
        else:
            theme = message.choice("theme", ("auto", "dark", "light"), "auto")
            work = Work(lambda _: deeds.reported(self._measured(entry, lang), name, lang, theme))
        self._deed = (kind, name, work)
        self.out.send("deed", what=kind, name=name)
        return {"name": name}

    def _measured(self, entry: Entry, lang: str) -> dict[str, Any]:
        """The card with everything measured; as it was, if the run is as it was."""
        name = entry.path.name
        known = self._examined.get(name)
        if known is None or known[:2] != (entry.signature, lang):
            known = (entry.signature, lang, deeds.examined(entry.path, lang))
            self._examined[name] = known
            _forget(self._examined)
        return known[2]

    def _take_deed(self) -> None:
        if self._deed is None or not self._deed[2].done:
            return
        kind, name, work = self._deed
        self._deed = None
        found, trouble = _ended(work)
        if trouble:
            entry = self.shelf.entries.get(name)
            self.out.send("failed", what=kind, name=name, sentence=_short(trouble, entry))
        elif kind == "diagnose":
            diagnosis, remark = found
            self._diagnoses[name] = diagnosis
            _forget(self._diagnoses)
            told = deeds.diagnosis_fields(diagnosis)
            self.out.send("diagnosis", name=name, diagnosis=told, remark=remark)
        elif kind == "measure":
            self.out.send("examined", name=name, card=found)
        else:
            self.out.send("report", name=name, **found)

    def _cancel(self) -> dict[str, Any]:
        """Nobody waits any longer for what is at work; what it finds is dropped."""
        if self._deed is not None:
            self._deed[2].give_up()
            self._leaving.append(self._deed[2])
            self._deed = None
        return {}

    # Into the network view.

    def _network(self, message: Message) -> dict[str, Any]:
        entry = self.shelf.find(message.text("name", 400))
        config, result = (dict(entry.facts.get(part) or {}) for part in ("config", "result"))
        if config.get("model") == "auto" and result.get("model"):
            config["model"] = result["model"]
        return {"state": deeds.as_network(config, self.given.table)}

    def _apply(self, message: Message) -> dict[str, Any]:
        """What the network view is to train with a finding's fix in it."""
        name = self.shelf.find(message.text("name", 400)).path.name
        diagnosis = self._diagnoses.get(name)
        if diagnosis is None:
            raise FalllineError(f"The run {name!r} has not been diagnosed here yet.")
        wanted = message.text("finding", 100)
        finding = next((f for f in diagnosis.findings if f.name == wanted), None)
        if finding is None:
            raise FalllineError(f"The diagnosis of {name!r} has no finding {wanted!r}.")
        config = finding.apply()
        if not hasattr(config, "to_json"):
            raise FalllineError("This fix is not one that a table's training has a setting for.")
        return {"state": deeds.as_network(config.to_json(), self.given.table)}

    # The clock.

    @property
    def interval(self) -> float | None:
        """Often while something is at work, else as often as looking at the folder is cheap."""
        if self._reading or self._deed is not None:
            return WAITING
        return self._pause

    @property
    def _pause(self) -> float:
        return max(WATCHING, self.shelf.cost / SHARE)

    def tick(self) -> None:
        """See `View.tick`."""
        self._take_cards()
        self._take_deed()
        now = time.perf_counter()
        if now - self._looked >= 0.9 * self._pause:
            self._looked = now
            self._watch()

    def close(self) -> None:
        """See `View.close`."""
        self._cancel()
        for work, _ in self._reading.values():
            work.give_up()


def _ended(work: Work) -> tuple[Any, str]:
    """What a work found, or what went wrong as a sentence."""
    try:
        return work.result, ""
    except FalllineError as error:
        return None, str(error)
    except Exception as error:
        # A bug goes to the terminal, as it does in the session.
        traceback.print_exc()
        return None, f"The studio made a mistake ({type(error).__name__}); the terminal has more."


def _short(sentence: str, entry: Entry | None) -> str:
    """A sentence without where the folder of runs lies."""
    return sentence if entry is None else sentence.replace(f"{entry.path.parent}/", "")


def _forget(kept: dict[str, Any]) -> None:
    while len(kept) > MOST_KEPT:
        del kept[next(iter(kept))]
