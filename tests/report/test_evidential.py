"""The report sets evidential doubt beside plainer ones, where a member is evidential."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from raymed.evaluation import score_doubt
from raymed.files import read_json, write_json
from raymed.report import write_report
from raymed.report.tables import read_tables
from raymed.runs import RunFolder
from tests.report.browser import look_at

KINDS = [
    ("tuned-lite0", "mass"),
    ("tuned-lite0", "entropy"),
    (None, "entropy"),
    (None, "disagreement"),
]
Make = Callable[..., RunFolder]


@pytest.fixture
def doubting(make_run: Make) -> Make:
    """Fill a run folder with an evidential member, whose doubts are made up."""

    def make(**options: bool) -> RunFolder:
        run, rng = make_run(**options), np.random.default_rng(0)
        rows = []
        for whose, kind in KINDS:
            wrong = rng.random(240) < 0.3
            doubt = np.exp(rng.normal(size=240) + wrong)
            scores = score_doubt(doubt, wrong, np.repeat(range(60), 4), draws=100)
            rows.append({"whose": whose, "kind": kind, **asdict(scores)})
        write_json(run.metrics_file, read_json(run.metrics_file) | {"evidential": rows})
        return run

    return make


def section_of(page: Path) -> str:
    shown = page.read_text(encoding="utf-8")
    return shown.partition('<section id="evidential">')[2].partition("</section>")[0]


def test_every_doubt_has_a_row_and_the_caution_is_said(doubting: Make) -> None:
    run = doubting()
    page = write_report(run)

    section = section_of(page)

    assert "overconfident on images unlike the training ones, so compare" in section
    assert 'href="#evidential"' in page.read_text(encoding="utf-8")
    (table,) = (each for each in read_tables(section) if each.name == "how-well-doubt-finds-errors")
    assert table.columns == (
        "Whose answers",
        "Doubt",
        "Wrong answers",
        "AUROC",
        "AUROC, low",
        "AUROC, high",
        "Mean doubt, wrong",
        "Mean doubt, right",
    )
    assert [row[:2] for row in table.rows] == [
        ("tuned-lite0", "uncertainty mass, 0 to 1"),
        ("tuned-lite0", "entropy after a temperature, nats"),
        ("the stack", "entropy, nats"),
        ("the stack", "disagreement of members, nats"),
    ]
    stored = read_json(run.metrics_file)["evidential"][0]
    assert float(table.rows[0][3]) == stored["auroc"]["value"]
    assert float(table.rows[0][6]) == stored["mean_wrong"]


def test_a_row_that_too_few_patients_bear_carries_the_warning(doubting: Make) -> None:
    run = doubting()
    metrics = read_json(run.metrics_file)
    scores = score_doubt(np.arange(20.0), np.arange(20) < 3, range(20), draws=100)
    metrics["evidential"][0] |= asdict(scores)
    write_json(run.metrics_file, metrics)

    assert "rests on 3 patients with a wrong answer" in section_of(write_report(run))


def test_without_an_evidential_member_there_is_no_section(make_run: Make) -> None:
    assert 'id="evidential"' not in write_report(make_run()).read_text(encoding="utf-8")


def test_leakage_is_said_beside_it(doubting: Make) -> None:
    assert "Leakage was not excluded" in section_of(write_report(doubting(declared=False)))


def test_a_browser_shows_it_and_sorts_its_table(doubting: Make, tmp_path: Path) -> None:
    seen = look_at(write_report(doubting()), tmp_path)

    assert "Whose answers" in seen.heads
