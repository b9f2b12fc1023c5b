"""The graph view: a formula's or a network's computational graph, followed step by step."""

from fallline.studio.graph.view import GraphView

__all__ = ["GraphView"]
