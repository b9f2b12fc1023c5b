import functools
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse
from jax.extend.core import jaxprs_in_params

from fallline import sparse, train
from fallline.descent import inputs, loop, run
from fallline.descent.objective import Batch, ModelObjective
from fallline.descent.problem import pose
from fallline.errors import FalllineError
from fallline.losses import by_name
from fallline.models import MLP, Linear
from fallline.sparse import SparseRows

N, D = 43, 12  # three steps of 16 rows an epoch, the last of 11


def table(seed=0, rows=N, columns=D):
    """Rows of very different length: most hold a few numbers, some none, some are full."""
    draw = np.random.default_rng(seed)
    dense = draw.normal(size=(rows, columns)) * (draw.random((rows, columns)) < 0.15)
    dense[3] = dense[rows - 1] = 0
    dense[7], dense[rows // 2] = draw.normal(size=(2, columns))
    return dense


X = table()
Y = X @ np.linspace(-1, 1, D) + 0.3
OTHER = table(1, 20)


def sliced(full):
    """The rows as the engine takes them, however small the table."""
    return SparseRows.from_csr(scipy.sparse.csr_array(full))


@pytest.mark.parametrize(
    ("width", "transient"),
    [(None, sparse._TRANSIENT), (4, 64), (16, sparse._TRANSIENT), (16, 64)],
)
def test_products_and_gradients_are_those_of_the_dense_table(x64, monkeypatch, width, transient):
    """Whole, some rows, filled up; in pieces, in one, and a few at a time."""
    monkeypatch.setattr(sparse, "_TRANSIENT", transient)
    rows, w = np.array([7, 3, 0, 42, 7]), np.random.default_rng(2).normal(size=(D, 3))

    def value(x, w):
        return jnp.sum(jnp.sin(x @ w))

    def everything(x, w):
        slope = jax.grad(value, argnums=1)
        curved = jax.jvp(lambda w: slope(x, w), (w,), (2 * w,))[1]
        return x @ w, slope(x, w), curved, jax.vmap(lambda v: x @ v[:, None])(w.T), x @ w[:, 0]

    kept = SparseRows.from_csr(scipy.sparse.csr_array(X), width=width)
    for some, full in (
        (kept.padded(50), np.concatenate([X, np.repeat(X[:1], 7, axis=0)])),
        (kept.take(rows), X[rows]),
    ):
        assert some.shape == full.shape
        assert len(some) == len(full)
        found = jax.jit(everything)(some, w)
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, atol=1e-12), found, everything(full, w)
        )
        np.testing.assert_array_equal(some.to_csr().toarray(), full)


def test_from_any_format_with_duplicates_added_up_and_the_user_s_table_left_alone():
    entries = (np.array([1, 2, 4.5]), (np.array([0, 0, 2]), np.array([1, 1, 0])))
    wanted = np.array([[0, 3], [0, 0], [4.5, 0]], np.float32)
    twice = scipy.sparse.csr_matrix((entries[0], [1, 1, 0], [0, 2, 2, 3]), shape=(3, 2))
    for matrix in (scipy.sparse.coo_array(entries), scipy.sparse.csc_matrix(entries), twice):
        rows = SparseRows.from_csr(matrix)
        assert (rows.dtype, rows.shape, rows.ndim) == (np.float32, (3, 2), 2)
        np.testing.assert_array_equal(rows.to_csr().toarray(), wanted)
    assert twice.nnz == 3
    whole = scipy.sparse.csr_array(np.eye(2, dtype=int))
    assert SparseRows.from_csr(whole).dtype == np.float32
    assert SparseRows.from_csr(whole, dtype=np.float64).dtype == np.float64
    assert (SparseRows.from_csr(scipy.sparse.csr_array((4, 2))) @ np.ones((2, 3))).shape == (4, 3)
    assert (SparseRows.from_csr(scipy.sparse.csr_array((0, 2))) @ np.ones((2, 3))).shape == (0, 3)


