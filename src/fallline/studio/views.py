"""The views by name, in the order of the tabs; each is imported when it is first opened."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from fallline.studio.view import View


def _from(module: str, name: str) -> Callable[[], type[View]]:
    return lambda: getattr(importlib.import_module(module), name)


VIEWS: dict[str, Callable[[], type[View]]] = {
    "terrain": _from("fallline.studio.terrain.view", "TerrainView"),
    "fit": _from("fallline.studio.fit.view", "FitView"),
    "graph": _from("fallline.studio.graph.view", "GraphView"),
    "network": _from("fallline.studio.network.view", "NetworkView"),
    "compare": _from("fallline.studio.compare.view", "CompareView"),
    "runs": _from("fallline.studio.runs.view", "RunsView"),
    "gallery": _from("fallline.studio.gallery.view", "GalleryView"),
}
