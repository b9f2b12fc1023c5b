from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import fallline

NAMES = [
    "Diagnosis",
    "FalllineError",
    "Finding",
    "History",
    "MinimizeResult",
    "Run",
    "SweepResult",
    "TableRun",
    "__version__",
    "averages",
    "baselines",
    "check_gradient",
    "diagnose",
    "estimators",
    "expressions",
    "fit",
    "gradients",
    "graph",
    "load",
    "losses",
    "minimize",
    "models",
    "optimizers",
    "report",
    "scale",
    "schedules",
    "scipy_method",
    "sweep",
    "terrains",
    "train",
    "watch",
]
HEAVY = ("jax", "numpy", "sklearn", "polars", "matplotlib", "pandas", "safetensors", "optax")
HOUSE = Path(fallline.__file__).parent
MODULES = sorted(
    ".".join(["fallline", *path.relative_to(HOUSE).with_suffix("").parts]).removesuffix(".__init__")
    for path in HOUSE.rglob("*.py")
)


def loaded_by(code: str) -> set[str]:
    """The heavy libraries that a fresh Python has loaded after some code."""
    probe = f"{code}\nimport sys\nprint(*(n for n in {HEAVY!r} if n in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, timeout=120
    )
    return set(done.stdout.splitlines()[-1].split())


def test_the_public_names_are_exactly_these():
    assert fallline.__all__ == NAMES == sorted(NAMES)
    assert dir(fallline) == NAMES
    for name in NAMES:
        assert getattr(fallline, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'fitt'"):
        fallline.fitt  # noqa: B018
    for name in ("FalllineError", "History", "Run", "TableRun", "fit", "load", "train"):
        assert getattr(fallline, name).__name__ == name


def test_every_public_thing_is_documented():
    for name in NAMES:
        if name != "__version__":
            assert getattr(fallline, name).__doc__, name


def test_the_version():
    assert re.fullmatch(r"\d+\.\d+\.\d+", fallline.__version__)
    assert version("fallline") == fallline.__version__


def test_importing_loads_nothing_heavy():
    assert loaded_by("import fallline; fallline.__version__, fallline.FalllineError") == set()
    assert loaded_by("from fallline.cli.main import app") == set()
    # The probe can tell.
    assert loaded_by("import fallline; fallline.losses") >= {"jax", "numpy"}


def test_importing_the_fit_job_leaves_tables_for_later():
    assert loaded_by("from fallline import fit").isdisjoint({"sklearn", "polars", "matplotlib"})


def test_every_module_imports_alone():
    """No module counts on another having been imported first: each starts from an empty house."""
    assert len(MODULES) > 40
    # Each file is compiled once and run each time; the garbage collector would look through all of JAX
    # again and again.
    code = f"""
import gc, importlib, sys
from importlib.machinery import SourceFileLoader
gc.disable()
def kept(self, name, compiled=SourceFileLoader.get_code, codes={{}}):
    if name not in codes:
        codes[name] = compiled(self, name)
    return codes[name]
SourceFileLoader.get_code = kept
for name in {MODULES!r}:
    for loaded in [n for n in sys.modules if n.partition(".")[0] == "fallline"]:
        del sys.modules[loaded]
    importlib.import_module(name)
    print(name)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == MODULES


def test_modules_say_what_they_are():
    for path in HOUSE.rglob("*.py"):
        assert path.read_text().lstrip("r").startswith('"""'), path