def test_parts_of_one_table_share_their_programs():
    """Same structure, same shapes but for the rows: nothing is compiled anew for another fold."""
    whole = scipy.sparse.random(1000, 300, 0.05, format="csr", random_state=0)
    shapes = {
        (jax.tree.structure(rows), *(leaf.shape for leaf in jax.tree.leaves(rows.padded(1024))))
        for rows in (SparseRows.from_csr(whole[fold : fold + 800]) for fold in (0, 60, 130, 200))
    }
    assert len(shapes) == 1


def same_runs(dense, kept, atol=1e-10):
    for part in ("params", "state"):
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, atol=atol),
            getattr(kept, part),
            getattr(dense, part),
        )
    for field in ("loss", "gradient_norm"):
        a, b = (np.asarray(getattr(r.history, field)) for r in (dense, kept))
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=atol)


def test_a_linear_model_in_batches_goes_the_way_of_the_dense_table(x64):
    """With held-out rows; the last batch of an epoch is smaller."""
    options = {"batch_size": 16, "validation": 0.2, "epochs": 3, "optimizer": "sgd"}
    dense = train(Linear(D), "squared_error", (X, Y), l2=0.01, **options)
    kept = train(Linear(D), "squared_error", (sliced(X), Y), l2=0.01, **options)
    same_runs(dense, kept)
    assert kept.plan.last != 16
    np.testing.assert_allclose(
        kept.history.validation_loss, dense.history.validation_loss, rtol=1e-9
    )
    np.testing.assert_allclose(kept.predict(sliced(OTHER)), dense.predict(OTHER), atol=1e-10)


def test_a_network_on_all_rows_goes_the_way_of_the_dense_table(x64):
    """Batch normalisation, dropout, weights; and the validation rows, dense or not, are one's own."""
    model = MLP(D, (5,), 1, batch_norm=True, dropout=0.25)
    weights = np.linspace(0.1, 1, N)
    options = {"batch_size": "full", "epochs": 4, "patience": 3}
    data, other = (X, Y > 0, weights), (OTHER, OTHER[:, 0] > 0)
    dense = train(model, "binary_cross_entropy", data, validation=other, **options)
    data, mixed = (sliced(X), *data[1:]), (scipy.sparse.csc_matrix(OTHER), other[1])
    kept = train(model, "binary_cross_entropy", data, validation=mixed, **options)
    same_runs(dense, kept)
    assert kept.best_epoch == dense.best_epoch


def test_an_objective_of_one_s_own_takes_sparse_tables():
    def objective(w, batch):
        return jnp.mean((batch["x"] @ w - batch["y"]) ** 2)

    data = {"x": scipy.sparse.csr_matrix(X), "y": Y}
    options = {"params": np.zeros(D), "optimizer": "sgd", "learning_rate": 0.1, "validation": 0.2}
    problem, _ = pose(objective, None, data, **options)
    done = train(objective, data=data, steps=5, **options)
    kept, w = problem.data.x, np.zeros(D)
    for _ in range(5):
        full = kept["x"].to_csr().toarray()
        w -= 0.1 * 2 / len(full) * full.T @ (full @ w - kept["y"])
    assert (len(full), done.best_epoch) == (34, 5)
    np.testing.assert_allclose(done.params, w, atol=1e-5)


