"""Augmented samples in the report: a row a sample, said to be patients' images, or none."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from raymed.files import write_text
from raymed.report import write_report
from raymed.runs import RunFolder

Make = Callable[..., RunFolder]


def _png(seed: int) -> bytes:
    content = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()


@pytest.fixture
def drawn(make_run: Make) -> Make:
    """Fill a run folder with two groups of members, of two samples and of one."""

    def make(**options: Any) -> RunFolder:
        run = make_run(**options)
        groups = [["tuned-lite0", "sam"], ["tuned-lite0", "sam"], ["x"]]
        rows = [
            {
                "members": members,
                "size": 96,
                "sample_id": f"scan-<{number}>",
                "label": "glioma",
                "images": [_png(10 * number + draw) for draw in range(6)],
            }
            for number, members in enumerate(groups)
        ]
        pq.write_table(pa.Table.from_pylist(rows), run.augmented_file)
        return run

    return make


def _section(run: RunFolder, *, ids_shown: bool = False) -> str:
    text = write_report(run, ids_shown=ids_shown).read_text(encoding="utf-8")
    section = text.partition('<section id="augmented">')[2].partition("</section>")[0]
    return " ".join(section.split())


def test_each_sample_is_a_row_of_itself_and_its_draws(drawn: Make) -> None:
    section = _section(drawn())

    assert section.count("<li>") == 3
    assert section.count('src="data:image/webp;base64,') == 18
    assert section.count("as it is, then 5 draws") == 3
    assert "scan-" not in section
    assert "<h3>tuned-lite0, sam</h3>" in section
    assert "<summary><h3>x</h3></summary>" in section
    assert "share the page only as you may share them" in section


def test_samples_are_named_where_that_is_asked_for(drawn: Make) -> None:
    assert 'alt="scan-&lt;1&gt;, draw 5"' in _section(drawn(), ids_shown=True)


def test_without_gallery_no_image_is_shown(drawn: Make) -> None:
    run = drawn()
    written = run.experiment_file.read_text(encoding="utf-8")
    write_text(run.experiment_file, written.replace("gallery: 12", "gallery: 0"))

    text = write_report(run).read_text(encoding="utf-8")

    assert 'id="augmented"' not in text
    assert "#augmented" not in text
    assert "data:image/webp" not in text
