"""Watching a fit: the user's functions, scikit-learn's callbacks, progress, pictures, and Ctrl-C."""

import io
import math
import os
import signal
import subprocess
import sys
import textwrap
import threading
import types

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex
from rich.console import Console
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fallline.descent.inputs import find_loss
from fallline.errors import FalllineError
from fallline.estimators import LinearRegressor, MLPRegressor, drawing, showing
from fallline.show import style

DRAW = np.random.default_rng(3)
X = DRAW.normal(size=(60, 3))
Y = 50 + 20 * (X @ [1.0, -2.0, 0.5]) + DRAW.normal(size=60)
WATCHED = (X[:20], Y[:20])


@pytest.fixture
def theirs():
    return pytest.importorskip("sklearn.callback", reason="new in scikit-learn 1.9")


SAME = {"tol": None, "learning_rate_init": 0.01, "schedule": "constant", "random_state": 0}
"""Nothing that depends on how long a fit may go on."""


def linear(**options):
    """A fit of four epochs, of the program that most tests share."""
    return LinearRegressor(**{**SAME, "max_iter": 4, **options})


def network(**options):
    return MLPRegressor((4,), **{**SAME, "max_iter": 4, **options})


# ---- functions -----------------------------------------------------------------------------------


def test_functions_see_the_losses_of_the_data_and_stop_the_fit(recwarn):
    seen, calls = [], []
    model = linear(
        max_iter=100_000, callback=[seen.append, lambda p: calls.append(p) or p.epoch > 20]
    )
    model.fit(X, Y)
    assert len(seen) == len(calls) < model.n_iter_ < 100_000
    assert seen[-1].loss == model.loss_curve_[-1] == model.loss_
    assert math.isnan(seen[-1].validation_loss)
    assert model.loss_curve_[0] > np.var(Y) / 2, "on the units of the data"
    assert model.stop_reason_ == model.run_.stop.sentence
    assert model.stop_reason_ == f"Stopped by the callback after {model.n_iter_} of 100000 epochs."
    # Every function was asked every time, and a later fit knows nothing of it.
    model.set_params(callback=seen.append, max_iter=4).fit(X, Y)
    assert model.stop_reason_ == "Ended as planned after 4 epochs."
    assert (
        model.set_params(callback=lambda p: True)
        .partial_fit(X, Y)
        .stop_reason_.startswith("Stopped by the callback after 1 of 1 epoch")
    )
    assert not recwarn.list


@pytest.mark.parametrize("error", [KeyError("mine"), FalllineError("mine")])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_what_a_function_raises_reaches_the_user(error, method):
    def fail(progress):
        raise error

    with pytest.raises(type(error)) as caught:
        getattr(linear(callback=fail), method)(X, Y)
    assert caught.value is error
    assert caught.traceback[-1].name == "fail"


@pytest.mark.parametrize(
    ("callback", "words"),
    [
        (3, "must be a callable, a list of callables or None. Got 3 instead."),
        ([print, "print"], r"Got \[<built-in function print>, 'print'\] instead."),
        (types.SimpleNamespace(on_fit_task_end=print), "callbacks are given to set_callbacks."),
    ],
)
def test_what_is_no_function(callback, words):
    with pytest.raises(ValueError, match="The 'callback' parameter of LinearRegressor") as caught:
        linear(callback=callback).fit(X, Y)
    assert caught.match(words)


# ---- scikit-learn's callbacks --------------------------------------------------------------------


class Recorder:
    """Writes down every hook; stops after so many epochs."""

    def __init__(self, epochs=math.inf):
        self.epochs, self.names, self.predictions, self.weights = epochs, [], [], []

    def setup(self, estimator, context):
        self.names.append("setup")

    def on_fit_task_begin(self, estimator, context):
        self.names.append(f"begin {context.task_name}")

    def on_fit_task_end(
        self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None
    ):
        self.names.append(f"end {context.task_name}")
        if fitted_estimator is not None:
            self.predictions.append(fitted_estimator.predict(X))
            self.weights.append(metadata)
            self.last = fitted_estimator
            assert len(fitted_estimator.loss_curve_) == fitted_estimator.n_iter_
        return context.task_name == "epoch" and context.task_id + 1 >= self.epochs

    def teardown(self, estimator, context):
        self.names.append("teardown")


