"""scikit-learn's own checks of what an estimator must do, all of them."""

import contextlib
import unittest
import warnings

import pytest
from sklearn.utils.estimator_checks import check_estimator, estimator_checks_generator

from fallline.descent import loop
from fallline.estimators import LinearClassifier, LinearRegressor, MLPClassifier, MLPRegressor

REASON = (
    "rounding in single precision; scikit-learn declares the same of its SGD. In double precision they "
    "are the same: test_estimators.py"
)
EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": REASON,
    "check_sample_weight_equivalence_on_sparse_data": REASON,
}


@pytest.mark.parametrize("kind", [LinearRegressor, LinearClassifier, MLPRegressor, MLPClassifier])
def test_scikit_learn_s_checks(kind):
    before = loop.traces["advance"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(kind(), on_fail=None, expected_failed_checks=EXPECTED)
    failed = {r["check_name"]: r["exception"] for r in results if r["status"] == "failed"}
    assert not failed
    assert sum(r["status"] == "passed" for r in results) >= 50
    # Tables of about one size share programs: the checks fit some 300 times.
    assert loop.traces["advance"] - before < 40


def test_scikit_learn_s_checks_of_regressors_alone():
    """What is not asked of a classifier too, which is checked above."""

    def checks(kind):
        return {c.func.__name__: (e, c) for e, c in estimator_checks_generator(kind())}

    found = checks(MLPRegressor)
    alone = found.keys() - checks(LinearClassifier).keys()
    assert {"check_regressors_train", "check_regressors_int", "check_regressor_multioutput"} < alone
    for name in sorted(alone):
        estimator, check = found[name]
        # One of them asks for pandas, and skips itself without.
        with warnings.catch_warnings(), contextlib.suppress(unittest.SkipTest):
            warnings.simplefilter("ignore")
            check(estimator)
