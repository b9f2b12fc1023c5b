"""What the panels and maps of a run are fed by hand: names like markup, holes, one row, huge numbers."""

from __future__ import annotations

import math

IMAGE = "<img src=x onerror=alert(1)>" + 8 * " a very long name"
SCRIPT = "<script>window.hurt = 1</script>" + 8 * " a very long name"

PANELS = {
    "lines": "Lines",
    "losses": "Losses",
    "rates": "RangeTest",
    "flow": "Flow",
    "activations": "Activations",
    "findings": "Findings",
    "summary": "Summary",
    "reproduce": "Reproduce",
}
PANELS_MADE = """async (kinds) => {
  const { t, language } = await import('fallline/language');
  const { panel } = await import('fallline/panels/frame');
  const services = { t, language, theme: () => 'dark', reduced: () => true, pixelRatio: 1 };
  window.panels = {};
  for (const [module, name] of Object.entries(kinds)) {
    const Kind = (await import(`fallline/panels/${module}`))[name];
    const box = panel(services, 'panels.model');
    box.body.style.cssText = 'width: 460px; height: 260px';
    document.body.append(box.element);
    window.panels[module] = new Kind(box.body, services);
  }
  return true;
}"""

FINDING = {
    "name": "dead-units",
    "title": SCRIPT,
    "complaint": True,
    "verdict": SCRIPT,
    "rule": SCRIPT,
    "source": SCRIPT,
    "fix": SCRIPT,
    "evidence": [
        {
            "quantity": "x",
            "value": 1.5,
            "against": None,
            "step": 3,
            "sentence": f"{SCRIPT} 1e-30 against 1e+30",
        }
    ],
    "changes": {"learning_rate": 0.1},
    "command": f"fallline fit '{SCRIPT}'",
    "proven": {"helped": True, "quantity": "training_loss", "before": None, "after": 1e-30},
}
CARD = {
    "title": SCRIPT,
    "status": "interrupted",
    "stop": {"reason": "steps", "sentence": SCRIPT},
    "best_epoch": 2,
    "trained": {
        "data": SCRIPT,
        "target": SCRIPT,
        "task": "regression",
        "rows": {"training": 14861},
        "features": 1,
        "columns": [{"name": SCRIPT, "kind": "numbers"}],
        "model": SCRIPT,
        "parameters": 10241,
        "loss": SCRIPT,
        "optimizer": {"name": SCRIPT, "settings": {SCRIPT: 1e-30}},
        "learning_rate": 1e-30,
    },
    "result": {
        "metric": "rmse",
        "value": 1.5,
        "baseline": None,
        "measured_on": "test",
        "others": [{"name": SCRIPT, "value": 1e30}],
    },
    "baselines": [{"name": SCRIPT, "value": 1e30}, {"name": "mean", "value": None}],
}
STEPS = list(range(1, 101))
PANEL_DATA = {
    "lines": {
        "lines": [{"name": SCRIPT, "x": STEPS, "y": [10.0 ** (s - 50) for s in STEPS]}],
        "xKey": "panels.step",
        "yKey": "panels.loss",
        "marks": [{"x": 50, "name": SCRIPT, "y": 1.0}],
    },
    "losses": {
        "runs": [
            {
                "name": SCRIPT,
                "curves": {
                    "step": STEPS,
                    "loss": [None if s % 9 == 0 else math.exp(-s / 20) for s in STEPS],
                    "smooth": [math.exp(-s / 20) for s in STEPS],
                },
                "epochs": {"step": [25, 50, 75, 100], "validation_loss": [0.5, 0.25, None, 0.3]},
            }
        ]
    },
    "rates": {
        "learning_rates": [1e-6, 1e-3, 1.0],
        "losses": [1.0, 0.5, None],
        "chosen": 1e-3,
        "smooth": None,
    },
    "flow": {
        "layers": [
            {"name": SCRIPT, "shape": [64, 32], "gradient": 2e-3, "ratio": 0.05},
            {"name": "last", "gradient": None, "ratio": 1.5e-3},
        ]
    },
    "activations": [
        {
            "name": SCRIPT,
            "kind": "relu",
            "low": -1e30,
            "high": 1e30,
            "counts": 32 * [3],
            "mean": None,
            "std": None,
            "dead": 0.12,
            "saturated": None,
            "units": 64,
        }
    ],
    "findings": {
        "healthy": False,
        "headline": SCRIPT,
        "findings": [FINDING],
        "withdrawn": [{**FINDING, "name": "plateau"}],
        "measured": True,
        "seconds": 1.2,
    },
    "summary": CARD,
    "reproduce": {
        "command": SCRIPT,
        "python": SCRIPT,
        "seed": 0,
        "versions": {"jax": SCRIPT, "numpy": None},
    },
}