@pytest.mark.parametrize("make", [linear, network])
def test_a_task_for_each_epoch_with_the_estimator_as_it_is(make, theirs):
    recorder = Recorder()
    model = make().set_callbacks(recorder)
    model.fit(X, Y)
    epoch = ["begin epoch", "end epoch"]
    assert recorder.names == ["setup", "begin fit", *4 * epoch, "end fit", "teardown"]
    # As of the third epoch it predicts what a fit of three epochs predicts, to the bit.
    alone = make(max_iter=3).fit(X, Y)
    assert np.array_equal(recorder.predictions[2], alone.predict(X))
    assert not np.array_equal(recorder.predictions[2], recorder.predictions[3])
    assert np.array_equal(recorder.predictions[4], model.predict(X)), "the fit's own"
    # Being looked at changes nothing.
    assert np.array_equal(make().fit(X, Y).predict(X), model.predict(X))


def test_a_callback_stops_the_fit_and_sees_what_was_given(theirs):
    recorder, weights = Recorder(epochs=2), DRAW.uniform(1, 2, 60)
    model = linear(max_iter=50).set_callbacks(recorder)
    model.fit(X, Y, sample_weight=weights)
    assert model.n_iter_ == 2
    assert model.stop_reason_ == "Stopped by the callback after 2 of 50 epochs."
    assert recorder.names[-4:] == ["begin epoch", "end epoch", "end fit", "teardown"]
    assert recorder.weights[0]["sample_weight"] is weights
    # After a fit, what is looked at in the middle of the next one does not remember the first.
    recorder.epochs = 1
    model.set_params(max_iter=3).fit(X, Y)
    assert len(recorder.last.loss_curve_) == 1


def test_early_stopping_leaves_no_task_open(theirs):
    recorder = Recorder()
    linear(max_iter=50, tol=1e9, n_iter_no_change=2).set_callbacks(recorder).fit(X, Y)
    opened = recorder.names.count("begin epoch")
    assert opened == recorder.names.count("end epoch") == 4
    assert len(recorder.predictions) == 3 + 1, "the fourth epoch never was; one is the fit's"


def test_an_error_tears_down(theirs):
    recorder = Recorder()

    def fail(progress):
        raise KeyError

    with pytest.raises(KeyError):
        linear(callback=fail).set_callbacks(recorder).fit(X, Y)
    assert recorder.names[-1] == "teardown"


def test_inside_scikit_learn(capsys, monkeypatch, theirs):
    monkeypatch.setenv("COLUMNS", "200")
    monitor = theirs.ScoringMonitor(scoring="r2")
    search = GridSearchCV(
        make_pipeline(StandardScaler(), linear().set_callbacks(monitor)),
        {"linearregressor__alpha": [0.0, 0.1]},
        cv=2,
    )
    search.set_callbacks(theirs.ProgressBar(max_propagation_depth=None)).fit(X, Y)
    log = monitor.get_logs()
    scores = [row["r2"] for row in log.data if row["task_name"] == "epoch"]
    assert len(scores) == 4 * (2 * 2 + 1), "epochs of each fold and value, and of the last fit"
    scaled = search.best_estimator_[0].transform(X)
    final = search.best_estimator_[-1].score(scaled, Y)
    assert final in [row["r2"] for row in log.data]
    assert "LinearRegressor" in capsys.readouterr().out, "the bar has a row for each fit"
    assert clone(search.best_estimator_[-1]).fit(X, Y).n_iter_ == 4


# ---- progress ------------------------------------------------------------------------------------


