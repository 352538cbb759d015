"""The report's gallery: a card a case, whose images it is said to hold, no evidence."""

import io
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from raymed.files import write_text
from raymed.report import write_report
from raymed.report.gallery import COLOURS, OPACITY, coloured
from raymed.runs import RunFolder

Make = Callable[..., RunFolder]


def _png(pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> bytes:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()


def _case(split: str, right: bool, patient: str, colour: bool, with_map: bool) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    side = (24, 24, 3) if colour else (24, 24)
    said = {"predicted": "glioma", "probability": 0.875}
    return {
        "split": split,
        "right": right,
        "sample_id": f"scan-{patient}-<b>",
        "patient": patient,
        "images": 3,
        "label": "glioma" if right else "meningioma",
        **said,
        "members": [{"name": "probe-lite0", **said}, {"name": "tuned-lite0", **said}],
        "image": _png(rng.integers(0, 256, side, dtype=np.uint8)),
        "saliency": _png(rng.integers(0, 256, (2, 3), dtype=np.uint8)) if with_map else None,
    }


@pytest.fixture
def drawn(make_run: Make) -> Make:
    """Fill a run folder with a gallery of two mistakes, a right answer and one of the test."""

    def make(fault: str = "", **options: Any) -> RunFolder:
        run, with_map = make_run(**options), not fault
        rows = [
            _case("oof", False, "P01", False, with_map),
            _case("oof", False, "P02", True, with_map),
            _case("oof", True, "P03", False, with_map),
            _case("test", True, "P04", False, with_map),
        ]
        facts = {"about": "x", "member": "tuned-lite0", "fault": fault}
        pq.write_table(pa.Table.from_pylist(rows).replace_schema_metadata(facts), run.gallery_file)
        return run

    return make


def _section(run: RunFolder, *, ids_shown: bool = False) -> str:
    text = write_report(run, ids_shown=ids_shown).read_text(encoding="utf-8")
    section = text.partition('<section id="gallery">')[2].partition("</section>")[0]
    return " ".join(section.split())


def test_a_case_is_a_card_with_its_image_its_map_and_every_members_word(drawn: Make) -> None:
    section = _section(drawn())

    assert section.count('<li class="card">') == 4
    assert section.count('src="data:image/webp;base64,') == 8
    assert section.count("tuned-lite0: glioma, 88 %") == 4
    assert (
        len(set(re.findall(r"[0-9a-f]{10}, patient [0-9a-f]{10}, one of 3 images", section))) == 4
    )
    assert section.count("true class <strong>meningioma</strong>") == 2
    test_part = section.partition("Test split")[2]
    assert "There is none." in test_part  # no mistake there
    assert test_part.count('<li class="card">') == 1


def test_samples_and_patients_have_codes_for_names_unless_their_ids_are_asked_for(
    drawn: Make,
) -> None:
    run = drawn()
    coded, shown = _section(run), _section(run, ids_shown=True)

    for patient in ("P01", "P02", "P03", "P04"):
        assert patient not in coded
        assert f"scan-{patient}-&lt;b&gt;, patient {patient}, one of 3 images" in shown
    assert "This section holds images of patients" in coded
    assert "raymed report RUN --ids" in coded
    assert "This section holds images and ids of patients" in shown


def test_every_image_has_an_alternative_text(drawn: Make) -> None:
    images = re.findall(r"<img [^>]*>", _section(drawn()))

    assert len(images) == 8
    assert all(re.search(r'alt="[^"]{20,}"', image) for image in images)


def test_it_says_whose_images_it_holds_and_that_a_map_is_no_evidence(drawn: Make) -> None:
    section = _section(drawn())

    assert "This section holds images of patients" in section
    assert "A saliency map is an illustration, not evidence" in section
    assert "in no more than 3&nbsp;×&nbsp;2 places" in section
    assert "arXiv 1810.03292" in section
    assert "never saw the patient" in section


def test_where_patients_are_not_declared_none_is_named(drawn: Make) -> None:
    section = _section(drawn(declared=False))

    assert "patient P01" not in section
    assert ", patient " not in section
    assert "never saw the image" in section


def test_a_member_without_a_map_leaves_the_images_and_says_why(drawn: Make) -> None:
    section = _section(drawn(fault="Pit gives a class token alone: there is no map to show"))

    assert section.count("<img ") == 4
    assert "There are no saliency maps: Pit gives a class token alone" in section


def test_a_report_of_a_run_that_wants_none_shows_none(drawn: Make) -> None:
    run = drawn()
    text = run.experiment_file.read_text()
    assert "gallery: 12" in text
    write_text(run.experiment_file, text.replace("gallery: 12", "gallery: 0"))

    assert _section(run) == ""


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_colour_lies_where_the_map_does_and_nowhere_else(mode: str) -> None:
    image = Image.new("L", (2, 1), 100).convert(mode)
    saliency = Image.fromarray(np.array([[0, 255]], dtype=np.uint8))

    nothing, most = np.asarray(coloured(image, saliency))[0]

    assert nothing.tolist() == [100, 100, 100]
    expected = (1 - OPACITY) * 100 + OPACITY * COLOURS[-1]
    assert most.tolist() == expected.round().tolist()
