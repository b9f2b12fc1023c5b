"""The runs view: the saved runs of a folder, opened, followed, compared, diagnosed, reported."""

from fallline.studio.runs.view import RunsView

__all__ = ["RunsView"]
