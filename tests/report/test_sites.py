"""The report's section on sites and subgroups: there when asked for, no claim without its proof."""

import re
from collections.abc import Callable
from dataclasses import asdict
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from raymed.config import write_experiment
from raymed.evaluation import (
    Contrast,
    Cost,
    GroupScores,
    Headline,
    Terms,
    TwoWays,
    score_sites,
    score_subgroups,
)
from raymed.files import read_json, write_json, write_text
from raymed.report import write_report
from raymed.report.sites import NOT_SHOWN, TOO_FEW, cost_reading
from raymed.report.subgroups import contrast_reading
from raymed.runs import RunFolder
from tests.report.browser import look_at

Make = Callable[..., RunFolder]
CLASSES = ["glioma", "meningioma", "<i>no tumour</i> & co"]
TERMS = Terms(CLASSES, level="patient", folds=3, draws=100)
PATIENTS = 60


def _predicted() -> tuple[Any, Any, Any]:
    rng, labels = np.random.default_rng(2), np.arange(PATIENTS) % 3
    probabilities = (rng.dirichlet(np.ones(3), PATIENTS) + np.eye(3)[labels]) / 2
    return probabilities, labels, np.array([f"p{at}" for at in range(PATIENTS)], dtype=object)


def _sites(level: str) -> dict[str, Any]:
    """North and south, 30 patients each, and the stack is blind at south when that is left out."""
    probabilities, labels, patients = _predicted()
    sites = np.repeat(np.array(["north <1>", "south"], dtype=object), 30)
    blind = np.where((sites == "south")[:, None], 1 / 3, probabilities)
    ways = [
        TwoWays("class prior", "prior", np.full_like(blind, 1 / 3), np.full_like(blind, 1 / 3)),
        TwoWays("tuned-lite0", "member", probabilities, probabilities),
        TwoWays("logistic", "meta-learner", blind, probabilities),
    ]
    scores = score_sites(ways, labels, patients, sites, TERMS)
    return {
        "schema": 1,
        "about": "x",
        "level": level,
        "chosen": "logistic",
        "failed": [{"name": "probe-lite0, by site", "reason": "fold 1: loss <nan>"}],
        "warnings": ["class 'glioma' is found at site 'south' alone"],
        "scores": [asdict(each) for each in scores],
    }


def _subgroups(level: str, test: bool) -> list[dict[str, Any]]:
    """Four patients are old, the others young or of unknown age."""
    probabilities, labels, patients = _predicted()
    groups = np.array(["≥ 70"] * 4 + ["< 70"] * 40 + ["unknown"] * 16, dtype=object)
    found = score_subgroups(
        probabilities, labels, patients, groups, ["< 70", "≥ 70", "unknown"], TERMS
    )
    scored = [asdict(each) for each in found]
    return [{"column": "age", "level": level, "oof": scored, "test": scored if test else None}]


@pytest.fixture
def evaluate(make_run: Make) -> Make:
    """Fill a run folder in which sites were left out and subgroups scored."""

    def make(asked: str = "leave-one-out", **options: Any) -> RunFolder:
        run = make_run(**options)
        experiment = run.experiment()
        evaluate = experiment.evaluate.model_copy(update={"sites": asked})
        changed = experiment.model_copy(update={"evaluate": evaluate})
        write_text(run.experiment_file, write_experiment(changed))
        level = "patient" if options.get("declared", True) else "image"
        write_json(run.left_out_sites.metrics_file, _sites(level))
        metrics = read_json(run.metrics_file)
        more = {"subgroups": _subgroups(level, options.get("test", True))}
        write_json(run.metrics_file, metrics | more)
        return run

    return make


def _section(run: RunFolder) -> str:
    text = write_report(run).read_text(encoding="utf-8")
    section = text.partition('<section id="sites">')[2].partition("</section>")[0]
    return " ".join(unescape(section).split())


