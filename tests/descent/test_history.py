import copy
import pickle

import numpy as np
import pytest

from fallline.descent.history import History, Recorder
from fallline.descent.loop import EPOCH_FIELDS, LAYER_FIELDS, STEP_FIELDS

NAMES = ["affine1/bias", "affine1/weights"]
STEPS = np.arange(42.0).reshape(7, 6)
EPOCHS = np.arange(6.0).reshape(2, 3) + 100
LAYERS = np.arange(42.0).reshape(7, 3, 2) + 1000


def recorded(*, layers=True, cuts=((0, 7, 0, 2),)):
    """A recorder that was given the numbers above in parts, each in a buffer with room to spare."""
    recorder = Recorder(NAMES)
    for a, b, c, d in cuts:
        recorder.add(
            np.pad(STEPS[a:b], ((0, 3), (0, 0)), constant_values=-1),
            np.pad(EPOCHS[c:d], ((0, 2), (0, 0)), constant_values=-1),
            np.pad(LAYERS[a:b], ((0, 3), (0, 0), (0, 0)), constant_values=-1) if layers else None,
            taken=b - a,
            closed=d - c,
        )
    return recorder


def same(one, other):
    assert one.leaf_names == other.leaf_names
    for part in ("steps", "epochs", "layers"):
        mine, yours = getattr(one, part), getattr(other, part)
        assert list(mine) == list(yours)
        for name in mine:
            np.testing.assert_array_equal(mine[name], yours[name])


def test_columns_have_their_names():
    history = recorded().history()
    assert len(history) == 7
    for i, field in enumerate(STEP_FIELDS):
        np.testing.assert_array_equal(history.steps[field], STEPS[:, i])
        np.testing.assert_array_equal(getattr(history, field), STEPS[:, i])
    for i, field in enumerate(EPOCH_FIELDS):
        np.testing.assert_array_equal(getattr(history, field), EPOCHS[:, i])
    for i, field in enumerate(LAYER_FIELDS):
        np.testing.assert_array_equal(getattr(history, field), LAYERS[:, i])


@pytest.mark.parametrize("layers", [True, False])
@pytest.mark.parametrize(
    "cuts",
    [
        ((0, 3, 0, 1), (3, 7, 1, 2)),
        ((0, 1, 0, 0), (1, 1, 0, 0), (1, 7, 0, 2)),
        tuple((i, i + 1, 0, 2 * (i == 6)) for i in range(7)),
    ],
)
def test_the_history_does_not_depend_on_how_it_was_cut(layers, cuts):
    same(recorded(cuts=cuts, layers=layers).history(), recorded(layers=layers).history())


def test_a_recorder_goes_on_after_a_history():
    recorder = Recorder.resumed(recorded(cuts=((0, 3, 0, 1),)).history())
    recorder.add(STEPS[3:], EPOCHS[1:], LAYERS[3:], taken=4, closed=1)
    same(recorder.history(), recorded().history())


def test_asking_for_the_history_in_between_changes_nothing():
    recorder = recorded(cuts=((0, 3, 0, 1),))
    early = recorder.history()
    recorder.add(STEPS[3:], EPOCHS[1:], LAYERS[3:], taken=4, closed=1)
    assert len(early) == 3
    same(recorder.history(), recorded().history())


def test_what_was_recorded_is_a_copy_of_buffers_that_are_used_again():
    recorder, buffer = Recorder(NAMES), STEPS.copy()
    recorder.add(buffer, EPOCHS, None, taken=7, closed=2)
    buffer[:] = -1
    np.testing.assert_array_equal(recorder.history().loss, STEPS[:, 0])


def test_the_frame_has_a_row_a_step_and_a_column_for_each_norm_of_each_leaf():
    frame = recorded().history().frame()
    assert frame.shape == (7, 1 + 6 + 3 * 2)
    assert frame["step"].to_list() == list(range(7))
    np.testing.assert_array_equal(frame["loss"], STEPS[:, 0])
    np.testing.assert_array_equal(frame["layer_update_norm:affine1/weights"], LAYERS[:, 1, 1])
    assert recorded(layers=False).history().frame().columns == ["step", *STEP_FIELDS]


def test_the_frame_of_epochs_counts_from_1():
    frame = recorded().history().epoch_frame()
    assert frame.columns == ["epoch", *EPOCH_FIELDS]
    assert frame["epoch"].to_list() == [1, 2]
    np.testing.assert_array_equal(frame["validation_loss"], EPOCHS[:, 1])


def test_an_empty_history_has_empty_frames():
    history = Recorder().history()
    assert len(history) == 0
    assert history.frame().shape == (0, 7)
    assert history.epoch_frame().shape == (0, 4)


def test_a_history_can_be_copied_and_pickled():
    history = recorded().history()
    same(copy.deepcopy(history), history)
    same(pickle.loads(pickle.dumps(history)), history)


def test_what_was_not_recorded_is_no_attribute():
    with pytest.raises(AttributeError, match="layer_gradient_norm"):
        _ = recorded(layers=False).history().layer_gradient_norm
    with pytest.raises(AttributeError, match="losses"):
        _ = History({}, {}).losses
