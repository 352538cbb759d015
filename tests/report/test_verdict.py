"""The verdict claims what the intervals allow, and no more."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from raymed.evaluation import Estimate, Scores
from raymed.report.material import read_material
from raymed.report.verdict import Standing, reading, standing, verdict
from raymed.runs import RunFolder

Make = Callable[..., RunFolder]
NOTHING = Estimate(None)


def _scores(loss: Estimate, auroc: Estimate) -> Scores:
    return Scores("patient", 60, 60, {"log_loss": loss, "auroc": auroc}, {}, [], [], [])


PRIOR = _scores(Estimate(1.10, 1.09, 1.11), Estimate(0.5, 0.5, 0.5))


@pytest.mark.parametrize(
    ("loss", "auroc", "expected"),
    [
        (Estimate(0.6, 0.5, 0.7), Estimate(0.9, 0.8, 0.95), Standing.BETTER),
        (Estimate(1.0, 0.9, 1.2), Estimate(0.9, 0.8, 0.95), Standing.RANKS_ONLY),
        (Estimate(1.0, 0.9, 1.2), Estimate(0.6, 0.45, 0.7), Standing.NOT_BETTER),
        (Estimate(1.5, 1.3, 1.7), Estimate(0.5, 0.4, 0.6), Standing.WORSE),
        (Estimate(0.6), Estimate(0.9), Standing.UNKNOWN),
        (Estimate(0.6), NOTHING, Standing.UNKNOWN),
    ],
)
def test_the_intervals_decide(loss: Estimate, auroc: Estimate, expected: Standing) -> None:
    assert standing(_scores(loss, auroc), PRIOR) is expected


def test_the_last_bits_of_a_float_beat_nothing() -> None:
    below = Estimate(1.1 - 1e-15, 1.1 - 2e-15, 1.1 - 1e-15)
    assert standing(_scores(below, Estimate(0.5, 0.5, 0.5)), PRIOR) is Standing.NOT_BETTER


def test_a_skilled_stack_is_said_to_be_better(make_run: Make) -> None:
    said = verdict(read_material(make_run(skill=2.5)))
    assert said.sentence.startswith("The stack is better than the class prior. It names")
    assert said.test is not None
    assert "18 patients that no stage has seen" in said.test
    assert "joins 2 members by the logistic meta-learner" in said.basis


def test_a_stack_that_knows_nothing_is_said_to_be_no_better(make_run: Make) -> None:
    said = verdict(read_material(make_run(skill=0)))
    assert said.sentence.startswith("The stack is no better than the class prior beyond")


def test_too_few_patients_make_no_verdict(make_run: Make) -> None:
    said = verdict(read_material(make_run(patients=3, test=False)))
    assert said.sentence.startswith("Too few patients to say")
    assert said.test is None


def test_undeclared_patients_make_a_verdict_on_images(make_run: Make) -> None:
    said = verdict(read_material(make_run(declared=False)))
    assert said.sentence.endswith("of images.")
    assert "undeclared patients" in said.basis


def test_a_difference_is_claimed_only_when_its_interval_leaves_out_zero() -> None:
    clear = Estimate(-0.2, -0.3, -0.1)
    assert "leaves out 0" in reading(clear)
    assert "holds 0" in reading(replace(clear, high=0.05))
    assert "No interval" in reading(Estimate(-0.2))


def test_a_stack_worse_than_its_best_member_is_said_to_be(make_run: Make) -> None:
    material = read_material(make_run(skill=2.5))

    def stack_like(member: str) -> str:
        like = material.row("member", member)
        rows = [replace(r, oof=like.oof) if r == material.chosen else r for r in material.rows]
        return verdict(replace(material, rows=tuple(rows))).alone

    assert "cost more than it gave" not in stack_like("tuned-lite0")
    assert "tuned-lite0 alone would have been better" in stack_like("scratch-tiny")
