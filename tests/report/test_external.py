"""The section on external test sets says what they are, what changed and what stands against it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from raymed.files import mark_complete, read_json, write_json
from raymed.report import write_report
from raymed.report.external import SCHEMA, ExternalEvaluation, read_external
from raymed.runs import RunFolder
from tests.report.browser import look_at

Make = Callable[..., RunFolder]


def _evaluate(run: RunFolder, name: str, **changes: Any) -> None:
    """Leave an evaluation whose figures are those that the toy has of its test split."""
    metrics = read_json(run.metrics_file)
    chosen = next(row for row in metrics["rows"] if row["name"] == metrics["chosen"])
    rows = [row for row in metrics["rows"] if row["kind"] != "meta-learner"] + [chosen]
    facts = {
        "schema": SCHEMA,
        "name": name,
        "created": "2025-02-03T04:05:06+00:00",
        "source": f"/data/{name}.csv",
        "stack": metrics.get("about"),
        "independent": True,
        "doubts": [],
        "classes": metrics["classes"],
        "samples": 72,
        "patients": 18,
        "patients_declared": metrics["patients_declared"],
        "chosen": metrics["chosen"],
        "rows": [{**row, "scores": row["test"]} for row in rows],
        "out_of_fold": {level: scores["metrics"] for level, scores in chosen["oof"].items()},
        "conformal": metrics["conformal"],
        "comparison": metrics["comparisons"][-1],
    }
    folder = run.evaluations_folder / name
    write_json(folder / "metrics.json", facts | changes)
    mark_complete(folder, ["metrics.json"], about="x")


def _section(run: RunFolder) -> str:
    page = write_report(run).read_text(encoding="utf-8")
    return " ".join(page.partition('<section id="external">')[2].partition("</section>")[0].split())


def _only(run: RunFolder) -> ExternalEvaluation:
    (found,) = read_external(run)
    return found


def test_a_run_that_was_evaluated_nowhere_has_no_such_section(make_run: Make) -> None:
    run = make_run()

    assert read_external(run) == []
    assert 'href="#external"' not in write_report(run).read_text(encoding="utf-8")


def test_each_set_is_told_with_its_size_figures_and_confusion(make_run: Make) -> None:
    run = make_run()
    _evaluate(run, "leipzig")
    _evaluate(run, "aachen")

    section = _section(run)

    assert section.index("aachen") < section.index("leipzig")
    assert section.count("72 images of 18 patients") == 2
    assert section.count("confusion matrix") == 2 * 2  # sets x levels
    stack = _only_of(run, "aachen").chosen.test["patient"].metrics["log_loss"]
    assert f"{stack.low:.3f} to {stack.high:.3f}" in section
    assert "not independent" not in section


def test_what_stands_against_its_figures_is_marked(make_run: Make) -> None:
    run = make_run()
    _evaluate(run, "own", independent=False, doubts=["Not independent: it shares 3 patients."])

    section = _section(run)

    assert '<span class="pill warning">not independent</span>' in section
    assert "it shares 3 patients" in section


def test_an_earlier_stack_is_said_and_an_unfinished_evaluation_is_left_out(make_run: Make) -> None:
    run = make_run()
    _evaluate(run, "old", stack="of another build")
    _evaluate(run, "harmed")
    (run.evaluations_folder / "harmed" / "metrics.json").write_text("{}")

    assert [each.facts["name"] for each in read_external(run)] == ["old"]
    assert "an earlier stack of the run" in _section(run)


def test_undeclared_patients_are_said_on_every_table(make_run: Make) -> None:
    run = make_run(declared=False)
    _evaluate(run, "leipzig")

    section = _section(run)

    assert "72 images of undeclared patients" in section
    assert section.count("Leakage was not excluded") == 4  # scores, confusion, sets, comparison


@pytest.mark.parametrize(
    ("now", "words"),
    [
        ((0.9, 0.8, 1.0), "0.300 worse. The two intervals lie apart"),
        ((0.7, 0.5, 0.9), "0.100 worse. The two intervals overlap: no difference could be shown"),
        ((0.5, None, None), "0.100 better. Without an interval on both sides"),
        ((None, None, None), "there is nothing to compare"),
    ],
)
def test_the_change_is_claimed_only_where_the_intervals_lie_apart(
    make_run: Make, now: tuple[float | None, ...], words: str
) -> None:
    run = make_run()
    _evaluate(run, "leipzig")
    file = run.evaluations_folder / "leipzig" / "metrics.json"
    facts = read_json(file)
    before = {"value": 0.6, "low": 0.5, "high": 0.7}
    facts["out_of_fold"]["patient"]["log_loss"] = before
    here = dict(zip(("value", "low", "high"), now, strict=True))
    facts["rows"][-1]["scores"]["patient"]["metrics"]["log_loss"] = here
    write_json(file, facts)
    mark_complete(file.parent, ["metrics.json"], about="x")

    assert words in _only(run).changes[0]


def _only_of(run: RunFolder, name: str) -> ExternalEvaluation:
    return next(each for each in read_external(run) if each.facts["name"] == name)


def test_a_browser_draws_an_external_test_set(make_run: Make, tmp_path: Path) -> None:
    run = make_run()
    without = look_at(write_report(run), tmp_path)
    _evaluate(run, "hospital-b")
    seen = look_at(write_report(run), tmp_path)
    assert len(seen.figures) == len(without.figures)  # it is told in tables
    assert len(seen.heads) > len(without.heads)