def test_a_wide_table_is_never_written_out():
    """200,000 columns x 500 rows would take 400 MB: no array in training is nearly as large."""
    draw = np.random.default_rng(0)
    rows, columns, each = 500, 200_000, 40
    places = np.repeat(np.arange(rows), each), draw.integers(0, columns, rows * each)
    wide = scipy.sparse.csr_array((draw.normal(size=rows * each), places), (rows, columns))
    wide = scipy.sparse.vstack([wide, scipy.sparse.random(1, columns, 0.02, random_state=0)])
    y = np.arange(rows + 1) % 2
    for size in ("full", 128):
        problem, _ = pose(
            Linear(columns, 1), "binary_cross_entropy", (wide, y), batch_size=size, validation=0.2
        )
        assert problem.plan.full == (size == "full")
        carry = jax.eval_shape(problem.begin, problem.optimizer)
        traced = jax.make_jaxpr(functools.partial(loop.go_on, shape=problem.shape))(
            *(problem.objective, problem.rules, problem.data, problem.validation, carry),
            *(problem.order(0, 1), *map(np.int32, (0, 1, 1)), np.bool_(True)),
        )
        assert columns <= largest(traced.jaxpr) <= 4 * columns
    done = train(Linear(columns), "binary_cross_entropy", (wide, y), steps=3, batch_size=128)
    assert done.outputs(wide).shape == (rows + 1, 1)
    weights = done.params["affine1"]["weights"]
    np.testing.assert_allclose(
        done.outputs(wide), wide @ weights + done.params["affine1"]["bias"], atol=1e-5
    )


def largest(jaxpr):
    """Numbers of the largest array in a program, and in the programs inside it."""
    found = 0
    for equation in jaxpr.eqns:
        shapes = [getattr(v.aval, "shape", ()) for v in (*equation.outvars, *equation.invars)]
        found = max(found, *(int(np.prod(shape)) for shape in shapes))
        found = max([found, *map(largest, jaxprs_in_params(equation.params))])
    return found


def test_many_validation_rows_are_looked_at_in_blocks(monkeypatch):
    monkeypatch.setattr(loop, "_VALIDATION_BLOCK", 8)
    model = Linear(D, init="glorot")
    objective = ModelObjective(model, by_name("squared_error").function, inputs.accuracy)
    params = model.init(jax.random.PRNGKey(0))
    weights = np.linspace(0, 1, N, dtype=np.float32)
    whole = objective.evaluate(params, {}, Batch(jnp.asarray(X), jnp.asarray(Y), weights))
    for x in (X, sliced(X)):
        rows = jax.device_put(Batch(x, Y, weights))
        found = jax.jit(loop.evaluate)(objective, params, {}, rows)
        np.testing.assert_allclose(found, whole, rtol=1e-5)


def test_predictions_block_by_block(monkeypatch):
    """Any number of rows; given a block, a row's bits do not hang on how many others there are."""
    model = Linear(D, 2, init="glorot")
    params = model.init(jax.random.PRNGKey(0))
    matrix, wanted = scipy.sparse.csr_matrix(X), run.apply_in_blocks(model, params, {}, X)
    for small, width in ((sparse.SMALL, 32), (0, 32), (0, 4)):
        monkeypatch.setattr(sparse, "SMALL", small)
        monkeypatch.setattr(run, "_WIDTH", width)
        found = run.apply_in_blocks(model, params, {}, matrix, block=8)
        np.testing.assert_allclose(found, wanted, atol=1e-6)
        for part in (slice(5, 16), slice(8, 18)):  # with a row that is full, and without
            some = run.apply_in_blocks(model, params, {}, matrix[part], block=8)
            np.testing.assert_array_equal(some, found[part])
        assert run.apply_in_blocks(model, params, {}, matrix[:0], block=8).shape == (0, 2)


def test_predictions_for_tables_of_any_size_share_programs():
    """Of one kind, that is; with rows that are far longer than the others, and few at the end."""
    columns, draw = 20_000, np.random.default_rng(0)
    lengths = draw.integers(0, 60, 1500)
    lengths[[40, 310, 1499]] = 9_000, 33, 15_000
    places = [draw.choice(columns, n, replace=False) for n in lengths]
    rows = np.repeat(np.arange(1500), lengths), np.concatenate(places)
    values = draw.normal(size=lengths.sum()).astype(np.float32)
    whole = scipy.sparse.csr_array((values, rows), (1500, columns))
    model = MLP(columns, (5,), 2, init="glorot")
    params = model.init(jax.random.PRNGKey(0))
    before = run._apply._cache_size()
    found = run.apply_in_blocks(model, params, {}, whole, block=256)
    for begin, count in ((0, 300), (450, 700), (41, 1000), (1, 1499), (1499, 1), (40, 3)):
        part = slice(begin, begin + count)
        some = run.apply_in_blocks(model, params, {}, whole[part], block=256)
        np.testing.assert_array_equal(some, found[part])
    assert run._apply._cache_size() - before <= 2
    # Blocks have room for at least 256 x 32 numbers and at most four times what they or most store.
    room = [len(block.values) for block in sparse.in_blocks(whole, 256, 32)]
    assert room == [32_768] * 6
    # Large ones are filled up by half at most.
    full = scipy.sparse.csr_array(np.ones((300, 5_000), np.float32))
    room = [len(block.values) for block in sparse.in_blocks(full, 256, 32)]
    assert room == [3 * 2**19] * 2