MAPS = {
    "confusion": "Confusion",
    "residuals": "Residuals",
    "boundary": "Boundary",
    "surface": "Surface",
    "heat": "HeatMap",
    "bundle": "Bundle",
    "strips": "Strips",
}
MAPS_MADE = """async (kinds) => {
  const { t, language } = await import('fallline/language');
  const services = { t, language, theme: () => 'dark', reduced: () => true, pixelRatio: 1 };
  window.maps = {};
  window.picked = [];
  const onpick = (...found) => window.picked.push(found);
  const root = document.createElement('div');
  root.style.cssText = 'position: fixed; inset: 0; z-index: 99; overflow: auto; background: #111';
  document.body.append(root);
  for (const [module, name] of Object.entries(kinds)) {
    const element = document.createElement('div');
    element.style.cssText = 'width: 460px; height: 340px';
    root.append(element);
    const Kind = (await import(`fallline/maps/${module}`))[name];
    window.maps[module] = new Kind(element, services, { onpick });
  }
  return true;
}"""
SURFACE = {
    "kind": "pca",
    "x": [-1.0, 0.0, 1.0],
    "y": [-1.0, 0.0, 1.0],
    "values": [[None, 5.0, 9.0], [4.0, 1.0, 4.0], [9.0, 5.0, 1e30]],
    "path": {"x": [0.9, None, 0.0], "y": [0.8, None, 0.0], "step": [1, 2, 3]},
    "explained": [0.7, 0.24],
    "eigenvalues": None,
    "start": 9.0,
    "end": 1.0,
    "rows": 10,
}
HEAT = {
    "x": [1e-3, 1e-2, 0.1],
    "y": [8, 16],
    "values": [[3.0, 1.0, None], [2.5, 2.0, None]],
    "diverged": [[False, False, True], [False, False, False]],
    "names": [IMAGE, IMAGE, IMAGE],
    "best": [1, 0],
}
MAP_DATA = {
    "confusion": {"classes": [IMAGE, "b"], "counts": [[9, 1], [0, 0]]},
    "residuals": {
        "actual": [1e30, None],
        "predicted": [-1e30, 2],
        "low": 0,
        "high": 0,
        "counts": [2],
        "name": IMAGE,
    },
    "boundary": {
        "x": {"name": IMAGE, "low": 0, "high": 1e-30},
        "y": {"name": IMAGE, "low": 0, "high": 0},
        "n": 2,
        "values": [0, 1, 2, None],
        "certainty": [1, 0.4, 0.9, None],
        "kind": "classes",
        "classes": [IMAGE, "b", "c"],
        "low": 0,
        "high": 2,
        "points": {"x": [0, None], "y": [0, 0], "target": [0, 2]},
    },
    "surface": [SURFACE],
    "heat": HEAT,
    "bundle": {
        "curves": [
            {"name": IMAGE, "value": 1e-3, "x": [0, 1], "y": [1e30, None], "diverged": True},
            {"name": "b", "value": 1, "x": [0, 1, 2], "y": [4, 2, 1], "diverged": False},
        ],
        "valueName": IMAGE,
        "log": True,
    },
    "strips": {
        "rows": [
            {"name": IMAGE, "values": [1e-30, None], "median": 1e-30, "low": None, "high": 1e30},
            {"name": "adam", "values": [3], "median": 3, "low": 3, "high": 3, "note": IMAGE},
        ],
        "measure": IMAGE,
        "log": True,
    },
}
