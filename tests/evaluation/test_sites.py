"""What a new site costs is the difference between two predictions of the same samples."""

import numpy as np
import pytest
from sklearn import metrics as oracle

from raymed.evaluation import Terms, TwoWays, score_sites

CLASSES = ["well", "ill"]
TERMS = Terms(CLASSES, level="patient", folds=2, draws=200, seed=1)


def table(patients=60):
    """One row a patient, classes by turns, three sites one after the other."""
    rng = np.random.default_rng(0)
    labels = np.arange(patients) % 2
    good = np.clip(0.7 + 0.1 * rng.normal(size=patients), 0.05, 0.95)
    probabilities = np.where(np.eye(2)[labels] > 0, good[:, None], 1 - good[:, None])
    names = np.array([f"p{at}" for at in range(patients)], dtype=object)
    return probabilities, labels, names, np.repeat(np.array(["a", "b", "c"], object), patients // 3)


def test_the_pooled_come_first_then_each_site_with_scikit_learns_figures() -> None:
    probabilities, labels, names, sites = table()
    ways = [TwoWays("m", "member", probabilities, probabilities)]

    found = score_sites(ways, labels, names, sites, TERMS)

    assert [each.site for each in found] == [None, "a", "b", "c"]
    for each in found:
        own = sites == each.site if each.site else np.ones(60, dtype=bool)
        row = each.rows[0]
        loss = oracle.log_loss(labels[own], probabilities[own])
        assert row.left_out.metrics["log_loss"].value == pytest.approx(loss)
        assert row.left_out == row.grouped
        assert (row.cost.value, row.cost.p, row.cost.p_holm) == (0, 1, 1)


def test_a_site_where_knowing_it_helped_costs_and_the_others_do_not() -> None:
    probabilities, labels, names, sites = table()
    blind = np.where((sites == "b")[:, None], 0.5, probabilities)
    ways = [TwoWays("m", "member", blind, probabilities)]

    costs = {
        each.site: each.rows[0].cost for each in score_sites(ways, labels, names, sites, TERMS)
    }

    assert costs["b"].low > 0
    assert costs["b"].p == pytest.approx(1 / 201)
    assert costs["b"].p_holm == pytest.approx(4 / 201)  # three sites, and all of them
    assert costs["a"].value == costs["c"].value == 0
    assert costs[None].value == pytest.approx(costs["b"].value / 3)


def test_a_site_of_few_patients_carries_a_warning_in_place_of_a_claim() -> None:
    probabilities, labels, names, sites = table()
    sites[:57] = "a"
    ways = [TwoWays("m", "member", probabilities, probabilities)]

    few = score_sites(ways, labels, names, sites, TERMS)[-1].rows[0]

    assert (few.left_out.patients, few.cost.low, few.cost.p_holm) == (3, None, None)
    assert "log_loss rests on 3 patients, fewer than 5: no interval is given" in (
        few.left_out.warnings
    )
