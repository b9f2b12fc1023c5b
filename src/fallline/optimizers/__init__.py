"""Optimizers: ``init(params) -> state``, ``update(grads, state, params) -> (updates, state)``."""

from fallline.optimizers.adam import Adam, AdamW, AMSGrad, Lion, NAdam
from fallline.optimizers.adaptive import AdaDelta, AdaGrad, RMSprop
from fallline.optimizers.base import OPTIMIZERS, Optimizer, by_name
from fallline.optimizers.descent import SGD, Momentum, Nesterov
from fallline.optimizers.stability import stability_limit, verdict
from fallline.optimizers.transforms import (
    EMA,
    ClipByGlobalNorm,
    ClipByNorm,
    ClipByValue,
    PolyakAverage,
    WeightDecay,
    from_optax,
)

__all__ = [
    "EMA",
    "OPTIMIZERS",
    "SGD",
    "AMSGrad",
    "AdaDelta",
    "AdaGrad",
    "Adam",
    "AdamW",
    "ClipByGlobalNorm",
    "ClipByNorm",
    "ClipByValue",
    "Lion",
    "Momentum",
    "NAdam",
    "Nesterov",
    "Optimizer",
    "PolyakAverage",
    "RMSprop",
    "WeightDecay",
    "by_name",
    "from_optax",
    "stability_limit",
    "verdict",
]
