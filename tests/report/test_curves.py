"""ROC and precision-recall figures, as the page tells them."""

from collections.abc import Callable
from typing import Any

import pytest

from raymed.files import read_json, write_json
from raymed.report import write_report
from raymed.report.curves import curve_figures
from raymed.runs import RunFolder

Make = Callable[..., RunFolder]


@pytest.fixture
def metrics(make_run: Make) -> dict[str, Any]:
    stored: dict[str, Any] = read_json(make_run().metrics_file)
    return stored


def test_each_class_has_both_curves_with_a_band_a_split(metrics: dict[str, Any]) -> None:
    figures = curve_figures(metrics)

    assert list(figures) == [f"{name} against the rest" for name in metrics["classes"]]
    for roc, other in figures.values():
        assert (roc.title, other.title) == ("ROC", "Precision and recall")
        for figure in (roc, other):
            filled = [trace for trace in figure.spec["data"] if trace.get("fill") == "toself"]
            assert len(filled) == 2  # out of fold, and of the test split
            assert "tuned-lite0, the best member" in figure.caption


def test_a_band_that_is_missing_is_said_with_its_reason(make_run: Make) -> None:
    stored = read_json(make_run(patients=9, test=False).metrics_file)  # 3 patients a class

    roc, _ = curve_figures(stored)["glioma against the rest"]

    assert not any(trace.get("fill") for trace in roc.spec["data"])
    assert "No band out of fold: AUROC rests on 3 patients of class 'glioma'" in roc.caption


def test_the_threshold_of_a_binary_question_is_marked_on_both_curves(
    metrics: dict[str, Any],
) -> None:
    question = metrics["curves"]["questions"][0]
    point = {"sensitivity": 0.8, "false_positive_rate": 0.1, "precision": 0.7}
    question |= {"binary": True, "threshold": 0.412}
    question["oof"]["point"] = question["test"]["point"] = point

    roc, other = curve_figures(metrics)["glioma against all others"]

    marks = [
        [(trace["x"], trace["y"]) for trace in figure.spec["data"] if trace["mode"] == "markers"]
        for figure in (roc, other)
    ]
    assert marks == [[([0.1], [0.8])] * 2, [([0.8], [0.7])] * 2]
    assert "Diamond: threshold 0.412, chosen on out-of-fold rows." in roc.caption


def test_a_run_scored_by_an_older_raymed_has_a_report_without_curves(make_run: Make) -> None:
    run = make_run()
    metrics = read_json(run.metrics_file)
    del metrics["curves"]
    write_json(run.metrics_file, metrics)

    assert 'id="curves"' not in write_report(run).read_text(encoding="utf-8")
