"""One connection: a thread that computes its views, and what waits to be sent to its page.

The thread handles the page's messages in order and ticks the view that is seen. What it makes goes out on
two ways: messages and height maps in a queue, in order, none dropped; frames of positions in one place a
kind, where a newer one takes the place of one not yet sent. The metrics that ride on frames are kept.
"""

from __future__ import annotations

import collections
import contextlib
import json
import math
import queue
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.errors import FalllineError
from fallline.studio import wire
from fallline.studio.message import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fallline.studio.view import Given, View

UNACKNOWLEDGED = 2
"""Frames on their way to a page; the next waits until it has drawn one."""

MOST_WAITING = 2_000
"""Messages that may wait for a page that does not read, or for a view that does not come to them."""

MOST_ROWS = 2_048
"""Rows of metrics that wait for a page; of more, every other one is given up."""

LONGEST_SENTENCE = 2_000
"""Characters of what is told of a mistake, which may repeat what the page sent."""

_STOP: Any = object()


def plain(value: Any) -> Any:
    """A value as JSON has it; numbers that are none become null, arrays lists."""
    if isinstance(value, dict):
        fields: dict[Any, Any] = value
        return {str(name): plain(part) for name, part in fields.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, (bool, str, int)) or value is None:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return plain(np.asarray(value).tolist())


def _is_identity(value: Any) -> bool:
    """Can this be the number of a question? It goes back with the answer, whatever it is."""
    return value is None or (type(value) in (int, str) and len(str(value)) <= 100)


class Outbox:
    """What waits to be sent to a page: filled by the view's thread, emptied by the server's loop."""

    def __init__(self, notify: Callable[[], None]) -> None:
        self._notify = notify
        self._lock = threading.Lock()
        self._queue: collections.deque[str | bytes] = collections.deque()
        self._slots: dict[int, dict[str, Any]] = {}
        self._rows: dict[int, list[np.ndarray]] = {}
        self._sequence = 0
        self.on_its_way = 0
        self.dropped = 0
        self.overflowed = False

    def text(self, fields: Mapping[str, Any]) -> None:
        """Queue a message."""
        self._put(json.dumps(plain(fields), allow_nan=False, separators=(",", ":")))

    def block(self, kind: int, *, run: int, step: int, n: int, data: Any) -> None:
        """Queue a frame that is not to be dropped."""
        self._put(wire.pack(kind, flags=run, step=step, n=n, data=data))

    def _put(self, item: str | bytes) -> None:
        with self._lock:
            if len(self._queue) >= MOST_WAITING:
                self.overflowed = True
            else:
                self._queue.append(item)
        self._notify()

    def frame(self, kind: int, *, run: int, step: int, n: int, data: Any, rows: Any = ()) -> None:
        """Put a frame where it waits, in the place of an older one; its rows join those that wait."""
        numbers = np.asarray(rows, np.float32)
        with self._lock:
            waiting = self._rows.setdefault(kind, [])
            if numbers.size:
                waiting.extend(np.atleast_2d(numbers))
            if len(waiting) > MOST_ROWS:
                # From the newest backwards, so that the last one stays.
                waiting[:] = waiting[::-1][::2][::-1]
            self.dropped += kind in self._slots
            self._slots[kind] = {"flags": run, "step": step, "n": n, "data": np.asarray(data)}
        self._notify()

    def forget(self, kind: int) -> None:
        """Drop the frame of this kind that waits, and its rows."""
        with self._lock:
            self._slots.pop(kind, None)
            self._rows.pop(kind, None)

    def ready(self) -> bool:
        """Does no frame wait?"""
        with self._lock:
            return not self._slots and self.on_its_way < UNACKNOWLEDGED

    def acknowledged(self) -> None:
        """The page has drawn a frame."""
        with self._lock:
            self.on_its_way = max(0, self.on_its_way - 1)
        # A frame may have waited for just this.
        self._notify()

    def take(self) -> str | bytes | None:
        """What is to be sent next; None if nothing is, or the page is still busy drawing."""
        with self._lock:
            if self._queue:
                return self._queue.popleft()
            if not self._slots or self.on_its_way >= UNACKNOWLEDGED:
                return None
            kind = next(iter(self._slots))
            parts = self._slots.pop(kind)
            rows = self._rows.pop(kind, [])
            self._sequence += 1
            self.on_its_way += 1
            sequence = self._sequence
        scalars = np.stack(rows) if rows else ()
        return wire.pack(kind, sequence=sequence, scalars=scalars, **parts)


