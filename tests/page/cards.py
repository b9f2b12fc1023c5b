"""A card with everything in it, made by hand; its names are a user's, and may be hostile."""

from __future__ import annotations

import math
from typing import Any

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\u2028'\"&amp;{name}"


def full(name: str = "height") -> dict[str, Any]:
    """The card of a small classification, with one name for all that a user names."""
    steps = list(range(1, 61))
    falling = [2.0 * math.exp(-s / 20) + 0.1 for s in steps]
    grid = [-1 + 2 * i / 60 for i in range(61)]
    axis = [-1 + 0.1 * i for i in range(21)]
    finding = {
        "name": "learning-rate-too-high",
        "title": "Learning rate too high",
        "complaint": True,
        "verdict": f"The learning rate of 3 is too high for {name}.",
        "evidence": [
            {"quantity": "loss", "value": 2.5, "against": 0.5, "step": 12,
             "sentence": f"the loss of {name} rose to 2.5 (step 12)"},
            {"quantity": "edge", "value": 4.0, "against": 2.0, "step": None,
             "sentence": "curvature times the rate is 4, above 2"},
        ],
        "rule": "Two signs agree.",
        "source": "LeCun et al. 1998",
        "fix": "Set the learning rate to 0.1.",
        "changes": {"learning_rate": 0.1},
        "command": f"fallline fit '{name}' --lr 0.1",
        "proven": {"helped": True, "quantity": "training_loss", "before": None, "after": 0.12,
                   "steps_before": 60, "steps_after": 60},
    }  # fmt: skip
    return {
        "title": f"{name}-1",
        "status": "finished",
        "created": "2026-11-22T01:02:03+00:00",
        "trained": {
            "data": f"tables/{name}.csv",
            "rows": {"training": 1234, "validation": 100, "test": 200},
            "columns": [{"name": name, "kind": "numbers"}, {"name": f"{name} 2", "kind": "texts"}],
            "features": 2, "target": name, "task": "classification", "classes": [name, "other"],
            "model": "2 → relu 4 → 2", "parameters": 22, "loss": "softmax_cross_entropy",
            "optimizer": {"name": "Adam", "settings": {"beta1": 0.9}}, "learning_rate": 0.01,
            "schedule": "cosine", "batch_size": 100, "steps": 60, "steps_per_epoch": 12,
            "epochs": 5.0, "rows_seen": 6000, "seed": 0, "precision": "float32", "seconds": 1.5,
        },
        "stop": {"reason": "epochs", "sentence": "Ended as planned after 5 epochs."},
        "best_epoch": 4,
        "result": {"metric": "accuracy", "value": 0.9725, "baseline": 0.5, "measured_on": "test",
                   "others": [{"name": "validation_loss", "value": 0.21}]},
        "baselines": [{"name": "constant", "value": 0.5}, {"name": "linear", "value": 0.9}],
        "curves": {"step": steps, "loss": falling, "learning_rate": [0.01] * 60,
                   "gradient_norm": falling, "update_norm": [0.01] * 60,
                   "parameter_norm": [2.0] * 60, "gradient_cosine": [0.5] * 60, "smooth": falling},
        "epochs": {"step": [12, 24, 36, 48, 60], "training_loss": [1.5, 0.9, 0.5, 0.3, 0.2],
                   "validation_loss": [1.6, 1.0, 0.6, 0.31, 0.35],
                   "validation_score": [0.5, 0.7, 0.9, 0.97, 0.96]},
        "range_test": {"learning_rates": [10 ** (-5 + i / 10) for i in range(50)],
                       "losses": [2.0 - 0.02 * i if i < 40 else 1.2 + (i - 40) ** 2 for i in range(50)],
                       "chosen": 0.01, "smooth": None},
        "instruments": {
            "step": 60, "sample": 256,
            "layers": [
                {"name": "affine 1", "shape": [2, 4], "gradient": 0.01, "weight": 0.5, "ratio": 0.001},
                {"name": "affine 2", "shape": [4, 2], "gradient": 0.04, "weight": 0.6, "ratio": 0.002},
            ],
            "activations": [
                {"name": "relu 1", "kind": "relu", "low": 0.0, "high": 3.0,
                 "counts": [400] + [10] * 31, "mean": 0.4, "std": 0.5, "dead": 0.25,
                 "saturated": None, "units": 4},
            ],
            "confusion": {"classes": [name, "other"], "counts": [[95, 5], [3, 97]]},
            "residuals": {"actual": grid, "predicted": [0.9 * v for v in grid], "low": -0.1,
                          "high": 0.1, "counts": [3] * 40, "name": name},
            "boundary": {"x": {"name": name, "low": -1.0, "high": 1.0},
                         "y": {"name": f"{name} 2", "low": -1.0, "high": 1.0}, "n": 61,
                         "values": [1 / (1 + math.exp(-4 * x - y)) for y in grid for x in grid],
                         "kind": "probability", "classes": [name, "other"], "low": 0.0, "high": 1.0,
                         "points": {"x": [-0.5, 0.5], "y": [0.0, 0.2], "target": [0, 1]}},
        },
        "surfaces": [
            {"kind": kind, "x": axis, "y": axis,
             "values": [[0.2 + x * x + 3 * y * y for x in axis] for y in axis],
             "path": {"x": [0.9, 0.4, 0.1, 0.0], "y": [0.5, 0.1, 0.02, 0.0], "step": [0, 10, 30, 60]},
             "explained": [0.8, 0.15] if kind == "pca" else None,
             "eigenvalues": [6.0, 2.0] if kind == "hessian" else None,
             "start": 2.1, "end": 0.2, "rows": 1234}
            for kind in ("random", "pca", "hessian")
        ],
        "diagnosis": {"healthy": False, "headline": finding["verdict"], "findings": [finding],
                      "withdrawn": [{**finding, "title": "Batches too small", "proven":
                                     {**finding["proven"], "helped": False, "before": 0.2}}],
                      "measured": True, "seconds": 1.2},
        "remarks": [f"The table {name} has moved."],
        "reproduce": {"command": f"fallline fit '{name}.csv' --target '{name}'",
                      "python": f"fallline.fit({name!r})", "seed": 0,
                      "versions": {"fallline": "0.1.0", "jax": "0.10.0", "numpy": "2.0",
                                   "python": "3.11"}},
    }  # fmt: skip
