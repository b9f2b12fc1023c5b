"""Training under Ray. What needs Ray itself is skipped without it, and runs with ``--exhaustive``."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from fallline.errors import FalllineError
from fallline.scale import ray, ray_worker
from fallline.scale.lost import LostError

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed"
)


def test_without_ray_the_command_that_installs_it_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setitem(sys.modules, "ray.train", None)
    with pytest.raises(FalllineError, match=r"pip install 'fallline\[ray\]'"):
        ray.fit("digits", out=tmp_path / "run")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("asked", "shards", "limits"),
    [(2, 8, (2, 2)), ((4, 8), 8, (4, 8)), ((3, 7), 24, (3, 6)), ((1, 100), 6, (1, 6))],
)
def test_workers_divide_the_shards(asked, shards, limits):
    assert ray.sizes(asked, shards) == limits
    # Whatever number Ray starts between the limits, those that take part are within them.
    for possible in range(limits[0], limits[1] + 1):
        size = ray_worker.largest(possible, shards)
        assert limits[0] <= size <= possible
        assert shards % size == 0


@pytest.mark.parametrize("asked", [3, (5, 7), 0, (4, 2), 16])
def test_workers_that_cannot_share_the_shards_are_told(asked):
    with pytest.raises(FalllineError, match="workers"):
        ray.sizes(asked, shards=8)


class JaxRuntimeError(RuntimeError):
    """As JAX names its own."""


class RayTrainError(Exception):
    """As Ray names its own: of a process that is gone, for one."""


def test_only_what_would_come_again_ends_the_run():
    sentence, bug = FalllineError("No such column."), TypeError("a bug")
    for lost in (
        LostError("gone"),
        JaxRuntimeError("gloo"),
        OSError("disk"),
        RayTrainError("died"),
    ):
        assert ray_worker.own_fault({0: lost}) is None
        assert ray_worker.own_fault({0: sentence, 1: lost}) is None
    assert ray_worker.own_fault({1: bug, 0: sentence}) is sentence
    assert ray_worker.own_fault({1: bug}) is bug


def test_versions_that_differ_are_told():
    here = ray_worker.versions()
    ray_worker.require_alike(here, dict(here), "there")
    with pytest.raises(FalllineError, match=r"node7 has jax 0\.1, and the caller has"):
        ray_worker.require_alike(here, {**here, "jax": "0.1"}, "node7")


SCRIPT = """
import sys
from fallline.scale.ray import fit
fit("made.parquet", "y", out="run", model="mlp", hidden=(16,), learning_rate=0.01, batch_size=64, epochs=30,
    patience=float("inf"), checkpoint_every=0.2)
"""


def workers() -> list[int]:
    """The processes of Ray's workers that are ours: the driver hands on its environment."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if b"RayTrainWorker" not in (place / "cmdline").read_bytes():
                continue
            if f"FALLLINE_TEST={os.getpid()}".encode() in (place / "environ").read_bytes():
                found.append(int(place.name))
        except OSError:
            continue
    return found


@needs_ray
@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked for in /proc")
def test_a_killed_worker_is_started_again_and_nothing_is_lost(tmp_path):
    random = np.random.default_rng(0)
    x = random.normal(size=(4000, 3))
    frame = pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "y": np.sin(x).sum(1)})
    frame.write_parquet(tmp_path / "made.parquet", row_group_size=250)
    environ = {**os.environ, "FALLLINE_TEST": str(os.getpid())}
    driver = subprocess.Popen([sys.executable, "-c", SCRIPT], cwd=tmp_path, env=environ)
    try:
        end = time.monotonic() + 300
        while not any((tmp_path / "run" / "checkpoints").glob("*")):
            assert driver.poll() is None
            assert time.monotonic() < end
            time.sleep(0.02)
        os.kill(max(workers()), signal.SIGKILL)
        assert driver.wait(timeout=300) == 0
    finally:
        driver.kill()
        driver.wait()
    alone = (
        "import fallline; fallline.fit('made.parquet', 'y', out='alone', model='mlp', hidden=(16,), "
        "learning_rate=0.01, batch_size=64, epochs=30, patience=float('inf'), devices=2, stream=True)"
    )
    two = {**os.environ, "JAX_NUM_CPU_DEVICES": "2"}
    subprocess.run([sys.executable, "-c", alone], cwd=tmp_path, env=two, check=True)
    one, other = (tmp_path / name / "model.safetensors" for name in ("run", "alone"))
    assert one.read_bytes() == other.read_bytes()
