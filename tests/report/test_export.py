"""Figures as SVG beside the page; without a browser, a page that says they are missing."""

import shutil
import stat
import time
from collections.abc import Callable
from html import unescape
from pathlib import Path

import plotly.graph_objects as go
import pytest

from raymed.report import publish_report
from raymed.report.export import NO_BROWSER, export_figures
from raymed.report.figures import PageFigure, page_figure
from raymed.runs import RunFolder

CHROMIUM = shutil.which("chromium")
Make = Callable[..., RunFolder]


def figure(key: str, height: float = 2.0) -> PageFigure:
    drawn = go.Figure(go.Bar(x=["a", "b"], y=[1, height]))
    return page_figure(key, "Bars of <a> & b", "two bars", drawn, height=200)


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> None:
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    monkeypatch.setenv("BROWSER_PATH", CHROMIUM)


def test_without_a_browser_the_report_is_whole_and_says_what_is_missing(make_run: Make) -> None:
    published = publish_report(make_run())

    assert published.undrawn == NO_BROWSER
    assert NO_BROWSER in published.page.read_text(encoding="utf-8")
    assert (published.page.parent / "report" / "tables" / "members.csv").is_file()


@pytest.mark.usefixtures("browser")
def test_a_browser_draws_a_figure_on_white_under_its_title(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert export_figures([figure("bars")], tmp_path) is None

    drawn = (tmp_path / "bars.svg").read_text(encoding="utf-8")
    assert drawn.startswith("<svg")
    assert "fill: rgb(255, 255, 255)" in drawn
    assert ">Bars of <a> & b<" in unescape(drawn)
    monkeypatch.setenv("BROWSER_PATH", "gone")
    assert export_figures([figure("bars")], tmp_path) is None  # as it was: no browser is needed


@pytest.mark.usefixtures("browser")
def test_only_what_changed_is_drawn_again_and_what_is_gone_is_dropped(tmp_path: Path) -> None:
    export_figures([figure("same"), figure("other"), figure("gone")], tmp_path)
    same, other = (tmp_path / f"{name}.svg" for name in ("same", "other"))
    before = same.stat().st_mtime_ns, other.stat().st_mtime_ns

    export_figures([figure("same"), figure("other", height=3.0)], tmp_path)

    assert same.stat().st_mtime_ns == before[0]
    assert other.stat().st_mtime_ns > before[1]
    assert not (tmp_path / "gone.svg").exists()


def test_a_browser_that_hangs_holds_the_report_up_no_longer_than_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging = tmp_path / "browser"
    hanging.write_text("#!/bin/sh\nexec sleep 600\n")
    hanging.chmod(hanging.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("BROWSER_PATH", str(hanging))
    began = time.monotonic()

    problem = export_figures([figure("bars")], tmp_path / "figures", patience=1)

    assert problem is not None
    assert "had not drawn them after 1 s" in problem
    assert time.monotonic() - began < 15
    assert not list((tmp_path / "figures").glob("*"))