def test_every_site_and_row_stands_beside_the_patient_grouped_folds(evaluate: Make) -> None:
    run = evaluate()
    section = _section(run)

    for title in ("All sites", "north <1>", "south"):
        assert f">{title}</h4>" in section
    for place in read_json(run.left_out_sites.metrics_file)["scores"]:
        for row in place["rows"]:
            for found in (*row["left_out"]["metrics"].values(), row["grouped"]["metrics"]["auroc"]):
                assert f"{found['value']:.3f}" in section
    assert "Member <strong>probe-lite0, by site</strong> failed and is missing here" in section
    assert "class 'glioma' is found at site 'south' alone" in section


def test_the_blind_site_costs_and_the_other_does_not(evaluate: Make) -> None:
    tables = re.findall(r"<table.*?</table>", _section(evaluate()))

    readings = [re.findall(r'<span class="what">(.*?)</span>', table)[-1] for table in tables[:3]]
    assert readings == ["Worse at a new site.", NOT_SHOWN, "Worse at a new site."]


def test_a_group_of_few_is_shown_without_a_claim_and_its_warning_is_told(evaluate: Make) -> None:
    section = _section(evaluate())

    (row,) = re.findall(r'data-value="≥ 70">≥ 70 (.*?)</tr>', section)[:1]
    assert TOO_FEW in row
    assert "\N{EN DASH}" in row
    assert "≥ 70: log_loss rests on 4 patients, fewer than 5" in section
    assert "age, out of fold" in section
    assert "age, test split" in section
    assert "age, test split" not in _section(evaluate(test=False))


def test_the_figures_tell_in_words_what_they_draw(evaluate: Make) -> None:
    section = _section(evaluate())

    assert re.search(r"south: \d\.\d{3} \(.*? left out, \d\.\d{3} \(.*? patient-grouped", section)
    assert re.search(r"age: ≥ 70 \d\.\d{3} \(no interval\)", section)


def test_a_run_that_did_not_ask_says_nothing_of_sites(evaluate: Make, make_run: Make) -> None:
    section = _section(evaluate(asked="none"))

    assert "In each group" in section
    assert "At a site that nothing has seen" not in section
    assert _section(make_run()) == ""


def test_undeclared_patients_are_said_there_too(evaluate: Make) -> None:
    section = _section(evaluate(declared=False, test=False))

    # two figures, a table for each of two sites and for both, a table of groups
    assert section.count("Leakage was not excluded") == 2 + 3 + 1


@pytest.mark.parametrize(
    ("cost", "said"),
    [
        (Cost(0.2), TOO_FEW),
        (Cost(0.2, 0.1, 0.3, 0.001, 0.01), "Worse at a new site."),
        (Cost(-0.2, -0.3, -0.1, 0.001, 0.01), "Better at a new site."),
        (Cost(0.2, 0.1, 0.3, 0.04, 0.16), NOT_SHOWN),  # not after adjusting
        (Cost(0.2, -0.1, 0.3, 0.01, 0.03), NOT_SHOWN),
    ],
)
def test_a_cost_is_claimed_only_where_interval_and_adjusted_p_agree(cost: Cost, said: str) -> None:
    assert cost_reading(cost) == said


def test_a_group_is_better_or_worse_in_the_sense_of_each_figure() -> None:
    up = Contrast(0.2, 0.1, 0.3, 0.001, 0.01)
    scores = Headline(9, 9, {}, [])

    said = contrast_reading(GroupScores("a", scores, {"log_loss": up, "auroc": up}))

    assert said == "Log loss worse than in all others. AUROC better than in all others."
    assert contrast_reading(GroupScores("a", scores, {})) == "There is nobody to compare with."


def test_a_browser_draws_sites_and_subgroups(
    make_run: Make, evaluate: Make, tmp_path: Path
) -> None:
    without = look_at(write_report(make_run()), tmp_path)
    seen = look_at(write_report(evaluate()), tmp_path)
    assert len(seen.figures) == len(without.figures) + 2
    assert len(seen.heads) > len(without.heads)
