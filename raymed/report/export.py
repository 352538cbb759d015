"""The report as files for papers: the page, its tables as CSV, its figures as SVG."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import Any

import psutil

from raymed.files import digest, read_json, write_json, write_text
from raymed.report.external import read_external
from raymed.report.figures import PageFigure, plain
from raymed.report.material import read_material
from raymed.report.page import draw_all, each_figure, render, write_page
from raymed.runs import RunFolder

WIDTH = 720  # pixels
HEADING, LEGEND = 40, 48  # pixels that a figure's title takes, and its legend
PATIENCE = 120.0  # seconds in which a browser draws all figures, or is taken to hang
NO_BROWSER_CODE = 4  # of drawing.py
NO_BROWSER = (
    "The figures were not exported as SVG: no Chrome or Chromium was found. Install one, or run "
    "kaleido_get_chrome, then raymed report RUN"
)


@dataclass(frozen=True)
class Published:
    """The page, and why its figures were not exported beside it, if they were not."""

    page: Path
    undrawn: str | None


def publish_report(run: RunFolder, *, ids_shown: bool = False) -> Published:
    """Write the page, its tables into `report/tables`, its figures into `report/figures`.

    Figures need a browser; without one the report is whole all the same, and says what is missing.
    With `ids_shown` the page names samples and patients by their ids instead of codes. Raises
    InputError where the run folder lacks metrics, audit, manifest or experiment.
    """
    material = read_material(run, ids_shown=ids_shown)
    figures = draw_all(material)
    undrawn = export_figures(list(each_figure(figures)), run.report_folder / "figures")
    page = render(material, figures, undrawn, read_external(run))
    return Published(write_page(run, page), undrawn)


def export_figures(
    figures: Sequence[PageFigure], folder: Path, patience: float = PATIENCE
) -> str | None:
    """Write each figure as `<key>.svg`; returns why some are missing, or None.

    One browser draws all of them, but those that are as they were when last drawn. What the page
    no longer shows is dropped.
    """
    index = folder / "drawn.json"
    drawn = read_json(index) if index.is_file() else {}
    wanted = {figure.key: digest(_standalone(figure)) for figure in figures}
    for old in folder.glob("*.svg"):
        if old.stem not in wanted:
            old.unlink()
    new = [
        figure
        for figure in figures
        if drawn.get(figure.key) != wanted[figure.key]
        or not (folder / f"{figure.key}.svg").is_file()
    ]
    if not new:
        return None
    problem = _draw(new, folder, patience)
    if problem is None:
        write_json(index, wanted)
    return problem


def _draw(figures: Sequence[PageFigure], folder: Path, patience: float) -> str | None:
    """Draw figures, and put them in place when all are there."""
    with tempfile.TemporaryDirectory() as scratch:
        wanted = [_wanted(figure, Path(scratch)) for figure in figures]
        program = Path(__file__).with_name("drawing.py")
        command = [sys.executable, "-P", str(program)]  # -P: our modules shadow nobody's
        with subprocess.Popen(
            command, stdin=PIPE, stdout=DEVNULL, stderr=PIPE, text=True
        ) as drawing:
            try:
                _, said = drawing.communicate(json.dumps(wanted), timeout=patience)
            except subprocess.TimeoutExpired:
                return (
                    "The figures were not exported as SVG: the browser had not drawn them after "
                    f"{patience:g} s. To try again, run raymed report RUN"
                )
            finally:
                _end(drawing)
        if drawing.returncode == NO_BROWSER_CODE:
            return NO_BROWSER
        if drawing.returncode:
            why = said.strip().splitlines()[-1:] or [f"exit code {drawing.returncode}"]
            return f"The figures were not exported as SVG: {why[0]}"
        for each in wanted:
            drawn = Path(each["path"])
            write_text(folder / drawn.name, drawn.read_text(encoding="utf-8"))
    return None


def _end(drawing: "subprocess.Popen[str]") -> None:
    """End a drawing that goes on, and its browser, which leads a session of its own."""
    if drawing.poll() is not None:
        return
    program = psutil.Process(drawing.pid)
    for process in [*program.children(recursive=True), program]:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def _wanted(figure: PageFigure, folder: Path) -> dict[str, Any]:
    spec = _standalone(figure)
    size = {"width": WIDTH, "height": spec["layout"]["height"]}
    path = str(folder / f"{figure.key}.svg")
    return {"fig": spec, "path": path, "opts": {"format": "svg", **size}}


def _standalone(figure: PageFigure) -> dict[str, Any]:
    """Give a figure what the page gives it there: a title, and a ground of its own."""
    named = sum("name" in trace for trace in figure.spec["data"]) > 1
    shown = named and figure.spec["layout"].get("showlegend", True)
    top = HEADING + LEGEND * shown
    height = figure.height + top
    layout = figure.spec["layout"] | {
        "title": {
            "text": plain(figure.title, 90),
            "font": {"size": 16},
            "x": 0.0,
            "xref": "paper",
            "yref": "container",
            "y": 1 - 12 / height,
            "yanchor": "top",
        },
        "legend": {
            "orientation": "h",
            "x": 0.0,
            "yref": "container",
            "y": 1 - HEADING / height,
            "yanchor": "top",
        },
        "width": WIDTH,
        "height": height,
        "margin": {"l": 12, "r": 16, "t": 8 + top, "b": 12},
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
    }
    return {"data": figure.spec["data"], "layout": layout}
