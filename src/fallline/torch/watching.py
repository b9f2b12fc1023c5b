"""The watch on a PyTorch loop: what its hooks record."""

from __future__ import annotations

import math
import time
from numbers import Integral
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from fallline.diagnosis.case import Case
from fallline.diagnosis.tape import Tape, ending
from fallline.errors import FalllineError
from fallline.torch import curvature, rules
from fallline.torch.activations import EVERY, Activations
from fallline.torch.library import torch
from fallline.torch.measure import Measure, Step, numbers, table

if TYPE_CHECKING:
    from collections.abc import Callable

    from fallline.descent.history import History
    from fallline.diagnosis.curvature import Sharpness
    from fallline.diagnosis.finding import Diagnosis
    from fallline.diagnosis.flow import LayerActivity

_CHUNK = 256
"""Steps whose numbers wait on their device before they are fetched together."""


class Watch:
    """Records a PyTorch loop; see `fallline.torch.watch`. As a context manager it detaches at the end.

    Attributes:
        model: what is watched.
        optimizer: what trains it.
        batch_size: the most rows that the model saw in a step, or None.
        rows: rows of the first epoch, or None if none has ended.
        measured: the newest curvature, or None.
    """

    def __init__(
        self, model: Any, optimizer: Any, *, layers: bool, activations: bool, every: int
    ) -> None:
        t = torch()
        for what, kind, name in (
            (model, t.nn.Module, "torch.nn.Module"),
            (optimizer, t.optim.Optimizer, "torch.optim.Optimizer"),
        ):
            if not isinstance(what, kind):
                raise FalllineError(
                    f"fallline.torch.watch takes a model and its optimizer; {what!r} is no {name}."
                )
        if not isinstance(every, Integral) or every < 1:
            raise FalllineError(f"every must be a whole number, 1 or more; it was given {every!r}.")
        self.model, self.optimizer = model, optimizer
        self._every = every
        self._parameters = [p for group in optimizer.param_groups for p in group["params"]]
        called = {id(p): name for name, p in model.named_parameters()}
        names = [called.get(id(p), f"parameter{i}") for i, p in enumerate(self._parameters)]
        self._tape = Tape(names, layers, told=False)
        self._measure = Measure(optimizer, self._parameters)
        self._pending: list[tuple[list[Any], Any, Step]] = []
        self._losses: list[Any] = []
        self._open: Step | None = None
        self._steps = 0
        self._rows_now = self._rows_seen = 0
        self.rows: int | None = None
        self.batch_size: int | None = None
        self.measured: Sharpness | None = None
        self._began = self._latest = math.nan
        self._handles = [
            model.register_forward_pre_hook(self._rows_come),
            optimizer.register_step_pre_hook(self._before),
            optimizer.register_step_post_hook(self._after),
        ]
        self._activations: Activations | None = None
        if activations:
            self._activations = Activations(model, lambda: self._steps % EVERY == 0)
            self._handles += self._activations.handles

    # ------------------------------------------------------------------ told by the loop

    def loss(self, loss: Any) -> Any:
        """Record the loss of this step, and give it back as it is.

        Several before one step of the optimizer (a batch in parts) are averaged. One that nothing is to be
        learnt from, under ``torch.no_grad()``, is not recorded.

        Raises:
            FalllineError: if it is no tensor of one number.
        """
        if not isinstance(loss, torch().Tensor) or loss.numel() != 1:
            raise FalllineError(
                "watch.loss takes the tensor of one number on which the loop calls backward(); it was given "
                + (
                    f"a tensor of shape {tuple(loss.shape)}."
                    if hasattr(loss, "shape")
                    else f"{loss!r}."
                )
            )
        if loss.requires_grad:
            self._losses.append(loss.detach())
        return loss

    def validation(self, loss: Any, score: Any = None) -> Any:
        """Record the validation loss, which ends an epoch, and give it back as it is."""
        self.epoch(validation_loss=loss, validation_score=score)
        return loss

    def epoch(
        self,
        *,
        validation_loss: Any = None,
        validation_score: Any = None,
        training_loss: Any = None,
    ) -> None:
        """An epoch ends here.

        Args:
            validation_loss: if there is one.
            validation_score: such as the accuracy.
            training_loss: by default the mean over the epoch's steps.
        """
        told = [_kept(value) for value in (training_loss, validation_loss, validation_score)]
        self._tape.close(self._steps, told[0], told[1], told[2])
        if self.rows is None:
            self.rows = self._rows_seen or None

    # ------------------------------------------------------------------ asked for

    @property
    def history(self) -> History:
        """What was recorded so far; the losses are NaN if none was told."""
        self._fetch()
        return self._tape.history(lambda count: np.full(count, np.nan), None)

    @property
    def steps_per_epoch(self) -> int | None:
        """The steps of the first epoch, or None if none has ended."""
        return self._tape.steps_per_epoch

    @property
    def seconds(self) -> float:
        """From the first step to the last."""
        return self._latest - self._began

    def curvature(self, loss_function: Callable[[], Any], products: int = 20) -> Sharpness:
        """The curvature where the model stands now, as the optimizer meets it.

        Weight decay inside the gradient is part of what is descended, so its curvature counts, too.

        Args:
            loss_function: recomputes the loss of one and the same batch:
                ``lambda: criterion(model(x), y)``. What is drawn in it (dropout) makes the answer vague: call
                ``model.eval()`` before.
            products: Hessian-vector products at most, of two gradients each.

        Raises:
            FalllineError: if the loss cannot be differentiated twice.
        """
        ours = rules.translated(self.optimizer)
        trained = [p for p in self._parameters if p.requires_grad]
        met = [p for p in trained if self.optimizer.state.get(p)]
        if met:
            trained = met
        state = None if ours is None else rules.state_of(ours, self.optimizer, trained)
        rule = curvature.rule_of(ours, state)
        penalties = rules.penalties(self.optimizer, trained)
        self.measured = curvature.sharpness(loss_function, trained, rule, products, penalties)
        return self.measured

    def activity(self, at: str = "end") -> list[LayerActivity] | None:
        """What the activations gave at the "start" or the "end"; None if none was seen."""
        return None if self._activations is None else self._activations.measured(at)

    def case(self) -> Case:
        """The loop as the doctor meets it.

        Raises:
            FalllineError: if no step or no loss was recorded.
        """
        if not self._steps:
            raise FalllineError("No step was recorded: train, and call optimizer.step(), first.")
        if not self._tape.told:
            raise FalllineError(
                "The loss was never told: write  watch.loss(criterion(model(x), y)).backward()  in the loop."
            )
        return TorchCase(self)

    def diagnose(self, loss_function: Callable[[], Any] | None = None, **options: Any) -> Diagnosis:
        """What is wrong, if anything.

        Args:
            loss_function: measures the curvature, too; see `curvature`.
            options: as for `fallline.diagnose`.

        Raises:
            FalllineError: if no step or no loss was recorded.
        """
        from fallline.diagnosis.doctor import diagnose

        case = self.case()
        if loss_function is not None and np.isfinite(case.history.loss[-1]):
            self.curvature(loss_function)
        return diagnose(case, **options)

    def close(self) -> None:
        """Detach: no hook stays behind. What was recorded stays."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._fetch()
        self._measure.forget()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    # ------------------------------------------------------------------ the hooks

    def _rows_come(self, model: Any, inputs: Any) -> None:
        if model.training and inputs and torch().is_grad_enabled():
            shape: Any = getattr(inputs[0], "shape", ())
            self._rows_now += int(shape[0]) if len(shape) else 0

    def _before(self, optimizer: Any, args: tuple[Any, ...], kwargs: Any) -> Any:
        # The optimizer itself is the first of the arguments.
        placed = len(args) > 1
        closure = args[1] if placed else kwargs.get("closure")
        if closure is None:
            self._open_step()
            return None
        # The gradient is not there yet: it comes when the optimizer first calls the closure.
        self._losses.clear()
        self._open = None
        first = True

        def watched() -> Any:
            nonlocal first
            loss = closure()
            if first:
                first = False
                told = getattr(loss, "detach", lambda: loss)()
                self._losses = self._losses[:1] or ([] if told is None else [told])
                self._open_step()
            else:
                self._losses.clear()
                self._rows_now = 0
            return loss

        if placed:
            return (optimizer, watched, *args[2:]), kwargs
        return args, {**kwargs, "closure": watched}

    def _open_step(self) -> None:
        self._latest = time.perf_counter()
        if not self._steps:
            self._began = self._latest
        rate = self.optimizer.param_groups[0].get("lr", math.nan)
        whole = self._steps % self._every == 0
        step = self._measure.begin(whole=whole, keep=(self._steps + 1) % self._every == 0)
        self._tape.told |= bool(self._losses)
        # A rate that is a tensor may be changed in place by a scheduler.
        self._pending.append((self._losses, getattr(rate, "clone", lambda: rate)(), step))
        self._losses, self._open = [], step if whole else None
        self.batch_size = max(self.batch_size or 0, self._rows_now) or None
        self._rows_seen += self._rows_now
        self._rows_now = 0
        self._steps += 1

    def _after(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if self._open is not None:
            self._measure.end(self._open)
            self._open = None
        self._losses.clear()
        if len(self._pending) >= _CHUNK:
            self._fetch()

    def _fetch(self) -> None:
        """Bring what waits on the device to the tape."""
        if not self._pending:
            return
        rows, leaves = table([step for _, _, step in self._pending], len(self._parameters))
        told = iter(numbers([x for losses, _, _ in self._pending for x in losses]).tolist())
        for row, (losses, rate, _) in zip(rows, self._pending, strict=True):
            if losses:
                row[0] = np.mean([next(told) for _ in losses])
            row[1] = float(rate)
        self._pending.clear()
        self._tape.add(rows, leaves)


class TorchCase(Case):
    """A PyTorch loop that was watched.

    Args:
        watch: what watched it.
    """

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self.history = watch.history
        self.ended = ending(self.history)
        self.optimizer = rules.translated(watch.optimizer)
        rates = self.history.learning_rate
        if self.optimizer is not None and len(rates) and math.isfinite(rates[0]):
            self.optimizer = self.optimizer.with_rate(float(rates[0]))
        self.batch_size, self.rows = watch.batch_size, watch.rows
        self.steps_per_epoch, self.seconds = watch.steps_per_epoch, watch.seconds

    def activity(self, at: str = "end") -> list[LayerActivity] | None:
        """What the activations gave while the loop ran."""
        return self._watch.activity(at)

    def sharpness(self) -> Sharpness | None:
        """What `Watch.curvature` measured last."""
        return self._watch.measured


def _kept(value: Any) -> Any:
    """A number as it is now, without its graph."""
    return value.detach() if hasattr(value, "detach") else value
