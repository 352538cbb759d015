"""Every Python snippet in docs/ runs as it stands, page by page, from top to bottom."""

import os
import re
import sys
import warnings
from pathlib import Path

import pytest

from tests.forked import exit_code, forked

DOCS = Path(__file__).parents[2] / "docs"
SNIPPET = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = {
    str(page.relative_to(DOCS)): blocks
    for page in sorted(DOCS.rglob("*.md"))
    if (blocks := SNIPPET.findall(page.read_text(encoding="utf-8")))
}


def run(source: str, folder: Path) -> None:
    """Run a program in a folder, warnings being errors; what it says goes into files there."""
    os.chdir(folder)
    sys.stdout, sys.stderr = (Path(name).open("w") for name in ("out", "err"))  # noqa: SIM115
    warnings.simplefilter("error")
    exec(compile(source, "snippets", "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize("page", PAGES)
def test_the_snippets_of_a_page_run(page: str, tmp_path: Path) -> None:
    process = forked(run, "\n".join(PAGES[page]), tmp_path)

    assert exit_code(process, 300) == 0, (tmp_path / "err").read_text()


def test_a_snippet_that_fails_or_warns_is_noticed(tmp_path: Path) -> None:
    for source, word in (("1 / 0", "division"), ("import warnings; warnings.warn('no')", "no")):
        assert exit_code(forked(run, source, tmp_path), 300) == 1
        assert word in (tmp_path / "err").read_text()


def test_there_are_pages_with_snippets() -> None:
    assert "techniques/sam.md" in PAGES