def test_small_tables_are_trained_on_in_full(monkeypatch):
    def kept():
        problem, _ = pose(
            Linear(D), "squared_error", (scipy.sparse.coo_matrix(X), Y), validation=0.2
        )
        return sparse.is_rows(problem.data.x), sparse.is_rows(problem.validation.x)

    assert kept() == (False, False)
    monkeypatch.setattr(sparse, "SMALL", N * D - 1)
    assert kept() == (True, True)


def test_the_batch_size_is_chosen_by_the_numbers_stored():
    x = scipy.sparse.csr_array((np.ones(50_000), np.arange(50_000), np.arange(50_001)))
    problem, _ = pose(Linear(50_000), "squared_error", (x, np.ones(50_000)))
    assert problem.plan.size == 256


NOT_FINITE = X.copy()
NOT_FINITE[5, 2] = np.inf


@pytest.mark.parametrize(
    ("x", "y", "sentence"),
    [
        (NOT_FINITE, Y, "X must hold finite numbers; row 5 does not"),
        (X, Y[:-1], "X has 43 rows and y 42; they must have the same"),
        (X[:, :5], Y, "This layer takes 12 inputs an example; it was given 5"),
        (X, scipy.sparse.csr_matrix(Y[:, None]), "Only X may be sparse"),
        (X + 0j, Y, "Training needs arrays of numbers; one of them holds complex128"),
    ],
)
def test_what_does_not_fit_is_told(monkeypatch, x, y, sentence):
    monkeypatch.setattr(sparse, "SMALL", 0)
    with pytest.raises(FalllineError, match=sentence):
        train(Linear(D), "squared_error", (scipy.sparse.csr_matrix(x), y), batch_size="full")


def test_tables_that_are_none_are_told():
    with pytest.raises(FalllineError, match="must be a matrix or array of scipy.sparse"):
        SparseRows.from_csr(X)
    beyond = scipy.sparse.csr_array(([1.0], [7], [0, 1]), shape=(1, 9))
    beyond.indices[0] = 9
    with pytest.raises(FalllineError, match="9 columns holds a number in column 9, counted from 0"):
        SparseRows.from_csr(beyond)
    with pytest.raises(FalllineError, match="12 columns is multiplied by a matrix of as many rows"):
        sliced(X) @ np.ones((D + 1, 2))


def test_adult_incomes():
    """A real table: 32,561 rows of 123 columns, 14 of them stored; see LIBSVM's page on a9a."""
    folder = os.environ.get("FALLLINE_DATA")
    file = Path(folder or ".") / "a9a"
    if folder is None or not file.exists():
        pytest.skip("FALLLINE_DATA names no folder with a9a")
    from sklearn.datasets import load_svmlight_file

    x, y = load_svmlight_file(str(file), n_features=123)
    options = {"learning_rate": 0.01, "epochs": 2, "batch_size": 256}
    dense = train(Linear(123), "binary_cross_entropy", (x.toarray(), y > 0), **options)
    kept = train(Linear(123), "binary_cross_entropy", (SparseRows.from_csr(x), y > 0), **options)
    same_runs(dense, kept, atol=1e-4)
    assert np.mean(kept.predict(x) == (y > 0)) > 0.84