class ViewOut:
    """The `Out` of one view."""

    def __init__(self, outbox: Outbox, name: str) -> None:
        self._outbox, self._name = outbox, name
        self.frame, self.block = outbox.frame, outbox.block
        self.ready, self.forget = outbox.ready, outbox.forget

    def send(self, kind: str, **fields: Any) -> None:
        """See `Out.send`."""
        self._outbox.text({"view": self._name, "type": kind, **fields})


class Session:
    """The views of one connection and the thread that computes them.

    Args:
        views: name -> class.
        given: what the studio was started with.
        hello: makes the fields of the first message; called in the thread, as it may import JAX.
        notify: called when there is something to send, from any thread.

    Attributes:
        outbox: what waits to be sent.
        ended: has the thread ended? Nothing will come from it any more.
    """

    def __init__(
        self,
        views: Mapping[str, Callable[[], type[View]]],
        given: Given,
        hello: Callable[[], Mapping[str, Any]],
        notify: Callable[[], None],
    ) -> None:
        self._makers, self._given, self._hello = views, given, hello
        self.outbox = Outbox(notify)
        self._views: dict[str, View] = {}
        self._messages: queue.Queue[Any] = queue.Queue(MOST_WAITING)
        self._seen: str | None = None
        self._faulty = False
        self._due = 0.0
        self._stopped = False
        self.ended = False
        self._thread = threading.Thread(target=self._work, daemon=True, name="fallline-studio")
        self._thread.start()

    def post(self, fields: Mapping[str, Any]) -> bool:
        """Hand over a message of the page; False if too many wait already."""
        if fields.get("type") == "ack":
            self.outbox.acknowledged()
            return True
        with contextlib.suppress(queue.Full):
            self._messages.put_nowait(fields)
            return True
        return False

    def close(self) -> None:
        """End the thread, after what it is at."""
        self._stopped = True
        with contextlib.suppress(queue.Full):
            self._messages.put_nowait(_STOP)

    def _work(self) -> None:
        try:
            self.outbox.text({"view": "session", "type": "hello", **self._hello()})
            while not self._stopped:
                item = self._next()
                if item is _STOP:
                    break
                if item is not None:
                    self._handle(item)
                else:
                    self._tick()
        finally:
            for view in self._views.values():
                view.close()
            self.ended = True

    def _next(self) -> Any:
        """The next message, or None when it is time for a tick."""
        view = self._views.get(self._seen or "")
        interval = None if view is None or self._faulty else view.interval
        if interval is None:
            self._due = 0.0
            return self._messages.get()
        wait = self._due - time.perf_counter()
        try:
            return self._messages.get(timeout=wait) if wait > 0 else self._messages.get_nowait()
        except queue.Empty:
            return None

    def _tick(self) -> None:
        view = self._views[self._seen or ""]
        now = time.perf_counter()
        # A late tick is not made up for: after a compilation the run goes on at its pace.
        self._due = max(self._due + (view.interval or 0.0), now)
        # What fails would fail again at every tick: it is left alone until the page says something.
        self._faulty = True
        with self._complaining(view.name, None):
            view.tick()
            self._faulty = False

    def _handle(self, fields: Mapping[str, Any]) -> None:
        name, kind, identity = fields.get("view"), fields.get("type"), fields.get("id")
        rest = {k: v for k, v in fields.items() if k not in ("view", "type", "id")}
        self._faulty = False
        with self._complaining(name, identity if _is_identity(identity) else None):
            if not _is_identity(identity):
                raise FalllineError("The id of a message is a whole number or a short text.")
            if not isinstance(kind, str):
                raise FalllineError("A message names its type.")
            if name == "session" and kind == "show":
                self._seen = Message(rest).choice("name", self._makers, None)
                return
            if not isinstance(name, str) or name not in self._makers:
                raise FalllineError(f"A message is for one of {', '.join(self._makers)}.")
            if name not in self._views:
                self._views[name] = self._makers[name]()(ViewOut(self.outbox, name), self._given)
            answer = self._views[name].handle(kind, Message(rest))
            if identity is not None:
                self.outbox.text({**(answer or {}), "view": name, "type": "answer", "id": identity})

    @contextlib.contextmanager
    def _complaining(self, name: Any, identity: Any) -> Any:
        """What goes wrong becomes a message to the page; what is a bug goes to the terminal, too."""
        try:
            yield
        except FalllineError as error:
            sentence = str(error)
        except Exception as error:
            import traceback

            traceback.print_exc()
            sentence = f"The studio made a mistake ({type(error).__name__}); the terminal has more."
        else:
            return
        known = name if isinstance(name, str) and name in self._makers else "session"
        if len(sentence) > LONGEST_SENTENCE:
            sentence = sentence[:LONGEST_SENTENCE] + "…"
        fields = {"view": known, "type": "error", "message": sentence}
        self.outbox.text(fields if identity is None else {**fields, "id": identity})
