"""A widget of a notebook, made of the studio's modules; a picture where there are no widgets."""

from __future__ import annotations

import base64
import contextlib
import functools
import gzip
import io
from typing import TYPE_CHECKING, Any

from fallline.diagnosis import words
from fallline.errors import FalllineError, nearest
from fallline.page import bundle, modules

if TYPE_CHECKING:
    from collections.abc import Callable

THEMES = ("auto", "light", "dark")
LOWEST, HIGHEST = 200, 2000
"""Pixels that a widget may be high."""

MISSING = "For the widget itself: pip install 'fallline[notebook]'"

# What a front end of Jupyter or marimo runs; modules are unpacked once a page, however many widgets it has.
_GLUE = """
const shelf = (globalThis[Symbol.for('fallline.notebook')] ??= new Map());
function library(packed) {
  if (!shelf.has(packed)) shelf.set(packed, unpack(packed));
  return shelf.get(packed);
}
export default {
  async render({ model, el }) {
    const load = await library(model.get('modules'));
    return (await load(model.get('entry'))).mount(model, el);
  },
};
"""


def check(*, height: Any, theme: str | None, lang: str | None, **_: Any) -> None:
    """Refuse looks that there are not, before anything is computed.

    Raises:
        FalllineError: for a height, theme or language that there is not.
    """
    whole = isinstance(height, int) and not isinstance(height, bool)
    if not whole or not LOWEST <= height <= HIGHEST:
        raise FalllineError(
            f"The height is a whole number of pixels from {LOWEST} to {HIGHEST:,}; it was given {height!r}."
        )
    if theme is not None and theme not in THEMES:
        raise FalllineError(f"There is no theme {theme!r}: {nearest(str(theme), THEMES)}")
    words.language(lang)


def made(
    entry: str,
    sheets: tuple[str, ...],
    data: dict[str, Any],
    draw: Callable[[], Any],
    *,
    words_of: str,
    form: str = "png",
    height: int,
    theme: str | None,
    lang: str | None,
    **arrays: bytes,
) -> Any:
    """A widget, or its picture where anywidget is not installed.

    Args:
        entry: bare name of the module that draws it.
        sheets: its style sheets.
        data: what it is given, as JSON.
        draw: the picture in its place; called when there is need.
        words_of: the object, in words.
        form: of the picture, "png" or "jpeg".
        height: in pixels.
        theme: "auto", "light" or "dark"; None for "auto".
        lang: "en" or "zh"; by the environment if None.
        arrays: large numbers, as bytes.

    """
    spoken = words.language(lang)
    still = Still(draw, None if theme == "auto" else theme, words_of, form)
    try:
        kind = _kind()
    except ImportError:
        return still
    return kind(
        still=still,
        entry=entry,
        modules=bundle.packed(entry, languages=(spoken,)),
        sheet=_sheet(sheets),
        data=data,
        height=height,
        theme=theme or "auto",
        lang=spoken,
        **arrays,
    )


@functools.cache
def _sheet(sheets: tuple[str, ...]) -> str:
    """Style sheets, base64 of gzip; with the reader's own fonts, for those of the studio weigh 110 kB."""
    there = [name for name in sheets if (modules.STATIC / name).is_file()]
    text = bundle.style(*there, fonts=False)
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()


@functools.cache
def _kind() -> Any:
    """The widget's class.

    Raises:
        ImportError: where anywidget is not installed.
    """
    import anywidget
    import traitlets

    class Widget(anywidget.AnyWidget):
        """What `show` returns: notebooks draw it, all others get its picture."""

        _esm = bundle.boot() + _GLUE
        entry = traitlets.Unicode().tag(sync=True)
        modules = traitlets.Unicode().tag(sync=True)
        sheet = traitlets.Unicode().tag(sync=True)
        data = traitlets.Dict().tag(sync=True)
        surface = traitlets.Bytes().tag(sync=True)
        paths = traitlets.Bytes().tag(sync=True)
        height = traitlets.Int().tag(sync=True)
        theme = traitlets.Unicode().tag(sync=True)
        lang = traitlets.Unicode().tag(sync=True)

        def __init__(self, still: Still, **traits: Any) -> None:
            super().__init__(**traits)
            self._still = still

        def __repr__(self) -> str:
            return f"<Widget: {self._still.words_of}>"

        def _repr_mimebundle_(self, **asked: Any) -> Any:
            """The widget, and beside it the picture, for what cannot run it: a converter, GitHub."""
            found: Any = super()._repr_mimebundle_(**asked)
            if found is None:
                return None
            data, about = found if isinstance(found, tuple) else (found, {})
            # A picture that cannot be drawn must not take the widget with it.
            picture, size = {}, {}
            with contextlib.suppress(Exception):
                picture, size = self._still.picture()
            return {**data, **picture, "text/plain": repr(self)}, {**about, **size}

    return Widget


class Still:
    """The picture of something that widgets would show."""

    width = 720
    """Pixels of the page that it is wide."""

    def __init__(
        self, draw: Callable[[], Any], theme: str | None, words_of: str, form: str
    ) -> None:
        self._draw, self._theme, self.words_of, self._form = draw, theme, words_of, form

    def figure(self) -> Any:
        """The picture as a figure of matplotlib, which no notebook shows by itself."""
        import matplotlib.pyplot as plt

        from fallline.show import style

        with style.use(style.theme_of(self._theme)):
            figure: Any = self._draw()
        plt.close(figure)
        return figure

    def picture(self) -> tuple[dict[str, str], dict[str, Any]]:
        """The picture as notebooks keep it, by its type, and how wide it is to be shown."""
        from PIL import Image

        figure, out = self.figure(), io.BytesIO()
        # Lines are to be sharp on any screen; what has shades is large as it is.
        dense, options = (2, {}) if self._form == "png" else (1.5, {"quality": 85})
        dots = dense * self.width / figure.get_size_inches()[0]
        figure.savefig(out, format=self._form, dpi=dots, pil_kwargs=options)
        if self._form == "png":
            # 256 colours are enough for lines, and a third of the bytes.
            small, out = (
                Image.open(out).convert("RGB").quantize(dither=Image.Dither.NONE),
                io.BytesIO(),
            )
            small.save(out, format="png", optimize=True)
        kind = f"image/{self._form}"
        return {kind: base64.b64encode(out.getvalue()).decode()}, {kind: {"width": self.width}}

    def __repr__(self) -> str:
        return f"<{self.words_of}. {MISSING}>"

    def _repr_mimebundle_(self, **_: Any) -> Any:
        picture, size = self.picture()
        return {"text/plain": repr(self), **picture}, size
