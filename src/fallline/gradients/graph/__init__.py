"""The computational graph: every operation with its value, its local derivatives, the chain rule.

``words`` says how operations are written, ``program`` reads a function's operations, ``build`` evaluates
them and goes back, ``steps`` tells it line by line, ``layers`` groups, ``export`` and ``layout`` serve
other programs and pictures.
"""

from fallline.gradients.graph.build import MOST_NODES, graph
from fallline.gradients.graph.parts import Edge, Local, Node, Step, Summary
from fallline.gradients.graph.whole import Graph

__all__ = ["MOST_NODES", "Edge", "Graph", "Local", "Node", "Step", "Summary", "graph"]
