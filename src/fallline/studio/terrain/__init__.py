"""The terrain view: optimizers race on a surface, are changed while they run, taken back and forked."""

from fallline.studio.terrain.race import Race
from fallline.studio.terrain.racer import Racer

__all__ = ["Race", "Racer"]
