"""A real browser draws every figure, sorts tables and complains of nothing, without a network."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from raymed.report import write_report
from raymed.runs import RunFolder

CHROMIUM = shutil.which("chromium")
QUIET = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync "
    "--host-resolver-rules=MAP+*+~NOTFOUND --virtual-time-budget=10000 --enable-logging=stderr"
)
LOOK = """
<script>
const look = () => {
  if (document.body.dataset.figures !== "drawn") return setTimeout(look, 20);
  const column = (table, at) => [...table.tBodies[0].rows].map((row) =>
    row.cells[at]?.dataset.value ?? row.cells[at]?.textContent.trim() ?? "");
  const sorted = [...document.querySelectorAll("thead button")].map((button) => {
    const [head, table] = [button.closest("th"), button.closest("table")];
    const seen = { name: head.textContent.trim(), reached: button.tabIndex, orders: [] };
    for (const _ of [0, 1]) {
      button.click();
      seen.orders.push([head.getAttribute("aria-sort"), column(table, head.cellIndex)]);
    }
    return seen;
  });
  document.body.dataset.look = JSON.stringify({
    sorted,
    resources: performance.getEntriesByType("resource").map((each) => each.name),
    unsortable: [...document.querySelectorAll("table")].filter((table) =>
      !table.querySelector("thead button") && table.tBodies[0].rows.length > 2
      && !table.matches(".confusion, .fixed")).length,
  });
};
look();
</script>
</body>"""


def _shown(page: Path, scratch: Path) -> tuple[str, str]:
    """Open a page, and return what it became and what the browser said."""
    assert CHROMIUM is not None
    options = [option.replace("+", " ") for option in QUIET.split()]
    profile = f"--user-data-dir={scratch / 'profile'}"
    done = subprocess.run(
        [CHROMIUM, *options, profile, "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout, done.stderr


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
@pytest.mark.parametrize("surfaces", [False, True])
def test_a_browser_draws_every_figure_and_sorts_every_table(
    make_run: Callable[..., RunFolder],
    measure: Callable[..., RunFolder],
    tmp_path: Path,
    surfaces: bool,
) -> None:
    page = write_report(measure() if surfaces else make_run())
    assert page.stat().st_size < 10e6
    before, _, after = page.read_text(encoding="utf-8").rpartition("</body>")  # Plotly has others
    page.write_text(before + LOOK + after, encoding="utf-8")

    shown, said = _shown(page, tmp_path)

    error = re.search(r'data-script-error="([^"]*)"', shown)
    assert error is None, error and error[1]
    assert "CONSOLE" not in said
    figures = shown.split('<div class="plot js-plotly-plot"')[1:]
    # 2 intervals; a reliability in each of 4 views; 3 members' curves; the movement; the leak;
    # 2 abstention curves, a matrix of pairs, the patterns; 2 curves of each of 3 classes;
    # 2 squares, a line.
    assert len(figures) == 2 + 4 + 3 + 1 + 1 + 2 + 2 + 2 * 3 + (3 if surfaces else 0)
    for figure in figures:
        assert 'class="main-svg"' in figure.partition("</figure>")[0]
    look = re.search(r'data-look="([^"]*)"', shown)
    assert look is not None
    _check(json.loads(unescape(look[1])))


def _check(look: dict[str, Any]) -> None:
    assert look["resources"] == []  # nothing was asked of a network
    assert look["unsortable"] == 0
    assert {"Row", "Log loss ↓", "Member", "Class"} <= {each["name"] for each in look["sorted"]}
    for each in look["sorted"]:
        assert each["reached"] == 0  # by the tab key
        (up, rising), (down, falling) = each["orders"]
        assert (up, down) == ("ascending", "descending")
        for order in (rising, falling):
            defined = [value not in ("", "–") for value in order]
            assert defined == sorted(defined, reverse=True), each  # what is undefined comes last
        if all(re.fullmatch(r"-?[\d.e-]*|–", value) for value in rising):
            numbers = [float(value) for value in rising if value not in ("", "–")]
            assert numbers == sorted(numbers), each
            numbers = [float(value) for value in falling if value not in ("", "–")]
            assert numbers == sorted(numbers, reverse=True), each
        else:
            assert rising[0].casefold() <= falling[0].casefold()
