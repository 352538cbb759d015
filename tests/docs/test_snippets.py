"""Every Python snippet in docs/ runs as it stands, page by page, from top to bottom."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
SNIPPET = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = {
    str(page.relative_to(DOCS)): blocks
    for page in sorted(DOCS.rglob("*.md"))
    if (blocks := SNIPPET.findall(page.read_text(encoding="utf-8")))
}


@pytest.mark.parametrize("page", PAGES)
def test_the_snippets_of_a_page_run(page: str, tmp_path: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(PAGES[page])],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert said.returncode == 0, said.stderr


def test_there_are_pages_with_snippets() -> None:
    assert "techniques/sam.md" in PAGES
