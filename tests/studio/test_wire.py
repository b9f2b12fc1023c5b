"""Frames, the outbox and the messages, without a server."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fallline.errors import FalllineError
from fallline.studio import wire
from fallline.studio.message import Message
from fallline.studio.session import MOST_ROWS, UNACKNOWLEDGED, Outbox, plain


def test_the_header_has_32_bytes_and_the_parts_come_back():
    rows = np.arange(6, dtype=np.float32).reshape(2, 3)
    data = np.linspace(-1, 1, 10, dtype=np.float32)
    packed = wire.pack(1, sequence=5, flags=3, step=70_000, n=5, scalars=rows, data=data)
    assert len(packed) == 32 + 4 * 6 + 4 * 10
    frame = wire.unpack(packed)
    assert frame[:5] == (1, 3, 5, 70_000, 5)
    assert np.array_equal(frame.scalars, rows.ravel())
    assert np.array_equal(frame.data, data)


@pytest.mark.parametrize("text", [b"", b"FLN1", b"x" * 100])
def test_what_is_no_frame_is_refused(text):
    with pytest.raises(ValueError, match="not a frame"):
        wire.unpack(text)


def test_what_json_lacks_becomes_null():
    made = plain(
        {"a": [math.nan, 1.5], "b": np.array([1.0, np.inf]), "c": np.float32(2), "d": (True, None)}
    )
    assert json.loads(json.dumps(made, allow_nan=False)) == {
        "a": [None, 1.5],
        "b": [1.0, None],
        "c": 2.0,
        "d": [True, None],
    }


def frame(outbox, step, kind=1, rows=((0,),)):
    outbox.frame(kind, run=1, step=step, n=1, data=[step, step], rows=rows)


class TestOutbox:
    def test_messages_come_first_and_in_order(self):
        outbox = Outbox(lambda: None)
        frame(outbox, 1)
        outbox.text({"type": "a"})
        outbox.block(2, run=1, step=0, n=1, data=[1.0])
        outbox.text({"type": "b"})
        taken = [outbox.take() for _ in range(5)]
        assert [isinstance(item, str) for item in taken] == [True, False, True, False, False]
        assert wire.unpack(taken[1]).kind == 2
        assert wire.unpack(taken[3]).step == 1
        assert taken[4] is None

    def test_the_newest_frame_of_a_kind_wins_and_rows_add_up(self):
        outbox = Outbox(lambda: None)
        for step in range(1, 6):
            frame(outbox, step, rows=[[step, 10 * step]])
        frame(outbox, 9, kind=4)
        found = wire.unpack(outbox.take())
        assert (found.step, outbox.dropped) == (5, 4)
        assert found.scalars.tolist() == [1, 10, 2, 20, 3, 30, 4, 40, 5, 50]
        assert wire.unpack(outbox.take()).kind == 4

    def test_a_busy_page_gets_no_third_frame(self):
        outbox = Outbox(lambda: None)
        for step in range(UNACKNOWLEDGED):
            frame(outbox, step)
            assert outbox.take() is not None
        assert not outbox.ready()
        frame(outbox, 9)
        assert outbox.take() is None
        outbox.acknowledged()
        assert wire.unpack(outbox.take()).step == 9

    def test_so_many_rows_are_thinned_and_the_last_stays(self):
        outbox = Outbox(lambda: None)
        for step in range(3 * MOST_ROWS):
            frame(outbox, step, rows=[[step]])
        rows = wire.unpack(outbox.take()).scalars
        assert len(rows) <= MOST_ROWS
        assert rows[-1] == 3 * MOST_ROWS - 1
        assert (np.diff(rows) > 0).all()

    def test_what_is_forgotten_is_not_sent(self):
        outbox = Outbox(lambda: None)
        frame(outbox, 1)
        outbox.forget(1)
        assert outbox.take() is None
        frame(outbox, 2, rows=[[2]])
        assert wire.unpack(outbox.take()).scalars.tolist() == [2]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(anything)
def test_whatever_a_field_holds_it_is_read_or_refused_in_words(value):
    message = Message({"x": value})
    readers = [
        lambda: message.number("x", -5, 5),
        lambda: message.whole("x", 0, 10),
        lambda: message.flag("x"),
        lambda: message.text("x"),
        lambda: message.choice("x", ["a", "b"]),
        lambda: message.numbers("x", 3),
        lambda: message.messages("x", 3),
        lambda: message.message("x"),
    ]
    for read in readers:
        found, sentence = None, ""
        try:
            found = read()
        except FalllineError as error:
            sentence = str(error)
        assert found is not None or sentence.endswith((".", "?"))


def test_a_default_stands_in_for_what_is_missing_only():
    message = Message({"x": None, "y": "3"})
    assert message.number("x", 0, 1, None) is None
    assert message.whole("z", 0, 9, 4) == 4
    with pytest.raises(FalllineError, match="'y' must be a number"):
        message.number("y", 0, 1, None)
