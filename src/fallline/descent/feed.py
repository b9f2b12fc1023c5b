"""Feeds: what gives the compiled loop its rows, call by call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fallline.descent.batches import Orders

if TYPE_CHECKING:
    from fallline.descent.problem import Problem

    Carry = dict[str, Any]
    Called = tuple[Carry, Any, Any, Any]


class Feed:
    """All rows are on the device since the start; only their order changes from epoch to epoch."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._orders = Orders(problem.plan)
        self._order: Any = None
        self._ordered = (-1, 0)

    def __enter__(self) -> Feed:
        self._orders.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._orders.__exit__(*error)

    def call(self, carry: Carry, step: int, wish: int) -> Called:
        """Some steps of the loop, about as many as wished; see `loop.go_on` for what comes back."""
        problem = self._problem
        steps = problem.plan.steps
        epoch, first, end, epochs, closes = problem.portion(step, wish)
        if self._ordered[0] != epoch or self._ordered[1] < epochs:
            self._order = problem.order(epoch, epochs, self._orders.take)
            self._ordered = (epoch, epochs)
        if closes and step + epochs * steps < problem.steps:
            self._orders.foresee(epoch + epochs, epochs)
        return problem.advance(carry, self._order, first, end, epochs, closes)
