"""Groups of samples are scored as if they were alone, and held against all others."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from raymed.errors import InputError
from raymed.evaluation import Terms, score_subgroups

CLASSES = ["well", "early", "late"]
TERMS = Terms(CLASSES, level="image", folds=2, draws=60, seed=1)


def table(patients=60, seed=0):
    """Two rows a patient, classes and groups a and b by turns; predicted better than chance."""
    rng = np.random.default_rng(seed)
    of_patient = np.repeat(np.arange(patients), 2)
    labels = of_patient % 3
    names = np.array([f"p{at:03}" for at in of_patient], dtype=object)
    groups = np.where(of_patient // 3 % 2, "b", "a").astype(object)
    probabilities = (rng.dirichlet(np.ones(3), len(labels)) + np.eye(3)[labels] / 2) / 1.5
    return probabilities, labels, names, groups


def worsened(probabilities, labels, rows):
    """Say the next class in place of the true one."""
    wrong = np.roll(np.eye(3), 1, axis=0)[labels]
    return np.where(rows[:, None], 0.8 * wrong + 0.2 / 3, probabilities)


def test_figures_of_a_group_are_scikit_learns_on_its_rows_alone() -> None:
    probabilities, labels, names, groups = table()

    found = score_subgroups(probabilities, labels, names, groups, ["b", "a", "c"], TERMS)

    assert [each.group for each in found] == ["b", "a"]  # in order; of c there is nobody
    for each in found:
        own = groups == each.group
        p, y = probabilities[own], labels[own]
        predicted = p.argmax(axis=1)
        expected = {
            "log_loss": oracle.log_loss(y, p),
            "auroc": oracle.roc_auc_score(y, p, multi_class="ovr"),
            "accuracy": oracle.accuracy_score(y, predicted),
            "balanced_accuracy": oracle.balanced_accuracy_score(y, predicted),
        }
        assert {name: e.value for name, e in each.scores.metrics.items()} == pytest.approx(expected)
        assert (each.scores.rows, each.scores.patients) == (60, 30)
    b, a = found
    for name in ("log_loss", "auroc"):
        apart = b.scores.metrics[name].value - a.scores.metrics[name].value
        assert b.contrasts[name].value == pytest.approx(apart)
        assert a.contrasts[name].value == pytest.approx(-apart)


@settings(max_examples=15)
@given(st.lists(st.sampled_from("abc"), min_size=60, max_size=60))
def test_groups_share_all_rows_and_the_log_loss_of_all_is_their_mean(drawn: list[str]) -> None:
    probabilities, labels, names, _ = table()
    groups = np.repeat(np.array(drawn, dtype=object), 2)
    quick = Terms(CLASSES, level="image", folds=2, draws=0)

    found = score_subgroups(probabilities, labels, names, groups, "abc", quick)

    rows = [each.scores.rows for each in found]
    losses = [each.scores.metrics["log_loss"].value for each in found]
    assert sum(rows) == len(labels)
    assert sum(each.scores.patients for each in found) == 60
    assert np.average(losses, weights=rows) == pytest.approx(oracle.log_loss(labels, probabilities))


def test_two_groups_are_one_comparison_seen_twice() -> None:
    probabilities, labels, names, groups = table()
    a, b = score_subgroups(probabilities, labels, names, groups, ["a", "b"], TERMS)

    for name in ("log_loss", "auroc"):
        one, other = a.contrasts[name], b.contrasts[name]
        assert one.p == one.p_holm == other.p == other.p_holm
        assert (one.low, one.high) == pytest.approx((-other.high, -other.low))


def test_a_group_that_is_really_harder_is_found_and_no_other() -> None:
    probabilities, labels, names, groups = table(90)
    groups = np.where(np.arange(180) // 6 % 3 == 2, "c", groups)
    harder = worsened(probabilities, labels, groups == "c")

    found = {
        each.group: each.contrasts
        for each in score_subgroups(
            harder, labels, names, groups, ["a", "b", "c"], Terms(CLASSES, "patient", 2, draws=200)
        )
    }

    assert found["c"]["log_loss"].low > 0
    assert found["c"]["auroc"].high < 0
    # 200 draws: p is never below 1 / 201, and Holm takes the least of three times three
    assert found["c"]["log_loss"].p == pytest.approx(1 / 201)
    assert found["c"]["log_loss"].p_holm == pytest.approx(3 / 201)
    same = score_subgroups(probabilities, labels, names, groups, ["a", "b", "c"], TERMS)
    assert min(each.contrasts["log_loss"].p_holm for each in same) > 0.05


def test_a_group_of_few_patients_carries_a_warning_in_place_of_a_claim() -> None:
    probabilities, labels, names, groups = table()
    groups[:8] = "c"  # four patients

    few = score_subgroups(probabilities, labels, names, groups, ["a", "b", "c"], TERMS)[2]

    assert few.scores.patients == 4
    loss, apart = few.scores.metrics["log_loss"], few.contrasts["log_loss"]
    assert loss.value is not None
    assert (loss.low, apart.low, apart.p, apart.p_holm) == (None,) * 4
    assert "log_loss rests on 4 patients, fewer than 5: no interval is given" in few.scores.warnings
    assert any("auroc leaves out class 'early'" in said for said in few.scores.warnings)


def test_a_patient_in_several_groups_gets_no_p_but_moves_both_sides() -> None:
    probabilities, labels, names, groups = table()
    groups[0:2] = ["a", "b"]

    for each in score_subgroups(probabilities, labels, names, groups, ["a", "b"], TERMS):
        assert "1 of its patients are in other groups too: no p is given" in each.scores.warnings
        assert each.contrasts["log_loss"].p is None
        assert each.contrasts["log_loss"].low is not None


def test_a_lone_group_has_nobody_to_be_held_against() -> None:
    probabilities, labels, names, groups = table()

    (only,) = score_subgroups(probabilities, labels, names, np.full_like(groups, "a"), "a", TERMS)

    assert only.contrasts == {}
    assert only.scores.rows == 120


def test_groups_of_another_length_are_refused() -> None:
    probabilities, labels, names, groups = table()

    with pytest.raises(InputError, match="groups: 119 of them for 120 samples"):
        score_subgroups(probabilities, labels, names, groups[1:], "ab", TERMS)
