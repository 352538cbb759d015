"""DeLong's test, against its own definition, scikit-learn's areas and simulation."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from raymed.errors import InputError
from raymed.evaluation.delong import delong


def drawn(
    rng: np.random.Generator, count: int, skill: tuple[float, float]
) -> tuple[np.ndarray, ...]:
    positive = np.arange(count) % 3 == 0
    shared = rng.normal(size=count)
    a, b = (shared + rng.normal(size=count) + s * positive for s in skill)
    return [a, b, positive]


def by_definition(a: np.ndarray, b: np.ndarray, positive: np.ndarray) -> tuple[float, float]:
    """Difference and standard error from all pairs, as in the paper."""
    parts = []
    for scores in (a, b):
        over, under = scores[positive], scores[~positive]
        wins = (over[:, None] > under[None]) + 0.5 * (over[:, None] == under[None])
        parts.append((wins.mean(axis=1), wins.mean(axis=0)))
    gaps = parts[0][0] - parts[1][0], parts[0][1] - parts[1][1]
    variance = sum(gap.var(ddof=1) / len(gap) for gap in gaps)
    return float(gaps[0].mean()), float(np.sqrt(variance))


@pytest.mark.parametrize("decimals", [6, 0])
def test_it_equals_its_definition_over_all_pairs(decimals: int) -> None:
    """Also with ties, which rounding to whole numbers makes plenty of."""
    a, b, positive = drawn(np.random.default_rng(0), 90, (1.5, 0.7))
    a, b = a.round(decimals), b.round(decimals)

    found = delong(a, b, positive)

    difference, error = by_definition(a, b, positive)
    assert found.a == pytest.approx(roc_auc_score(positive, a))
    assert found.b == pytest.approx(roc_auc_score(positive, b))
    assert found.difference == pytest.approx(difference)
    assert (found.high - found.low) / 2 == pytest.approx(1.959964 * error)


def test_equal_models_differ_as_often_as_the_level_says() -> None:
    rng = np.random.default_rng(1)

    below = [delong(*drawn(rng, 120, (1.0, 1.0))).p or 1.0 for _ in range(1000)]

    assert np.mean(np.array(below) < 0.05) == pytest.approx(0.05, abs=0.02)


def test_scores_that_order_alike_give_no_p() -> None:
    a, _, positive = drawn(np.random.default_rng(2), 30, (1.0, 1.0))

    found = delong(a, np.exp(a), positive)

    assert (found.difference, found.p) == (0.0, None)


def test_too_few_or_unequal_rows_are_refused() -> None:
    with pytest.raises(InputError, match="1 positive and 3 other"):
        delong([1, 2, 3, 4], [1, 2, 3, 4], [True, False, False, False])
    with pytest.raises(InputError, match="differ"):
        delong([1, 2, 3], [1, 2], [True, False, True])