def test_lines(capsys):
    linear(verbose=2).fit(X, Y, validation_data=WATCHED)
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert [line[:27] for line in lines[:4]] == [
        f"LinearRegressor: epoch {k}/4," for k in range(1, 5)
    ]
    assert all("validation loss" in line and "rows/s" in line for line in lines[:4])
    assert lines[4].endswith(" s. Ended as planned after 4 epochs.")
    assert len(lines) == 5

    model = linear(verbose=1).fit(X, Y)
    err = capsys.readouterr().err
    assert err.count("\n") == 1, "a short fit has only its last line where there is no terminal"
    assert err.startswith(f"LinearRegressor: loss {model.loss_:.4g}, 4 epochs in ")
    model.partial_fit(X, Y)
    assert capsys.readouterr().err == ""
    model.set_params(verbose=2).partial_fit(X, Y)
    err = capsys.readouterr().err
    assert err.startswith(f"LinearRegressor: epoch 6, loss {model.loss_:.4g}, ")
    assert err.count("\n") == 1


def test_lines_grow_rarer(capsys):
    progress = types.SimpleNamespace(loss=1.0, validation_loss=math.nan, rows_per_second=12_345)
    display = showing.Display("Mine", 10, 1, part=False)
    for second in range(100):
        progress.epoch, progress.seconds = second / 10, float(second)
        display.show(progress, closed=False)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 7, "after 1, 2, 4, 8, ... seconds"
    assert lines[2] == "Mine: epoch 0/10, loss 1, 12,300 rows/s"


@pytest.mark.parametrize("colour", [True, False])
def test_a_bar_on_a_terminal(monkeypatch, colour):
    screens = []

    def console():
        file = io.StringIO()
        screens.append(file)
        return Console(
            file=file, force_terminal=True, no_color=not colour, width=100, highlight=False
        )

    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(showing, "_console", console)
    inner = linear(verbose=1)
    # A fit within a fit has no bar of its own: its last line is put above the first one's.
    model = linear(verbose=1, max_iter=6, callback=lambda p: inner.fit(X, Y) and False).fit(X, Y)
    assert screens[1].getvalue() == ""
    text = screens[0].getvalue()
    assert "compiling ..." in text
    assert ("\x1b[38" in text) == colour
    assert text.count("\x1b[2K") > 1, "drawn over"
    last = text.splitlines()[-1]
    assert last.endswith("s. Ended as planned after 6 epochs.")
    assert f"loss {model.loss_:.4g}" in last
    assert "Ended as planned after 4 epochs." in text

    def fail(progress):
        raise KeyError

    # Whatever happens, the bar is gone and the next fit has one.
    for _ in range(2):
        with pytest.raises(KeyError):
            linear(verbose=1, callback=fail).fit(X, Y)
        assert "compiling ..." in screens[-1].getvalue()
        assert "\x1b[?25h" in screens[-1].getvalue(), "the cursor is back"


def test_a_thread_s_fit_is_like_any_other():
    found = []
    thread = threading.Thread(target=lambda: found.append(linear(verbose=1).fit(X, Y)))
    thread.start()
    thread.join()
    assert np.array_equal(found[0].coef_, linear().fit(X, Y).coef_)


# ---- pictures ------------------------------------------------------------------------------------


def drawn(ax):
    return {line.get_label(): line.get_xydata() for line in ax.get_lines()}


def small_print(ax):
    return " ".join(text.get_text().replace("\n", " ") for text in ax.texts)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_picture_of_a_fit(theme):
    model = linear(max_iter=60).fit(X, Y, validation_data=WATCHED)
    ax = model.plot_history(theme=theme)
    lines = drawn(ax)
    assert np.array_equal(lines["training"][:, 1], model.loss_curve_)
    assert np.array_equal(lines["validation"][:, 1], model.validation_loss_curve_)
    assert np.array_equal(lines["validation"][:, 0], range(1, 61))
    best = int(np.argmin(model.validation_loss_curve_))
    ring = lines[f"best epoch: {best + 1}"]
    assert ring.tolist() == [[best + 1, model.validation_loss_curve_[best]]]
    assert small_print(ax) == model.stop_reason_
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "squared error")
    assert to_hex(ax.get_facecolor()) == style.THEMES[theme].panel
    # All that is written has room in the figure.
    ax.figure.canvas.draw()
    box = ax.texts[0].get_window_extent()
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.x1 <= ax.figure.bbox.width
    plt.close("all")


