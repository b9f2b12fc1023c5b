"""The doctor looks in while a run goes on."""

import numpy as np

import fallline
from fallline import models
from fallline.diagnosis.attending import Attending
from fallline.optimizers import SGD

X = np.random.default_rng(0).normal(size=(400, 4)).astype(np.float32)
Y = X @ np.array([1.0, -2.0, 0.5, 3.0], np.float32)


LIMIT = 2 / (2 * np.linalg.eigvalsh(X.T @ X / 400)[-1])


def descend(rate, told, **options):
    look = Attending(told, every=200, lang="en", **options)
    run = fallline.train(
        models.Linear(4, bias=False), "squared_error", (X, Y), optimizer=SGD(rate), batch_size="full",
        epochs=1000, callback=look, every_epoch=True,
    )  # fmt: skip
    return run, look


def test_a_complaint_is_told_once_and_stops_the_run():
    # A hundredth above the stable rate the run takes its time to blow up.
    heard = []
    run, _ = descend(1.01 * LIMIT, lambda diagnosis: heard.append(diagnosis) or True)
    assert [d.findings[0].name for d in heard] == ["learning-rate-too-high"]
    assert run.stop.reason == "interrupted"
    assert run.steps < 300


def test_a_healthy_run_is_left_alone_and_the_share_of_time_is_kept():
    heard = []
    run, look = descend(0.1 * LIMIT, heard.append)
    assert heard == []
    assert run.stop.reason == "epochs"
    assert look.looks > 2
    assert look.spent < 0.3 * run.seconds
    _, strict = descend(0.1 * LIMIT, heard.append, share=0.0)
    assert strict.looks == 1
