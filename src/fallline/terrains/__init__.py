"""Terrains: functions of two parameters to look at, with their minima, saddles and maxima known.

To add one, write its formula in ``functions.py`` and its entry in ``catalogue.py``; the tests find it.
"""

from fallline.terrains.base import Point, Terrain
from fallline.terrains.catalogue import TERRAINS, by_name
from fallline.terrains.made import from_expression, line_fit

__all__ = ["TERRAINS", "Point", "Terrain", "by_name", "from_expression", "line_fit"]
