"""Uncertainty falls into disagreement and what is open to all."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raymed.ensemble.uncertainty import split_uncertainty


def test_models_that_agree_leave_no_disagreement() -> None:
    logits = np.tile(np.log([[0.7, 0.2, 0.1]]), (4, 1, 1))

    found = split_uncertainty(logits, np.ones(4))

    entropy = -(np.array([0.7, 0.2, 0.1]) * np.log([0.7, 0.2, 0.1])).sum()
    np.testing.assert_allclose(found.total, entropy)
    np.testing.assert_allclose(found.expected, entropy)
    np.testing.assert_allclose(found.disagreement, 0, atol=1e-12)


def test_sure_models_that_contradict_each_other_only_disagree() -> None:
    """Two certain models, one for each class: entropy ln 2, all of it disagreement."""
    logits = np.array([[[500.0, 0.0]], [[0.0, 500.0]]])

    found = split_uncertainty(logits, np.ones(2))

    assert found.total[0] == pytest.approx(np.log(2))
    assert found.expected[0] == pytest.approx(0)
    assert found.disagreement[0] == pytest.approx(np.log(2))


def test_a_model_without_weight_has_no_say() -> None:
    logits = np.array([[[500.0, 0.0]], [[0.0, 500.0]]])

    assert split_uncertainty(logits, np.array([1.0, 0.0])).total[0] == pytest.approx(0)


@given(st.integers(0, 1000), st.integers(1, 5), st.floats(0.1, 20))
def test_the_parts_are_never_negative_and_add_up(seed: int, models: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(models, 6, 4)) * scale

    found = split_uncertainty(logits, rng.uniform(0.1, 1, models))

    assert (found.disagreement >= 0).all()
    np.testing.assert_allclose(found.expected + found.disagreement, found.total, atol=1e-9)
    assert (found.total <= np.log(4) + 1e-9).all()
