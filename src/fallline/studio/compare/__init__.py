"""The compare view: a sweep as heat maps and curves, and what may honestly be said of it."""

from fallline.studio.compare.view import CompareView

__all__ = ["CompareView"]
