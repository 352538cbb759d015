"""Opens a page in a real browser, without a network, and tells what became of it."""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

import pytest

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


@dataclass(frozen=True)
class Seen:
    """What the browser drew: each figure's part of the page, and the headings that sort."""

    figures: list[str]
    heads: list[str]


def look_at(page: Path, scratch: Path) -> Seen:
    """Open a report, and hold what all must keep: no error, no request, drawn, tables that sort."""
    before, _, after = page.read_text(encoding="utf-8").rpartition("</body>")  # Plotly has others
    page.write_text(before + LOOK + after, encoding="utf-8")
    shown, said = open_page(page, scratch)
    error = re.search(r'data-script-error="([^"]*)"', shown)
    assert error is None, error and error[1]
    assert "CONSOLE" not in said
    figures = shown.split('<div class="plot js-plotly-plot"')[1:]
    figures = [figure.partition("</figure>")[0] for figure in figures]
    assert all('class="main-svg"' in figure for figure in figures)
    found = re.search(r'data-look="([^"]*)"', shown)
    assert found is not None
    look = json.loads(unescape(found[1]))
    _check(look)
    return Seen(figures, [each["name"] for each in look["sorted"]])


def open_page(page: Path, scratch: Path) -> tuple[str, str]:
    """Open a page, and return what it became and what the browser said; skips without one."""
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
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


def _check(look: dict[str, Any]) -> None:
    assert look["resources"] == []  # nothing was asked of a network
    assert look["unsortable"] == 0
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