def test_the_kept_epoch_is_the_one_marked():
    # Rows whose loss falls, then rises, on the way to Y.
    half_way = (X, Y.mean() + (Y - Y.mean()) / 2)
    model = linear(
        max_iter=200, tol=0.0, early_stopping=True, learning_rate_init=0.1, n_iter_no_change=10
    )
    labels = drawn(model.fit(X, Y, validation_data=half_way).plot_history())
    assert 1 < model.run_.best_epoch < model.n_iter_ < 200
    assert f"best epoch: {model.run_.best_epoch}" in labels
    assert f"The parameters of epoch {model.run_.best_epoch}" in model.stop_reason_
    plt.close("all")


def test_pictures_of_short_and_broken_fits():
    _, axes = plt.subplots(1, 4)
    model = linear(max_iter=1).fit(X, Y)
    assert model.plot_history(axes[0]) is axes[0]
    assert drawn(axes[0])["training"].tolist() == [[1, model.loss_]]
    for _ in range(2):
        model.partial_fit(X, Y, sample_weight=None)
    assert len(drawn(model.plot_history(axes[1]))["training"]) == 3
    assert "2 calls of partial_fit" in small_print(axes[1])
    # One blows up after some epochs, the other before the first has ended.
    for ax, rate, unit in ((axes[2], 1e6, "epoch"), (axes[3], 3e38, "step")):
        wild = linear(optimizer="sgd", learning_rate_init=rate, max_iter=50)
        with pytest.warns(UserWarning, match="The run blew up"):
            wild.fit(X, Y)
        wild.plot_history(ax)
        assert ax.get_xlabel() == unit
        assert np.array_equal(drawn(ax)["training"][:, 1], wild.loss_curve_) == (unit == "epoch")
        assert any(text.get_text() == "blew up" for text in ax.texts)
        assert "The run blew up" in small_print(ax)
    plt.close("all")
    with pytest.raises(ValueError, match="not fitted yet"):
        linear().plot_history()


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        ("binary_cross_entropy", "binary cross entropy"),
        ("quantile:0.9", "quantile 0.9 loss"),
        (lambda prediction, target: prediction, "loss"),
    ],
)
def test_the_axis_has_the_name_of_the_loss(loss, words):
    estimator = types.SimpleNamespace(_used_loss=lambda: find_loss(loss))
    assert drawing._name_of(estimator) == words


# ---- Ctrl-C --------------------------------------------------------------------------------------

SCRIPT = """
import sys, warnings
import numpy as np
from fallline.estimators import LinearRegressor

def say(progress):
    if progress.epoch > 100 and not said:
        said.append(print("running", flush=True))

said = []
X = np.random.default_rng(0).normal(size=(60, 3))
y = X @ [1.0, 2.0, 3.0]
model = LinearRegressor(max_iter=10**7, tol=None, callback=say)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    model.fit(X, y)
print([str(w.message) for w in caught], [w.filename == sys.argv[0] for w in caught])
print(model.stop_reason_.split(" after")[0], model.n_iter_ < 10**7, model.score(X, y) > 0.99)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no signals to send to another process")
def test_ctrl_c_keeps_what_was_learned(tmp_path):
    path = tmp_path / "fit.py"
    path.write_text(textwrap.dedent(SCRIPT))
    process = subprocess.Popen(
        [sys.executable, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "running\n"
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert out.splitlines() == [
        "['Training interrupted by user.'] [True]",
        "Interrupted True True",
    ]
    assert err == ""
    assert process.returncode == 0
