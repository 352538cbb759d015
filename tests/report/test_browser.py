"""A real browser draws every figure, sorts tables and complains of nothing, without a network."""

from collections.abc import Callable
from pathlib import Path

import pytest

from raymed.report import write_report
from raymed.runs import RunFolder
from tests.report.browser import look_at


@pytest.mark.parametrize("surfaces", [False, True])
def test_a_browser_draws_every_figure_and_sorts_every_table(
    make_run: Callable[..., RunFolder],
    measure: Callable[..., RunFolder],
    tmp_path: Path,
    surfaces: bool,
) -> None:
    page = write_report(measure() if surfaces else make_run())
    assert page.stat().st_size < 10e6
    seen = look_at(page, tmp_path)
    # 2 intervals; a reliability in each of 4 views; 3 members' curves; the movement; the leak;
    # 2 abstention curves, a matrix of pairs, the patterns; 2 curves of each of 3 classes;
    # 2 squares, a line.
    assert len(seen.figures) == 2 + 4 + 3 + 1 + 1 + 2 + 2 + 2 * 3 + 1 + (3 if surfaces else 0)
    assert {"Row", "Log loss ↓", "Member", "Class"} <= set(seen.heads)
