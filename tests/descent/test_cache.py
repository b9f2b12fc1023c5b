from __future__ import annotations

import os
import threading

import jax
import numpy as np
from jax import monitoring

from fallline.descent.cache import Programs, use_compilation_cache


def test_a_damaged_program_is_compiled_and_kept_anew(tmp_path, monkeypatch):
    monkeypatch.setenv("FALLLINE_CACHE", str(tmp_path))
    hits = []
    listen = lambda event, **_: hits.append(event) if event.endswith("/cache_hits") else None  # noqa: E731
    use_compilation_cache()
    monitoring.register_event_listener(listen)
    try:
        for damage, expected in ((None, 0), (None, 1), (b"", 1), (b"rubbish" * 99, 1), (None, 2)):
            if damage is not None:
                for file in (tmp_path / "programs").iterdir():
                    file.write_bytes(damage)
            # A function made anew is compiled anew, unless its program is found.
            assert jax.jit(lambda x: x * 3 - 1)(np.float32(2)) == 5
            assert len(hits) == expected
    finally:
        monitoring.unregister_event_listener(listen)


def test_what_was_not_used_for_longest_goes_first(tmp_path):
    programs = Programs(tmp_path, limit=4000)
    for i in range(3):
        programs.put(f"p{i}", bytes(1000))
        os.utime(tmp_path / f"p{i}", (i, i))
    assert programs.get("p0")
    programs.put("p3", bytes(1000))
    assert programs.get("p1") is None
    assert programs.get("p0") == programs.get("p3") == bytes(1000)
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 4000
    programs.put("too large", bytes(5000))
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 4000


def test_several_writers_and_readers_meet_only_whole_programs(tmp_path):
    value, wrong = np.random.default_rng(0).bytes(1 << 18), []

    def work():
        programs = Programs(tmp_path)
        for _ in range(20):
            programs.put("p", value)
            if programs.get("p") != value:
                wrong.append(True)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert [file.name for file in tmp_path.iterdir()] == ["p"]


def test_a_folder_that_cannot_be_written_is_no_trouble(tmp_path):
    (tmp_path / "file").write_text("no folder")
    programs = Programs(tmp_path / "file")
    programs.put("p", b"program")
    assert programs.get("p") is None


def test_a_damaged_program_that_cannot_be_removed_is_not_used(tmp_path, monkeypatch):
    def refuse(self, missing_ok=False):
        raise PermissionError(self)

    (tmp_path / "p").write_bytes(b"damaged" * 9)
    monkeypatch.setattr(type(tmp_path), "unlink", refuse)
    assert Programs(tmp_path).get("p") is None
