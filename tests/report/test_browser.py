"""A real browser draws every figure without an error, and without a network."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from raymed.report import write_report
from raymed.runs import RunFolder

CHROMIUM = shutil.which("chromium")
QUIET = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync "
    "--host-resolver-rules=MAP+*+~NOTFOUND --virtual-time-budget=10000"
)


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
@pytest.mark.parametrize("surfaces", [False, True])
def test_a_browser_draws_every_figure(
    make_run: Callable[..., RunFolder],
    measure: Callable[..., RunFolder],
    tmp_path: Path,
    surfaces: bool,
) -> None:
    page = write_report(measure() if surfaces else make_run())
    assert CHROMIUM is not None
    options = [option.replace("+", " ") for option in QUIET.split()]
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    shown = subprocess.run(
        [CHROMIUM, *options, profile, "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout
    error = re.search(r'data-script-error="([^"]*)"', shown)
    assert error is None, error
    assert 'data-figures="drawn"' in shown
    figures = shown.split('<div class="plot js-plotly-plot"')[1:]
    # 2 intervals; a reliability in each of 4 views; 3 members' curves; the movement; the leak;
    # 2 abstention curves, a matrix of pairs, the patterns; 2 squares, a line.
    assert len(figures) == 2 + 4 + 3 + 1 + 1 + 2 + 2 + (3 if surfaces else 0)
    for figure in figures:
        assert 'class="main-svg"' in figure.partition("</figure>")[0]
