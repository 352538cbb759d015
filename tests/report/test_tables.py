"""The page's tables as CSV: every digit, every interval, nothing but what the page shows."""

import io
from collections.abc import Callable
from typing import Any

import pandas as pd

from raymed.files import read_json
from raymed.report import write_report
from raymed.report.tables import read_tables
from raymed.runs import RunFolder

Make = Callable[..., RunFolder]

PAGE = """
<p>Not a table: a small <b>page</b></p>
<div role="region" aria-label="Scores: of <1>"><table><caption>Unused</caption>
<thead><tr><th>Row</th><th>Loss ↓</th><th data-unit="s">Took</th></tr></thead><tbody>
<tr><th data-value="a">a <span class="pill">the stack</span>
  <span class="what">a<br>probe</span></th>
  <td data-value="0.123456789" data-low="0.1" data-high="0.2"><span>0.123</span></td>
  <td data-value="85.2">1 min 25 s</td></tr>
<tr><th>b, "c"</th><td data-value="" data-low="" data-high="">–</td><td>–</td></tr>
</tbody></table></div>
<table><caption>By class <small>of few</small></caption><thead><tr><th>Class</th></tr></thead>
<tbody><tr><td>7 <small>70 %</small></td></tr></tbody></table>
<table><caption>By class</caption><thead><tr><th>Class</th></tr></thead><tbody></tbody></table>
"""


def _folder(run: RunFolder) -> dict[str, pd.DataFrame]:
    write_report(run)
    folder = run.report_folder / "tables"
    return {path.stem: pd.read_csv(path) for path in folder.glob("*.csv")}


def test_a_table_keeps_every_digit_and_its_interval_in_columns_of_their_own() -> None:
    table, *_ = read_tables(PAGE)

    assert table.name == "scores-of-1"
    assert table.csv() == (
        'Row,Loss,"Loss, low","Loss, high","Took, s",remarks\n'
        "a,0.123456789,0.1,0.2,85.2,the stack; a probe\n"
        '"b, ""c""",,,,,\n'
    )


def test_tables_are_named_by_region_or_caption_and_never_alike() -> None:
    assert [table.name for table in read_tables(PAGE)] == ["scores-of-1", "by-class", "by-class-2"]
    assert read_tables(PAGE)[1].rows == (("7",),)


def test_every_table_of_the_page_is_a_file_that_reads_back(make_run: Make) -> None:
    run = make_run()
    tables = _folder(run)
    page = run.report_file.read_text(encoding="utf-8")

    assert len(tables) == page.count("<table")
    assert {"patient-level-out-of-fold-scores", "paired-comparisons", "members"} <= set(tables)
    assert {"claim-2024", "tripod-ai"} <= set(tables)


def test_the_scores_are_those_of_the_run_to_the_last_digit(make_run: Make) -> None:
    run = make_run()
    scores = _folder(run)["patient-level-out-of-fold-scores"].set_index("Row")

    rows: list[dict[str, Any]] = read_json(run.metrics_file)["rows"]
    assert list(scores.index) == [row["name"] for row in rows]
    for row in rows:
        found = row["oof"]["patient"]["metrics"]["log_loss"]
        shown = scores.loc[row["name"], ["Log loss", "Log loss, low", "Log loss, high"]]
        assert list(shown) == [found["value"], found["low"], found["high"]]


def test_a_table_that_the_page_no_longer_has_is_dropped(make_run: Make) -> None:
    run = make_run()
    old = run.report_folder / "tables" / "of-an-older-page.csv"
    old.parent.mkdir(parents=True)
    old.touch()

    tables = _folder(run)

    assert "of-an-older-page" not in tables
    assert pd.read_csv(io.StringIO(read_tables(PAGE)[0].csv())).shape == (2, 6)
